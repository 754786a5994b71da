"""Textures: pictures laid on surfaces."""

import keras

from tf_softras.geometry.vectors import as_floating

WRAPS = ("repeat", "clamp")


def sample_texture(texture, uv, *, wrap="repeat"):
    """The texture's colours at texture coordinates, interpolated between the four nearest texels.

    u goes to the right and v UP, as OBJ files have them: (0, 0) is the lower left corner of the
    picture, whose row 0 is its top, and (1, 1) the upper right one. The centre of texel (row r,
    column c) of H x W is ``u = (c + 0.5) / W, v = 1 - (r + 0.5) / H``. (glTF's v goes down: give
    1 - v.) There is no mip-mapping: a texture much finer than the pixels needs reducing first.

    Differentiable in the texture, and in uv but for the kinks at texel centres.

    Args:
        texture: float `[texture_height, texture_width, channels]`, or one for each item,
            `[batch, texture_height, texture_width, channels]`; linear if it is to be lit.
        uv: float `[batch, ..., 2]`, finite.
        wrap: beyond [0, 1] the texture is repeated ("repeat"), or its border goes on ("clamp").

    Returns:
        float `[batch, ..., channels]`.

    Raises:
        ValueError: a shape or `wrap` is not as above, or the texture is empty.
    """
    texture, uv = as_floating(texture), as_floating(uv)
    _check(texture, uv, wrap)
    dtype = keras.backend.result_type(texture.dtype, uv.dtype)
    texture, uv = keras.ops.cast(texture, dtype), keras.ops.cast(uv, dtype)
    *batch, height, width, channels = keras.ops.shape(texture)
    u, v = uv[..., 0], 1.0 - uv[..., 1]
    left, right, x = _neighbours(u, width, wrap)
    top, bottom, y = _neighbours(v, height, wrap)
    texels = keras.ops.reshape(texture, (-1, channels))
    first = 0
    if batch:
        first = keras.ops.arange(batch[0], dtype="int32") * (height * width)
        first = keras.ops.reshape(first, (-1, *(1,) * (len(uv.shape) - 2)))

    def row(r):
        return (
            keras.ops.take(texels, first + r * width + left, axis=0) * (1.0 - x)
            + keras.ops.take(texels, first + r * width + right, axis=0) * x
        )

    return row(top) * (1.0 - y) + row(bottom) * y


def _check(texture, uv, wrap):
    if wrap not in WRAPS:
        raise ValueError(f"Invalid wrap. Expected one of {WRAPS}. Received: wrap={wrap!r}")
    if len(texture.shape) not in (3, 4) or 0 in tuple(texture.shape)[-3:]:
        raise ValueError(
            "Invalid texture. Expected shape [height, width, channels] or [batch, height, width, "
            f"channels], not empty. Received: shape={tuple(texture.shape)}"
        )
    if len(uv.shape) < 2 or uv.shape[-1] != 2:
        raise ValueError(
            f"Invalid uv. Expected shape [batch, ..., 2]. Received: shape={tuple(uv.shape)}"
        )


def _neighbours(coordinate, size, wrap):
    """The texels before and after a coordinate, and the share of the one after `[..., 1]`."""
    if wrap == "repeat":
        coordinate = coordinate - keras.ops.floor(coordinate)
    else:
        coordinate = keras.ops.clip(coordinate, 0.0, 1.0)
    texel = coordinate * keras.ops.cast(size, coordinate.dtype) - 0.5
    before = keras.ops.floor(texel)
    share = (texel - before)[..., None]
    before = keras.ops.cast(before, "int32")
    if wrap == "repeat":
        return before % size, (before + 1) % size, share
    return keras.ops.maximum(before, 0), keras.ops.minimum(before + 1, size - 1), share
