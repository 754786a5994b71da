"""Polygons cut into triangles."""

import numpy as np

# Cutting ears takes quadratic time and more; a hostile file must not stall a reader.
_MAX_CONCAVE_CORNERS = 512


def triangulate(points: np.ndarray) -> list[tuple[int, int, int]]:
    """Returns the triangles of a simple polygon as `num_points - 2` triples of point indices.

    The triangles wind as the polygon does. A convex polygon becomes a fan about its first point.
    From a concave one, ears are cut (corners whose triangle holds no other point), so that nothing
    outside it is covered; where there is no ear (it crosses itself) or there are more than 512
    points, the rest is a fan.

    Args:
        points: float64 `[num_points, 3]`, three or more, about in one plane.
    """
    fan = [(0, i, i + 1) for i in range(1, len(points) - 1)]
    if len(points) == 3 or len(points) > _MAX_CONCAVE_CORNERS:
        return fan
    flat = _flattened(points)
    previous, following = np.roll(flat, 1, axis=0), np.roll(flat, -1, axis=0)
    if (_turn(previous, flat, following) >= 0.0).all():
        return fan
    return _cut_ears(flat)


def _flattened(points: np.ndarray) -> np.ndarray:
    """Returns the polygon seen along the axis nearest its normal, counter-clockwise: [n, 2]."""
    relative = points - points[0]
    # Newell's normal: the sum over the fan's triangles, right also for a concave polygon.
    normal = np.cross(relative[1:-1], relative[2:]).sum(axis=0)
    axis = int(np.abs(normal).argmax())
    first, second = (axis + 1) % 3, (axis + 2) % 3
    order = [first, second] if normal[axis] >= 0.0 else [second, first]
    return relative[:, order]


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Returns twice the signed area of the triangles a, b, c `[..., 2]`: positive turns left."""
    return (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (
        c[..., 0] - a[..., 0]
    )


def _cut_ears(flat: np.ndarray) -> list[tuple[int, int, int]]:
    left = list(range(len(flat)))
    triangles = []
    while len(left) > 3:
        ear = next((i for i in range(len(left)) if _is_ear(flat, left, i)), None)
        if ear is None:
            break
        following = (ear + 1) % len(left)
        triangles.append((left[ear - 1], left[ear], left[following]))
        del left[ear]
    return triangles + [(left[0], left[i], left[i + 1]) for i in range(1, len(left) - 1)]


def _is_ear(flat: np.ndarray, left: list[int], i: int) -> bool:
    a, b, c = flat[[left[i - 1], left[i], left[(i + 1) % len(left)]]]
    if _turn(a, b, c) <= 0.0:
        return False
    others = flat[left]
    # A point that coincides with a corner (a bridge to a hole) does not lie in the way.
    corners = np.stack([a, b, c])
    others = others[~(others[:, None] == corners).all(axis=2).any(axis=1)]
    return not (
        (_turn(a, b, others) >= 0) & (_turn(b, c, others) >= 0) & (_turn(c, a, others) >= 0)
    ).any()
