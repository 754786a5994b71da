"""Vertex normals against trimesh, by hand, and their gradient against numeric ones."""

import numpy as np
import pytest
import tensorflow as tf
import trimesh

from tests.gradient_checks import numeric_gradient
from tf_softras import geometry


def bumpy_sphere(seed=0, level=1):
    mesh = geometry.icosphere(level)
    scale = np.random.default_rng(seed).uniform(0.7, 1.3, (len(mesh.vertices), 1))
    return mesh.vertices * scale, mesh.faces


def test_normals_of_a_sphere_point_outwards():
    mesh = geometry.icosphere(3)
    normals = geometry.vertex_normals(mesh.vertices[None], mesh.faces)
    # Faces of sides of 0.14 lean by up to 0.08; their areas differ by a quarter, so that their
    # means lean by a part of that.
    np.testing.assert_allclose(normals[0], mesh.vertices, atol=0.02)


def test_faces_weigh_by_their_area():
    # Two faces at right angles meet in vertex 0: of area 2 (normal +z) and of area 1 (normal +x).
    vertices = np.array([[[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 1]]], np.float64)
    normals = geometry.vertex_normals(vertices, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_allclose(normals[0, 0], np.array([1, 0, 2]) / np.sqrt(5))
    np.testing.assert_allclose(normals[0, 3], [1, 0, 0])


def test_normals_are_those_of_trimesh_where_it_weighs_by_area():
    vertices, faces = bumpy_sphere()
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    expected = trimesh.geometry.weighted_vertex_normals(
        len(vertices), faces, mesh.face_normals, np.repeat(mesh.area_faces[:, None], 3, axis=1)
    )
    normals = geometry.vertex_normals(vertices[None], faces)
    np.testing.assert_allclose(normals[0], expected, atol=1e-6)


def test_each_item_has_normals_and_faces_of_its_own():
    meshes = [geometry.icosphere(0), geometry.icosphere(1)]
    vertices, faces = geometry.pad_meshes(meshes)
    normals = geometry.vertex_normals(vertices, faces)
    for item, mesh in enumerate(meshes):
        alone = geometry.vertex_normals(mesh.vertices[None], mesh.faces)[0]
        np.testing.assert_allclose(normals[item, : len(alone)], alone, atol=1e-6)
        assert not np.any(normals[item, len(alone) :])


def test_normals_and_gradient_are_finite_on_degenerate_faces():
    vertices = np.array([[[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0], [5, 5, 5]]], np.float32)
    # On a line; a repeated index; two that cancel out; and a vertex without faces.
    faces = [[0, 1, 2], [0, 0, 1], [0, 1, 3], [0, 3, 1]]
    with tf.GradientTape() as tape:
        x = tf.constant(vertices)
        tape.watch(x)
        normals = geometry.vertex_normals(x, faces)
    np.testing.assert_array_equal(normals, np.zeros_like(vertices))
    np.testing.assert_array_equal(tape.gradient(normals, x), np.zeros_like(vertices))


@pytest.mark.parametrize("per_item", [False, True])
def test_gradients_are_the_numeric_ones(per_item):
    vertices, faces = bumpy_sphere(1, level=0)
    vertices = np.stack([vertices, 0.5 * vertices[::-1]])
    faces = np.stack([faces, faces[:, ::-1]]) if per_item else faces
    weights = np.random.default_rng(2).normal(size=vertices.shape)

    def loss(x):
        return tf.reduce_sum(weights * geometry.vertex_normals(x, faces))

    with tf.GradientTape() as tape:
        x = tf.constant(vertices)
        tape.watch(x)
        value = loss(x)
    expected = numeric_gradient(lambda p: float(loss(tf.constant(p))), vertices, step=1e-4)
    np.testing.assert_allclose(tape.gradient(value, x), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e5])
def test_doubled_faces_cancel_whatever_the_size(scale):
    mesh = geometry.icosphere(2)
    doubled = np.concatenate([mesh.faces, mesh.faces[:, ::-1]])
    normals = geometry.vertex_normals(scale * mesh.vertices[None], doubled)
    np.testing.assert_array_equal(normals, np.zeros((1, 162, 3)))
    # And of a mesh of that size that is wound alike nothing is lost.
    normals = geometry.vertex_normals(scale * mesh.vertices[None], mesh.faces)
    np.testing.assert_allclose(normals[0], mesh.vertices, atol=0.05)


def corners_of(values, faces):
    return np.asarray(values)[np.ravel(faces)]


def test_corner_normals_are_vertex_normals_where_faces_are_wound_alike():
    vertices, faces = bumpy_sphere(3, level=2)
    expected = corners_of(geometry.vertex_normals(vertices[None], faces)[0], faces)
    np.testing.assert_allclose(geometry.corner_normals(vertices[None], faces)[0], expected)


@pytest.mark.parametrize("winding", ["doubled", "random"])
def test_corner_normals_do_not_depend_on_winding_but_for_the_side(winding):
    mesh = geometry.icosphere(3)
    turned = np.random.default_rng(4).uniform(size=len(mesh.faces)) < 0.5
    if winding == "random":
        faces = np.where(turned[:, None], mesh.faces[:, ::-1], mesh.faces)
        side = np.where(turned, -1.0, 1.0)
    else:
        faces = np.concatenate([mesh.faces, mesh.faces[:, ::-1]])
        side = np.repeat([1.0, -1.0], len(mesh.faces))
    normals = geometry.corner_normals(0.5 * mesh.vertices[None], faces)[0]
    radial = corners_of(mesh.vertices, faces) * np.repeat(side, 3)[:, None]
    # A face's own normal is 0.09 away from the sphere's at its corners. Where the faces around a
    # vertex cancel in part, their mean leans as far as the one that is left.
    np.testing.assert_allclose(normals, radial, atol=0.12)


def test_corner_normals_of_padding_and_of_faces_without_area_are_0():
    vertices = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]]], np.float32)
    faces = np.array([[[0, 1, 2], [3, 3, 3], [-1, -1, -1]]])
    with tf.GradientTape() as tape:
        x = tf.constant(vertices)
        tape.watch(x)
        normals = geometry.corner_normals(x, faces)
    expected = np.repeat([[0, 0, 1], [0, 0, 0], [0, 0, 0]], 3, axis=0)
    np.testing.assert_array_equal(normals[0], expected)
    assert np.all(np.isfinite(tape.gradient(normals, x)))


def test_bad_faces():
    with pytest.raises(ValueError, match="faces: expected"):
        geometry.vertex_normals(np.zeros((1, 3, 3)), [[0.5, 1.0, 2.0]])
