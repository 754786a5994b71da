import dataclasses

import numpy as np
import pytest

from tf_softras.geometry import Mesh

VERTICES = [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 1.0]]
FACES = [[0, 1, 2], [0, 1, 3]]


def test_arrays_are_converted():
    mesh = Mesh(VERTICES, np.array(FACES, np.int64), [[0, 0.5, 1]] * 2)
    assert mesh.vertices.dtype == np.float32
    assert mesh.faces.dtype == np.int32
    assert mesh.face_colors.dtype == np.float32


def test_the_mesh_is_frozen_and_does_not_share_its_arrays():
    vertices = np.array(VERTICES, np.float32)
    mesh = Mesh(vertices, FACES)
    vertices[0] = 7.0
    assert mesh.vertices[0, 0] == 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        mesh.vertices = vertices
    with pytest.raises(ValueError, match="read-only"):
        mesh.vertices[0] = 7.0
    assert vertices.flags.writeable


def test_an_empty_mesh_is_a_mesh():
    mesh = Mesh(np.zeros((0, 3)), np.zeros((0, 3)))
    assert mesh.vertices.shape == (0, 3)
    assert mesh.faces.dtype == np.int32


@pytest.mark.parametrize(
    ("vertices", "faces", "colors", "message"),
    [
        (
            np.zeros((4, 2)),
            FACES,
            None,
            r"vertices\: expected \[num_vertices, 3\]; received \[4, 2\]",
        ),
        (np.zeros(12), FACES, None, r"vertices.*received \[12\]"),
        ([["a", "b", "c"]], FACES, None, "vertices.*expected numbers"),
        ([[1, 2], [3]], FACES, None, "vertices.*expected numbers"),
        ([[0, 0, 0], [0, np.nan, 0]], [[0, 1, 1]], None, "finite.*nan.*vertex 1"),
        ([[0, 0, 0], [0, 1e300, 0]], [[0, 1, 1]], None, "finite.*inf.*vertex 1"),
        (VERTICES, np.zeros((2, 4), int), None, r"faces: expected \[num_faces, 3\].*\[2, 4\]"),
        (VERTICES, [[0, 1, 2], [0, 1]], None, "faces: expected integers"),
        (VERTICES, [[0.0, 1.0, 2.0]], None, "faces: expected integers.*received float64"),
        (VERTICES, [[0, 1, 2], [0, 1, 4]], None, r"in \[0, 4\); received \[0, 1, 4\] at face 1"),
        (VERTICES, [[0, 1, -1]], None, r"in \[0, 4\); received \[0, 1, -1\] at face 0"),
        (VERTICES, [[0, 1, 2**32]], None, r"in \[0, 4\)"),
        (VERTICES, FACES, [[0, 0, 0]], r"face_colors: expected \[2, 3\].*received \[1, 3\]"),
        (VERTICES, FACES, [[0, 0, 0], [0, 0, 1.5]], r"face_colors.*\[0, 1\].*1\.5.*face 1"),
        (VERTICES, FACES, [[0, 0, 0], [0, 0, np.nan]], r"face_colors.*\[0, 1\].*nan.*face 1"),
    ],
)
def test_an_invalid_mesh_is_named(vertices, faces, colors, message):
    with pytest.raises(ValueError, match=message):
        Mesh(vertices, faces, colors)


def test_normalized_centres_the_box_and_makes_its_longest_side_1():
    mesh = Mesh(VERTICES, FACES, [[1, 0, 0], [0, 1, 0]]).normalized()
    np.testing.assert_array_equal(mesh.vertices.min(axis=0), [-0.25, -0.5, -0.125])
    np.testing.assert_array_equal(mesh.vertices.max(axis=0), [0.25, 0.5, 0.125])
    np.testing.assert_array_equal(mesh.faces, FACES)
    np.testing.assert_array_equal(mesh.face_colors, [[1, 0, 0], [0, 1, 0]])


def test_normalized_passes_over_stray_vertices():
    mesh = Mesh([*VERTICES, [100, 100, 100]], FACES).normalized()
    np.testing.assert_array_equal(mesh.vertices[2], [-0.25, 0.5, -0.125])


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_normalized_holds_for_very_small_and_very_large_objects(scale):
    mesh = Mesh(np.array(VERTICES) * scale, FACES).normalized()
    # Two roundings of float32, in the vertices and in the result.
    np.testing.assert_allclose(mesh.vertices[2], [-0.25, 0.5, -0.125], rtol=3e-7)


def test_normalized_holds_where_a_side_is_longer_than_float32_reaches():
    mesh = Mesh([[-3e38, 0, 0], [3e38, 0, 0], [0, 3e38, 0]], [[0, 1, 2]]).normalized()
    np.testing.assert_allclose(mesh.vertices[:, 0], [-0.5, 0.5, 0.0], rtol=3e-7)


def test_normalized_names_a_mesh_without_faces():
    with pytest.raises(ValueError, match="without faces"):
        Mesh(VERTICES, np.zeros((0, 3), int)).normalized()


def test_normalized_names_a_mesh_that_is_one_point():
    with pytest.raises(ValueError, match=r"without extent.*\[3.0, 4.0, 5.0\]"):
        Mesh([[3, 4, 5]] * 3, [[0, 1, 2]]).normalized()


def test_vertices_may_have_the_colours_in_place_of_faces():
    colors = np.linspace(0, 1, 3 * len(VERTICES)).reshape(-1, 3)
    mesh = Mesh(VERTICES, FACES, vertex_colors=colors)
    assert mesh.vertex_colors.dtype == np.float32 and not mesh.vertex_colors.flags.writeable
    np.testing.assert_array_equal(mesh.normalized().vertex_colors, np.float32(colors))
    with pytest.raises(ValueError, match=r"vertex_colors: expected \[\d, 3\] .*a vertex"):
        Mesh(VERTICES, FACES, vertex_colors=colors[:1])
    with pytest.raises(ValueError, match=r"vertex_colors.*\[0, 1\].*at vertex 0"):
        Mesh(VERTICES, FACES, vertex_colors=colors - 0.5)
    with pytest.raises(ValueError, match="received both"):
        Mesh(VERTICES, FACES, face_colors=np.zeros((len(FACES), 3)), vertex_colors=colors)
