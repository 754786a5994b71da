import numpy as np
import pytest

from tf_softras.geometry.mesh_files._polygons import triangulate_polygons

L_SHAPE = [[0, 0], [3, 0], [3, 1], [1, 1], [1, 3], [0, 3]]
# A fan covers it only from its corner 3, the reflex one, or the corner opposite.
ARROW = [[0, 0], [4, 2], [0, 4], [1, 2]]


def triangulate(points):
    points = np.asarray(points, np.float64)
    triangles, polygon = triangulate_polygons(points, np.arange(len(points)), [len(points)])
    assert not polygon.any()
    return triangles


def areas(points, triangles):
    a, b, c = np.moveaxis(points[np.array(triangles)], 1, 0)
    return np.cross(b - a, c - a) / 2


def in_space(flat, turn):
    """The polygon in a plane across an axis, the same turned over, or in an oblique one."""
    points = np.column_stack([np.array(flat, np.float64), np.zeros(len(flat))])
    frame = {
        "xy": np.eye(3),
        "yz": np.roll(np.eye(3), 1, axis=1),
        "zx": np.roll(np.eye(3), 2, axis=1),
        "behind": np.diag([1.0, -1.0, -1.0]),
        "oblique": np.array([[2, -2, 1], [1, 2, 2], [-2, -1, 2]]) / 3,
    }[turn]
    return points @ frame + [5.0, -3.0, 2.0], frame[2]


@pytest.mark.parametrize("turn", ["xy", "yz", "zx", "behind", "oblique"])
@pytest.mark.parametrize("start", range(6))
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("flat", "area"), [(L_SHAPE, 5.0), (ARROW, 6.0)])
def test_a_concave_polygon_is_covered_once_and_nothing_else(flat, area, reverse, start, turn):
    flat = np.roll(flat, start, axis=0)
    flat = flat[::-1] if reverse else flat
    points, normal = in_space(flat, turn)
    triangles = triangulate(points)
    assert len(triangles) == len(flat) - 2
    assert {i for triangle in triangles.tolist() for i in triangle} == set(range(len(flat)))
    # All wind as the polygon does, so nothing cancels: the areas add up only if none overlaps or
    # sticks out.
    signed = areas(points, triangles) @ normal * (-1 if reverse else 1)
    assert (signed >= -1e-12).all()
    assert signed.sum() == pytest.approx(area, rel=1e-12)


def test_a_convex_polygon_is_a_fan_about_its_first_point():
    angles = np.linspace(0, 2 * np.pi, 6)[:-1]
    points = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(5)])
    assert triangulate(points).tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]


def test_polygons_of_all_kinds_keep_their_order():
    # A triangle, a concave quad, a convex quad and an L share one list of points.
    shapes = [[[0, 0], [1, 0], [0, 1]], ARROW, [[0, 0], [2, 0], [2, 2], [0, 2]], L_SHAPE]
    points = np.concatenate([in_space(shape, "xy")[0] for shape in shapes])
    order = np.random.default_rng(0).permutation(len(points))
    corners = np.argsort(order)  # The points are shuffled, the polygons are not.
    counts = [len(shape) for shape in shapes]
    triangles, polygon = triangulate_polygons(points[order], corners, counts)
    assert polygon.tolist() == [0, 1, 1, 2, 2, 3, 3, 3, 3]
    signed = areas(points[order], corners[triangles])[:, 2]
    assert (signed > 0).all()
    np.testing.assert_allclose(np.bincount(polygon, signed), [0.5, 6, 4, 5])
    begins = np.cumsum(counts) - counts
    for triangle, index in zip(triangles, polygon, strict=True):
        assert set(triangle) <= set(range(begins[index], begins[index] + counts[index]))


@pytest.mark.parametrize("count", [40, 400])
def test_a_star_of_many_points_is_covered_once(count):
    angles = np.linspace(0, 2 * np.pi, count + 1)[:-1]
    radius = np.where(np.arange(count) % 2, 0.3, 1.0)
    points = np.column_stack([radius * np.cos(angles), radius * np.sin(angles), np.zeros(count)])
    signed = areas(points, triangulate(points))[:, 2]
    assert (signed > 0).all()
    # `count` triangles about the centre with sides 1 and 0.3.
    step = 2 * np.pi / count
    assert signed.sum() == pytest.approx(count * 0.5 * 0.3 * np.sin(step), rel=1e-12)


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((5, 3)),
        np.outer(np.arange(6), [1.0, 2.0, 3.0]),
        np.array([[0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0.0]]),
        np.random.default_rng(0).normal(size=(30, 3)),
        np.random.default_rng(0).normal(size=(600, 3)),
        np.random.default_rng(0).normal(size=(20_000, 3)),
    ],
    ids=["point", "line", "bow tie", "tangle", "large tangle", "more than are cut"],
)
def test_a_polygon_that_has_no_inside_is_a_fan(points):
    fan = np.arange(1, len(points) - 1)
    expected = np.stack([np.zeros_like(fan), fan, fan + 1], axis=-1)
    np.testing.assert_array_equal(triangulate(points), expected)
