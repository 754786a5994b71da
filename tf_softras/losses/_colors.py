"""The loss of colours inside a mask."""

from keras import ops

from tf_softras.losses._batches import at_least_float32, check_grid_shapes, mean_of_middle_axes


def color_loss(y_true, y_pred):
    """Returns the mean squared difference of colours inside the true mask, one value a batch item.

    Formula:

    ```python
    loss = mean_over_views(sum(alpha * (y_true - y_pred) ** 2) / (3 * sum(alpha)))
    ```

    A picture with an empty mask has a loss of 0.

    Args:
        y_true: [batch, ..., height, width, 4] in [0, 1]: straight colours and alpha.
        y_pred: Colours [batch, ..., height, width, 3].

    Returns:
        Tensor [batch], at least 0, float32 (float64 for float64 input).

    Raises:
        ValueError: The shapes are not as above.

    Source: "Soft Rasterizer", section 4.1, the l2 loss of colours.
    """
    y_pred = at_least_float32(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    if y_true.shape[-1] != 4 or y_pred.shape[-1] != 3:
        raise ValueError(
            "Invalid y_true and y_pred. Expected: 4 channels (RGB and alpha) and 3. "
            f"Received: shapes {tuple(y_true.shape)} and {tuple(y_pred.shape)}"
        )
    check_grid_shapes(y_true[..., :3], y_pred, grid_rank=3)
    alpha = y_true[..., 3]
    errors = ops.sum(alpha * ops.mean(ops.square(y_true[..., :3] - y_pred), axis=-1), axis=(-2, -1))
    area = ops.sum(alpha, axis=(-2, -1))
    # Where the mask is empty the errors are 0.
    return mean_of_middle_axes(errors / ops.where(area > 0, area, ops.ones_like(area)))
