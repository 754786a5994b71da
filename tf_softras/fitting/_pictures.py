"""Checks the pictures of fits, and draws the surface that they show."""

import tensorflow as tf

from tf_softras._shared.masks import standardize_masks, standardize_unit_range
from tf_softras.ops import soft_shade


def checked_pictures(pictures, masks):
    """Returns pictures `[views, height, width, 3]` and masks `[views, height, width]`, float32.

    Both may be floats in [0, 1] or uint8 from 0 to 255, and masks bool; masks may have a last axis
    of one channel.

    Raises:
        ValueError: Other shapes, other integers, or floats outside [0, 1].
    """
    if pictures is not None:
        pictures = tf.cast(standardize_unit_range("pictures", pictures), tf.float32)
    masks = tf.cast(standardize_masks("masks", masks), tf.float32)
    if masks.shape.rank != 3 or 0 in masks.shape:
        raise ValueError(
            "masks: expected the shape [views, height, width], none of them 0; "
            f"received {list(masks.shape)}"
        )
    if pictures is not None and pictures.shape != (*masks.shape, 3):
        raise ValueError(
            f"pictures: expected the shape {[*masks.shape, 3]}, as the masks have it; "
            f"received {list(pictures.shape)}"
        )
    return pictures, masks


def seen_attributes(project, vertices, faces, attributes, masks):
    """Returns the attributes of a fixed mesh at each pixel's centre, and which pixels show it.

    Args:
        project: Function from world space to the image plane.
        vertices: float `[1, num_vertices, 3]`, world space.
        faces: int `[num_faces, 3]`.
        attributes: float `[1, num_vertices, channels]`.
        masks: float `[views, height, width]`, in [0, 1].

    Returns:
        attributes: float `[views, height, width, channels]`.
        is_seen: bool `[views, height, width]`, whether the pixel shows the mesh and, by the mask,
            nothing else.
    """
    views, *image_size = masks.shape
    ones = tf.ones_like(attributes[..., :1])
    packed = tf.repeat(tf.concat([attributes, ones], axis=-1), views, axis=0)
    image, _ = soft_shade(
        project(vertices),
        faces,
        packed,
        image_size=tuple(image_size),
        sigma=1e-6,
        aggregation="hard",
    )
    return image[..., :-1], (image[..., -1] > 0.5) & (masks > 0.99)
