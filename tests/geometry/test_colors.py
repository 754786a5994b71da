"""The two curves of sRGB, against the standard's own numbers and Pillow's colour management."""

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
import tensorflow as tf

from tests.gradient_checks import numeric_gradient
from tf_softras.geometry import linear_from_srgb, srgb_from_linear


def test_known_values():
    # Half the code range is 21.4 % of the light; 0.04045 is where the two parts meet.
    np.testing.assert_allclose(
        linear_from_srgb(np.array([0.0, 0.04045, 0.5, 1.0])),
        [0.0, 0.04045 / 12.92, 0.21404114, 1.0],
        rtol=1e-7,
    )


def test_littlecms_agrees():
    # It gives the lightness L* of greys, from which CIE's formula gives the light.
    codes = np.arange(256, dtype=np.uint8)
    picture = PIL.Image.fromarray(np.repeat(codes[None, :, None], 3, axis=2))
    profiles = (PIL.ImageCms.createProfile("sRGB"), PIL.ImageCms.createProfile("LAB", 5003))
    transform = PIL.ImageCms.buildTransform(*profiles, "RGB", "LAB")
    lightness = np.asarray(PIL.ImageCms.applyTransform(picture, transform))[0, :, 0] * (100 / 255)
    light = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    # Half a step of 255 in L*, at a slope of up to 2.6 % of the light a unit.
    np.testing.assert_allclose(linear_from_srgb(codes / 255.0), light, atol=0.006)


def test_one_undoes_the_other():
    values = np.linspace(-0.1, 1.5, 100)
    np.testing.assert_allclose(srgb_from_linear(linear_from_srgb(values)), values, atol=1e-7)


@pytest.mark.parametrize("curve", [linear_from_srgb, srgb_from_linear])
def test_gradients_are_the_numeric_ones_and_finite(curve):
    values = np.array([-0.5, 0.0, 0.001, 0.02, 0.3, 1.0, 2.0])
    with tf.GradientTape() as tape:
        x = tf.constant(values)
        tape.watch(x)
        value = tf.reduce_sum(curve(x))
    expected = numeric_gradient(lambda p: float(tf.reduce_sum(curve(p))), values, step=1e-5)
    np.testing.assert_allclose(tape.gradient(value, x), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "bytes_of_files",
    [np.uint8([255]), [255, 128, 0], tf.constant([1, 0, 0])],
    ids=["uint8", "list", "tensor"],
)
def test_colours_of_0_to_255_are_refused(bytes_of_files):
    message = r"srgb: expected floats in \[0, 1\]; received u?int.*Divide .* by 255.0"
    with pytest.raises(ValueError, match=message):
        linear_from_srgb(bytes_of_files)
    with pytest.raises(ValueError, match=message):
        tf.function(lambda: linear_from_srgb(bytes_of_files))()
    np.testing.assert_array_equal(linear_from_srgb((1, 0, 0)), [1.0, 0.0, 0.0])
