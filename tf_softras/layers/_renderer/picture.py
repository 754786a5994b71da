"""The picture of samples: a pixel's mean or middle sample, laid over the background."""

import keras
import numpy as np

from tf_softras.geometry.colors import linear_from_srgb, srgb_from_linear


def resolved(means, shown, hit, factor):
    """Returns dicts of `factor` x `factor` samples as one dict of pixels.

    Args:
        means: dict of float `[batch, factor * height, factor * width, channels]`: averaged.
        shown: dict of the same shapes: of these the middle sample that hits counts, because a mean
            of two surfaces' depths is a depth where nothing is. 0 where no sample hits.
        hit: bool `[batch, factor * height, factor * width, 1]`.
        factor: int, samples along each side of a pixel.
    """
    pixels = {name: mean_of_samples(value, factor) for name, value in means.items()}
    for name, value in shown.items():
        value = value * keras.ops.cast(hit, value.dtype)
        pixels[name] = middle_sample(value, hit, factor)
    return pixels


def image_over(background, colors, coverage):
    """Returns sRGB in [0, 1], float `[batch, height, width, 3]`.

    Args:
        background: an sRGB colour; or None for straight colours, not multiplied by coverage.
        colors: float `[batch, height, width, 3]`, linear, multiplied by coverage.
        coverage: float `[batch, height, width, 1]` in [0, 1].
    """
    if background is None:
        colors = colors / keras.ops.where(coverage > 0.0, coverage, 1.0)
    else:
        background = keras.ops.cast(linear_from_srgb(background), colors.dtype)
        colors = colors + background * (1.0 - coverage)
    return keras.ops.clip(srgb_from_linear(colors), 0.0, 1.0)


def mean_of_samples(samples, factor):
    """Returns means over `factor` x `factor` samples: float `[batch, height, width, channels]`."""
    if factor == 1:
        return samples
    return keras.ops.average_pool(samples, factor, data_format="channels_last")


def middle_sample(samples, hit, factor):
    """Returns the sample nearest to the pixel's centre among those that hit something.

    If several are equally near, it is the upper left one. If none hits, it is the first of all.

    Args:
        samples: float `[batch, factor * height, factor * width, channels]`.
        hit: bool, of the same shape with one channel.
        factor: int, samples along each side of a pixel.

    Returns:
        float `[batch, height, width, channels]`.
    """
    if factor == 1:
        return samples
    offset = np.arange(factor) - (factor - 1) / 2.0
    distance = offset[:, None] ** 2 + offset**2
    order = np.argsort(distance.ravel(), kind="stable").astype(np.int32)
    samples, hit = (
        keras.ops.take(_by_pixel(values, factor), order, axis=-2) for values in (samples, hit)
    )
    first = keras.ops.argmax(keras.ops.cast(hit, "int32"), axis=-2)[..., None]
    index = keras.ops.repeat(first, samples.shape[-1], axis=-1)
    return keras.ops.take_along_axis(samples, index, axis=-2)[..., 0, :]


def _by_pixel(values, factor):
    """Reshapes `[batch, factor * h, factor * w, c]` to `[batch, h, w, factor^2, c]`."""
    _, height, width, channels = values.shape
    height, width = height // factor, width // factor
    values = keras.ops.reshape(values, (-1, height, factor, width, factor, channels))
    values = keras.ops.transpose(values, (0, 1, 3, 2, 4, 5))
    return keras.ops.reshape(values, (-1, height, width, factor * factor, channels))
