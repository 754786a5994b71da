"""The loss of silhouettes: one minus their intersection over union."""

import keras
import tensorflow as tf
from keras import ops

from tf_softras._shared.masks import standardize_masks
from tf_softras.losses._batches import (
    ItemLoss,
    check_grid_shapes,
    mean_of_middle_axes,
    split_weights,
)


def silhouette_iou_loss(y_true, y_pred, *, pixel_weight=None):
    """Returns one minus the intersection over union of silhouettes, one value a batch item.

    Formula:

    ```python
    union = y_true + y_pred - y_true * y_pred
    loss = mean_over_views(1 - sum(weight * y_true * y_pred) / sum(weight * union))
    ```

    The sums go over the pixels of one image, so every view weighs the same however large the
    object is in it. Two empty images agree: their loss and its gradient are 0. NaN stays NaN.

    Both sides may be floats in [0, 1], bool, or uint8 from 0 to 255, with or without a last axis of
    one channel. Floats outside [0, 1] are refused where values are known, that is eagerly; in a
    graph they give a meaningless loss. A batch of 1 beside a batch of n is compared with each item.

    Args:
        y_true: Masks [batch, ..., height, width] or [batch, ..., height, width, 1]; anti-aliased
            edges are welcome.
        y_pred: Soft silhouettes of the same shape.
        pixel_weight: None, or how much each pixel counts, at least 0,
            [batch, ..., height, width], with or without the channel.

    Returns:
        Tensor [batch] in [0, 1], float32 (float64 for float64 `y_pred`).

    Raises:
        ValueError: The shapes differ or have fewer than three axes; integers that are not uint8;
            known values outside [0, 1].

    Example:
    >>> y_true = np.array([[[1, 1], [0, 0]]], np.float32)     # the upper half
    >>> y_pred = np.array([[[1, 0], [1, 0]]], np.float32)     # the left half
    >>> loss = losses.silhouette_iou_loss(y_true, y_pred)     # 1 - 1 / 3
    >>> np.asarray(loss).round(3)
    array([0.667], dtype=float32)

    Source: "Soft Rasterizer", eq. 3.
    """
    y_true, y_pred = _standardized(y_true, y_pred)
    shape = _broadcast_shape(y_true, y_pred)
    items, pixels = split_weights(pixel_weight, shape, grid_rank=2, dtype=y_pred.dtype)
    if items is not None:
        raise ValueError(
            f"pixel_weight: expected [batch, ..., height, width]; received {list(items.shape)}"
        )
    return mean_of_middle_axes(_image_losses(y_true, y_pred, pixels))


def _standardized(y_true, y_pred):
    y_true, y_pred = standardize_masks("y_true", y_true), standardize_masks("y_pred", y_pred)
    check_grid_shapes(y_true, y_pred, grid_rank=2)
    return ops.cast(y_true, y_pred.dtype), y_pred


def _broadcast_shape(y_true, y_pred):
    return tuple(tf.broadcast_static_shape(y_true.shape, y_pred.shape))


def _image_losses(y_true, y_pred, pixels):
    """Returns 1 - IoU of each image, [batch, ...]."""
    product = y_true * y_pred
    either = y_true + y_pred - product
    if pixels is not None:
        product, either = pixels * product, pixels * either
    intersection = ops.sum(product, axis=(-2, -1))
    union = ops.sum(either, axis=(-2, -1))
    # `where` on both sides: a gradient through 0 / 0 would be NaN even where it is not taken.
    # NaN is not empty: it stays NaN.
    empty = union <= 0
    iou = intersection / ops.where(empty, ops.ones_like(union), union)
    return ops.where(empty, ops.zeros_like(iou), 1 - iou)


@keras.saving.register_keras_serializable(package="Softras")
class SilhouetteIoULoss(ItemLoss):
    """One minus the intersection over union of silhouettes; see `silhouette_iou_loss`.

    `sample_weight` may be one number an item, [batch], one an image, [batch, ...], or one a pixel,
    [batch, ..., height, width]. Weights of items and images multiply their losses, as in every loss
    of Keras. Weights of pixels count in the intersection and in the union, so a pixel of weight 0
    plays no part.

    Args:
        reduction: As in `keras.losses.Loss`: how the batch's values become one.
        name: As in `keras.losses.Loss`.
        dtype: The type to compute in, float32 or float64; by default that of `y_pred`.

    Example:
    >>> loss = losses.SilhouetteIoULoss()
    >>> mask = np.zeros((2, 4, 4), np.uint8)                  # as image files hold them
    >>> mask[:, 1:3, 1:3] = 255
    >>> round(float(loss(mask, 0.5 * mask.astype(np.float32) / 255)), 3)
    0.5
    """

    def __init__(self, *, reduction="sum_over_batch_size", name="silhouette_iou_loss", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Returns one value a batch item; see `silhouette_iou_loss`."""
        return silhouette_iou_loss(y_true, y_pred)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Returns the weighted and reduced loss; see the class."""
        if sample_weight is None:
            return super().__call__(y_true, y_pred)
        with keras.name_scope(self.name):
            y_true, y_pred = _standardized(y_true, self._typed(y_pred))
            shape = _broadcast_shape(y_true, y_pred)
            items, pixels = split_weights(sample_weight, shape, grid_rank=2, dtype=y_pred.dtype)
            losses = _image_losses(y_true, y_pred, pixels)
            if items is None:
                return self._reduced(mean_of_middle_axes(losses), None)
            # Each item's mean over images by their weights, and the item's own weight.
            items = items + ops.zeros_like(losses)
            weights = mean_of_middle_axes(items)
            safe = ops.where(weights == 0, ops.ones_like(weights), weights)
            return self._reduced(mean_of_middle_axes(items * losses) / safe, weights)
