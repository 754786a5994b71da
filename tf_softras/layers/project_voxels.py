"""Silhouettes of voxels: the perspective transformer as a Keras layer."""

import math

import keras
import numpy as np
import tensorflow as tf

from tf_softras.geometry.cameras import N3MR_VIEWING_ANGLE, look_at_extrinsics
from tf_softras.geometry.image_size import standardize_image_size
from tf_softras.ops.soft_rasterize_reference import pixel_centres


@keras.saving.register_keras_serializable(package="Softras")
class ProjectVoxels(keras.layers.Layer):
    """Silhouettes of voxels: what is fullest along the ray through each pixel's centre.

    Formula: ``S(pixel) = max_k V(eye + depth_k * ray(pixel))``, with V interpolated linearly
    between the cells' centres and 0 outside the cube, at depths a cell's side apart that cover
    the cube.

    The gradient goes to the eight cells about the fullest sample, as that of any maximum does.
    The search for it has no gradient to keep, so a step costs little memory.

    Args:
        image_size: int, or (height, width) in pixels.
        viewing_angle: HALF of the angle of view across the shorter image side, in degrees.

    Call arguments:
        inputs: a pair of voxels, float `[batch, r, r, r]` in [0, 1], on the grid of
            `geometry.voxelize`, and eyes, float `[batch, 3]`, world space, of cameras that look at
            the origin.

    Returns:
        float32 `[batch, height, width]` in [0, 1]; row 0 is the top.

    Source: Yan et al. 2016, arXiv 1612.00814, section 3.
    """

    def __init__(self, image_size, *, viewing_angle=N3MR_VIEWING_ANGLE, **kwargs):
        super().__init__(**kwargs)
        self.image_size = standardize_image_size(image_size)
        self.viewing_angle = float(viewing_angle)
        self.autocast = False

    def call(self, inputs):
        """Projects a batch of voxels; see the class."""
        voxels, eyes = inputs
        voxels, eyes = tf.cast(voxels, tf.float32), tf.cast(eyes, tf.float32)
        resolution = voxels.shape[-1]
        corners = _cell_corners(voxels)
        axes, _ = look_at_extrinsics(eyes)
        tangent = math.tan(math.radians(self.viewing_angle))
        plane = np.concatenate(
            [pixel_centres(*self.image_size) * tangent, np.ones((math.prod(self.image_size), 1))], 1
        ).astype(np.float32)
        rays = tf.matmul(plane[None], axes)  # [batch, pixels, 3], 1 deep
        # A cell apart, over the grid's diagonal and the half cell of zeros at either end.
        steps = math.ceil(math.sqrt(3.0) * (resolution + 1))
        around = (np.arange(steps, dtype=np.float32) - 0.5 * (steps - 1)) / (resolution - 1)
        depths = tf.norm(eyes, axis=-1)[:, None] + around  # [batch, steps]
        points = eyes[:, None, None] + depths[:, None, :, None] * rays[:, :, None]
        fullest = tf.argmax(_sampled(tf.stop_gradient(corners), points, resolution), axis=-1)
        points = tf.gather(points, fullest[..., None], axis=2, batch_dims=2)
        return tf.reshape(_sampled(corners, points, resolution), [-1, *self.image_size])

    def compute_output_shape(self, input_shapes):
        """`(batch, height, width)`."""
        return (input_shapes[0][0], *self.image_size)

    def get_config(self):
        """The arguments."""
        return {
            **super().get_config(),
            "image_size": list(self.image_size),
            "viewing_angle": self.viewing_angle,
        }


def _cell_corners(voxels):
    """`[batch, (r + 1)^3, 8]`: for each corner of the grid the eight cells about it, 0 outside."""
    side = voxels.shape[-1] + 1
    padded = tf.pad(voxels, [[0, 0], [1, 1], [1, 1], [1, 1]])
    shifted = [
        padded[:, i : i + side, j : j + side, k : k + side]
        for i in (0, 1)
        for j in (0, 1)
        for k in (0, 1)
    ]
    return tf.reshape(tf.stack(shifted, axis=-1), [-1, side**3, 8])


def _sampled(corners, points, resolution):
    """Voxels interpolated at points `[batch, pixels, steps, 3]`: `[batch, pixels, steps]`."""
    # The grid of `geometry.voxelize`, counted from the centre of the zeros before the first cell.
    place = points * (resolution - 1.0) + (0.5 * resolution + 0.5)
    low = tf.clip_by_value(tf.floor(place), 0.0, float(resolution))
    share = tf.clip_by_value(place - low, 0.0, 1.0)
    low = tf.cast(low, tf.int32)
    index = (low[..., 0] * (resolution + 1) + low[..., 1]) * (resolution + 1) + low[..., 2]
    batch, pixels, steps = tf.unstack(tf.shape(index))
    values = tf.gather(corners, tf.reshape(index, [batch, -1]), axis=1, batch_dims=1)
    values = tf.reshape(values, [batch, pixels, steps, 2, 2, 2])
    for axis in range(3):
        at = share[..., axis]
        at = tf.reshape(at, [batch, pixels, steps, *[1] * (2 - axis)])
        values = values[:, :, :, 0] + at * (values[:, :, :, 1] - values[:, :, :, 0])
    return values
