"""Finds the pose of an object from one picture."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_softras.fitting._descent import between, descend
from tf_softras.fitting._pictures import checked_pictures
from tf_softras.geometry import linear_from_srgb, rotation_from_quaternion
from tf_softras.losses import silhouette_iou_loss
from tf_softras.ops import soft_shade

# The share of the steps in which sigma and gamma fall; after it they keep their last values.
_SHARPENED = 0.6


class FittedPose(NamedTuple):
    """The result of `fit_pose`, for each start.

    Attributes:
        rotations: float32 `[starts, 3, 3]`; the object's vertices are `rotation @ v + translation`.
        translations: float32 `[starts, 3]`, world units.
        losses: float32 `[steps, starts]`.
        best: int, the start with the lowest loss in the last step.
        first_rotations: float32 `[starts, 3, 3]`, the rotations before the first step.
    """

    rotations: np.ndarray
    translations: np.ndarray
    losses: np.ndarray
    best: int
    first_rotations: np.ndarray


def fit_pose(
    vertices,
    faces,
    colors,
    project,
    mask,
    picture,
    *,
    starts=16,
    candidates=64,
    moves=False,
    steps=150,
    learning_rate=0.03,
    sigma=(3e-3, 1e-4),
    gamma=(3e-3, 1e-3),
    far=10.0,
    seed=0,
):
    """Returns the rotation at which an object looks as in a picture, and its translation.

    Turning the object is the same as turning the camera the other way: the camera's extrinsics are
    those of `project` times the pose. The fit runs from several random rotations at once, each
    independent of the others. Edges and depth are soft at first, so that far parts of the picture
    pull, too (Liu et al. 2019, arXiv 1904.01786, section 5.3).

    Each random start is the best of `candidates` rotations, at translation 0. The sharpest picture
    decides, because blur hides the differences between rotations. Such a start is near enough for
    little blur and a small learning rate. If you give starts of your own that may be far off, use
    sigma (3e-2, 1e-4), gamma (1e-2, 1e-3) and a learning rate of 0.1. A start that ends in a local
    minimum has a loss well above that of the others.

    Args:
        vertices: float `[num_vertices, 3]`, the object about its own origin.
        faces: int `[num_faces, 3]`.
        colors: float `[num_vertices, 3]` in [0, 1], sRGB, light included.
        project: The camera, see `tf_softras.fitting`.
        mask: float `[height, width]` in [0, 1].
        picture: float `[height, width, 3]` in [0, 1], sRGB.
        starts: The number of random starts, or quaternions `[starts, 4]` (x, y, z, w).
        candidates: Positive int, the number of random rotations that each start is chosen from.
        moves: Whether the translation is fitted, too; else it stays 0.
        steps: The number of steps.
        learning_rate: Adam's learning rate for unit quaternions; translations move by a tenth.
        sigma: Sharpness of the first and the last step, squared image-plane units.
        gamma: Sharpness in depth of the first and the last step.
        far: A depth beyond the object; it scales gamma.
        seed: Seed of the random rotations.

    Returns:
        A `FittedPose`.

    Raises:
        ValueError: Shapes are not as above, or the fit diverges.
    """
    picture, mask = checked_pictures(np.asarray(picture)[None], np.asarray(mask)[None])
    target = linear_from_srgb(picture) * mask[..., None]
    # Pixels on the mask's edge contain some of the background's colour, so they are left out.
    is_pure = tf.cast((mask > 0.99) | (mask < 0.01), tf.float32)[..., None]
    brightness = tf.reduce_sum(is_pure * target**2) + 1e-6
    tried = _quaternions(starts, candidates, seed)
    rotations = tf.Variable(tried[0])
    count = rotations.shape[0]
    translations = tf.Variable(tf.zeros((count, 3)))
    vertices = tf.constant(vertices, tf.float32)[None]
    colors = tf.repeat(linear_from_srgb(np.asarray(colors, np.float32))[None], count, axis=0)

    def posed():
        turned = tf.matmul(vertices, rotation_from_quaternion(rotations), transpose_b=True)
        return turned + translations[:, None]

    def loss(progress):
        progress = tf.minimum(progress / _SHARPENED, 1.0)
        image, alpha = soft_shade(
            project(posed()),
            faces,
            colors,
            image_size=tuple(mask.shape[1:]),
            sigma=between(sigma, progress),
            gamma=between(gamma, progress),
            far=far,
        )
        difference = is_pure * (image * alpha[..., None] - target) ** 2
        shape = silhouette_iou_loss(tf.repeat(mask, count, axis=0), alpha)
        return tf.reduce_sum(difference, axis=(1, 2, 3)) / brightness + shape

    rotations.assign(_best_of(tried, rotations, loss))
    first_rotations = rotation_from_quaternion(rotations).numpy()
    variables = [rotations, translations] if moves else [rotations]
    losses = descend(loss, variables, steps=steps, learning_rate=learning_rate)
    return FittedPose(
        rotation_from_quaternion(rotations).numpy(),
        translations.numpy(),
        losses,
        int(np.argmin(losses[-1])),
        first_rotations,
    )


def _quaternions(starts, candidates, seed):
    """Returns quaternions to choose from `[candidates, starts, 4]`, uniform over rotations."""
    if candidates != int(candidates) or candidates < 1:
        raise ValueError(f"candidates: expected a positive int; received {candidates}")
    if np.ndim(starts) == 0:
        tried = np.random.default_rng(seed).normal(size=(int(candidates), starts, 4))
    else:
        tried = np.asarray(starts)[None]
    if tried.ndim != 3 or tried.shape[2] != 4 or not tried.shape[1]:
        raise ValueError(
            "starts: expected at least one, or quaternions of shape [starts, 4]; "
            f"received shape {tried.shape[1:]}"
        )
    return (tried / np.linalg.norm(tried, axis=2, keepdims=True)).astype(np.float32)


def _best_of(tried, rotations, loss):
    """Returns for each start the candidate with the lowest loss at the sharpest picture.

    Each round tries one candidate for all starts, in the variable of the descent, so it needs no
    more memory than a step.
    """
    if len(tried) == 1:
        return tried[0]
    sharpest = tf.function(lambda: loss(tf.constant(1.0)))
    losses = []
    for quaternions in tried:
        rotations.assign(quaternions)
        losses.append(sharpest().numpy())
    return tried[np.argmin(losses, axis=0), np.arange(tried.shape[1])]
