"""Finds the object and its visual hull, the largest shape that fits all masks."""

import numpy as np

from tf_softras._shared.errors import SoftrasError
from tf_softras._shared.extras import needs
from tf_softras.geometry import Mesh

_COARSE = 40
# Cells of padding around the object that the coarse grid finds.
_PADDING = 2.0
# Points of the fine grid along a side of a block; the middles of blocks are evaluated first.
_BLOCK = 4
# A pixel below the first coverage is empty. One above the second shows a part wider than a pixel.
_LEAST_COVERAGE = 0.06
_COVERED = 0.9
# A separate part of the hull counts if this share of the views shows its place.
_SHOWN = 0.8
# The tangent of a direction that is beyond any picture, for points behind the camera.
_FAR_OFF = 1e3


class FitError(SoftrasError, ValueError):
    """Pictures and cameras do not show one object that a mesh could be fitted to."""


def object_frame(crops):
    """Returns centre and longest side of the object, from cameras and masks alone.

    The visual hull is carved on a coarse grid about the point that all cameras look at, then on a
    second grid that fits tightly around it.

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
    """Returns the signed distance of points to the visual hull, in world units, negative inside.

    Each view gives the distance to its mask's boundary in pixels, times the size of a pixel at the
    point's depth. The result is the maximum over views, which is exact at the hull's surface.
    Beyond 2 `band` it is a lower bound: later views skip points that an earlier one puts there.

    Args:
        crops: `Crops`.
        points: float64 `[points, 3]`.
        band: Positive float, world units.
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
        dilation: The number of cells by which the hull is made thicker, so that no thin part is
            lost between the grid's points.
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
    # Close the hull where the grid's border cuts it.
    for side in (0, -1):
        values[side] = values[:, side] = values[:, :, side] = cell
    if values.min() >= 0.0:
        raise FitError(
            "masks: expected views whose masks show one object; received masks with no point of "
            "space inside all of them. Compare the cameras with the pictures"
        )
    vertices, faces, _, _ = measure.marching_cubes(values, 0.0, spacing=(cell,) * 3)
    vertices = vertices + (0.5 - 0.5 * resolution) * cell
    # scikit-image winds faces towards falling values. Our values rise outwards.
    return oriented_outwards(_without_unseen_parts(Mesh(vertices, faces), crops))


def _without_unseen_parts(mesh: Mesh, crops) -> Mesh:
    """Returns the hull without separate parts that lie beyond the borders of most pictures.

    No mask carves them away, and nothing shows that they are there.
    """
    from scipy.sparse import coo_matrix, csgraph

    count, faces = len(mesh.vertices), mesh.faces
    ends = faces[:, [0, 1]].ravel(), faces[:, 1:].ravel()
    edges = coo_matrix((np.ones(len(ends[0])), ends), shape=(count, count))
    parts, part = csgraph.connected_components(edges, directed=False)
    if parts == 1:
        return mesh
    shown = np.mean([_is_in_picture(crops, i, mesh.vertices) for i in range(len(crops))], axis=0)
    share = np.bincount(part, weights=shown) / np.bincount(part)
    kept = share >= min(_SHOWN, share.max())
    faces = faces[kept[part[faces[:, 0]]]]
    used, faces = np.unique(faces, return_inverse=True)
    return Mesh(mesh.vertices[used], faces.reshape(-1, 3))


def _is_in_picture(crops, index, points):
    """Returns whether points lie inside a square, where the picture has pixels, bool `[points]`."""
    _, column, row = _projected(crops, index, points)
    inside = (column >= 0) & (column < crops.size) & (row >= 0) & (row < crops.size)
    column, row = (np.where(inside, value, 0).astype(int) for value in (column, row))
    return inside & crops.valid[index, row, column]


def _field(crops, resolution, cell):
    """Returns the signed distance of a grid's points to the hull, float64 `[resolution] * 3`.

    A block that does not reach the hull's surface has the value of its middle everywhere.
    """
    coarse = _grid(resolution // _BLOCK, _BLOCK * cell)
    values = carved(crops, coarse, 2.0 * _BLOCK * cell).reshape((resolution // _BLOCK,) * 3)
    for axis in range(3):
        values = np.repeat(values, _BLOCK, axis=axis)
    # Half of a block's diagonal is 0.87 of its side. The rest is for pixels nearer to the camera,
    # which are smaller.
    close = np.flatnonzero(np.abs(values) < 1.2 * _BLOCK * cell)
    values.reshape(-1)[close] = carved(crops, _grid(resolution, cell)[close], 2.0 * cell)
    return values.clip(-4.0 * cell, 4.0 * cell)


def _grid(resolution, cell):
    """Returns the middles of the cells of a cube about the origin, `[resolution^3, 3]`."""
    axis = (np.arange(resolution) + 0.5 - 0.5 * resolution) * cell
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)


def oriented_outwards(mesh: Mesh) -> Mesh:
    """Returns a closed mesh whose faces are counter-clockwise seen from outside."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    if np.sum(a * np.cross(b, c)) >= 0.0:
        return mesh
    return Mesh(mesh.vertices, mesh.faces[:, ::-1])


def _projected(crops, index, points):
    """Returns depth, column and row of points; those behind the camera lie beyond any square."""
    camera = points @ crops.rotations[index].T + crops.translations[index]
    depth = camera[:, 2]
    in_front = depth > 1e-6
    x, y = np.where(in_front, camera[:, :2].T / np.where(in_front, depth, 1.0), _FAR_OFF)
    lens = crops.intrinsics[index]
    return depth, lens[0, 0] * x + lens[0, 1] * y + lens[0, 2], lens[1, 1] * y + lens[1, 2]


def _outside(crops, index, points):
    """Returns the signed distance of points to one view's mask, world units, negative inside."""
    depth, column, row = _projected(crops, index, points)
    in_front = depth > 1e-6
    safe = np.where(in_front, depth, 1.0)
    lens = crops.intrinsics[index]
    distance = _mask_distance(crops, index)
    pixels = _sampled(distance, column - 0.5, row - 0.5)
    known = _sampled(np.float32(crops.valid[index]), column - 0.5, row - 0.5) > 0.99
    size = crops.size
    beyond = np.maximum.reduce([-column, column - size, -row, row - size])
    # Points outside of the square are background, unless the picture ends there, too.
    free = (beyond > 0.0) & _beyond_is_background(crops, index, column, row)
    pixels = np.where(beyond > 0.0, np.where(free, beyond + 1.0, -np.inf), pixels)
    pixels = np.where((beyond <= 0.0) & ~known, np.where(pixels > 0, -np.inf, pixels), pixels)
    world = pixels * safe / (0.5 * (lens[0, 0] + lens[1, 1]))
    return np.where(in_front, world, 1e3)


def _beyond_is_background(crops, index, column, row):
    """Returns whether points lie beyond a side of the square that is inside the picture."""
    valid, size = crops.valid[index], crops.size
    sides = (
        (column < 0, valid[:, 0].any()),
        (column > size, valid[:, -1].any()),
        (row < 0, valid[0].any()),
        (row > size, valid[-1].any()),
    )
    return np.logical_or.reduce([beyond & bool(has) for beyond, has in sides])


def _mask_distance(crops, index):
    """Returns the signed distance to the mask's boundary `[size, size]`, pixels, negative inside.

    Partly covered pixels place the boundary between pixels. A partly covered pixel without a fully
    covered neighbour shows a part thinner than a pixel, such as a wing seen edge-on. It counts as
    inside; otherwise the part would be carved away.
    """
    from scipy import ndimage

    alpha = crops.pictures[index, ..., 3].astype(np.float32) / 255.0
    is_thin = (alpha > _LEAST_COVERAGE) & (ndimage.maximum_filter(alpha, 3) < _COVERED)
    inside = (alpha >= 0.5) | is_thin
    distance = np.where(
        inside, -ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside)
    ).astype(np.float32)
    # The transform measures from centre to centre, so it is 1 beside the boundary. There alpha
    # gives the distance.
    partly = (alpha > 0.0) & (alpha < 1.0) & (np.abs(distance) <= 1.0)
    distance = np.where(partly, 0.5 - alpha, distance - np.sign(distance) * 0.5)
    return np.where(is_thin, np.minimum(distance, -0.25), distance)


def _sampled(picture, column, row):
    """Returns bilinear samples; pixel centres are at whole numbers, borders are repeated."""
    from scipy import ndimage

    return ndimage.map_coordinates(picture, [row, column], order=1, mode="nearest")


def _seen_cube(crops):
    """Returns centre and side of a cube that holds the object, from the masks' boxes.

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
