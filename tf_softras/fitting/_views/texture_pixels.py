"""Finds where the pixels of a picture lie on a texture."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_softras.geometry import pinhole, world_to_camera
from tf_softras.ops import soft_shade
from tf_softras.shading import footprint_attributes, uv_derivatives

# Sharper than any pixel. Only the nearest face is drawn, so sigma sets nothing but its reach.
_SIGMA = 1e-8


class SurfacePixels(NamedTuple):
    """The point of a textured surface at each pixel.

    Attributes:
        uv: float `[views, size, size, 2]`, texture coordinates.
        change: float `[views, size, size, 2, 2]`, see `shading.uv_derivatives`.
        hit: float `[views, size, size, 1]`: 1 where the pixel shows the surface, else 0.
    """

    uv: Any
    change: Any
    hit: Any


def image_plane(vertices, crops):
    """Returns vertices on the crops' image planes, float32 `[views, num_vertices, 3]`."""
    vertices = np.asarray(vertices, np.float32)
    seen = world_to_camera(
        tf.constant(np.broadcast_to(vertices, (len(crops), *vertices.shape))),
        tf.constant(crops.rotations, tf.float32),
        tf.constant(crops.translations, tf.float32),
    )
    return pinhole(
        seen, tf.constant(crops.intrinsics, tf.float32), image_size=crops.size, pixel_center=0.5
    )


def surface_pixels(plane, uvs, size) -> SurfacePixels:
    """Returns where the pixels of pictures lie on a texture.

    Args:
        plane: float32 `[views, 3 * num_faces, 3]`: the corners of all faces on the image plane.
        uvs: float32 `[1, num_faces, 3, 2]`.
        size: Pixels along a side.
    """
    batch = tf.shape(plane)[0]
    by_face = tf.reshape(plane, [batch, -1, 3, 3])
    uv = tf.repeat(uvs, batch, axis=0)
    slopes = footprint_attributes(by_face, uv)
    packed = tf.concat([uv, by_face[..., 2:], slopes, tf.ones_like(uv[..., :1])], axis=-1)
    corners = tf.reshape(tf.range(3 * tf.shape(uvs)[1]), [-1, 3])
    image = nearest_surface(plane, corners, tf.reshape(packed, [batch, -1, 10]), size)
    change = uv_derivatives(image[..., :2], image[..., 2:3], image[..., 3:9], image_size=size)
    return SurfacePixels(image[..., :2], change, image[..., 9:])


def nearest_surface(plane, faces, attributes, size):
    """Returns the attributes of the nearest face at each pixel, 0 where there is none.

    Args:
        plane: float32 `[views, num_vertices, 3]`, on the image plane.
        faces: int `[num_faces, 3]`.
        attributes: float `[views, num_vertices, channels]`.
        size: Pixels along a side.
    """
    image, _ = soft_shade(
        plane, faces, attributes, image_size=size, sigma=_SIGMA, aggregation="hard"
    )
    return image
