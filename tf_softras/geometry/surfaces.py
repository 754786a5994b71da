"""The colours of a mesh's surface, in the one way that every picture of it shows.

Formula, at a point of a face with material m, texture coordinates (u, v) and the mesh's own colour
c (of the face, or of its vertices, interpolated as stored):

    color = srgb(linear(m.color) * linear(m.texture(u, v)) * linear(c))
    alpha = m.opacity * m.texture(u, v)'s opacity * c's opacity

A factor that is missing is 1. A face without a material and without a colour is `DEFAULT_COLOR`.
With `m.alpha_cutoff`, alpha below it becomes 0 and all other alpha 1.
"""

import numpy as np

from tf_softras.geometry.colors import DEFAULT_COLOR
from tf_softras.geometry.mesh import Mesh


def corner_colors(mesh: Mesh) -> np.ndarray:
    """Returns the colours of all corners of all faces, without textures.

    They are interpolated over a face as they are. If the face has a texture, its colour multiplies
    them in linear light.

    Args:
        mesh: any mesh.

    Returns:
        float32 `[num_faces, 3, 4]` in [0, 1]: sRGB and opacity.
    """
    own = np.ones((len(mesh.faces), 3, 4), np.float32)
    if mesh.vertex_colors is not None:
        own[..., : mesh.vertex_colors.shape[1]] = mesh.vertex_colors[mesh.faces]
    elif mesh.face_colors is not None:
        own[..., : mesh.face_colors.shape[1]] = mesh.face_colors[:, None]
    has_own = mesh.vertex_colors is not None or mesh.face_colors is not None
    # A row behind the materials, which index -1 takes.
    without = (1.0, 1.0, 1.0) if has_own else DEFAULT_COLOR
    table = np.array(
        [(*material.color, material.opacity) for material in mesh.materials] + [(*without, 1.0)],
        np.float32,
    )
    if mesh.face_materials is None:
        factor = table[-1:]
    else:
        factor = table[mesh.face_materials]
    if not has_own:
        own[:] = factor[:, None]
        return own
    product = own
    product[..., 3] *= factor[:, None, 3]
    tinted = (factor[:, :3] != 1.0).any(axis=1)
    if len(factor) == 1 and tinted[0]:
        factor, tinted = np.broadcast_to(factor, (len(own), 4)), np.ones(len(own), bool)
    if tinted.any():
        linear = decoded(own[tinted, :, :3]) * decoded(factor[tinted, None, :3])
        product[tinted, :, :3] = encoded(linear)
    return product


def face_colors(mesh: Mesh) -> np.ndarray:
    """Returns one colour for each face, with its texture's mean colour: float32 `[num_faces, 3]`.

    A face's colour is the mean of its corners'. It is for places that draw faces in one colour.
    """
    colors = corner_colors(mesh)[..., :3].mean(axis=1)
    if mesh.face_materials is not None:
        for index, material in enumerate(mesh.materials):
            chosen = mesh.face_materials == index
            if material.texture is not None and chosen.any():
                texels = decoded(np.arange(256, dtype=np.float32) / 255.0)[
                    material.texture[..., :3]
                ]
                mean = texels.reshape(-1, 3).mean(axis=0)
                colors[chosen] = encoded(decoded(colors[chosen]) * mean)
    return colors


def filled_texture(texture: np.ndarray) -> np.ndarray:
    """Returns a texture with the mean visible colour where it is wholly transparent.

    Nobody sees the colour of a texel without opacity, and files have anything there, black mostly.
    Interpolation between texels and mip-maps would draw it as a dark rim.

    Args:
        texture: uint8 `[height, width, 3 or 4]`, a `Material`'s.

    Returns:
        uint8 of the same shape.
    """
    if texture.shape[-1] == 3:
        return texture
    hidden = texture[..., 3] == 0
    if not hidden.any() or hidden.all():
        return texture
    filled = texture.copy()
    weights = texture[..., 3:].astype(np.float64)
    mean = (texture[..., :3] * weights).sum(axis=(0, 1)) / weights.sum()
    filled[hidden, :3] = np.rint(mean)
    return filled


def decoded(srgb: np.ndarray) -> np.ndarray:
    """Returns linear light of sRGB values in [0, 1], in NumPy: `colors.linear_from_srgb`."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(
        srgb.dtype
    )


def encoded(linear: np.ndarray) -> np.ndarray:
    """Returns sRGB values of linear light in [0, 1], in NumPy: `colors.srgb_from_linear`."""
    linear = np.clip(linear, 0.0, 1.0)
    high = 1.055 * np.maximum(linear, 0.0031308) ** (1.0 / 2.4) - 0.055
    # 1.055 - 0.055 is not 1 in floating point.
    return np.where(linear <= 0.0031308, linear * 12.92, np.where(linear == 1.0, 1.0, high)).astype(
        linear.dtype
    )
