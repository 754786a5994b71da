"""Makes batches for training and evaluation from a data set of objects seen from many sides."""

import dataclasses
import math

import numpy as np
import tensorflow as tf
from keras import ops

from tf_softras.geometry.cameras import eye_from_angles
from tf_softras.pictures._cut_out import OPAQUE
from tf_softras.pictures._framing import framed

# Views that are shuffled together, with their objects: about 130 MB of 64 x 64 pictures.
_SHUFFLED_VIEWS = 8192


@dataclasses.dataclass(frozen=True)
class MeshViewPairs:
    """Pairs each mesh of an object with each view: the one place that knows the order of pairs.

    Pair ``mesh * num_views + view`` holds the values of its mesh and of its view. With meshes and
    views a and b the order is (a, a), (a, b), (b, a), (b, b).

    Attributes:
        num_meshes: int, the meshes of each object.
        num_views: int, the views that each mesh is seen in.

    Example:
        >>> import numpy as np
        >>> pairs = MeshViewPairs(num_meshes=2, num_views=3)
        >>> of_meshes = pairs.of_meshes(np.array([[1, 2]]))
        >>> of_views = pairs.of_views(np.array([[10, 20, 30]]))
        >>> (of_meshes + of_views).numpy().tolist()
        [[11, 21, 31, 12, 22, 32]]
    """

    num_meshes: int
    num_views: int

    @property
    def count(self) -> int:
        """Returns the number of pairs of an object."""
        return self.num_meshes * self.num_views

    def of_meshes(self, values):
        """Returns `[batch, count, ...]`, for each pair its mesh's of `[batch, num_meshes, ...]`."""
        return ops.repeat(values, self.num_views, axis=1)

    def of_views(self, values):
        """Returns `[batch, count, ...]`, for each pair its view's of `[batch, num_views, ...]`."""
        return ops.tile(values, (1, self.num_meshes, *[1] * (len(values.shape) - 2)))


def view_pairs(
    dataset: tf.data.Dataset,
    *,
    batch_size: int,
    seed: int,
    training: bool = True,
    first_batch: int = 0,
    mirror: bool = False,
    color_jitter: float = 0.0,
    gray_share: float = 0.0,
    picture_noise: float = 0.0,
    framed_share: float = 0.0,
    pictures_per_object: int = 2,
    views_per_mesh: int = 2,
    compare_input: bool = True,
    colors: bool = False,
) -> tf.data.Dataset:
    """Returns batches of pictures of each object, and of the views that its meshes are compared in.

    Each pass takes every object once and draws its views anew; no view is drawn twice. The same
    `seed` gives the same batches. In training, passes in new orders follow one another without end
    and every batch is full, even if the data set has fewer objects than a batch: the trainer says
    how many steps make an epoch. Otherwise there is one pass, in the data set's order, and the last
    batch may be smaller.

    Args:
        dataset: examples of `shapenet_views`, not batched.
        batch_size: objects in a batch.
        seed: seed of the orders and the views.
        training: without end and shuffled, or one pass in order.
        first_batch: the number of batches to leave out, in training. Whole passes among them are
            not read.
        mirror: whether half of the objects, drawn anew in each pass, are mirrored, in training.
            Their pictures are mirrored left to right and their eyes in the plane x = 0, so they
            show the object as it would look mirrored in this plane.
        color_jitter: the most that each channel's gain differs from 1, in training.
        gray_share: the share of pictures, in training, whose three channels become their mean.
            The views that meshes are compared in keep their colours.
        picture_noise: standard deviation of the uniform noise that is added to all four channels of
            the pictures, in training. Sums beyond [0, 1] stay as they are.
        framed_share: the share of pictures, in training, that are framed as photographs are: see
            `pictures.frame_object`. The views that meshes are compared in stay as they are.
        pictures_per_object: pictures that meshes are made of.
        views_per_mesh: views that each mesh is compared in.
        compare_input: whether these begin with the pictures' own views, or have none of them.
        colors: whether the targets hold the views in colour too.

    Returns:
        tf.data of (inputs, targets). Inputs: {"images": float32 `[batch, pictures_per_object,
        height, width, 4]` in [0, 1] before noise, straight RGB and alpha; "eyes": float32
        `[batch, views_per_mesh, 3]`, world space}. Targets: {"silhouettes": float32
        `[batch, pictures_per_object * views_per_mesh, height, width]` in [0, 1], what each mesh
        should look like in each view, in the order of `MeshViewPairs`} and, with
        `colors`, {"pictures": float32 `[batch, views_per_mesh, height, width, 4]`, the views}.

    Raises:
        ValueError: the data set is empty or has too few views an object, or `batch_size` is
            less than 1, or `framed_share` or `gray_share` is not in [0, 1], or `picture_noise` is
            below 0.
    """
    for name, share in {"framed_share": framed_share, "gray_share": gray_share}.items():
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"{name}: expected 0 to 1; received {share}")
    if not 0.0 <= picture_noise < math.inf:
        raise ValueError(f"picture_noise: expected at least 0; received {picture_noise}")
    pairs = MeshViewPairs(pictures_per_object, views_per_mesh)
    drawn_views = _num_drawn(pictures_per_object, views_per_mesh, compare_input)
    num_views = _checked(dataset, batch_size).element_spec["images"].shape[0]
    if num_views is None or num_views < drawn_views:
        raise ValueError(
            f"dataset: expected `images` of at least {drawn_views} views an object; "
            f"received {dataset.element_spec['images'].shape}"
        )

    def convert(example, seed):
        drawn = _draw_views(example, num_views, drawn_views, seed)
        if training:
            drawn = _mirrored(drawn, seed) if mirror else drawn
        pictures = drawn["images"][:pictures_per_object]
        if training and framed_share:
            pictures = _framed_at_random(pictures, tf.random.fold_in(seed, 5), framed_share)
        return {**drawn, "pictures": pictures, "gains": _gains(seed, color_jitter), "seed": seed}

    def inputs_and_targets(drawn):
        images, eyes = drawn["images"], drawn["eyes"]
        first = 0 if compare_input else pictures_per_object
        gains = drawn["gains"][:, None, None, None] if training and color_jitter else None
        pictures = _amplified(_unit_range(drawn["pictures"]), gains)
        if training:
            # Here, not in `convert`: a batch at a time is faster, and what is shuffled is bytes.
            pictures = _degraded(pictures, drawn["seed"][0], gray_share, picture_noise)
        inputs = {"images": pictures, "eyes": eyes[:, first:]}
        targets = {"silhouettes": pairs.of_views(_unit_range(images[:, first:, ..., 3]))}
        if colors:
            targets["pictures"] = _amplified(_unit_range(images[:, first:]), gains)
        return inputs, targets

    first = first_batch * batch_size
    return (
        _objects(dataset, convert, drawn_views, seed=seed, training=training, first=first)
        .batch(batch_size, drop_remainder=training)
        .map(inputs_and_targets, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def batch_model_ids(
    dataset: tf.data.Dataset,
    *,
    batch_size: int,
    seed: int,
    batch: int,
    pictures_per_object: int = 2,
    views_per_mesh: int = 2,
    compare_input: bool = True,
) -> list[str]:
    """Returns the model ids of the objects in a batch of `view_pairs` in training.

    Args:
        dataset: examples of `shapenet_views`, not batched.
        batch_size: as in `view_pairs`.
        seed: as in `view_pairs`.
        batch: the batch's number, from 0.
        pictures_per_object: as in `view_pairs`.
        views_per_mesh: as in `view_pairs`.
        compare_input: as in `view_pairs`.
    """
    ids = _objects(
        dataset.map(lambda example: example["model_id"]),
        lambda model_id, _: model_id,
        _num_drawn(pictures_per_object, views_per_mesh, compare_input),
        seed=seed,
        training=True,
        first=batch * batch_size,
    )
    return [name.decode() for name in ids.take(batch_size).as_numpy_iterator()]


def _num_drawn(pictures_per_object: int, views_per_mesh: int, compare_input: bool) -> int:
    """Returns how many views of an object a batch needs."""
    if not compare_input:
        return pictures_per_object + views_per_mesh
    return max(pictures_per_object, views_per_mesh)


def _objects(
    dataset, convert, drawn_views: int, *, seed: int, training: bool, first: int
) -> tf.data.Dataset:
    """Returns `convert(example, seed of its own)` in the order of `view_pairs`, from `first` on."""

    def one_pass(number):
        number = tf.cast(number, tf.int64)

        def pick(index, example):
            return convert(example, _folded(seed, number, index))

        objects = dataset.enumerate().map(pick, num_parallel_calls=tf.data.AUTOTUNE)
        if not training:
            return objects
        # Views are drawn before the shuffle, because few views are smaller than a whole object.
        order = tf.cast(_folded(seed, number, -1), tf.int64)
        # TensorFlow compares the seed with 0, which a tensor forbids, where the global seed is 0.
        graph = tf.compat.v1.get_default_graph()
        if graph.seed == 0:
            graph.seed = None
        return objects.shuffle(max(1, _SHUFFLED_VIEWS // drawn_views), seed=order[0])

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
        raise ValueError(f"batch_size: expected at least 1; received {batch_size}")
    # Endless passes over an empty data set would look for a first object without end.
    cardinality = int(dataset.cardinality())
    if cardinality == 0 or (
        cardinality == tf.data.UNKNOWN_CARDINALITY and not list(dataset.take(1))
    ):
        raise ValueError("dataset: expected at least one object; received none")
    return dataset


def _folded(seed: int, number, index) -> tf.Tensor:
    """Returns a seed, int64 `[2]`, that differs for every pass and object."""
    folded = tf.random.fold_in(tf.constant([seed, 0], tf.int64), number)
    return tf.random.fold_in(folded, index)


def _draw_views(example: dict, num_views: int, count: int, seed: tf.Tensor) -> dict:
    """Returns `count` different views. Every ordered choice of them is equally likely."""
    # The first two are drawn as they were when there were never more, so old runs go on unchanged.
    first = tf.random.stateless_uniform([], seed, maxval=num_views, dtype=tf.int32)
    views = [first[None]]
    if count > 1:
        step = tf.random.stateless_uniform(
            [], tf.random.fold_in(seed, 1), minval=1, maxval=num_views, dtype=tf.int32
        )
        second = (first + step) % num_views
        views.append(second[None])
    if count > 2:
        order = tf.argsort(tf.random.stateless_uniform([num_views], tf.random.fold_in(seed, 4)))
        others = tf.boolean_mask(order, (order != first) & (order != second))
        views.append(tf.ensure_shape(others[: count - 2], [count - 2]))
    views = tf.concat(views, axis=0)
    cameras = {name: tf.gather(angles, views) for name, angles in example["cameras"].items()}
    return {"images": tf.gather(example["images"], views), "eyes": eye_from_angles(**cameras)}


def _mirrored(drawn: dict, seed: tf.Tensor) -> dict:
    """Returns the views mirrored in the plane x = 0, or not, by a draw from `seed`."""
    images, eyes = drawn["images"], drawn["eyes"]
    mirrored = tf.random.stateless_uniform([], tf.random.fold_in(seed, 2)) < 0.5
    images = tf.where(mirrored, tf.reverse(images, [2]), images)
    return {"images": images, "eyes": tf.where(mirrored, eyes * [-1.0, 1.0, 1.0], eyes)}


def _gains(seed: tf.Tensor, color_jitter: float) -> tf.Tensor:
    """Returns a gain for each channel, float32 [4], drawn from `seed`; that of alpha is 1."""
    gains = tf.random.stateless_uniform(
        [3], tf.random.fold_in(seed, 3), 1.0 - color_jitter, 1.0 + color_jitter
    )
    return tf.concat([gains, [1.0]], axis=0)


def _amplified(pictures: tf.Tensor, gains: tf.Tensor | None) -> tf.Tensor:
    """Returns pictures in [0, 1], multiplied by gains and cut at 1."""
    return pictures if gains is None else tf.minimum(pictures * gains, 1.0)


def _degraded(pictures: tf.Tensor, seed: tf.Tensor, gray_share: float, noise: float) -> tf.Tensor:
    """Returns pictures [..., height, width, 4], some without colours, all with noise."""
    if gray_share:
        colors, alpha = pictures[..., :3], pictures[..., 3:]
        draws = tf.random.stateless_uniform(tf.shape(pictures)[:-3], tf.random.fold_in(seed, 6))
        gray = (draws < gray_share)[..., None, None, None]
        colors = tf.where(gray, tf.reduce_mean(colors, -1, keepdims=True), colors)
        pictures = tf.concat([colors, alpha], axis=-1)
    if noise:
        # Uniform numbers take half the time of normal ones.
        most = noise * math.sqrt(3.0)
        seed = tf.random.fold_in(seed, 7)
        pictures += tf.random.stateless_uniform(tf.shape(pictures), seed, -most, most)
    return pictures


def _framed_at_random(pictures: tf.Tensor, seed: tf.Tensor, share: float) -> tf.Tensor:
    """Returns the pictures, about a `share` of them framed as photographs are, by draws."""
    size = pictures.shape[1]

    def one(picture, seed):
        chosen = tf.random.stateless_uniform([], seed) < share
        visible = tf.reduce_any(picture[..., 3] > OPAQUE)
        return tf.cond(chosen & visible, lambda: framed(picture, image_size=size), lambda: picture)

    seeds = [tf.random.fold_in(seed, index) for index in range(pictures.shape[0])]
    return tf.stack(
        [one(picture, seed) for picture, seed in zip(tf.unstack(pictures), seeds, strict=True)]
    )


def _unit_range(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(images, tf.float32) / 255.0
