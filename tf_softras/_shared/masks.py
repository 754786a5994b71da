"""Masks and pictures as people have them, as numbers in [0, 1]."""

import keras
import numpy as np
import tensorflow as tf

# Float masks may leave [0, 1] by this much: half precision rounds by 5e-4.
_ROUNDING = 1e-3


def standardize_masks(name, masks, *, grid_rank=2, is_bounded=True):
    """Returns masks as a float tensor in [0, 1] whose last axes are those of the grid.

    - bool is 0 and 1, and uint8 is divided by 255. Other integers are refused.
    - Floats are taken as they are. A value outside [0, 1] is refused if values are known (NumPy
      arrays, eager tensors), and not looked for in a graph. NaN passes: it stays NaN.
    - uint8 with a largest value of 1 is a mask of 0 and 1 that would almost vanish: it is refused,
      in a graph when it runs (but not under XLA, which drops assertions).
    - A last axis of one channel is removed: [batch, ..., height, width, 1].

    Args:
        name: The argument's name, for the error.
        masks: Array or tensor [batch, ..., grid axes] or [batch, ..., grid axes, 1].
        grid_rank: The number of grid axes: 2 for pixels, 3 for voxels.
        is_bounded: Whether floats have to lie in [0, 1].

    Returns:
        Tensor [batch, ..., grid axes], float32 (float64 for float64 input).

    Raises:
        ValueError: Another type, or known values outside the range.
        tf.errors.InvalidArgumentError: A graph was given uint8 masks of 0 and 1.
    """
    tensor = standardize_unit_range(name, masks, is_bounded=is_bounded)
    return without_channel(tensor, grid_rank=grid_rank)


def standardize_unit_range(name, values, *, is_bounded=True):
    """Returns values as floats in [0, 1], of any shape; see `standardize_masks`."""
    tensor = keras.ops.convert_to_tensor(values)
    known = values if isinstance(values, np.ndarray) else None
    if known is None and tf.executing_eagerly():
        known = tensor.numpy()
    dtype = tensor.dtype
    if dtype == tf.bool:
        return tf.cast(tensor, tf.float32)
    if dtype == tf.uint8:
        return _scaled_bytes(name, tensor, known)
    if not dtype.is_floating:
        raise ValueError(
            f"{name}: expected floats in [0, 1], bool, or uint8 from 0 to 255; received "
            f"{dtype.name} {list(tensor.shape)}. Cast integers to bool or to float"
        )
    if is_bounded and known is not None:
        outside = known[(known < -_ROUNDING) | (known > 1 + _ROUNDING)]
        if outside.size:
            raise ValueError(
                f"{name}: expected floats in [0, 1]; received {outside.size} of {known.size} "
                f"values outside, from {outside.min():.6g} to {outside.max():.6g}"
            )
    return tensor if dtype == tf.float64 else tf.cast(tensor, tf.float32)


def _scaled_bytes(name, tensor, known):
    message = (
        f"{name}: expected uint8 from 0 to 255; received 1 as the largest value. "
        "Cast masks of 0 and 1 to bool or to float"
    )
    if known is not None:
        if known.max(initial=0) == 1:
            raise ValueError(message)
        return tf.cast(tensor, tf.float32) / 255.0
    largest = tf.reduce_max(tf.cast(tensor, tf.int32))
    with tf.control_dependencies([tf.debugging.Assert(tf.not_equal(largest, 1), [message])]):
        return tf.cast(tensor, tf.float32) / 255.0


def without_channel(tensor, *, grid_rank):
    """Returns [batch, ..., grid axes] of that or of [batch, ..., grid axes, 1]."""
    has_channel = len(tensor.shape) > grid_rank + 1 and tensor.shape[-1] == 1
    return keras.ops.squeeze(tensor, axis=-1) if has_channel else tensor
