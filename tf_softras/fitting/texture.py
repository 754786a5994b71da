"""Fits the texture of a mesh to pictures of it."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_softras.fitting._descent import descend
from tf_softras.fitting._pictures import checked_pictures, seen_attributes
from tf_softras.geometry import face_corners, linear_from_srgb, srgb_from_linear
from tf_softras.shading import sample_texture


class FittedTexture(NamedTuple):
    """The result of `fit_texture`.

    Attributes:
        texture: float32 `[height, width, 3]` in [0, 1], sRGB; row 0 is the top, where v is 1.
        losses: float32 `[steps]`.
    """

    texture: np.ndarray
    losses: np.ndarray


def fit_texture(
    vertices,
    faces,
    face_uvs,
    project,
    masks,
    pictures,
    *,
    texture_size=(64, 128),
    steps=150,
    learning_rate=0.1,
    smoothness=1e-3,
    wrap="repeat",
):
    """Returns the texture that makes a mesh look as in the pictures.

    The loss is the mean squared difference of sRGB values over pixels that show the mesh and
    nothing else, plus `smoothness` times the mean squared difference of neighbouring texels. The
    second term fills in texels that no picture shows.

    Args:
        vertices: float `[num_vertices, 3]`, world space.
        faces: int `[num_faces, 3]`.
        face_uvs: float `[num_faces, 3, 2]`, texture coordinates of the faces' corners, v up.
        project: The cameras, see `tf_softras.fitting`.
        masks: float `[views, height, width]` in [0, 1].
        pictures: float `[views, height, width, 3]` in [0, 1], sRGB.
        texture_size: (height, width) in texels.
        steps: The number of steps.
        learning_rate: Adam's learning rate, for logits of linear colours.
        smoothness: Weight of the differences of neighbouring texels.
        wrap: "repeat" or "clamp".

    Returns:
        A `FittedTexture`.

    Raises:
        ValueError: Shapes are not as above.
    """
    pictures, masks = checked_pictures(pictures, masks)
    corners = face_corners(np.asarray(vertices, np.float32)[None], faces)
    uvs = np.asarray(face_uvs, np.float32).reshape(1, -1, 2)
    uv, is_seen = seen_attributes(project, corners.vertices, corners.faces, uvs, masks)
    uv, seen_colors = tf.boolean_mask(uv, is_seen)[None], tf.boolean_mask(pictures, is_seen)[None]
    mean = linear_from_srgb(tf.reduce_mean(seen_colors, axis=(0, 1)))
    mean = tf.clip_by_value(mean, 0.01, 0.99)
    logits = tf.Variable(tf.broadcast_to(tf.math.log(mean / (1 - mean)), (*texture_size, 3)))

    def loss(progress):
        del progress
        texture = tf.sigmoid(logits)
        colors = srgb_from_linear(sample_texture(texture, uv, wrap=wrap))
        rows, columns = texture[1:] - texture[:-1], texture - tf.roll(texture, 1, axis=1)
        roughness = tf.reduce_mean(rows**2) + tf.reduce_mean(columns**2)
        return tf.reduce_mean((colors - seen_colors) ** 2) + smoothness * roughness

    losses = descend(loss, [logits], steps=steps, learning_rate=learning_rate)
    return FittedTexture(srgb_from_linear(tf.sigmoid(logits)).numpy(), losses)
