"""Batches for training and evaluation out of a data set of objects seen from many sides."""

import numpy as np
import tensorflow as tf

from tf_softras.geometry.cameras import eye_from_angles

# Pairs that are shuffled together: about 130 MB of 64 x 64 pictures.
_SHUFFLED_PAIRS = 4096


def view_pairs(
    dataset: tf.data.Dataset,
    *,
    batch_size: int,
    seed: int,
    training: bool = True,
    first_batch: int = 0,
    mirror: bool = False,
    color_jitter: float = 0.0,
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
        first_batch: the number of batches to leave out, in training. Of whole passes among them
            nothing is read.
        mirror: whether half of the objects, drawn anew in each pass, are mirrored, in training:
            pictures left to right, and eyes in the plane x = 0. It is what the object would look
            like that is mirrored in this plane.
        color_jitter: the most that each channel's gain differs from 1, in training.

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

    def convert(example, seed):
        pair = _two_views(example, num_views, seed)
        return _augmented(pair, seed, mirror, color_jitter) if training else pair

    return (
        _pairs(dataset, convert, seed=seed, training=training, first=first_batch * batch_size)
        .batch(batch_size, drop_remainder=training)
        .map(_inputs_and_targets, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def batch_model_ids(
    dataset: tf.data.Dataset, *, batch_size: int, seed: int, batch: int
) -> list[str]:
    """Returns the model ids of the objects in a batch of `view_pairs` in training.

    Args:
        dataset: examples of `shapenet_views`, not batched.
        batch_size: as `view_pairs` has it.
        seed: as `view_pairs` has it.
        batch: its number, from 0.
    """
    ids = _pairs(
        dataset.map(lambda example: example["model_id"]),
        lambda model_id, _: model_id,
        seed=seed,
        training=True,
        first=batch * batch_size,
    )
    return [name.decode() for name in ids.take(batch_size).as_numpy_iterator()]


def _pairs(dataset, convert, *, seed: int, training: bool, first: int) -> tf.data.Dataset:
    """Returns `convert(example, seed of its own)` in the order of `view_pairs`, from `first` on."""

    def one_pass(number):
        number = tf.cast(number, tf.int64)

        def pick(index, example):
            return convert(example, _folded(seed, number, index))

        pairs = dataset.enumerate().map(pick, num_parallel_calls=tf.data.AUTOTUNE)
        if not training:
            return pairs
        # Picked before it is shuffled: a pair is a twelfth of an object's size.
        order = tf.cast(_folded(seed, number, -1), tf.int64)
        return pairs.shuffle(_SHUFFLED_PAIRS, seed=order[0])

    if not training:
        return one_pass(0)
    count = int(dataset.cardinality())
    passes, rest = divmod(first, count) if count > 0 else (0, first)
    return tf.data.Dataset.range(passes, np.iinfo(np.int64).max).flat_map(one_pass).skip(rest)


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


def _augmented(pair: dict, seed: tf.Tensor, mirror: bool, color_jitter: float) -> dict:
    """Returns a pair mirrored, or not, and its colours multiplied, by draws from `seed`."""
    images, eyes = pair["images"], pair["eyes"]
    if mirror:
        mirrored = tf.random.stateless_uniform([], tf.random.fold_in(seed, 2)) < 0.5
        images = tf.where(mirrored, tf.reverse(images, [2]), images)
        eyes = tf.where(mirrored, eyes * [-1.0, 1.0, 1.0], eyes)
    if color_jitter:
        gains = tf.random.stateless_uniform(
            [3], tf.random.fold_in(seed, 3), 1.0 - color_jitter, 1.0 + color_jitter
        )
        colors = tf.cast(images[..., :3], tf.float32) * gains
        colors = tf.cast(tf.round(tf.minimum(colors, 255.0)), images.dtype)
        images = tf.concat([colors, images[..., 3:]], axis=-1)
    return {"images": images, "eyes": eyes}


def _inputs_and_targets(pairs: dict) -> tuple[dict, dict]:
    images = _unit_range(pairs["images"])
    silhouettes = tf.tile(images[..., 3], [1, 2, 1, 1])
    return {"images": images, "eyes": pairs["eyes"]}, {"silhouettes": silhouettes}


def _unit_range(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(images, tf.float32) / 255.0
