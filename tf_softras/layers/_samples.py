"""A pixel's samples: their mean, or one of them."""

import keras
import numpy as np


def mean_of_samples(samples, factor):
    """Means over `factor` x `factor` samples: float `[batch, height, width, channels]`."""
    if factor == 1:
        return samples
    return keras.ops.average_pool(samples, factor, data_format="channels_last")


def middle_sample(samples, hit, factor):
    """The sample nearest to the pixel's centre among those that hit something.

    Of samples equally near, the upper left one. Where none hits, the first of them all.

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
    """`[batch, factor * h, factor * w, c]` to `[batch, h, w, factor^2, c]`."""
    _, height, width, channels = values.shape
    height, width = height // factor, width // factor
    values = keras.ops.reshape(values, (-1, height, factor, width, factor, channels))
    values = keras.ops.transpose(values, (0, 1, 3, 2, 4, 5))
    return keras.ops.reshape(values, (-1, height, width, factor * factor, channels))
