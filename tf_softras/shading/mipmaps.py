"""Mip-mapping: how large a pixel is on a texture, and the texture at that size.

A pixel's size in texture coordinates is exact, from the face that it shows, and not the difference
to its neighbours: those may show another face, a seam of the texture or no surface at all.

On the image plane 1/z, u/z and v/z are affine over a face, so their slopes are six constants of
it. They are drawn beside u, v and z as vertex attributes; then du/dx = z (d(u/z)/dx - u d(1/z)/dx).
"""

import keras
import numpy as np

from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry._vectors import as_floating, roll

# Twice the least area, in image-plane units, that slopes are divided by: a face of less than a
# billionth of a pixel has the coarsest level either way, and nothing overflows float32.
_LEAST_DOUBLED_AREA = 1e-12
# Texels a pixel, far above any texture's size: squares of this are finite.
_MOST_TEXELS = 1e9


def mip_levels(texture):
    """Returns the texture and its halves, quarters and so on, down to one texel.

    Each level has half the height and width of the one before, rounded down, at least 1. A texel is
    the mean of the area that it covers: 2 x 2 texels, or along an odd side 2 texels and a part of a
    third. So all levels have the same mean. Differentiable.

    Args:
        texture: float `[..., height, width, channels]`, linear; height and width known.

    Returns:
        A list of `1 + floor(log2(max(height, width)))` tensors, float `[..., height_i, width_i,
        channels]`, the first of them the texture.

    Raises:
        ValueError: height or width is unknown or 0.
    """
    texture = as_floating(texture)
    sides = tuple(texture.shape)[-3:-1]
    if len(sides) < 2 or not all(sides):
        raise ValueError(
            "texture: expected shape [..., height, width, channels], of known height and "
            f"width, not empty, for mip-mapping; received {tuple(texture.shape)}"
        )
    levels = [texture]
    while max(levels[-1].shape[-3:-1]) > 1:
        levels.append(_halved(_halved(levels[-1], -3), -2))
    return levels


def footprint_attributes(corners, uvs):
    """Returns the attributes of faces' corners that `uv_derivatives` needs at pixels.

    Args:
        corners: float `[..., num_corners, 3]`: the corners of flat, convex faces in their order; x
            and y on the image plane, camera depth in z. A corner at z <= 0 does not exist.
        uvs: float `[..., num_corners, 2]`: their texture coordinates, affine over a face in space.

    Returns:
        float `[..., num_corners, 6]`, the same at all corners of a face: the slopes along x and
        along y of 1/z, u/z and v/z; 0 for a face none of whose corners exists.
    """
    corners = as_floating(corners)
    uvs = keras.ops.convert_to_tensor(uvs, corners.dtype)
    depth = corners[..., 2:]
    exists = depth > 0.0
    inverse = 1.0 / keras.ops.where(exists, depth, keras.ops.ones_like(depth))
    values = keras.ops.concatenate([inverse, uvs * inverse], axis=-1)
    # From the first corner, where one that does not exist is put too: then it adds nothing.
    x, y, values = (
        keras.ops.where(exists, value - value[..., :1, :], keras.ops.zeros_like(value))
        for value in (corners[..., :1], corners[..., 1:2], values)
    )
    next_x, next_y, next_values = (roll(value, -1, axis=-2) for value in (x, y, values))

    def around(terms):
        return keras.ops.sum(terms, axis=-2, keepdims=True)

    # Green's theorem: the integral of a slope over the face is one along its boundary.
    area = around(x * next_y - next_x * y)
    area = keras.ops.where(keras.ops.abs(area) > _LEAST_DOUBLED_AREA, area, _LEAST_DOUBLED_AREA)
    along_x = around((values + next_values) * (next_y - y)) / area
    along_y = around((values + next_values) * (x - next_x)) / area
    slopes = keras.ops.concatenate([along_x, along_y], axis=-1)
    return slopes + keras.ops.zeros_like(values[..., :1])


def uv_derivatives(uv, depth, attributes, *, image_size):
    """Returns the change of texture coordinates from a pixel to the next.

    Args:
        uv: float `[..., 2]` at pixels.
        depth: float `[..., 1]`, the camera depth there.
        attributes: float `[..., 6]`, of `footprint_attributes`, there.
        image_size: int, or (height, width) in pixels.

    Returns:
        float `[..., 2, 2]`: row i, column j is the change of u (i = 0) or v (i = 1) from a pixel to
        the next one to the right (j = 0) or upwards (j = 1), to first order.

    Raises:
        ValueError: `image_size` is not as above.
    """
    pixel = 2.0 / min(standardize_image_size(image_size))
    columns = []
    for first in (0, 3):
        slope, slopes = attributes[..., first : first + 1], attributes[..., first + 1 : first + 3]
        columns.append(pixel * depth * (slopes - uv * slope))
    return keras.ops.stack(columns, axis=-1)


def level_of_detail(uv_derivatives, *, height, width):
    """Returns the level of a texture whose texels are as large as the pixels; 0 is the finest.

    Formula: ``log2(max(|d(texel)/d(pixel right)|, |d(texel)/d(pixel up)|))``, at least 0 (OpenGL
    4.6, section 8.14.1): no level is too fine along either direction, so surfaces seen at a slant
    are blurred rather than aliased.

    Args:
        uv_derivatives: float `[..., 2, 2]`, of the function of that name.
        height: int, texels.
        width: int, texels.

    Returns:
        float `[...]`.
    """
    size = keras.ops.convert_to_tensor([[width], [height]], uv_derivatives.dtype)
    texels = keras.ops.clip(uv_derivatives * size, -_MOST_TEXELS, _MOST_TEXELS)
    square = keras.ops.max(keras.ops.sum(texels * texels, axis=-2), axis=-1)
    return 0.5 * keras.ops.log2(keras.ops.maximum(square, 1.0))


def _halved(texture, axis):
    """Means of neighbours along an axis, which gets half as long, rounded down; 1 stays 1."""
    texture = keras.ops.moveaxis(texture, axis, 0)
    size = texture.shape[0]
    half = size // 2
    if size > 1 and size % 2 == 0:
        texture = 0.5 * (texture[0::2] + texture[1::2])
    elif size > 1:
        # Output i covers from i (2 + 1 / half) on as much: 2 texels and a part of a third.
        weights = np.arange(half).reshape(-1, *(1,) * (len(texture.shape) - 1))
        first, last = ((half - weights) / size, (weights + 1) / size)
        texture = (
            texture[0:-1:2] * keras.ops.convert_to_tensor(first, texture.dtype)
            + texture[1::2] * (half / size)
            + texture[2::2] * keras.ops.convert_to_tensor(last, texture.dtype)
        )
    return keras.ops.moveaxis(texture, 0, axis)
