"""Lays transparent faces over a picture of the opaque ones.

Each sample gathers the clear faces in front of the opaque surface, sorts them by depth and blends
them from the front. This is exact in any order of faces, also where they cross.
"""

import numpy as np

from tf_softras.rendering._surface import Surface, plane_values, ray_planes

# Samples that are blended together: about 200 MB.
_AT_ONCE = 1 << 19


def lay_glass_over(
    samples: np.ndarray,
    depth: np.ndarray,
    corners: np.ndarray,
    faces: np.ndarray,
    light: np.ndarray,
    surface: Surface,
    *,
    slope: float,
    near: float,
) -> None:
    """Blends clear faces over the samples of one view, in place.

    Args:
        samples: float32 `[height, width, 4]`, colours times opacity, and opacity.
        depth: float `[height, width]`, depth of the opaque surface, infinite where there is none.
        corners: float64 `[num_clear, 3, 3]`, the clear faces in camera space.
        faces: int `[num_clear]`, their numbers in the mesh.
        light: float32 `[num_clear]`.
        surface: the mesh's `Surface`.
        slope: the tangent of half the angle of view.
        near: the least depth of a visible face.
    """
    height, width = depth.shape
    boxes = _boxes(corners, height, width, slope, near)
    rows_at_once = max(1, _AT_ONCE // width)
    for top in range(0, height, rows_at_once):
        bottom = min(height, top + rows_at_once)
        found = [
            fragments
            for strips in _strips(boxes, top, bottom)
            if (fragments := _hits(strips, corners, depth, slope, near)) is not None
        ]
        if not found:
            continue
        place, distance, clear = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.lexsort((distance, place))
        place, clear = place[order], clear[order]
        directions = _directions(place, height, width, slope)
        colors = surface.colors(
            lambda part, clear=clear: corners[clear[part]],
            faces[clear],
            directions,
            spacing=2.0 * slope / min(height, width),
        )
        colors[:, :3] *= light[clear, None]
        _blend(samples.reshape(-1, 4), place, colors)


def _boxes(corners, height, width, slope, near) -> np.ndarray:
    """Returns the first and last column and row of each face, int `[num_clear, 4]`."""
    z = corners[..., 2]
    reaches = (z < near).any(axis=1)
    shorter = min(height, width)
    scale = shorter / (2.0 * slope * np.maximum(z, near))
    columns = corners[..., 0] * scale + (width - 1) / 2.0
    rows = (height - 1) / 2.0 - corners[..., 1] * scale
    boxes = np.stack(
        [columns.min(axis=1), columns.max(axis=1), rows.min(axis=1), rows.max(axis=1)], axis=-1
    )
    # A face that reaches behind the camera may be anywhere; one wholly behind it is nowhere.
    boxes[reaches] = (0, width - 1, 0, height - 1)
    boxes = np.clip(np.nan_to_num(boxes), -1, max(height, width) + 1)
    boxes = np.stack(
        [
            np.maximum(np.ceil(boxes[:, 0] - 1e-6), 0),
            np.minimum(np.floor(boxes[:, 1] + 1e-6), width - 1),
            np.maximum(np.ceil(boxes[:, 2] - 1e-6), 0),
            np.minimum(np.floor(boxes[:, 3] + 1e-6), height - 1),
        ],
        axis=-1,
    ).astype(np.int64)
    boxes[(z < near).all(axis=1)] = (0, -1, 0, -1)
    return boxes


def _strips(boxes, top: int, bottom: int):
    """Yields (face, row, first column, number of columns) of rows of boxes, a part at a time."""
    first, last = np.maximum(boxes[:, 2], top), np.minimum(boxes[:, 3], bottom - 1)
    counts = np.maximum(last - first + 1, 0)
    counts[boxes[:, 1] < boxes[:, 0]] = 0
    face = np.repeat(np.arange(len(boxes)), counts)
    row = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts) + first[face]
    lengths = boxes[face, 1] - boxes[face, 0] + 1
    ends = np.cumsum(lengths)
    begin = 0
    while begin < len(face):
        done = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + _AT_ONCE)))
        part = slice(begin, end)
        yield face[part], row[part], boxes[face[part], 0], lengths[part]
        begin = end


def _hits(strips, corners, depth, slope, near):
    """Returns (place in the picture, depth, clear face) of samples that see a face, or None."""
    face, row, column, lengths = strips
    height, width = depth.shape
    strip = np.repeat(np.arange(len(face)), lengths)
    along = np.arange(len(strip)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = row[strip] * width + column[strip] + along
    planes = ray_planes(corners[face])
    volume = np.einsum("nx,nx->n", corners[face, 0], planes[:, 0])
    # Turned so that all weights are positive inside, from whichever side the face is seen.
    planes *= np.sign(volume)[:, None, None]
    weights = plane_values(planes[strip], _directions(place, height, width, slope))
    # A sample on a common edge belongs to one of the two faces: the one to its right, or above.
    x, y = planes[..., 0], planes[..., 1]
    owns_edge = (x > 0.0) | ((x == 0.0) & (y > 0.0))
    inside = ((weights > 0.0) | ((weights == 0.0) & owns_edge[strip])).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(volume)[strip] / weights.sum(axis=1)
        seen = inside & (distance >= near) & (distance < depth.reshape(-1)[place])
    if not seen.any():
        return None
    return place[seen], distance[seen], face[strip[seen]]


def _directions(place, height, width, slope) -> np.ndarray:
    """Returns x and y at z = 1 of the rays through samples."""
    step = 2.0 * slope / min(height, width)
    x = (place % width - (width - 1) / 2.0) * step
    y = ((height - 1) / 2.0 - place // width) * step
    return np.stack([x, y], axis=-1)


def _blend(samples, place, colors):
    """Blends sorted fragments from the front, one layer of all samples at a time."""
    begins = np.flatnonzero(np.concatenate([[True], place[1:] != place[:-1]]))
    lengths = np.diff(np.append(begins, len(place)))
    at = place[begins]
    through = np.ones(len(at), np.float32)
    added = np.zeros((len(at), 3), np.float32)
    layer, left = 0, np.arange(len(at))
    while len(left):
        color = colors[begins[left] + layer]
        share = through[left] * color[:, 3]
        added[left] += share[:, None] * color[:, :3]
        through[left] -= share
        layer += 1
        left = left[lengths[left] > layer]
    samples[at, :3] = added + through[:, None] * samples[at, :3]
    samples[at, 3] = 1.0 - through * (1.0 - samples[at, 3])
