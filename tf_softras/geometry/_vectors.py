"""Products and directions of 3-vectors, safe to differentiate, on NumPy arrays and tensors."""

import keras

# Below this squared length a float32 vector has no direction: its square is about to underflow.
SHORTEST_SQUARE = 1e-30


def cross(a, b):
    """Returns cross products of vectors `[..., 3]` whose leading dimensions broadcast."""
    # keras.ops.cross has no static shape for inputs of unknown leading dimensions.
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return keras.ops.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def dot(a, b):
    """Returns inner products `[..., 1]` of vectors `[..., n]`."""
    return keras.ops.sum(a * b, axis=-1, keepdims=True)


def normalize(vector):
    """Returns vectors `[..., n]` at length 1.

    One without a direction (shorter than 1e-15) becomes 0 and has gradient 0: not NaN, and not the
    1e15 that its neighbours have. NaN stays NaN.
    """
    square = dot(vector, vector)
    # Not `square > ...`, which is false for NaN, too.
    has_direction = keras.ops.logical_not(square <= SHORTEST_SQUARE)
    safe_square = keras.ops.where(has_direction, square, keras.ops.ones_like(square))
    return keras.ops.where(
        has_direction, vector * keras.ops.rsqrt(safe_square), keras.ops.zeros_like(vector)
    )


def roll(values, shift, *, axis):
    """Moves values along one axis; those that leave at its end come back at its start.

    `keras.ops.roll`, with the axis counted from the front: TensorFlow 2.21 vectorises a roll along
    a negative axis as one along the axis after it, so `tape.jacobian` and `tf.vectorized_map` would
    be silently wrong.
    """
    return keras.ops.roll(values, shift, axis=axis % len(values.shape))


def as_floating(values):
    """Returns a tensor of a floating type: the values' own, or float32."""
    tensor = keras.ops.convert_to_tensor(values)
    if keras.backend.is_float_dtype(keras.backend.standardize_dtype(tensor.dtype)):
        return tensor
    return keras.ops.cast(tensor, "float32")
