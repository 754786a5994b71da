"""Finds the light of pictures."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_softras.fitting._descent import descend
from tf_softras.fitting._pictures import checked_pictures, seen_attributes
from tf_softras.geometry import linear_from_srgb, vertex_normals
from tf_softras.shading import DirectionalLight, lambert_light


class FittedLight(NamedTuple):
    """The result of `fit_light`.

    Attributes:
        ambient: float32 `[3]`, linear.
        sun: a `DirectionalLight` of float32 `[3]` arrays, its direction of length 1.
        losses: float32 `[steps]`.
    """

    ambient: np.ndarray
    sun: DirectionalLight
    losses: np.ndarray


def fit_light(
    vertices,
    faces,
    colors,
    project,
    masks,
    pictures,
    *,
    steps=200,
    learning_rate=0.05,
):
    """Returns the ambient and the directional light under which a mesh looks as in the pictures.

    The loss is the mean squared difference of linear colours over pixels that show the mesh and
    nothing else. The sun starts in the direction of the normals of the brighter pixels.

    Args:
        vertices: float `[num_vertices, 3]`, world space.
        faces: int `[num_faces, 3]`, counter-clockwise seen from outside.
        colors: float `[num_vertices, 3]` in [0, 1], sRGB, the surface's own.
        project: The cameras, see `tf_softras.fitting`.
        masks: float `[views, height, width]` in [0, 1].
        pictures: float `[views, height, width, 3]` in [0, 1], sRGB.
        steps: The number of steps.
        learning_rate: Adam's learning rate.

    Returns:
        A `FittedLight`.

    Raises:
        ValueError: Shapes are not as above.
    """
    pictures, masks = checked_pictures(pictures, masks)
    vertices = tf.constant(vertices, tf.float32)[None]
    own_colors = linear_from_srgb(np.asarray(colors, np.float32))[None]
    attributes = tf.concat([vertex_normals(vertices, faces), own_colors], axis=-1)
    surface, is_seen = seen_attributes(project, vertices, faces, attributes, masks)
    surface, target = tf.boolean_mask(surface, is_seen), tf.boolean_mask(pictures, is_seen)
    normals, own_colors, target = surface[None, :, :3], surface[None, :, 3:], target[None]
    target = linear_from_srgb(target)

    brightness = tf.reduce_mean(target, axis=-1, keepdims=True)
    brighter = brightness - tf.reduce_mean(brightness)
    direction = tf.Variable(tf.math.l2_normalize(tf.reduce_sum(normals * brighter, axis=(0, 1))))
    # The variables are roots, so that light is never negative.
    ambient_root, color_root = (tf.Variable(tf.fill([3], 0.5)) for _ in range(2))

    def loss(progress):
        del progress
        sun = DirectionalLight(direction, color_root**2)
        light = lambert_light(normals, ambient=ambient_root**2, directional=[sun])
        # Pictures clip at 1, so light beyond that changes nothing.
        return tf.reduce_mean((tf.minimum(own_colors * light, 1.0) - target) ** 2)

    variables = [direction, ambient_root, color_root]
    losses = descend(loss, variables, steps=steps, learning_rate=learning_rate)
    sun = DirectionalLight(tf.math.l2_normalize(direction).numpy(), (color_root**2).numpy())
    return FittedLight((ambient_root**2).numpy(), sun, losses)
