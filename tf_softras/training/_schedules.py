"""Schedules of the learning rate and of sigma that a configuration asks for."""

from collections.abc import Callable

import keras
import tensorflow as tf

from tf_softras.config import ReconstructionConfig


def learning_rate_schedule(config: ReconstructionConfig):
    """Returns the learning rate as a function of the steps done, for a Keras optimizer.

    It rises along a line for `warmup_steps`. Then it falls along half a cosine to
    `final_learning_rate` at the last step, or drops at `decay_steps`, or stays.
    """
    if config.final_learning_rate is None and not config.warmup_steps:
        return _decayed(config.learning_rate, config)
    if config.final_learning_rate is None:
        return _WarmUp(_decayed(config.learning_rate, config), config.warmup_steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if config.warmup_steps else config.learning_rate,
        decay_steps=max(1, config.steps - config.warmup_steps),
        alpha=config.final_learning_rate / config.learning_rate,
        warmup_target=config.learning_rate if config.warmup_steps else None,
        warmup_steps=config.warmup_steps,
    )


def sigma_schedule(config: ReconstructionConfig) -> Callable[[int], float]:
    """Returns sigma as a function of the steps done.

    From `sigma_start` it falls by equal factors to `sigma`, over the share `sigma_anneal` of the
    steps. Without `sigma_start` it drops at `decay_steps`, or stays.
    """
    if config.sigma_start is None:
        return _decayed(config.sigma, config)
    start, factor = config.sigma_start, config.sigma / config.sigma_start
    annealed = config.sigma_anneal * config.steps
    return lambda step: start * factor ** min(1.0, step / annealed)


def _decayed(value: float, config: ReconstructionConfig):
    """Returns the schedule of `value`: times the decay factor once `decay_steps` steps are done."""
    # A boundary is the last step, counted from 0, of what comes before it. A run without a decay
    # ends before its boundary.
    boundary = config.steps if config.decay_steps is None else config.decay_steps - 1
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [boundary], [value, value * config.decay_factor]
    )


@keras.saving.register_keras_serializable(package="Softras")
class _WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Multiplies a schedule by a line that rises from 0 to 1 in a number of steps."""

    def __init__(self, schedule, steps):
        self.schedule = schedule
        self.steps = steps

    def __call__(self, step):
        """Returns the learning rate of a step."""
        share = tf.minimum(1.0, tf.cast(step, tf.float32) / self.steps)
        return share * self.schedule(step)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {"schedule": self.schedule, "steps": self.steps}
