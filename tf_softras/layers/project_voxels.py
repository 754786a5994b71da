"""Silhouettes of voxels: the perspective transformer as a Keras layer."""

import math

import keras
import numpy as np
import tensorflow as tf

from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry.cameras import N3MR_VIEWING_ANGLE, look_at_extrinsics
from tf_softras.layers._call_inputs import numbers
from tf_softras.layers._geometry_layer import GeometryLayer, same_batch
from tf_softras.ops._soft_rasterize_reference import pixel_centres


@keras.saving.register_keras_serializable(package="Softras")
class ProjectVoxels(GeometryLayer):
    """Returns silhouettes of voxels: the fullest sample on the ray of each pixel's centre.

    Formula: ``S(pixel) = max_k V(eye + depth_k * ray(pixel))``, with V interpolated linearly
    between the cells' centres and 0 outside the cube, at depths a cell's side apart that cover
    the cube.

    The gradient goes to the eight cells about the fullest sample, as that of any maximum does.
    The search for it has no gradient to keep, so a step costs little memory.

    Args:
        image_size: Int, or (height, width) in pixels.
        viewing_angle: HALF of the angle of view across the shorter image side, degrees in (0, 90).

    Call arguments:
        inputs: A pair of voxels, float `[batch, r, r, r]` in [0, 1], on the grid of
            `geometry.voxelize`, and eyes, float `[batch, 3]`, world space, of cameras that look at
            the origin. A batch of 1 beside a batch of n broadcasts.

    Returns:
        float32 `[batch, height, width]` in [0, 1]; row 0 is the top.

    Raises:
        ValueError: An argument is not as above.

    Example:
    >>> cube = np.ones((1, 8, 8, 8), np.float32)
    >>> silhouette = layers.ProjectVoxels(8)([cube, np.float32([[2.732, 0.0, 0.0]])])
    >>> np.asarray(silhouette)[0, 4].round(2)                 # fades over a cell beside it
    array([0.84, 1.  , 1.  , 1.  , 1.  , 1.  , 1.  , 0.84], dtype=float32)

    Source: Yan et al. 2016, arXiv 1612.00814, section 3.
    """

    input_names = ("voxels", "eyes")

    def __init__(self, image_size, *, viewing_angle=N3MR_VIEWING_ANGLE, **kwargs):
        super().__init__(**kwargs)
        self.image_size = standardize_image_size(image_size)
        self.viewing_angle = numbers("viewing_angle", viewing_angle, ())
        if not 0.0 < self.viewing_angle < 90.0:
            raise ValueError(
                f"viewing_angle: expected degrees between 0 and 90; received {viewing_angle!r}"
            )

    def call(self, inputs):
        """Returns the silhouettes of a batch of voxels; see the class."""
        given = self.split(inputs)
        voxels, eyes = same_batch(*(tf.cast(given[name], tf.float32) for name in self.input_names))
        resolution = voxels.shape[-1]
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
        padded = tf.pad(voxels, [[0, 0], [1, 1], [1, 1], [1, 1]])
        fullest = _fullest(tf.stop_gradient(padded), eyes, rays, depths)
        depths = tf.gather(depths, fullest, batch_dims=1)
        silhouettes = _sampled(padded, eyes[:, None] + depths[..., None] * rays)
        return tf.reshape(silhouettes, [-1, *self.image_size])

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "image_size": list(self.image_size),
            "viewing_angle": self.viewing_angle,
        }

    def _output_shape(self, shapes, batch):
        return (batch, *self.image_size)

    def _output_dtype(self):
        return "float32"


# There are some hundred samples a pixel. Compiled, they stay in registers.
@tf.function(jit_compile=True)
def _fullest(padded, eyes, rays, depths):
    """Returns the index of each ray's first largest sample, int64 `[batch, pixels]`."""
    points = eyes[:, None, None] + depths[:, None, :, None] * rays[:, :, None]
    return tf.argmax(_sampled(padded, points), axis=-1)


def _sampled(padded, points):
    """Returns voxels in a frame of zeros, interpolated at points [batch, ..., 3]: [batch, ...]."""
    side = padded.shape[-1]
    # The grid of `geometry.voxelize`, counted from the centre of the zeros before the first cell.
    place = points * (side - 3.0) + 0.5 * (side - 1.0)
    low = tf.clip_by_value(tf.floor(place), 0.0, side - 2.0)
    share = tf.clip_by_value(place - low, 0.0, 1.0)
    low = tf.cast(low, tf.int32)
    index = (low[..., 0] * side + low[..., 1]) * side + low[..., 2]
    cells = tf.reshape(padded, [-1, side**3])
    values = [
        tf.gather(cells, index + (x * side + y) * side + z, batch_dims=1)
        for x in (0, 1)
        for y in (0, 1)
        for z in (0, 1)
    ]
    for axis in range(3):
        half = len(values) // 2
        at = share[..., axis]
        values = [a + at * (b - a) for a, b in zip(values[:half], values[half:], strict=True)]
    return values[0]
