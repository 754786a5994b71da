"""The chamfer loss of point sets."""

import keras
import tensorflow as tf
from keras import ops

from tf_softras.losses._batches import ItemLoss, at_least_float32

# The number of distances that are held at once: 64 MiB of float64.
_DISTANCES_AT_ONCE = 2**23


def chamfer_loss(y_true, y_pred):
    """Returns the mean squared distances between two point sets, one value a batch item.

    Formula:

    ```python
    loss = mean_over_q(min_over_p(|q - p| ** 2)) + mean_over_p(min_over_q(|p - q| ** 2))
    ```

    for the points p of `y_true` and q of `y_pred`. Each point is compared with the nearest of the
    other set; the gradient goes to both. The sets need not have the same number of points. A batch
    of 1 beside a batch of n is compared with each item. NaN stays NaN.

    The cost is one distance for each pair of points. For the distance between surfaces draw points
    from both, as `losses.sample_surface` does, differentiable in the vertices.

    Args:
        y_true: Points `[batch, num_true, 3]`, any unit; 3 may be any number of coordinates.
        y_pred: Points `[batch, num_predicted, 3]`.

    Returns:
        Tensor `[batch]`, squared units, float32 (float64 for float64 `y_pred`).

    Raises:
        ValueError: Other shapes, or no points.

    Example:
    >>> corners = np.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]], np.float32)
    >>> point = np.array([[[0.0, 0.0, 0.5]]], np.float32)
    >>> np.asarray(losses.chamfer_loss(corners, point))       # 0.25 + (0.25 + 1.25) / 2
    array([1.], dtype=float32)

    Source: Fan et al. 2017, arXiv 1612.00603, section 3.2, the means in place of the sums.
    """
    y_pred = at_least_float32(y_pred)
    y_true = ops.cast(at_least_float32(y_true), y_pred.dtype)
    _check_points(y_true, y_pred)
    batch = tf.broadcast_dynamic_shape(tf.shape(y_true)[:1], tf.shape(y_pred)[:1])
    y_true, y_pred = (
        tf.broadcast_to(points, tf.concat([batch, tf.shape(points)[1:]], axis=0))
        for points in (y_true, y_pred)
    )
    return _mean_to_nearest(y_pred, y_true) + _mean_to_nearest(y_true, y_pred)


def _check_points(y_true, y_pred):
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    batches = {true[0], pred[0]} - {None, 1} if true and pred else set()
    fits = len(true) == len(pred) == 3 and len(batches) < 2 and true[2] == pred[2] is not None
    if not fits or 0 in true[1:] + pred[1:]:
        raise ValueError(
            "y_true and y_pred: expected points [batch, num_points, 3], at least one, where a "
            f"batch of 1 fits any; received {list(true)} and {list(pred)}"
        )


def _mean_to_nearest(points, others):
    """Returns [batch], the mean squared distance of points to the nearest of the others."""
    nearest = tf.gather(others, _nearest(points, others), axis=1, batch_dims=1)
    return ops.mean(ops.sum(ops.square(points - nearest), axis=-1), axis=-1)


def _nearest(points, others):
    """Returns int32 [batch, num_points]: for each point the index of the nearest of the others.

    Distances come from one matrix product in float64, about the middle of the points: the digits
    that |p|^2 - 2 p q + |q|^2 loses are beyond those of float32.
    """
    points, others = (tf.cast(tf.stop_gradient(x), tf.float64) for x in (points, others))
    middle = tf.reduce_mean(others, axis=1, keepdims=True)
    points, others = points - middle, others - middle

    def nearest(item):
        p, q = item
        distances = tf.reduce_sum(q * q, axis=-1) - 2.0 * tf.matmul(p, q, transpose_b=True)
        return tf.argmin(distances, axis=-1, output_type=tf.int32)

    pairs = (points.shape[1] or 1) * (others.shape[1] or 1)
    return tf.map_fn(
        nearest,
        (points, others),
        fn_output_signature=tf.TensorSpec(points.shape[1:2], tf.int32),
        parallel_iterations=max(1, _DISTANCES_AT_ONCE // pairs),
    )


@keras.saving.register_keras_serializable(package="Softras")
class ChamferLoss(ItemLoss):
    """The mean squared distances between two point sets; see `chamfer_loss`.

    Args:
        reduction: As in `keras.losses.Loss`: how the batch's values become one.
        name: As in `keras.losses.Loss`.
        dtype: The type to compute in, float32 or float64; by default that of `y_pred`.

    Example:
    >>> sphere = geometry.icosphere(2).vertices[None]
    >>> loss = losses.ChamferLoss()(sphere, 1.1 * sphere)     # every point is 0.1 away: 2 * 0.01
    >>> round(float(loss), 4)
    0.02
    """

    def __init__(self, *, reduction="sum_over_batch_size", name="chamfer_loss", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Returns one value a batch item; see `chamfer_loss`."""
        return chamfer_loss(y_true, y_pred)
