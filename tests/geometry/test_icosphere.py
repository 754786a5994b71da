import collections

import numpy as np
import pytest

from tf_softras.geometry import icosphere


@pytest.mark.parametrize("level", range(6))
def test_counts_follow_the_level(level):
    sphere = icosphere(level)
    assert sphere.vertices.shape == (10 * 4**level + 2, 3)
    assert sphere.faces.shape == (20 * 4**level, 3)
    assert sphere.vertices.dtype == np.float32
    assert sphere.faces.dtype == np.int32
    assert sphere.face_colors is None


def test_level_3_is_the_template_of_the_paper():
    sphere = icosphere(3)
    assert (len(sphere.vertices), len(sphere.faces)) == (642, 1280)


@pytest.mark.parametrize("level", [0, 1, 3, 5])
def test_vertices_lie_on_the_unit_sphere_and_are_distinct(level):
    vertices = icosphere(level).vertices.astype(np.float64)
    # Three coordinates, each rounded by at most 2^-25, move a point by at most sqrt(3) * 2^-25.
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1.0, rtol=0, atol=6e-8)
    assert len(np.unique(vertices.round(5), axis=0)) == len(vertices)


@pytest.mark.parametrize("level", [0, 1, 3])
def test_every_edge_belongs_to_two_faces_in_opposite_directions(level):
    faces = icosphere(level).faces
    edges = collections.Counter(
        (int(a), int(b)) for face in faces for a, b in zip(face, np.roll(face, -1), strict=True)
    )
    assert set(edges.values()) == {1}
    assert all((b, a) in edges for a, b in edges)


@pytest.mark.parametrize("level", [0, 3])
def test_faces_are_counter_clockwise_seen_from_outside(level):
    sphere = icosphere(level)
    a, b, c = np.moveaxis(sphere.vertices[sphere.faces], 1, 0)
    normals = np.cross(b - a, c - a)
    assert ((normals * (a + b + c)).sum(axis=1) > 0).all()


def test_the_volume_is_positive_and_close_to_that_of_the_ball():
    sphere = icosphere(5)
    a, b, c = np.moveaxis(sphere.vertices[sphere.faces].astype(np.float64), 1, 0)
    volume = (a * np.cross(b, c)).sum() / 6
    # An inscribed polyhedron: smaller than the ball by the order of the squared edge, (1.1/32)^2.
    assert 0.998 < volume / (4 / 3 * np.pi) < 1.0


def test_the_vertices_of_a_level_open_those_of_the_next():
    np.testing.assert_array_equal(icosphere(2).vertices, icosphere(3).vertices[:162])


@pytest.mark.parametrize("level", [-1, 10, 10**30])
def test_a_level_out_of_range_is_named(level):
    with pytest.raises(ValueError, match=rf"level.*expected 0 to 9; received {level}"):
        icosphere(level)


@pytest.mark.parametrize("level", [2.5, "3", None, True])
def test_a_level_that_is_no_integer_is_named(level):
    with pytest.raises(TypeError, match=r"level.*expected an integer; received"):
        icosphere(level)


def test_a_numpy_integer_is_a_level():
    assert len(icosphere(np.int64(1)).vertices) == 42
