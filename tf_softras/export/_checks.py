"""Checks that stay in a graph: what a server is fed meets them before any kernel does.

A server compares nothing that it is fed with the signature, and some kernels end the process when
they get another rank or an empty batch. Every check here is an INVALID_ARGUMENT of its own, and
what it returns carries it: nothing that uses the value can run before it.
"""

import tensorflow as tf

# The largest batch of one call, and of the batches that a server makes of several calls.
MAX_BATCH_SIZE = 64
# Of coordinates of vertices and cameras, object units: far outside of every object, and still far
# from where float32 overflows on the way to a silhouette.
MAX_COORDINATE = 1000.0
# Pictures that were scaled in float32 may leave [0, 1] by rounding, and by nothing more.
_RANGE_SLACK = 0.01


def require(value, *conditions):
    """Returns `value`, which exists only if every condition holds.

    Args:
        value: A tensor.
        *conditions: Triples of a bool scalar, a message, and the tensor to show behind it.
    """
    asserts = [
        tf.debugging.Assert(holds, [message, shown], summarize=8)
        for holds, message, shown in conditions
    ]
    with tf.control_dependencies(asserts):
        return tf.identity(value)


def batch_of(name: str, value, shape):
    """Returns a tensor `[batch, *shape]` with 1 to `MAX_BATCH_SIZE` items.

    Args:
        name: Of the input, for the message.
        value: A tensor of any rank and shape.
        shape: Of one item.
    """
    value = tf.ensure_shape(value, [None, *shape])
    size = tf.shape(value)[0]
    return require(
        value,
        (
            (size >= 1) & (size <= MAX_BATCH_SIZE),
            f"{name}: expected a batch of 1 to {MAX_BATCH_SIZE}, received one of:",
            size,
        ),
    )


def images_in_range(name: str, images, image_size: int):
    """Returns float32 `[batch, image_size, image_size, 4]`, finite and in [0, 1]."""
    images = batch_of(name, images, [image_size, image_size, 4])
    # False for NaN too, of which a minimum may say nothing.
    inside = tf.reduce_all((images >= -_RANGE_SLACK) & (images <= 1.0 + _RANGE_SLACK))
    return require(
        images,
        (
            inside,
            f"{name}: expected finite values in [0, 1], received a least and a largest of:",
            tf.stack([tf.reduce_min(images), tf.reduce_max(images)]),
        ),
    )


def coordinates(name: str, points, shape):
    """Returns float32 `[batch, *shape]`, finite and at most `MAX_COORDINATE` from the origin."""
    points = batch_of(name, points, shape)
    # False for NaN too.
    near = tf.reduce_all(tf.abs(points) <= MAX_COORDINATE)
    return require(
        points,
        (
            near,
            f"{name}: expected finite coordinates in [-{MAX_COORDINATE:g}, {MAX_COORDINATE:g}], "
            "received a least and a largest of:",
            tf.stack([tf.reduce_min(points), tf.reduce_max(points)]),
        ),
    )


def same_batch(**tensors):
    """Returns the tensors, whose first dimensions are one another's."""
    names = " and ".join(tensors)
    sizes = tf.stack([tf.shape(tensor)[0] for tensor in tensors.values()])
    message = f"{names}: expected batches of one size, received sizes of:"
    condition = (tf.reduce_all(sizes == sizes[0]), message, sizes)
    return [require(tensor, condition) for tensor in tensors.values()]
