"""The encoder: its layers against NumPy, not against Keras."""

import keras
import numpy as np

from tf_softras.models import ImageEncoder


def test_first_convolution_is_stride_two_with_two_zeros_on_every_side():
    encoder = ImageEncoder(convolution_filters=(3,), units=(5,), image_size=8)
    random = np.random.default_rng(0)
    image = random.random((8, 8, 4))
    kernel, bias = (w.numpy() for w in encoder.get_layer("convolution_1").weights)
    padded = np.zeros((12, 12, 4))
    padded[2:-2, 2:-2] = image
    expected = np.zeros((4, 4, 3))
    for row, column in np.ndindex(4, 4):
        window = padded[2 * row : 2 * row + 5, 2 * column : 2 * column + 5]
        expected[row, column] = np.tensordot(window, kernel, 3) + bias
    layer = keras.Model(encoder.input, encoder.get_layer("convolution_1").output)
    np.testing.assert_allclose(layer(image[None])[0], expected, rtol=1e-4, atol=1e-5)


def test_batch_normalization_has_the_released_codes_momentum_and_epsilon():
    encoder = ImageEncoder(convolution_filters=(3, 4), units=(5,), image_size=8)
    for name in ("batch_normalization_1", "batch_normalization_2"):
        layer = encoder.get_layer(name)
        assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)


def test_codes_have_passed_a_relu_after_every_layer():
    encoder = ImageEncoder(convolution_filters=(3, 4), units=(5, 6), image_size=9)
    codes = encoder(np.random.default_rng(0).random((7, 9, 9, 4)).astype("float32")).numpy()
    assert codes.shape == (7, 6)
    assert (codes >= 0).all() and (codes > 0).any() and (codes == 0).any()
    # Every batch normalisation, and nothing else, is followed by a ReLU layer.
    names = [layer.name for layer in encoder.layers]
    for index in (1, 2):
        assert names[names.index(f"batch_normalization_{index}") + 1] == f"relu_{index}"


def test_encoder_survives_serialization():
    encoder = ImageEncoder(convolution_filters=(3,), units=(5,), image_size=8, dtype="float64")
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(encoder))
    assert isinstance(restored, ImageEncoder)
    assert restored.get_config() == encoder.get_config()
