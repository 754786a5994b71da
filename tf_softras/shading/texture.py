"""Textures: pictures laid on surfaces."""

import keras
import numpy as np

from tf_softras.geometry._vectors import as_floating
from tf_softras.shading.mipmaps import level_of_detail, mip_levels

WRAPS = ("repeat", "clamp")


def sample_texture(texture, uv, uv_derivatives=None, *, wrap="repeat", texture_index=None):
    """Returns a texture's colours at texture coordinates, bilinear between four texels.

    With `uv_derivatives` it is mip-mapped (trilinear): a pixel that covers many texels shows their
    mean. So a texture far away does not flicker, and texels between the pixels' centres get
    gradients. The levels of `mip_levels` before and after `level_of_detail` are sampled, and then
    interpolated. Nothing changes for a pixel that covers a texel or less.

    u goes to the right and v UP, as OBJ files have them: (0, 0) is the lower left corner of the
    picture, whose row 0 is its top, and (1, 1) the upper right one. The centre of texel (row r,
    column c) of H x W is ``u = (c + 0.5) / W, v = 1 - (r + 0.5) / H``. (glTF's v goes down: give
    1 - v.)

    Differentiable in the texture, in uv but for the kinks at texel centres, and in uv_derivatives
    but for the kinks at whole levels.

    Args:
        texture: float `[texture_height, texture_width, channels]`, or one for each item,
            `[batch, texture_height, texture_width, channels]`; linear if it is to be lit.
        uv: float `[batch, ..., 2]`, finite.
        uv_derivatives: None, or float `[batch, ..., 2, 2]`, finite: what `uv_derivatives` of this
            package gives, how (u, v), the rows, change by a pixel right and up, the columns. The
            texture's height and width must be known then.
        wrap: beyond [0, 1] the texture is repeated ("repeat"), or its border goes on ("clamp").
        texture_index: None, or int `[batch, ...]`: which of several textures each place shows. Then
            `texture` is float `[batch, num_textures, texture_height, texture_width, channels]`.

    Returns:
        float `[batch, ..., channels]`.

    Raises:
        ValueError: a shape or `wrap` is not as above, or the texture is empty.
    """
    texture, uv = as_floating(texture), as_floating(uv)
    _check(texture, uv, wrap, texture_index)
    dtype = keras.backend.result_type(texture.dtype, uv.dtype)
    texture, uv = keras.ops.cast(texture, dtype), keras.ops.cast(uv, dtype)
    if uv_derivatives is None:
        *_, height, width, channels = keras.ops.shape(texture)
        texels = keras.ops.reshape(texture, (-1, channels))
        first = _first(texture, height * width, uv, texture_index)
        return _bilinear(texels, first, (height, width), uv, wrap)
    uv_derivatives = keras.ops.convert_to_tensor(uv_derivatives, dtype)
    _check_derivatives(uv_derivatives, uv)
    return _trilinear(texture, uv, uv_derivatives, wrap, texture_index)


def _trilinear(texture, uv, uv_derivatives, wrap, texture_index):
    """Returns colours between those of the two levels around each pixel's."""
    levels = mip_levels(texture)
    heights, widths = np.array([level.shape[-3:-1] for level in levels], np.int32).T
    sizes = heights * widths
    begins = np.cumsum(sizes, dtype=np.int32) - sizes
    *batch, channels = keras.ops.shape(texture)[:-3] + keras.ops.shape(texture)[-1:]
    texels = [keras.ops.reshape(level, (*batch, -1, channels)) for level in levels]
    texels = keras.ops.reshape(keras.ops.concatenate(texels, axis=-2), (-1, channels))
    first = _first(texture, int(sizes.sum()), uv, texture_index)

    def at(level):
        begin, *size = (
            keras.ops.take(values, level, axis=0) for values in (begins, heights, widths)
        )
        return _bilinear(texels, first + begin, size, uv, wrap)

    last = len(levels) - 1
    level = level_of_detail(uv_derivatives, height=int(heights[0]), width=int(widths[0]))
    level = keras.ops.minimum(level, float(last))
    finer = keras.ops.floor(level)
    share = (level - finer)[..., None]
    finer = keras.ops.cast(finer, "int32")
    return at(finer) * (1.0 - share) + at(keras.ops.minimum(finer + 1, last)) * share


def _first(texture, num_texels, uv, texture_index):
    """Returns where the texels of each item's texture begin, to broadcast over u and v."""
    if len(texture.shape) == 3:
        return 0
    batch = keras.ops.shape(texture)[0]
    first = keras.ops.reshape(
        keras.ops.arange(batch, dtype="int32"), (-1, *(1,) * (len(uv.shape) - 2))
    )
    if texture_index is not None:
        first = first * texture.shape[1] + keras.ops.cast(texture_index, "int32")
    return first * num_texels


def _bilinear(texels, first, size, uv, wrap):
    """Returns colours of the picture that begins at row `first` of `[num_texels, channels]`."""
    height, width = size
    left, right, x = _neighbours(uv[..., 0], width, wrap)
    top, bottom, y = _neighbours(1.0 - uv[..., 1], height, wrap)

    def row(r):
        return (
            keras.ops.take(texels, first + r * width + left, axis=0) * (1.0 - x)
            + keras.ops.take(texels, first + r * width + right, axis=0) * x
        )

    return row(top) * (1.0 - y) + row(bottom) * y


def validate_wrap(wrap):
    """Raises ValueError unless it is one of `WRAPS`."""
    if wrap not in WRAPS:
        raise ValueError(f"wrap: expected one of {WRAPS}; received {wrap!r}")


def _check(texture, uv, wrap, texture_index):
    validate_wrap(wrap)
    expected = "[height, width, channels] or [batch, height, width, channels]"
    ranks: tuple[int, ...] = (3, 4)
    if texture_index is not None:
        expected, ranks = "[batch, num_textures, height, width, channels]", (5,)
    if len(texture.shape) not in ranks or 0 in tuple(texture.shape)[1 - ranks[-1] :]:
        raise ValueError(
            f"texture: expected shape {expected}, not empty; received {tuple(texture.shape)}"
        )
    if len(uv.shape) < 2 or uv.shape[-1] != 2:
        raise ValueError(f"uv: expected shape [batch, ..., 2]; received {tuple(uv.shape)}")


def _check_derivatives(uv_derivatives, uv):
    expected = (*tuple(uv.shape), 2)
    shape = tuple(uv_derivatives.shape)
    if len(shape) != len(expected) or any(
        None not in (one, other) and one != other
        for one, other in zip(shape, expected, strict=True)
    ):
        raise ValueError(
            "uv_derivatives: expected shape [batch, ..., 2, 2], as uv has it, here "
            f"{expected}; received {shape}"
        )


def _neighbours(coordinate, size, wrap):
    """Returns the texels before and after a coordinate, and the latter's share `[..., 1]`."""
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
