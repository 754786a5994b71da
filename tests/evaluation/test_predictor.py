"""How networks are asked: traced once for all epochs, with the weights of the present."""

import keras
import numpy as np

from tests.shapes import tiny_config
from tf_softras.evaluation._predictor import predictor
from tf_softras.models import MeshReconstructor


def test_a_network_is_traced_once_and_asked_with_its_present_weights():
    network = MeshReconstructor(tiny_config().model)
    images = np.random.default_rng(0).uniform(0, 1, network.input_shape[1:])[None]
    images = images.astype(np.float32)
    ask = predictor(network)
    first = ask(images).numpy()
    np.testing.assert_allclose(first, network(images, training=False), atol=1e-6)
    for weight in network.trainable_weights:
        weight.assign(3.0 * weight)
    assert predictor(network) is ask
    second = ask(images).numpy()
    np.testing.assert_allclose(second, network(images, training=False), atol=1e-6)
    assert np.abs(second - first).max() > 1e-4
    assert ask(np.repeat(images, 3, axis=0)).shape[0] == 3
    assert ask.experimental_get_tracing_count() == 1


def test_a_model_that_does_not_know_its_shape_is_asked_too():
    class Doubled(keras.Model):
        def call(self, images, training=None):
            assert training is False
            return 2.0 * images

    np.testing.assert_array_equal(predictor(Doubled())(np.ones((2, 3), np.float32)), 2.0)


def test_other_callables_are_asked_as_they_are():
    assert predictor(len) is len
