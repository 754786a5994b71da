"""The training model: which mesh is rendered from which view, and what is minimised."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.shapes import tiny_config
from tf_softras.datasets.view_pairs import view_pairs
from tf_softras.layers import LookAt, Perspective, SoftRasterize
from tf_softras.losses import flattening_loss, laplacian_loss
from tf_softras.models import MeshReconstructor
from tf_softras.training import ViewPairModel


@pytest.fixture
def model():
    """A model whose meshes differ by picture, which those of an untrained one do not."""
    keras.utils.set_random_seed(0)
    config = tiny_config()
    reconstructor = MeshReconstructor(config.model)
    output = reconstructor.decoder.get_layer("vertices")
    output.kernel.assign(tf.random.stateless_normal(output.kernel.shape, [0, 1], 0.0, 0.1))
    return ViewPairModel(reconstructor, config)


@pytest.fixture
def inputs(dataset):
    return next(iter(view_pairs(dataset, batch_size=3, seed=1, training=False)))[0]


def test_silhouettes_are_each_mesh_from_each_view(model, inputs):
    silhouettes = model(inputs, training=False)["silhouettes"].numpy()
    assert silhouettes.shape == (3, 4, 16, 16)
    render = SoftRasterize(model.reconstructor.faces, 16, model.config.sigma)
    for mesh in (0, 1):
        vertices = model.reconstructor(inputs["images"][:, mesh], training=False)
        for view in (0, 1):
            camera = LookAt()([vertices, inputs["eyes"][:, view]])
            expected = render(Perspective()(camera)).numpy()
            # Batches of another size round differently: 1e-6 at the silhouettes' edges.
            np.testing.assert_allclose(silhouettes[:, 2 * mesh + view], expected, atol=1e-5)
    # Or else the order above was not tested: seen 0.12 and more, against the tolerance of 1e-5.
    assert np.abs(silhouettes[:, 0] - silhouettes[:, 2]).max() > 0.05
    assert np.abs(silhouettes[:, 0] - silhouettes[:, 1]).max() > 0.05


def test_regularisers_are_those_of_all_meshes_with_the_weights_of_the_config(model, inputs):
    model(inputs, training=False)
    images = tf.reshape(inputs["images"], (6, 16, 16, 4))
    vertices = model.reconstructor(images, training=False)
    faces = model.reconstructor.faces
    expected = [
        model.config.laplacian_weight * np.mean(laplacian_loss(vertices, faces)),
        model.config.flattening_weight * np.mean(flattening_loss(vertices, faces)),
    ]
    np.testing.assert_allclose(sorted(model.losses), sorted(expected), rtol=1e-5)


def test_gradient_of_the_silhouettes_reaches_every_weight_of_the_network(model, inputs):
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.square(model(inputs, training=True)["silhouettes"]))
    weights = model.reconstructor.trainable_variables
    assert [w.path for w in model.trainable_variables] == [w.path for w in weights]
    gradients = tape.gradient(total, [w.value for w in weights])
    # Batch normalisation takes the convolution's bias out: its gradient is 0 but for rounding.
    zero = [
        weight.path
        for weight, gradient in zip(weights, gradients, strict=True)
        if gradient is None or not np.abs(gradient).max() > 0
    ]
    assert not [path for path in zero if "convolution_1/bias" not in path]


def test_config_makes_the_same_model_again(model, inputs):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    again.reconstructor.set_weights(model.reconstructor.get_weights())
    np.testing.assert_array_equal(
        again(inputs, training=False)["silhouettes"], model(inputs, training=False)["silhouettes"]
    )
    assert again.config == model.config
