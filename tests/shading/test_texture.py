"""Textures, against OpenCV's remap, by hand, and against numeric gradients."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tests.gradient_checks import numeric_gradient
from tf_softras.shading import sample_texture

TEXTURE = np.random.default_rng(0).uniform(0, 1, (5, 8, 3))


def test_v_goes_up_and_row_0_is_the_top():
    texture = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    corners = [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]
    seen = sample_texture(texture, [corners], wrap="clamp")
    np.testing.assert_array_equal(seen[0, :, 0], [1, 2, 3, 4])


def test_texel_centres_are_hit_exactly():
    row, column = np.meshgrid(np.arange(5), np.arange(8), indexing="ij")
    uv = np.stack([(column + 0.5) / 8, 1 - (row + 0.5) / 5], axis=-1)
    np.testing.assert_allclose(sample_texture(TEXTURE, uv[None])[0], TEXTURE, atol=1e-12)


@pytest.mark.parametrize(
    "wrap, border", [("repeat", cv2.BORDER_WRAP), ("clamp", cv2.BORDER_REPLICATE)]
)
def test_opencv_interpolates_and_wraps_alike(wrap, border):
    uv = np.random.default_rng(1).uniform(-1.3, 2.3, (1, 40, 2))
    x, y = uv[..., 0] * 8 - 0.5, (1 - uv[..., 1]) * 5 - 0.5
    expected = cv2.remap(
        TEXTURE, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=border
    )
    # OpenCV rounds coordinates to 1 / 32 of a pixel, and neighbours differ by up to 1.
    np.testing.assert_allclose(sample_texture(TEXTURE, uv, wrap=wrap), expected, atol=2 / 32)


def test_each_item_may_have_a_texture_and_any_shape_of_pixels():
    textures = np.stack([TEXTURE, TEXTURE[::-1]])
    uv = np.random.default_rng(2).uniform(0, 1, (2, 3, 4, 2))
    seen = sample_texture(textures, uv)
    assert seen.shape == (2, 3, 4, 3)
    for item in range(2):
        alone = sample_texture(textures[item], uv[item][None])
        np.testing.assert_allclose(seen[item], alone[0], atol=1e-12)


@pytest.mark.parametrize("wrap", ["repeat", "clamp"])
@pytest.mark.parametrize("of", ["texture", "textures", "uv"])
def test_gradients_are_the_numeric_ones(of, wrap):
    uv = np.random.default_rng(3).uniform(-0.2, 1.2, (2, 6, 2))
    textures = np.stack([TEXTURE, 1 - TEXTURE])
    weights = np.random.default_rng(4).normal(size=(2, 6, 3))
    function, point = {
        "texture": (lambda x: sample_texture(x, uv, wrap=wrap), TEXTURE),
        "textures": (lambda x: sample_texture(x, uv, wrap=wrap), textures),
        "uv": (lambda x: sample_texture(textures, x, wrap=wrap), uv),
    }[of]

    def loss(x):
        return tf.reduce_sum(weights * tf.sin(function(x)))

    with tf.GradientTape() as tape:
        x = tf.constant(point)
        tape.watch(x)
        value = loss(x)
    expected = numeric_gradient(lambda p: float(loss(tf.constant(p))), point, step=1e-5)
    gradient = tf.convert_to_tensor(tape.gradient(value, x))
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "texture, uv, wrap, message",
    [
        (TEXTURE[0], np.zeros((1, 2)), "repeat", "texture: expected"),
        (TEXTURE[:0], np.zeros((1, 2)), "repeat", "texture: expected.*not empty"),
        (TEXTURE, np.zeros((1, 3)), "repeat", "uv: expected"),
        (TEXTURE, np.zeros((1, 2)), "mirror", "wrap: expected.*mirror"),
    ],
)
def test_bad_input(texture, uv, wrap, message):
    with pytest.raises(ValueError, match=message):
        sample_texture(texture, uv, wrap=wrap)
