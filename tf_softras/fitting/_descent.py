"""The loop that all fits share."""

import math

import keras
import numpy as np
import tensorflow as tf


def descend(loss, variables, *, steps, learning_rate):
    """Lowers a loss by Adam, at a learning rate that falls to 0 along a cosine.

    Args:
        loss: a function of the progress, a float32 tensor from 0 to 1, to a scalar or `[items]`;
            items whose variables are apart are fitted apart.
        variables: `tf.Variable`s.
        steps: positive int.
        learning_rate: positive float, of the first step.

    Returns:
        The losses of all steps, float32 NumPy array `[steps]` or `[steps, items]`.

    Raises:
        ValueError: `steps` is less than 1, or the loss is not finite.
    """
    if steps < 1:
        raise ValueError(f"steps: expected at least 1; received {steps}")
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps))
    optimizer.build(variables)

    @tf.function
    def step(progress):
        with tf.GradientTape() as tape:
            values = loss(progress)
            total = tf.reduce_sum(values)
        optimizer.apply(tape.gradient(total, variables), variables)
        return values

    try:
        values = [
            step(tf.constant(number / max(steps - 1, 1), tf.float32)).numpy()
            for number in range(steps)
        ]
    except tf.errors.InvalidArgumentError as error:
        # The ops refuse vertices that are not finite.
        if all(np.all(np.isfinite(variable)) for variable in variables):
            raise
        raise ValueError(_diverged(learning_rate)) from error
    if not np.all(np.isfinite(values[-1])):
        raise ValueError(_diverged(learning_rate))
    return np.array(values)


def _diverged(learning_rate):
    return (
        f"learning_rate: expected one at which the loss stays finite; received {learning_rate}. "
        "Use a smaller one"
    )


def between(ends, progress):
    """From one of two positive floats to the other by equal factors, for progress from 0 to 1."""
    first, last = ends
    return tf.exp((1.0 - progress) * math.log(first) + progress * math.log(last))
