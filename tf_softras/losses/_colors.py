"""The loss of colours inside a mask."""

from keras import ops

from tf_softras._shared.masks import standardize_unit_range
from tf_softras.losses._batches import check_grid_shapes, mean_of_middle_axes


def color_loss(y_true, y_pred):
    """Returns the mean squared difference of colours inside the true mask, one value a batch item.

    Formula:

    ```python
    loss = mean_over_views(sum(alpha * (y_true - y_pred) ** 2) / (3 * sum(alpha)))
    ```

    A picture with an empty mask has a loss of 0. NaN stays NaN. A batch of 1 beside a batch of n is
    compared with each item.

    Args:
        y_true: Straight colours and alpha, [batch, ..., height, width, 4]: floats in [0, 1], or
            uint8 from 0 to 255. Floats outside are refused where values are known (eagerly).
        y_pred: Colours [batch, ..., height, width, 3], of the same types. Floats may lie outside
            [0, 1], as those of a network may.

    Returns:
        Tensor [batch], at least 0, float32 (float64 for float64 `y_pred`).

    Raises:
        ValueError: The shapes are not as above; integers that are not uint8; known values of
            `y_true` outside [0, 1].

    Example:
    >>> picture = np.ones((1, 2, 2, 4), np.float32)           # white and opaque
    >>> grey = np.full((1, 2, 2, 3), 0.5, np.float32)
    >>> np.asarray(losses.color_loss(picture, grey))          # (1 - 0.5) ** 2
    array([0.25], dtype=float32)

    Source: "Soft Rasterizer", section 4.1, the l2 loss of colours.
    """
    y_true = standardize_unit_range("y_true", y_true)
    y_pred = standardize_unit_range("y_pred", y_pred, is_bounded=False)
    if y_true.shape[-1] != 4 or y_pred.shape[-1] != 3:
        raise ValueError(
            "y_true and y_pred: expected 4 channels (RGB and alpha) and 3; received shapes "
            f"{list(y_true.shape)} and {list(y_pred.shape)}"
        )
    y_true = ops.cast(y_true, y_pred.dtype)
    check_grid_shapes(y_true[..., :3], y_pred, grid_rank=3)
    alpha = y_true[..., 3]
    errors = ops.sum(alpha * ops.mean(ops.square(y_true[..., :3] - y_pred), axis=-1), axis=(-2, -1))
    area = ops.sum(alpha, axis=(-2, -1))
    # The errors are 0 where the mask is empty.
    return mean_of_middle_axes(errors / ops.where(area > 0, area, ops.ones_like(area)))
