"""The definition of the silhouettes, a mesh and a row at a time."""

import numpy as np
import pytest
import tensorflow as tf

from tf_softras.geometry import icosphere
from tf_softras.ops._soft_rasterize_reference import (
    soft_rasterize_by_rows,
    soft_rasterize_reference,
)


@pytest.mark.parametrize("image_size", [(5, 7), (9, 4), (1, 1)])
def test_rows_are_those_of_the_whole(image_size):
    mesh = icosphere(1)
    vertices = np.random.default_rng(0).normal(0.0, 0.4, (3, *mesh.vertices.shape)) + [0, 0, 0.5]
    options = {"image_size": image_size, "sigma": 1e-2, "near": 0.3}
    expected = soft_rasterize_reference(vertices, mesh.faces, **options)
    for call in (soft_rasterize_by_rows, tf.function(soft_rasterize_by_rows)):
        rows = call(tf.constant(vertices), mesh.faces, **options)
        np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-12)
    assert np.ptp(expected) > 0.1 or image_size == (1, 1)
