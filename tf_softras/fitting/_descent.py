"""Minimises a loss by Adam; all fits but `fit_views` share this loop."""

import math

import keras
import numpy as np
import tensorflow as tf


def descend(loss, variables, *, steps, learning_rate):
    """Minimises a loss by Adam; the learning rate falls to 0 along a cosine.

    Args:
        loss: Function from the progress, a float32 tensor from 0 to 1, to a scalar or `[items]`.
            Items that share no variable are fitted independently.
        variables: `tf.Variable`s.
        steps: Positive int.
        learning_rate: Positive float, the learning rate of the first step.

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
    """Interpolates geometrically between two positive floats, for progress from 0 to 1."""
    first, last = ends
    return tf.exp((1.0 - progress) * math.log(first) + progress * math.log(last))
