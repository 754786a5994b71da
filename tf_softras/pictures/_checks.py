"""Checks that hold in Python and in a saved graph."""

import numpy as np
import tensorflow as tf

from tf_softras._shared.errors import SoftrasError


class PictureError(SoftrasError, ValueError):
    """A picture cannot be used: the message names it, what was expected and what was received."""


def require(value, *conditions):
    """Returns `value`, which exists only if every condition holds.

    In a graph each condition is an assertion that `value` depends on, so nothing that uses the
    value runs before it.

    Args:
        value: A tensor.
        *conditions: Triples of a bool scalar, a message that ends in "received ...", and the tensor
            to show behind it.

    Raises:
        PictureError: Called eagerly, the first condition that fails.
        tf.errors.InvalidArgumentError: In a graph, when it runs.
    """
    if tf.executing_eagerly():
        for holds, message, shown in conditions:
            if not holds:
                rows = np.atleast_2d(np.asarray(shown))
                text = " and ".join(" x ".join(str(value) for value in row) for row in rows)
                raise PictureError(f"{message} {text}")
        return value
    asserts = [
        tf.debugging.Assert(holds, [message, shown], summarize=8)
        for holds, message, shown in conditions
    ]
    with tf.control_dependencies(asserts):
        return tf.identity(value)
