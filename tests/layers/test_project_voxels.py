"""Projections of voxels: against SciPy's interpolation, and against rasterised meshes."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from tests.gradient_checks import directional_derivative
from tf_softras import layers
from tf_softras.geometry import eye_from_angles, icosphere, look_at, perspective, voxelize
from tf_softras.ops import rasterize_faces

EYES = eye_from_angles(2.732, [30.0, -10.0, 0.0], [0.0, 75.0, 200.0]).numpy()


def world_rays(eye, height, width):
    """Points one deep in front of a camera that looks at the origin, [height, width, 3]."""
    forward = -eye / np.linalg.norm(eye)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    shorter = min(height, width)
    x = (2 * np.arange(width) + 1 - width) / shorter * np.tan(np.radians(15.0))
    y = (height - 1 - 2 * np.arange(height)) / shorter * np.tan(np.radians(15.0))
    return forward + x[None, :, None] * right + y[:, None, None] * up


@pytest.mark.parametrize(("height", "width"), [(9, 9), (5, 11)])
def test_silhouettes_are_the_largest_interpolated_values_along_rays(height, width):
    resolution = 8
    voxels = np.random.default_rng(0).uniform(0, 1, (3, *[resolution] * 3)).astype(np.float32)
    silhouettes = layers.ProjectVoxels((height, width))([voxels, EYES]).numpy()
    steps = int(np.ceil(np.sqrt(3.0) * (resolution + 1)))
    for grid, eye, silhouette in zip(voxels, EYES.astype(np.float64), silhouettes, strict=True):
        depths = np.linalg.norm(eye) + (np.arange(steps) - (steps - 1) / 2) / (resolution - 1)
        points = eye + depths[:, None, None, None] * world_rays(eye, height, width)
        # Cell i of `voxelize` is [i, i + 1) of grid coordinates.
        cells = points * (resolution - 1) + resolution / 2 - 0.5
        sampled = ndimage.map_coordinates(
            grid.astype(np.float64), np.moveaxis(cells, -1, 0), order=1, mode="grid-constant"
        )
        # float32 coordinates of up to 16 cells.
        np.testing.assert_allclose(silhouette, sampled.max(axis=0), atol=2e-5)


def test_a_solid_looks_as_its_mesh_is_rasterised():
    """No two axes alike and no symmetry, so that none can be swapped or mirrored."""
    sphere = icosphere(3)
    vertices = sphere.vertices * np.float32([0.5, 0.2, 0.35])
    vertices = np.where(vertices[:, :1] > 0, vertices, vertices * np.float32([1.0, 0.5, 0.4]))
    vertices += np.where(vertices > 0.1, np.float32([0.0, 0.2, 0.1]), 0.0).astype(np.float32)
    vertices = vertices.astype(np.float32)
    voxels = voxelize(vertices, sphere.faces, resolution=32).astype(np.float32)
    seen = layers.ProjectVoxels(32)([np.repeat(voxels[None], 3, axis=0), EYES]).numpy() > 0.5
    face_index, _ = rasterize_faces(
        perspective(look_at(vertices, EYES)), sphere.faces, image_size=32
    )
    true = face_index.numpy() >= 0
    iou = (seen & true).sum((1, 2)) / (seen | true).sum((1, 2))
    # Cells are as large as pixels: the outline is off by half of one.
    assert (iou > 0.85).all(), iou
    for wrong in (seen[:, ::-1], seen[:, :, ::-1]):
        assert ((wrong & true).sum((1, 2)) / (wrong | true).sum((1, 2)) < 0.8).any()


def test_gradient_is_that_of_the_maximum():
    generator = np.random.default_rng(1)
    voxels = generator.uniform(0, 1, (3, 6, 6, 6)).astype(np.float32)
    weights = generator.normal(size=(3, 7, 7)).astype(np.float32)
    direction = generator.normal(size=voxels.shape).astype(np.float32)
    layer = layers.ProjectVoxels(7)

    def value(grid):
        return float(tf.reduce_sum(weights.astype(np.float64) * layer([grid, EYES]).numpy()))

    variable = tf.Variable(voxels)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(weights * layer([variable, EYES]))
    gradient = tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()
    # Piecewise linear: a step so small that hardly a maximum changes its place, in float32.
    numeric = directional_derivative(value, voxels, direction, step=np.float32(1e-3))
    assert (gradient * direction).sum() == pytest.approx(numeric, rel=2e-2)


def test_empty_voxels_are_not_seen_and_full_ones_are_in_the_middle():
    layer = layers.ProjectVoxels(16)
    empty, full = np.zeros((1, 8, 8, 8), np.float32), np.ones((1, 8, 8, 8), np.float32)
    assert not layer([empty, EYES[:1]]).numpy().any()
    image = layer([full, EYES[:1]]).numpy()[0]
    assert image[8, 8] == 1.0 and image[0, 0] == 0.0
    assert layer.compute_output_shape([(None, 8, 8, 8), (None, 3)]) == (None, 16, 16)


def test_layer_comes_back_from_its_config():
    layer = layers.ProjectVoxels((4, 6), viewing_angle=20.0)
    again = layers.ProjectVoxels.from_config(layer.get_config())
    voxels = np.random.default_rng(2).uniform(size=(3, 5, 5, 5)).astype(np.float32)
    np.testing.assert_array_equal(again([voxels, EYES]), layer([voxels, EYES]))
