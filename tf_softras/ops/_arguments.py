"""Checks of what the ops are called with, before any kernel sees it."""

import numbers

import numpy as np
import tensorflow as tf

_INT32 = np.iinfo(np.int32)


def vertices_tensor(vertices, *, any_precision=False):
    """Returns vertices as a tensor of float32 or float64; its shape is left to the op.

    Args:
        vertices: what a user gave.
        any_precision: whether half precision is taken too, as the reference implementation does.

    Raises:
        ValueError: they are ragged, or of another type.
    """
    expected = "float32 or float64 [batch, num_vertices, 3]"
    tensor = _to_tensor("vertices", vertices, expected)
    if not tensor.dtype.is_floating:
        raise ValueError(f"vertices: expected {expected}; received {_described(tensor)}")
    if tensor.dtype not in (tf.float32, tf.float64) and not any_precision:
        raise ValueError(
            f"vertices: expected {expected}; received {_described(tensor)}, which moves vertices "
            "by up to a pixel: cast them where they are still exact"
        )
    return tensor


def faces_tensor(faces):
    """Returns faces as an int32 tensor; its shape, and the range of indices, are left to the op.

    Indices beyond int32 stay out of range: they never wrap to another vertex.

    Raises:
        ValueError: they are no integers, or are known and do not fit in int32.
    """
    expected = "integers [num_faces, 3]"
    if not tf.is_tensor(faces):
        faces = _to_array(faces)
    if isinstance(faces, np.ndarray):
        if faces.dtype.kind not in "iu":
            raise ValueError(f"faces: expected {expected}; received {_described(faces)}")
        largest = faces.flat[np.argmax(np.abs(faces.astype(np.float64)))] if faces.size else 0
        if not _INT32.min <= largest <= _INT32.max:
            raise ValueError(f"faces: expected vertex indices of 32 bits; received {largest}")
        return tf.convert_to_tensor(faces.astype(np.int32))
    tensor = _to_tensor("faces", faces, expected)
    if not tensor.dtype.is_integer:
        raise ValueError(f"faces: expected {expected}; received {_described(tensor)}")
    if tensor.dtype.max > _INT32.max:
        # No index into vertices is as large as the bounds: the op refuses those.
        largest = tf.cast(_INT32.max, tensor.dtype)
        tensor = tf.minimum(tensor, largest)
        if tensor.dtype.min < _INT32.min:
            tensor = tf.maximum(tensor, tf.cast(_INT32.min, tensor.dtype))
    return tf.cast(tensor, tf.int32)


def floating_tensor(name, value, dtype):
    """Returns numbers as a tensor of `dtype`: Python's own, and whatever holds floating-point ones.

    A variable that is not trained is cut off from gradients. A backward function computes those of
    all that its forward function reads: one for a layer's sigma, too, which a schedule sets.

    Raises:
        ValueError: it is ragged, or holds something else.
    """
    expected = "floating-point numbers"
    # A Python number not by way of float32, which is what tf.cast makes of it.
    tensor = _to_tensor(name, value, expected, None if hasattr(value, "dtype") else dtype)
    if not tensor.dtype.is_floating:
        raise ValueError(f"{name}: expected {expected}; received {_described(tensor)}")
    tensor = tf.cast(tensor, dtype)
    return tf.stop_gradient(tensor) if getattr(value, "trainable", True) is False else tensor


def check_positive(name, value, tensor):
    """Checks numbers that no kernel looks at, where they are known: eagerly, or from Python.

    Args:
        name: the argument's name, for the error.
        value: what a user gave.
        tensor: the tensor of it.

    Raises:
        tf.errors.InvalidArgumentError: one is not positive and finite, as the ops say it.
    """
    if isinstance(value, (numbers.Real, np.number, np.ndarray)):
        known = np.asarray(value)
    elif tf.executing_eagerly():
        known = tensor.numpy()
    else:
        return
    known = known.astype(np.float64)
    is_wrong = ~((known > 0.0) & (known < np.inf))
    if is_wrong.any():
        raise tf.errors.InvalidArgumentError(
            None,
            None,
            f"{name}: expected a positive finite number; received {known[is_wrong].flat[0]:g}",
        )


def number(name, value):
    """Returns an option as a float; its range is left to the op.

    Raises:
        ValueError: it is no number.
    """
    if isinstance(value, (numbers.Real, np.number)) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{name}: expected a number; received {value!r}")


def _to_array(value):
    """Returns an array of nested lists and the like; symbolic tensors as they are."""
    try:
        return np.asarray(value)
    except (NotImplementedError, TypeError, ValueError):
        return value


def _to_tensor(name, value, expected, dtype=None):
    if isinstance(value, (tf.RaggedTensor, tf.SparseTensor)):
        raise ValueError(
            f"{name}: expected {expected}; received a {type(value).__name__}: pad meshes of "
            "different size (tf_softras.geometry.pad_meshes)"
        )
    return tf.convert_to_tensor(value, dtype)


def _described(value):
    """Returns type and shape, as in 'float32 [2, 80, 3]', and never the values."""
    dtype = value.dtype.name
    shape = value.shape
    if isinstance(shape, tf.TensorShape):
        shape = "of unknown rank" if shape.rank is None else shape.as_list()
    return f"{dtype} {list(shape) if isinstance(shape, tuple) else shape}"
