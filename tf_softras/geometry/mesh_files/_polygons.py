"""Polygons cut into triangles: fans of convex ones, mapbox's earcut for the others."""

import mapbox_earcut
import numpy as np

# Above this a polygon becomes a fan, whatever its shape: earcut takes quadratic time on bad ones.
_MOST_CORNERS = 10_000
# A corner that turns back by less than this share of the polygon's area counts as straight.
_STRAIGHT = 1e-9
# The triangles' area must be the polygon's within this share, or the polygon crosses itself.
_AREA_TOLERANCE = 1e-6
# Polygons that are looked at together.
_AT_ONCE = 1 << 16


def triangulate_polygons(
    points: np.ndarray, corners: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the triangles of polygons, in their order.

    A convex polygon becomes a fan about its first corner. A concave one is cut by earcut, so that
    nothing outside it is covered; corners on a straight line may be left out then. A polygon that
    crosses itself becomes a fan. Triangles wind as their polygon does.

    Args:
        points: float64 `[num_points, 3]`.
        corners: int `[sum of counts]`, indices into `points`, polygon by polygon.
        counts: int `[num_polygons]`, 3 or more each.

    Returns:
        int64 `[num_triangles, 3]`, places in `corners`; int64 `[num_triangles]`, each one's
        polygon.
    """
    counts = np.asarray(counts, np.int64)
    starts = np.cumsum(counts) - counts
    per_polygon = counts - 2
    polygon = np.repeat(np.arange(len(counts)), per_polygon)
    first_triangle = np.cumsum(per_polygon) - per_polygon
    nth = np.arange(len(polygon)) - first_triangle[polygon]
    start = starts[polygon]
    triangles = np.stack([start, start + nth + 1, start + nth + 2], axis=-1)
    kept = np.ones(len(triangles), bool)
    for index in _concave(points, corners, starts, counts):
        own = points[corners[starts[index] : starts[index] + counts[index]]]
        cut = _cut(_flattened(own[None])[0])
        if cut is None:
            continue
        begin, end = first_triangle[index], first_triangle[index] + per_polygon[index]
        triangles[begin : begin + len(cut)] = cut + starts[index]
        kept[begin + len(cut) : end] = False
    if kept.all():
        return triangles, polygon
    return triangles[kept], polygon[kept]


def _concave(points, corners, starts, counts) -> list[int]:
    """Returns the polygons that a fan would not cover exactly."""
    found: list[int] = []
    for count in np.unique(counts[(counts > 3) & (counts <= _MOST_CORNERS)]).tolist():
        members = np.flatnonzero(counts == count)
        step = max(1, _AT_ONCE * 4 // count)
        for begin in range(0, len(members), step):
            part = members[begin : begin + step]
            places = starts[part, None] + np.arange(count)
            flat = _flattened(points[corners[places]])
            before, after = np.roll(flat, 1, axis=1), np.roll(flat, -1, axis=1)
            turns = _cross(flat - before, after - flat)
            least = -_STRAIGHT * np.abs(_doubled_area(flat))
            found += part[(turns < least[:, None]).any(axis=1)].tolist()
    return found


def _flattened(polygons: np.ndarray) -> np.ndarray:
    """Returns polygons `[n, count, 3]` seen along the axis nearest their normal, `[n, count, 2]`.

    They are counter-clockwise then.
    """
    relative = polygons - polygons[:, :1]
    # Newell's normal: the sum over the fan's triangles, right for concave polygons too.
    normals = np.cross(relative[:, 1:-1], relative[:, 2:]).sum(axis=1)
    axis = np.abs(normals).argmax(axis=1)
    chosen = np.take_along_axis(normals, axis[:, None], axis=1)[:, 0]
    first, second = (axis + 1) % 3, (axis + 2) % 3
    first, second = np.where(chosen >= 0.0, (first, second), (second, first))
    order = np.stack([first, second], axis=-1)[:, None, :]
    return np.take_along_axis(relative, order, axis=2)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _doubled_area(flat: np.ndarray) -> np.ndarray:
    """Returns twice the signed areas of polygons `[..., count, 2]`."""
    return _cross(flat, np.roll(flat, -1, axis=-2)).sum(axis=-1)


def _cut(flat: np.ndarray) -> np.ndarray | None:
    """Returns earcut's triangles `[n, 3]`, or None if they do not cover the polygon once."""
    ends = np.array([len(flat)], np.uint32)
    triangles = mapbox_earcut.triangulate_float64(np.ascontiguousarray(flat), ends)
    triangles = triangles.reshape(-1, 3).astype(np.int64)
    if not len(triangles):
        return None
    areas = _cross(
        flat[triangles[:, 1]] - flat[triangles[:, 0]],
        flat[triangles[:, 2]] - flat[triangles[:, 0]],
    )
    wrong_way = areas < 0.0
    triangles[wrong_way] = triangles[wrong_way][:, ::-1]
    whole = _doubled_area(flat)
    if not abs(np.abs(areas).sum() - whole) <= _AREA_TOLERANCE * whole:
        return None
    # Each triangle begins with its first corner in the polygon's order.
    turned = np.argmin(triangles, axis=1)[:, None] + np.arange(3)
    return np.take_along_axis(triangles, turned % 3, axis=1)
