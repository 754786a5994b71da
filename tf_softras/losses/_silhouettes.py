"""The loss of silhouettes: one minus their intersection over union."""

import keras
from keras import ops

from tf_softras.losses._batches import at_least_float32, check_grid_shapes, mean_of_middle_axes


def silhouette_iou_loss(y_true, y_pred):
    """Returns one minus the intersection over union of silhouettes, one value a batch item.

    Formula:

    ```python
    loss = mean_over_views(1 - sum(y_true * y_pred) / sum(y_true + y_pred - y_true * y_pred))
    ```

    The sums go over the pixels of one image, so every view weighs the same however large the
    object is in it. Two empty images agree: their loss and its gradient are 0.

    Args:
        y_true: [batch, ..., height, width] in [0, 1]; anti-aliased edges are welcome.
        y_pred: Soft silhouettes in [0, 1], of the same shape.

    Returns:
        Tensor [batch] in [0, 1], float32 (float64 for float64 input).

    Raises:
        ValueError: The shapes differ or have fewer than three axes.

    Source: "Soft Rasterizer", eq. 3.
    """
    y_pred = at_least_float32(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    check_grid_shapes(y_true, y_pred, grid_rank=2)
    product = y_true * y_pred
    intersection = ops.sum(product, axis=(-2, -1))
    union = ops.sum(y_true + y_pred - product, axis=(-2, -1))
    # `where` on both sides: a gradient through 0 / 0 would be NaN even where it is not taken.
    shown = union > 0
    iou = intersection / ops.where(shown, union, ops.ones_like(union))
    return mean_of_middle_axes(ops.where(shown, 1 - iou, ops.zeros_like(iou)))


@keras.saving.register_keras_serializable(package="Softras")
class SilhouetteIoULoss(keras.losses.Loss):
    """One minus the intersection over union of silhouettes; see `silhouette_iou_loss`.

    Args:
        reduction: As in `keras.losses.Loss`: how the batch's values become one.
        name: As in `keras.losses.Loss`.
        **kwargs: For `keras.losses.Loss`.
    """

    def __init__(self, *, reduction="sum_over_batch_size", name="silhouette_iou_loss", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Returns one value a batch item; see `silhouette_iou_loss`."""
        return silhouette_iou_loss(y_true, y_pred)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "dtype": self.dtype}
