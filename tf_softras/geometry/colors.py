"""Colours: what files and screens hold (sRGB), and what light adds up in (linear)."""

import keras

from tf_softras._shared.ranges import known_array
from tf_softras.geometry._vectors import as_floating

# The sRGB colour of a mesh that names none.
DEFAULT_COLOR = (0.7, 0.7, 0.7)


def linear_from_srgb(srgb):
    """Returns linear light of sRGB-encoded values; [0, 1] to [0, 1], any shape.

    Source: IEC 61966-2-1. Values below 0 go on along the straight part.

    Raises:
        ValueError: The values have an integer type, as those of picture files, 0 to 255, have.
            Python's own 0 and 1 are taken.
    """
    if not _are_zeros_and_ones(srgb):
        check_not_integers("srgb", srgb)
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


def check_not_integers(name, colors):
    """Checks that colours have no integer type: 0 to 255, as in files, is taken for far too bright.

    Raises:
        ValueError: They have one.
    """
    if not hasattr(colors, "dtype"):
        colors = keras.ops.convert_to_tensor(colors)
    dtype = keras.backend.standardize_dtype(colors.dtype)
    if "int" in dtype:
        raise ValueError(
            f"{name}: expected floats in [0, 1]; received {dtype}. Divide colours of 0 to 255 by "
            "255.0"
        )


def _are_zeros_and_ones(values):
    """Returns whether these are Python's numbers 0 and 1, such as in (1, 0, 0) for red."""
    known = None if hasattr(values, "dtype") else known_array(values)
    return known is not None and bool(((known == 0) | (known == 1)).all())
