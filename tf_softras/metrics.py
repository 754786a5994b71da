"""Metrics of reconstruction: intersection over union of silhouettes and of voxels.

Source: Liu et al., "Soft Rasterizer", section 5.1; Kato et al., "Neural 3D Mesh Renderer", for the
mean over views, objects and classes.
"""

import keras
import tensorflow as tf
from keras import ops

from tf_softras.losses import check_grid_shapes


def _intersection_over_union(first, second, grid_rank):
    """Returns float32 [...] of two bool tensors [..., grid axes]; 1 where both are empty."""
    axes = tuple(range(-grid_rank, 0))
    # Counts are whole numbers, exact in float32 up to a grid of 2^24 cells (256^3).
    intersection = ops.sum(ops.cast(ops.logical_and(first, second), "float32"), axis=axes)
    union = ops.sum(ops.cast(ops.logical_or(first, second), "float32"), axis=axes)
    shown = union > 0
    return ops.where(shown, intersection / ops.where(shown, union, 1.0), 1.0)


def _occupied(values, threshold):
    """Returns bool: `values` itself, or where it is above `threshold`."""
    values = ops.convert_to_tensor(values)
    if keras.backend.standardize_dtype(values.dtype) == "bool":
        return values
    # float32 first: an integer tensor would round the threshold to 0.
    return ops.cast(values, "float32") > threshold


def _checked_threshold(threshold):
    if not 0 <= threshold < 1:
        raise ValueError(
            "Invalid threshold. Expected: a number of at least 0 and below 1. "
            f"Received: {threshold!r}"
        )
    return float(threshold)


@keras.saving.register_keras_serializable(package="Softras")
class SilhouetteIoU(keras.metrics.Mean):
    """The mean intersection over union of silhouettes, each cut to a mask at a threshold.

    Formula:

    ```python
    iou = sum((y_true > threshold) & (y_pred > threshold))
          / sum((y_true > threshold) | (y_pred > threshold))
    ```

    for each image, then the mean over views and batch items. Two empty images agree: 1.
    `1 - SilhouetteIoULoss()` is the same over soft masks, and lower: soft edges never fully agree.

    Args:
        threshold: What is more opaque than this belongs to the object, in [0, 1).
        name: As in `keras.metrics.Metric`.
        dtype: As in `keras.metrics.Metric`.

    Raises:
        ValueError: `threshold` is out of range.
    """

    def __init__(self, *, threshold=0.5, name="silhouette_iou", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.threshold = _checked_threshold(threshold)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds silhouettes [batch, ..., height, width]; weights are [batch] or [batch, ...]."""
        y_true, y_pred = (_occupied(y, self.threshold) for y in (y_true, y_pred))
        check_grid_shapes(y_true, y_pred, grid_rank=2)
        iou = _intersection_over_union(y_true, y_pred, 2)
        super().update_state(iou, _weights_like(iou, sample_weight))

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "threshold": self.threshold}


def _weights_like(values, sample_weight):
    """Returns float32 weights of the shape of `values`, [batch, ...], from [] up to that shape."""
    if sample_weight is None:
        return ops.ones_like(values)
    weights = ops.cast(sample_weight, values.dtype)
    if len(weights.shape) > len(values.shape):
        raise ValueError(
            f"Invalid sample_weight. Expected: at most the axes {tuple(values.shape)} of "
            f"[batch, ...]. Received: shape {tuple(weights.shape)}"
        )
    missing = len(values.shape) - len(weights.shape)
    weights = ops.reshape(weights, (*ops.shape(weights), *(1,) * missing))
    return ops.broadcast_to(weights, ops.shape(values))


@keras.saving.register_keras_serializable(package="Softras")
class VoxelIoU(keras.metrics.Metric):
    """The mean over classes of the intersection over union of voxels.

    Formula:

    ```python
    iou = sum(y_true & y_pred) / sum(y_true | y_pred)  # each reconstruction
    result = mean_over_classes(mean_over_objects_and_views_of_the_class(iou))
    ```

    A class weighs the same however many objects it has; a class of which nothing was seen is left
    out of the mean. Two empty grids agree: 1. Before any update the result is 0, as that of
    `keras.metrics.Mean` is.

    ```python
    metric = VoxelIoU(class_names=("chair", "table"))
    metric.update_state(true_voxels, predicted_voxels, labels=labels)
    metric.result(), metric.per_class()  # 0.58, {"chair": 0.58, "table": None}
    ```

    Args:
        class_names: The classes, in the order of the labels. Without it there is one class, "all",
            and `update_state` needs no labels, so the metric can be compiled into a model.
        threshold: For predictions that are not bool: occupied is what is above it, in [0, 1).
        name: As in `keras.metrics.Metric`.
        dtype: As in `keras.metrics.Metric`.

    Raises:
        ValueError: No class names, a name twice, or a threshold out of range.
    """

    def __init__(self, *, class_names=("all",), threshold=0.5, name="voxel_iou", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.class_names = _checked_class_names(class_names)
        self.threshold = _checked_threshold(threshold)
        shape = (len(self.class_names),)
        self.total = self.add_variable(shape, "zeros", dtype="float32", name="total")
        self.weight = self.add_variable(shape, "zeros", dtype="float32", name="weight")

    def update_state(self, y_true, y_pred, sample_weight=None, *, labels=None):
        """Adds reconstructions.

        Args:
            y_true: Occupied voxels, bool (or numbers, cut at the threshold) [batch, x, y, z].
            y_pred: The same for the reconstructions, [batch, ..., x, y, z], where middle axes are
                views of the object: `y_true` may have them or be one grid for all of them.
            sample_weight: None, or weights [batch] or [batch, ...].
            labels: Integers [batch], the index of each object's class; not needed for one class.

        Raises:
            ValueError: Shapes that do not fit, or labels missing where there are several classes.
            tf.errors.InvalidArgumentError: A label that is no class's index.
        """
        y_true, y_pred = (_occupied(y, self.threshold) for y in (y_true, y_pred))
        if len(y_true.shape) == 4 and len(y_pred.shape) > 4:
            num_views = len(y_pred.shape) - 4
            shape = ops.shape(y_true)
            y_true = ops.reshape(y_true, (shape[0], *(1,) * num_views, *shape[1:]))
            y_true = ops.broadcast_to(y_true, ops.shape(y_pred))
        check_grid_shapes(y_true, y_pred, grid_rank=3)
        iou = _intersection_over_union(y_true, y_pred, 3)
        weights = _weights_like(iou, sample_weight)
        of_class = self._of_class(labels, ops.shape(iou)[0])
        views = tuple(range(1, len(iou.shape)))
        self.total.assign_add(ops.matmul(ops.sum(iou * weights, axis=views), of_class))
        self.weight.assign_add(ops.matmul(ops.sum(weights, axis=views), of_class))

    def _of_class(self, labels, batch):
        """Returns float32 [batch, classes], 1 where the item is of the class."""
        num_classes = len(self.class_names)
        if labels is None:
            if num_classes > 1:
                raise ValueError(
                    f"Invalid labels. Expected: integers [batch], indices of the {num_classes} "
                    "classes. Received: None"
                )
            return ops.ones((batch, 1))
        labels = ops.convert_to_tensor(labels)
        if len(labels.shape) != 1 or not labels.dtype.is_integer:
            raise ValueError(
                "Invalid labels. Expected: integers [batch]. "
                f"Received: {labels.dtype.name} of shape {tuple(labels.shape)}"
            )
        labels = ops.cast(labels, "int64")
        message = f"Invalid labels. Expected: indices of the {num_classes} classes."
        tf.debugging.assert_non_negative(labels, message)
        tf.debugging.assert_less(labels, tf.constant(num_classes, "int64"), message)
        tf.debugging.assert_equal(
            tf.size(labels), tf.cast(batch, "int32"), "Invalid labels. Expected: one per batch item"
        )
        return ops.one_hot(labels, num_classes, dtype="float32")

    def result(self):
        """Returns the unweighted mean over the classes that were seen, a float32 scalar."""
        seen = ops.cast(self.weight > 0, "float32")
        means = ops.divide_no_nan(self.total, self.weight)
        return ops.divide_no_nan(ops.sum(means * seen), ops.sum(seen))

    def per_class(self):
        """Returns a dict from class name to its mean IoU, None where nothing was seen (eager)."""
        totals, weights = self.total.numpy(), self.weight.numpy()
        return {
            name: float(total / weight) if weight > 0 else None
            for name, total, weight in zip(self.class_names, totals, weights, strict=True)
        }

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "class_names": list(self.class_names),
            "threshold": self.threshold,
        }


def _checked_class_names(class_names):
    names = tuple(class_names)
    if not names or len(set(names)) < len(names) or isinstance(class_names, str):
        raise ValueError(
            f"Invalid class_names. Expected: one or more distinct names. Received: {class_names!r}"
        )
    return names
