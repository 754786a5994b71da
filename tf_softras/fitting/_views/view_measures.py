"""Draws a fitted mesh from the cameras of the pictures, and measures the difference."""

import functools

import numpy as np
import tensorflow as tf

from tf_softras.fitting._views.texture_pixels import (
    image_plane,
    nearest_surface,
    surface_pixels,
)
from tf_softras.geometry import linear_from_srgb, srgb_from_linear
from tf_softras.shading import sample_texture

# Samples along a side of a pixel.
_SUPERSAMPLING = 3


def drawn_views(mesh, crops) -> np.ndarray:
    """Returns pictures of a mesh in its own colours, without light: uint8 `[views, size, size, 4]`.

    Args:
        mesh: A `Mesh` in the frame of the crops, with one texture or with colours of vertices.
        crops: `Crops`.
    """
    return np.concatenate([_drawn(mesh, crops.take([view])) for view in range(len(crops))])


def measured_views(mesh, crops, held_out) -> list[dict]:
    """Returns "name", "held_out", "iou" and "psnr" (dB) of each view.

    IoU compares soft masks: the sum of minima divided by the sum of maxima. PSNR compares sRGB
    values over pixels inside the true mask, weighted by alpha. Pixels that the mesh does not cover
    there count as black.
    """
    measures = []
    for view in range(len(crops)):
        one = crops.take([view])
        fitted = _drawn(mesh, one)[0].astype(np.float64) / 255.0
        true = one.pictures[0].astype(np.float64) / 255.0
        valid = one.valid[0]
        masks = fitted[..., 3] * valid, true[..., 3] * valid
        iou = np.minimum(*masks).sum() / max(np.maximum(*masks).sum(), 1e-9)
        weight = masks[1][..., None]
        shown = fitted[..., :3] * (fitted[..., 3:] > 0)
        error = (weight * (shown - true[..., :3]) ** 2).sum() / (3.0 * weight.sum() + 1e-9)
        measures.append(
            {
                "name": one.names[0],
                "held_out": bool(held_out[view]),
                "iou": float(iou),
                "psnr": float(-10.0 * np.log10(max(error, 1e-9))),
            }
        )
    return measures


def _drawn(mesh, crops):
    """Returns the pictures of one view, supersampled and averaged in linear light."""
    size = crops.size * _SUPERSAMPLING
    plane = image_plane(mesh.vertices[mesh.faces].reshape(-1, 3), crops)
    if mesh.uvs is not None:
        texture = mesh.materials[0].texture
        draw = _compiled_drawing(size, len(texture))
        linear = linear_from_srgb(texture.astype(np.float32) / 255.0)
        both = draw(plane, tf.constant(mesh.uvs[None]), linear).numpy()
    else:
        own = np.full((len(mesh.vertices), 3), 0.7, np.float32)
        own = own if mesh.vertex_colors is None else mesh.vertex_colors[:, :3]
        linear = np.asarray(linear_from_srgb(own[mesh.faces].reshape(1, -1, 3)))
        packed = np.concatenate([linear, np.ones_like(linear[..., :1])], axis=-1)
        corners = np.arange(packed.shape[1], dtype=np.int32).reshape(-1, 3)
        both = nearest_surface(plane, corners, packed, size).numpy()
    shape = (len(crops), crops.size, _SUPERSAMPLING, crops.size, _SUPERSAMPLING, 4)
    mean = both.reshape(shape).mean((2, 4))
    straight = np.asarray(srgb_from_linear(mean[..., :3] / np.maximum(mean[..., 3:], 1e-6)))
    return np.uint8(np.rint(255.0 * np.concatenate([straight, mean[..., 3:]], -1).clip(0, 1)))


@functools.lru_cache(maxsize=16)
def _compiled_drawing(size, texture_size):
    """Returns the graph that draws a texture: linear colours times coverage, and coverage."""

    def draw(plane, face_uvs, texture):
        pixels = surface_pixels(plane, face_uvs, size)
        colors = sample_texture(texture, pixels.uv, wrap="clamp", uv_derivatives=pixels.change)
        return tf.concat([colors * pixels.hit, pixels.hit], axis=-1)

    shapes = [(None, None, 3), (1, None, 3, 2), (texture_size, texture_size, 3)]
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return tf.function(draw, input_signature=signature, autograph=False)
