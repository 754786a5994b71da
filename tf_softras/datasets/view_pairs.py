"""Batches for training and evaluation out of a data set of objects seen from many sides."""

import numpy as np
import tensorflow as tf

from tf_softras.geometry.cameras import eye_from_angles

# Pairs that are shuffled together: about 130 MB of 64 x 64 pictures.
_SHUFFLED_PAIRS = 4096


def view_pairs(
    dataset: tf.data.Dataset, *, batch_size: int, seed: int, training: bool = True
) -> tf.data.Dataset:
    """Returns batches of two different views a and b of each object, with what training compares.

    Each pass takes every object once, with a pair of views that is drawn anew; a view is never
    paired with itself. The same `seed` gives the same batches. In training, passes in new orders
    follow one another without end and every batch is full, also where the data set has fewer
    objects than a batch: the trainer says how many steps make an epoch. Otherwise there is one
    pass, in the data set's order, and the last batch may be smaller.

    Args:
        dataset: examples of `shapenet_views`, not batched.
        batch_size: objects in a batch.
        seed: of the orders and the pairs.
        training: without end and shuffled, or one pass in order.

    Returns:
        tf.data of ({"images": float32 `[batch, 2, height, width, 4]` in [0, 1], straight RGB and
        alpha; "eyes": float32 `[batch, 2, 3]`, world space}, {"silhouettes": float32
        `[batch, 4, height, width]` in [0, 1]}). The 4 are what (mesh a, view a), (mesh a, view b),
        (mesh b, view a), (mesh b, view b) should look like: alpha a, b, a, b.

    Raises:
        ValueError: the data set is empty or has fewer than two views an object, or `batch_size` is
            less than 1.
    """
    num_views = _checked(dataset, batch_size).element_spec["images"].shape[0]
    if num_views is None or num_views < 2:
        raise ValueError(
            "Invalid dataset. Expected `images` of at least 2 views an object. "
            f"Received: {dataset.element_spec['images'].shape}"
        )

    def one_pass(number):
        number = tf.cast(number, tf.int64)

        def pick(index, example):
            return _two_views(example, num_views, _folded(seed, number, index))

        pairs = dataset.enumerate().map(pick, num_parallel_calls=tf.data.AUTOTUNE)
        if not training:
            return pairs
        # Picked before it is shuffled: a pair is a twelfth of an object's size.
        order = tf.cast(_folded(seed, number, -1), tf.int64)
        return pairs.shuffle(_SHUFFLED_PAIRS, seed=order[0])

    if training:
        pairs = tf.data.Dataset.range(np.iinfo(np.int64).max).flat_map(one_pass)
    else:
        pairs = one_pass(0)
    return (
        pairs.batch(batch_size, drop_remainder=training)
        .map(_inputs_and_targets, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def single_views(dataset: tf.data.Dataset, *, batch_size: int) -> tf.data.Dataset:
    """Returns every view of every object once, in order, batched by objects; for evaluation.

    Args:
        dataset: examples of `shapenet_views`, not batched.
        batch_size: objects in a batch; the last one may be smaller.

    Returns:
        tf.data of {"images": float32 `[batch, num_views, height, width, 4]` in [0, 1], "eyes":
        float32 `[batch, num_views, 3]`, "voxels": bool `[batch, x, y, z]`, "label": int64
        `[batch]`, "model_id": string `[batch]`}.

    Raises:
        ValueError: the data set is empty, or `batch_size` is less than 1.
    """

    def convert(batch):
        return {
            "images": _unit_range(batch["images"]),
            "eyes": eye_from_angles(**batch["cameras"]),
            **{name: batch[name] for name in ("voxels", "label", "model_id")},
        }

    return (
        _checked(dataset, batch_size)
        .batch(batch_size)
        .map(convert, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def _checked(dataset: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    if batch_size < 1:
        raise ValueError(
            f"Invalid batch_size. Expected at least 1. Received: batch_size={batch_size}"
        )
    # Of an empty data set the endless passes would look for a first object without end.
    cardinality = int(dataset.cardinality())
    if cardinality == 0 or (
        cardinality == tf.data.UNKNOWN_CARDINALITY and not list(dataset.take(1))
    ):
        raise ValueError("Invalid dataset. Expected at least one object. Received: none")
    return dataset


def _folded(seed: int, number, index) -> tf.Tensor:
    """Returns a seed int64 `[2]` of its own for every pass and object."""
    folded = tf.random.fold_in(tf.constant([seed, 0], tf.int64), number)
    return tf.random.fold_in(folded, index)


def _two_views(example: dict, num_views: int, seed: tf.Tensor) -> dict:
    """Returns two different views, every ordered pair of them equally likely."""
    first = tf.random.stateless_uniform([], seed, maxval=num_views, dtype=tf.int32)
    step = tf.random.stateless_uniform(
        [], tf.random.fold_in(seed, 1), minval=1, maxval=num_views, dtype=tf.int32
    )
    views = tf.stack([first, (first + step) % num_views])
    cameras = {name: tf.gather(angles, views) for name, angles in example["cameras"].items()}
    return {"images": tf.gather(example["images"], views), "eyes": eye_from_angles(**cameras)}


def _inputs_and_targets(pairs: dict) -> tuple[dict, dict]:
    images = _unit_range(pairs["images"])
    silhouettes = tf.tile(images[..., 3], [1, 2, 1, 1])
    return {"images": images, "eyes": pairs["eyes"]}, {"silhouettes": silhouettes}


def _unit_range(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(images, tf.float32) / 255.0
