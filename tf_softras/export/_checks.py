"""Input checks saved in the graph; they run before any kernel sees a request.

A server does not compare requests with the signature, and some kernels end the process when they
get another rank or an empty batch. Each check raises INVALID_ARGUMENT; the value that it returns
depends on it, so nothing that uses the value runs before it.
"""

import tensorflow as tf

from tf_softras.pictures._checks import require
from tf_softras.reconstruction._images import RANGE_SLACK

# The largest batch of one call, and of the batches that a server makes of several calls.
MAX_BATCH_SIZE = 64
# The largest coordinate of vertices and cameras, object units: far outside of every object, and far
# from where float32 overflows on the way to a silhouette.
MAX_COORDINATE = 1000.0


def batch_of(name: str, value, shape):
    """Returns a tensor `[batch, *shape]` with 1 to `MAX_BATCH_SIZE` items.

    Args:
        name: The input's name, for the message.
        value: A tensor of any rank and shape.
        shape: The shape of one item.
    """
    value = tf.ensure_shape(value, [None, *shape])
    size = tf.shape(value)[0]
    return require(
        value,
        (
            (size >= 1) & (size <= MAX_BATCH_SIZE),
            f"{name}: expected a batch of 1 to {MAX_BATCH_SIZE}; received one of:",
            size,
        ),
    )


def images_in_range(name: str, images, image_size: int):
    """Returns float32 `[batch, image_size, image_size, 4]`, finite and in [0, 1]."""
    images = batch_of(name, images, [image_size, image_size, 4])
    # A comparison with NaN is false; a minimum of NaN may be anything.
    inside = tf.reduce_all((images >= -RANGE_SLACK) & (images <= 1.0 + RANGE_SLACK))
    return require(
        images,
        (
            inside,
            f"{name}: expected finite values in [0, 1]; received a least and a largest of:",
            tf.stack([tf.reduce_min(images), tf.reduce_max(images)]),
        ),
    )


def coordinates(name: str, points, shape):
    """Returns float32 `[batch, *shape]`, finite and at most `MAX_COORDINATE` from the origin."""
    points = batch_of(name, points, shape)
    # A comparison with NaN is false.
    near = tf.reduce_all(tf.abs(points) <= MAX_COORDINATE)
    return require(
        points,
        (
            near,
            f"{name}: expected finite coordinates in [-{MAX_COORDINATE:g}, {MAX_COORDINATE:g}]; "
            "received a least and a largest of:",
            tf.stack([tf.reduce_min(points), tf.reduce_max(points)]),
        ),
    )


def same_batch(**tensors):
    """Returns the tensors, after checking that their batch sizes are equal."""
    names = " and ".join(tensors)
    sizes = tf.stack([tf.shape(tensor)[0] for tensor in tensors.values()])
    message = f"{names}: expected batches of one size; received sizes of:"
    condition = (tf.reduce_all(sizes == sizes[0]), message, sizes)
    return [require(tensor, condition) for tensor in tensors.values()]
