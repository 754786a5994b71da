"""Keras networks called for their answers alone: in inference mode, traced once."""

import functools
from collections.abc import Callable

import tensorflow as tf


def in_inference(call: Callable, image_shape: tuple[int, ...] | None) -> Callable:
    """Returns `call(images, training=False)` as a graph that is traced once for all batch sizes.

    The graph reads the network's weights at each call, so a network in training is asked with its
    present weights.

    Args:
        call: A Keras model, or a method of one.
        image_shape: Shape of one image; None where the model does not know it, which traces one
            graph for each image size.
    """
    signature = image_shape and [tf.TensorSpec((None, *image_shape), tf.float32)]
    return tf.function(
        # A `partial` has no code object, by which TensorFlow would count the traces of all networks
        # together and warn of retracing.
        functools.partial(call, training=False),
        input_signature=signature,
        reduce_retracing=True,
    )
