"""Colours: what files and screens hold (sRGB), and what light adds up in (linear)."""

import keras

from tf_softras.geometry._vectors import as_floating

# The sRGB colour of a mesh that names none.
DEFAULT_COLOR = (0.7, 0.7, 0.7)


def linear_from_srgb(srgb):
    """Returns linear light of sRGB-encoded values; [0, 1] to [0, 1], any shape.

    Source: IEC 61966-2-1. Values below 0 go on along the straight part.
    """
    srgb = as_floating(srgb)
    is_dark = srgb <= 0.04045
    # The branch that is not taken must be finite too, or its gradient turns the other into NaN.
    base = keras.ops.where(is_dark, keras.ops.ones_like(srgb), (srgb + 0.055) / 1.055)
    return keras.ops.where(is_dark, srgb / 12.92, base**2.4)


def srgb_from_linear(linear):
    """Returns sRGB-encoded values of linear light: the inverse of `linear_from_srgb`."""
    linear = as_floating(linear)
    is_dark = linear <= 0.0031308
    base = keras.ops.where(is_dark, keras.ops.ones_like(linear), linear)
    return keras.ops.where(is_dark, linear * 12.92, 1.055 * base ** (1.0 / 2.4) - 0.055)
