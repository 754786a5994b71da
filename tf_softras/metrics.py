"""Metrics of reconstruction: intersection over union of silhouettes and of voxels.

Source: Liu et al., "Soft Rasterizer", section 5.1; Kato et al., "Neural 3D Mesh Renderer", for the
mean over views, objects and classes.
"""

import keras
import tensorflow as tf
from keras import ops

from tf_softras._shared.masks import standardize_masks, standardize_unit_range, without_channel
from tf_softras.losses._batches import check_grid_shapes, split_weights


def _intersection_over_union(first, second, grid_rank, weights=None):
    """Returns float32 [...] of two tensors [..., grid axes] of 0, 1 and NaN.

    It is 1 where both are empty, and NaN where one holds NaN.
    """
    axes = tuple(range(-grid_rank, 0))
    # Counts are whole numbers, exact in float32 up to a grid of 2^24 cells (256^3).
    both, either = first * second, ops.maximum(first, second) + 0.0 * (first + second)
    if weights is not None:
        both, either = weights * both, weights * either
    intersection, union = ops.sum(both, axis=axes), ops.sum(either, axis=axes)
    empty = union <= 0
    return ops.where(empty, 1.0, intersection / ops.where(empty, 1.0, union))


def _cut(values, threshold):
    """Returns float32: 1 where `values` are above `threshold`, 0 below, NaN where they are NaN."""
    occupied = ops.cast(values > threshold, "float32")
    return ops.where(ops.isnan(values), ops.cast(values, "float32"), occupied)


def _checked_threshold(threshold):
    if not 0 <= threshold < 1:
        raise ValueError(
            f"threshold: expected a number of at least 0 and below 1; received {threshold!r}"
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

    for each image, then the mean over views and batch items. Two empty images agree: 1. NaN stays
    NaN. `1 - SilhouetteIoULoss()` is the same over soft masks, and lower: soft edges never fully
    agree.

    Args:
        threshold: Pixels more opaque than this belong to the object; in [0, 1).
        name: As in `keras.metrics.Metric`.
        dtype: As in `keras.metrics.Metric`.

    Raises:
        ValueError: `threshold` is out of range.

    Example:
    >>> metric = metrics.SilhouetteIoU()
    >>> y_true = np.array([[[255, 255], [0, 0]]], np.uint8)   # the upper half
    >>> y_pred = np.array([[[0.9, 0.1], [0.8, 0.2]]], np.float32)
    >>> metric.update_state(y_true, y_pred)
    >>> round(float(metric.result()), 3)                      # 1 pixel of 3
    0.333
    """

    def __init__(self, *, threshold=0.5, name="silhouette_iou", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.threshold = _checked_threshold(threshold)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds silhouettes.

        Args:
            y_true: Masks [batch, ..., height, width], with or without a last axis of one channel:
                floats in [0, 1], bool, or uint8 from 0 to 255, as `silhouette_iou_loss` takes them.
            y_pred: The same for the predictions. A batch of 1 fits any.
            sample_weight: None; weights of items or images, [batch] or [batch, ...]; or weights of
                pixels, [batch, ..., height, width], which count in the intersection and the union.
                An image whose pixels all weigh 0 is left out.

        Raises:
            ValueError: Shapes or types that do not fit.
        """
        y_true, y_pred = standardize_masks("y_true", y_true), standardize_masks("y_pred", y_pred)
        check_grid_shapes(y_true, y_pred, grid_rank=2)
        shape = tuple(tf.broadcast_static_shape(y_true.shape, y_pred.shape))
        items, pixels = split_weights(sample_weight, shape, grid_rank=2, dtype="float32")
        y_true, y_pred = (_cut(y, self.threshold) for y in (y_true, y_pred))
        iou = _intersection_over_union(y_true, y_pred, 2, pixels)
        weights = ops.ones_like(iou) if items is None else items + ops.zeros_like(iou)
        if pixels is not None:
            counted = ops.cast(ops.any(pixels > 0, axis=(-2, -1)), iou.dtype)
            weights, iou = weights * counted, ops.where(counted > 0, iou, 0.0)
        super().update_state(iou, weights)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "threshold": self.threshold}


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
        threshold: Cells above it are occupied, unless predictions are bool; in [0, 1).
        name: As in `keras.metrics.Metric`.
        dtype: As in `keras.metrics.Metric`.

    Raises:
        ValueError: No class names, a name twice, or a threshold out of range.

    Example:
    >>> metric = metrics.VoxelIoU(class_names=("chair", "table"))
    >>> y_true = np.zeros((1, 4, 4, 4), bool)
    >>> y_true[0, :2] = True                                  # 2 of 4 slices
    >>> y_pred = np.zeros((1, 4, 4, 4), np.float32)
    >>> y_pred[0, :3] = 0.9                                   # 3 of 4 slices
    >>> metric.update_state(y_true, y_pred, labels=[0])
    >>> round(float(metric.result()), 3)
    0.667
    >>> metric.per_class()["table"] is None                   # no table was seen
    True
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
            y_true: Occupied voxels [batch, x, y, z], with or without a last axis of one channel:
                bool, integers (0 is empty) or floats in [0, 1], cut at the threshold.
            y_pred: The same for the reconstructions, [batch, ..., x, y, z], where middle axes are
                views of the object: `y_true` may have them or be one grid for all of them.
            sample_weight: None; weights of items or views, [batch] or [batch, ...]; or weights of
                voxels, [batch, ..., x, y, z], which count in the intersection and the union.
            labels: Integers [batch], the index of each object's class; not needed for one class.

        Raises:
            ValueError: Shapes that do not fit, known floats outside [0, 1], or labels missing where
                there are several classes.
            tf.errors.InvalidArgumentError: A label that is no class's index.
        """
        y_true, y_pred = _voxels("y_true", y_true), _voxels("y_pred", y_pred)
        if len(y_true.shape) == 4 and len(y_pred.shape) > 4:
            num_views = len(y_pred.shape) - 4
            shape = ops.shape(y_true)
            y_true = ops.reshape(y_true, (shape[0], *(1,) * num_views, *shape[1:]))
        check_grid_shapes(y_true, y_pred, grid_rank=3)
        shape = tuple(tf.broadcast_static_shape(y_true.shape, y_pred.shape))
        items, cells = split_weights(sample_weight, shape, grid_rank=3, dtype="float32")
        y_true, y_pred = (_cut(y, self.threshold) for y in (y_true, y_pred))
        iou = _intersection_over_union(y_true, y_pred, 3, cells)
        weights = ops.ones_like(iou) if items is None else items + ops.zeros_like(iou)
        if cells is not None:
            counted = ops.cast(ops.any(cells > 0, axis=(-3, -2, -1)), iou.dtype)
            weights, iou = weights * counted, ops.where(counted > 0, iou, 0.0)
        # NaN times a weight of 0 would be NaN in a class that the item is not of.
        of_class = self._of_class(labels, ops.shape(iou)[0])
        views = tuple(range(1, len(iou.shape)))
        totals = ops.sum(iou * weights, axis=views)[:, None]
        totals = ops.where(of_class > 0, totals, ops.zeros_like(totals))
        self.total.assign_add(ops.sum(totals, axis=0))
        self.weight.assign_add(ops.matmul(ops.sum(weights, axis=views), of_class))

    def _of_class(self, labels, batch):
        """Returns float32 [batch, classes], 1 where the item is of the class."""
        num_classes = len(self.class_names)
        if labels is None:
            if num_classes > 1:
                raise ValueError(
                    f"labels: expected integers [batch], indices of the {num_classes} classes; "
                    "received None"
                )
            return ops.ones((batch, 1))
        labels = ops.convert_to_tensor(labels)
        if len(labels.shape) != 1 or not labels.dtype.is_integer:
            raise ValueError(
                "labels: expected integers [batch]; "
                f"received {labels.dtype.name} {list(labels.shape)}"
            )
        labels = ops.cast(labels, "int64")
        message = f"labels: expected indices of the {num_classes} classes"
        tf.debugging.assert_non_negative(labels, message)
        tf.debugging.assert_less(labels, tf.constant(num_classes, "int64"), message)
        tf.debugging.assert_equal(
            tf.size(labels), tf.cast(batch, "int32"), "labels: expected one per batch item"
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


def _voxels(name, values):
    """Returns voxels [batch, ..., x, y, z] as floats, 0 where they are empty."""
    values = ops.convert_to_tensor(values)
    if values.dtype.is_floating:
        values = standardize_unit_range(name, values)
    return without_channel(ops.cast(values, "float32"), grid_rank=3)


def _checked_class_names(class_names):
    names = tuple(class_names)
    if not names or len(set(names)) < len(names) or isinstance(class_names, str):
        raise ValueError(
            f"class_names: expected one or more distinct names; received {class_names!r}"
        )
    return names
