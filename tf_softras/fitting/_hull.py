"""The visual hull: the largest shape that explains all masks, and where the object is."""

import numpy as np

from tf_softras._shared.errors import SoftrasError
from tf_softras._shared.extras import needs
from tf_softras.geometry import Mesh

_COARSE = 40
# Where the coarse grid's object may end, a share of a cell beyond its outermost points.
_PADDING = 2.0
# Points of the fine grid along a side of a block that is looked at first.
_BLOCK = 4
# A pixel of less coverage is empty; one of more shows an object that is wider than a pixel.
_LEAST_COVERAGE = 0.06
_COVERED = 0.9


class FitError(SoftrasError, ValueError):
    """Pictures and cameras do not show one object that a mesh could be fitted to."""


def object_frame(crops):
    """Returns centre and longest side of the object, from cameras and masks alone.

    The visual hull is carved on a coarse grid about the point that all cameras look at, then again
    on a grid that just holds it.

    Args:
        crops: `Crops` in the world of the cameras.

    Returns:
        center: float64 `[3]`.
        scale: float, the longest side of the hull's bounding box.

    Raises:
        FitError: The masks have no point in common, or the cameras do not look at one point.
    """
    center, side = _seen_cube(crops)
    for _ in range(2):
        points = center + _grid(_COARSE, side / _COARSE)
        inside = points[carved(crops, points, side / _COARSE) < 0.5 * side / _COARSE]
        if not len(inside):
            raise FitError(
                "masks: expected views whose masks show one object; received masks with no point "
                "of space inside all of them. Compare the cameras with the pictures"
            )
        low, high = inside.min(axis=0), inside.max(axis=0)
        center = 0.5 * (low + high)
        cell, side = side / _COARSE, (high - low).max()
        side += 2.0 * _PADDING * cell
    return center, side - (2.0 * _PADDING - 1.0) * cell


def carved(crops, points, band):
    """Returns how far points are outside of the visual hull, in world units, negative inside.

    It is the largest, over views, of the distance to the mask's boundary in pixels, times what a
    pixel is at the point's depth: exact at the hull's surface. Beyond `band` it is a lower bound:
    points that one view puts farther outside are not asked of the others.

    Args:
        crops: `Crops`.
        points: float64 `[points, 3]`.
        band: float, world units.
    """
    values = np.full(len(points), -np.inf)
    alive = np.arange(len(points))
    for index in range(len(crops)):
        found = _outside(crops, index, points[alive])
        values[alive] = np.maximum(values[alive], found)
        alive = alive[values[alive] < 2.0 * band]
        if not len(alive):
            break
    return values


def visual_hull(crops, *, resolution=128, dilation=0.0, limit=0.56):
    """Returns the visual hull as a mesh, by marching cubes.

    Args:
        crops: `Crops` in the object's frame: its bounding box in [-0.5, 0.5]^3.
        resolution: Cells along a side of the grid.
        dilation: By how many cells the hull is made thicker, so that none of it is lost between
            the grid's points.
        limit: Half the grid's side.

    Raises:
        FitError: Nothing is inside all masks.
        ImportError: scikit-image is not installed.
    """
    with needs("fit", "A fit"):
        from skimage import measure
    resolution = _BLOCK * -(-resolution // _BLOCK)
    cell = 2.0 * limit / resolution
    values = _field(crops, resolution, cell) - dilation * cell
    # A hull that the grid's border cuts is closed there.
    for side in (0, -1):
        values[side] = values[:, side] = values[:, :, side] = cell
    if values.min() >= 0.0:
        raise FitError(
            "masks: expected views whose masks show one object; received masks with no point of "
            "space inside all of them. Compare the cameras with the pictures"
        )
    vertices, faces, _, _ = measure.marching_cubes(values, 0.0, spacing=(cell,) * 3)
    vertices = vertices + (0.5 - 0.5 * resolution) * cell
    # scikit-image winds towards falling values; ours rise outwards.
    return oriented_outwards(Mesh(vertices, faces))


def _field(crops, resolution, cell):
    """Returns how far a grid's points are outside of the hull, float64 `[resolution] * 3`.

    Blocks whose middle is farther from the hull's surface than their corners are from it have
    their middle's value.
    """
    coarse = _grid(resolution // _BLOCK, _BLOCK * cell)
    values = carved(crops, coarse, 2.0 * _BLOCK * cell).reshape((resolution // _BLOCK,) * 3)
    for axis in range(3):
        values = np.repeat(values, _BLOCK, axis=axis)
    # Half of a block's diagonal is 0.87 of its side; a pixel nearer to the camera is smaller.
    close = np.flatnonzero(np.abs(values) < 1.2 * _BLOCK * cell)
    values.reshape(-1)[close] = carved(crops, _grid(resolution, cell)[close], 2.0 * cell)
    return values.clip(-4.0 * cell, 4.0 * cell)


def _grid(resolution, cell):
    """Returns the middles of the cells of a cube about the origin, `[resolution^3, 3]`."""
    axis = (np.arange(resolution) + 0.5 - 0.5 * resolution) * cell
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)


def oriented_outwards(mesh: Mesh) -> Mesh:
    """Returns a closed mesh with its faces counter-clockwise seen from outside: volume above 0."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    if np.sum(a * np.cross(b, c)) >= 0.0:
        return mesh
    return Mesh(mesh.vertices, mesh.faces[:, ::-1])


def _outside(crops, index, points):
    """Returns by how much the view puts points outside of its mask, world units."""
    camera = points @ crops.rotations[index].T + crops.translations[index]
    depth = camera[:, 2]
    in_front = depth > 1e-6
    safe = np.where(in_front, depth, 1.0)
    lens = crops.intrinsics[index]
    column = lens[0, 0] * camera[:, 0] / safe + lens[0, 1] * camera[:, 1] / safe + lens[0, 2]
    row = lens[1, 1] * camera[:, 1] / safe + lens[1, 2]
    distance = _mask_distance(crops, index)
    pixels = _sampled(distance, column - 0.5, row - 0.5)
    known = _sampled(np.float32(crops.valid[index]), column - 0.5, row - 0.5) > 0.99
    size = crops.size
    beyond = np.maximum.reduce([-column, column - size, -row, row - size])
    # Outside of the square lies background, but for what the picture itself does not show.
    free = (beyond > 0.0) & _beyond_is_background(crops, index, column, row)
    pixels = np.where(beyond > 0.0, np.where(free, beyond + 1.0, -np.inf), pixels)
    pixels = np.where((beyond <= 0.0) & ~known, np.where(pixels > 0, -np.inf, pixels), pixels)
    world = pixels * safe / (0.5 * (lens[0, 0] + lens[1, 1]))
    return np.where(in_front, world, 1e3)


def _beyond_is_background(crops, index, column, row):
    """Returns whether points beyond the square's side lie beyond a side that the picture has."""
    valid, size = crops.valid[index], crops.size
    sides = (
        (column < 0, valid[:, 0].any()),
        (column > size, valid[:, -1].any()),
        (row < 0, valid[0].any()),
        (row > size, valid[-1].any()),
    )
    return np.logical_or.reduce([beyond & bool(has) for beyond, has in sides])


def _mask_distance(crops, index):
    """Returns the signed distance to the mask's boundary, pixels, negative inside `[size, size]`.

    Partly covered pixels place the boundary between pixels. Those that have no fully covered
    neighbour show something thinner than a pixel, such as a wing seen edge-on: they count as
    inside, or it would be carved away.
    """
    from scipy import ndimage

    alpha = crops.pictures[index, ..., 3].astype(np.float32) / 255.0
    is_thin = (alpha > _LEAST_COVERAGE) & (ndimage.maximum_filter(alpha, 3) < _COVERED)
    inside = (alpha >= 0.5) | is_thin
    distance = np.where(
        inside, -ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside)
    ).astype(np.float32)
    # It counts from centre to centre: 1 beside the boundary, where alpha says how far that is.
    partly = (alpha > 0.0) & (alpha < 1.0) & (np.abs(distance) <= 1.0)
    distance = np.where(partly, 0.5 - alpha, distance - np.sign(distance) * 0.5)
    return np.where(is_thin, np.minimum(distance, -0.25), distance)


def _sampled(picture, column, row):
    """Returns bilinear samples at pixel coordinates whose centres are whole; borders go on."""
    from scipy import ndimage

    return ndimage.map_coordinates(picture, [row, column], order=1, mode="nearest")


def _seen_cube(crops):
    """Returns centre and side of a cube that holds the object, from the rays to the masks' boxes.

    Raises:
        FitError: The cameras all look along one direction.
    """
    normal_matrix, right_hand = np.zeros((3, 3)), np.zeros(3)
    eyes = crops.eyes
    for index in range(len(crops)):
        lens = crops.intrinsics[index]
        rows, columns = np.nonzero(crops.pictures[index, ..., 3] > 127)
        middle = [(columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2, 1.0]
        ray = crops.rotations[index].T @ np.linalg.solve(lens, middle)
        ray /= np.linalg.norm(ray)
        across = np.eye(3) - np.outer(ray, ray)
        normal_matrix += across
        right_hand += across @ eyes[index]
    if np.linalg.eigvalsh(normal_matrix)[0] < 1e-4 * len(crops):
        raise FitError(
            "views: expected pictures from several sides of the object; received cameras that all "
            "look along one direction"
        )
    center = np.linalg.solve(normal_matrix, right_hand)
    radius = 0.0
    for index in range(len(crops)):
        lens = crops.intrinsics[index]
        depth = (crops.rotations[index] @ center + crops.translations[index])[2]
        if depth <= 0.0:
            raise FitError(
                f"view '{crops.names[index]}': expected a camera that looks at the object; "
                "received one whose back is turned to the point that the others look at. Compare "
                "the conventions of cameras"
            )
        rows, columns = np.nonzero(crops.pictures[index, ..., 3] > 127)
        side = max(np.ptp(columns), np.ptp(rows)) + 2
        radius = max(radius, 0.5 * np.hypot(1, 1) * side * depth / min(lens[0, 0], lens[1, 1]))
    return center, 2.2 * radius
