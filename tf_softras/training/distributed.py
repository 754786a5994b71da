"""Trains on several devices, of one machine or of many, with `tf.distribute`.

Keras 3.15's `model.fit` does not work under `MultiWorkerMirroredStrategy`, and it throws the first
batch away under `MirroredStrategy`. The loop here calls Keras's own training step on every replica,
and the same callbacks.
"""

import json
import os

import keras
import tensorflow as tf

from tf_softras.config import DISTRIBUTIONS


def make_strategy(distribution: str = "auto") -> tf.distribute.Strategy | None:
    """Returns the strategy of a name, None for a single device.

    Call it before TensorFlow does anything else, because workers find one another at their start.

    Args:
        distribution: "none"; "mirrored", all GPUs of this machine, or its CPU; "multi-worker", the
            machines that the environment variable TF_CONFIG names, all their GPUs; "auto":
            "multi-worker" if TF_CONFIG names more than one, "mirrored" if there is more than one
            GPU, else "none".

    Raises:
        ValueError: `distribution` is none of these; or it is "multi-worker", and TF_CONFIG names no
            workers.
    """
    if distribution not in DISTRIBUTIONS:
        raise ValueError(
            f"distribution: expected one of {', '.join(DISTRIBUTIONS)}; received {distribution!r}"
        )
    workers = _num_workers()
    if distribution == "multi-worker" and not workers:
        raise ValueError(
            "distribution: expected an environment variable TF_CONFIG that names the "
            'workers, for "multi-worker"; received none'
        )
    if distribution == "multi-worker" or (distribution == "auto" and workers > 1):
        return tf.distribute.MultiWorkerMirroredStrategy()
    several = len(tf.config.list_logical_devices("GPU")) > 1
    if distribution == "mirrored" or (distribution == "auto" and several):
        return tf.distribute.MirroredStrategy()
    return None


def _num_workers() -> int:
    """Returns how many processes TF_CONFIG says train together; 0 without it."""
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
        return sum(len(cluster.get(task, ())) for task in ("chief", "worker"))
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            'TF_CONFIG: expected {"cluster": {"worker": ["HOST:PORT", ...]}, "task": '
            f'{{"type": "worker", "index": 0}}}}; received {error}'
        ) from None


def is_chief(strategy: tf.distribute.Strategy | None) -> bool:
    """Returns whether this process is the one that writes: the chief, or worker 0 without one."""
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None or not resolver.task_type:
        return True
    if resolver.task_type == "chief":
        return True
    has_chief = "chief" in resolver.cluster_spec().as_dict()
    return resolver.task_type == "worker" and resolver.task_id == 0 and not has_chief


def is_multi_worker(strategy: tf.distribute.Strategy | None) -> bool:
    """Returns whether other processes take part."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) and _num_workers() > 1


def synchronize_batch_statistics(model: keras.Model) -> None:
    """Makes batch normalisation use the whole batch instead of each replica's part."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
        elif isinstance(layer, keras.Model):
            synchronize_batch_statistics(layer)


def fit(
    model: keras.Model,
    batches: tf.data.Dataset,
    *,
    strategy: tf.distribute.Strategy,
    initial_epoch: int,
    epochs: int,
    steps_per_epoch: int,
    validation_data: tf.data.Dataset | None,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Trains as `model.fit` does, and spreads each batch over the replicas of a strategy.

    Validation is not spread: every replica does all of it, so their metrics agree.

    Args:
        model: Compiled and built in the strategy's scope.
        batches: Batches without end; the size of each is a multiple of the number of replicas.
        strategy: The strategy that this process and its peers share.
        initial_epoch: As in `fit`.
        epochs: As in `fit`.
        steps_per_epoch: As in `fit`.
        validation_data: Batches, or None.
        callbacks: As in `fit`.
    """
    train_step, test_step = (
        tf.function(lambda batch, step=step: strategy.run(step, args=(batch,)))
        for step in (model.train_step, model.test_step)
    )
    iterator = iter(_spread(batches, strategy))
    model.stop_training = False
    hooks = keras.callbacks.CallbackList(callbacks, model=model)
    hooks.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        model.reset_metrics()
        hooks.on_epoch_begin(epoch)
        logs: dict[str, float] = {}
        for step in range(steps_per_epoch):
            hooks.on_train_batch_begin(step)
            train_step(next(iterator))
            logs = _metrics(model)
            hooks.on_train_batch_end(step, dict(logs))
            if model.stop_training:
                break
        if validation_data is not None:
            model.reset_metrics()
            hooks.on_test_begin()
            for batch in validation_data:
                test_step(batch)
            hooks.on_test_end()
            logs |= {f"val_{name}": value for name, value in _metrics(model).items()}
        hooks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    hooks.on_train_end()


def _spread(batches: tf.data.Dataset, strategy: tf.distribute.Strategy):
    """Returns the batches; each replica gets its part of each."""
    options = tf.data.Options()
    # Every worker reads all objects and keeps its part of each batch: the order stays as it is.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return strategy.experimental_distribute_dataset(batches.with_options(options))


def _metrics(model: keras.Model) -> dict[str, float]:
    return {name: float(value) for name, value in model.get_metrics_result().items()}
