"""Steps that losses and metrics share: types, shapes, weights, one value a batch item."""

import keras
import tensorflow as tf
from keras import ops

from tf_softras._shared.masks import without_channel


def at_least_float32(tensor):
    """Returns the tensor in float64 where it is that, else in float32."""
    tensor = ops.convert_to_tensor(tensor)
    if keras.backend.standardize_dtype(tensor.dtype) == "float64":
        return tensor
    return ops.cast(tensor, "float32")


def check_grid_shapes(y_true, y_pred, *, grid_rank):
    """Raises ValueError unless both are [batch, ..., grid axes] of shapes that fit.

    The grid axes are the same; of the others, an axis of 1 fits any.
    """
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    fits = len(true) == len(pred) > grid_rank and all(
        a == b or None in (a, b) or (axis < len(true) - grid_rank and 1 in (a, b))
        for axis, (a, b) in enumerate(zip(true, pred, strict=True))
    )
    if not fits:
        raise ValueError(
            f"y_true and y_pred: expected one shape, [batch, ..., {grid_rank} axes of the grid], "
            f"where a batch of 1 fits any; received {list(true)} and {list(pred)}"
        )


def mean_of_middle_axes(values):
    """Returns [batch], the means of values [batch, ...]."""
    rank = len(values.shape)
    return ops.mean(values, axis=tuple(range(1, rank))) if rank > 1 else values


def split_weights(sample_weight, shape, *, grid_rank, dtype):
    """Returns the weights of items and those of cells, or None for missing ones.

    Args:
        sample_weight: None; weights of items, [], [batch] or [batch, ...]; or weights of cells,
            [batch, ..., grid axes]. A last axis of 1 more is removed.
        shape: The static shape [batch, ..., grid axes] of the weighted values.
        grid_rank: The number of grid axes.
        dtype: The type of the weights returned.

    Returns:
        A pair: item weights of rank len(shape) - grid_rank that broadcast over [batch, ...], or
        None; cell weights of rank len(shape), or None.

    Raises:
        ValueError: Weights of another shape.
    """
    if sample_weight is None:
        return None, None
    weights = ops.cast(tf.convert_to_tensor(sample_weight), dtype)
    item_rank = len(shape) - grid_rank
    given = list(weights.shape)
    if len(weights.shape) not in range(item_rank + 1) and len(weights.shape) != len(shape):
        weights = without_channel(weights, grid_rank=0)
    is_of_items = len(weights.shape) <= item_rank
    expected = shape[:item_rank] if is_of_items else shape
    fits = (is_of_items or len(weights.shape) == len(shape)) and all(
        a == 1 or None in (a, b) or a == b for a, b in zip(weights.shape, expected, strict=False)
    )
    if not fits:
        of_cells = f", or {_named(shape)} for each cell" if grid_rank else ""
        raise ValueError(
            f"sample_weight: expected the shape [batch] or {_named(shape[:item_rank])}"
            f"{of_cells}; received {given}"
        )
    if not is_of_items:
        return None, weights
    ones = (1,) * (item_rank - len(weights.shape))
    return ops.reshape(weights, (*ops.shape(weights), *ones)), None


def _named(shape):
    return f"[{', '.join('batch' if size is None else str(size) for size in shape)}]"


class ItemLoss(keras.losses.Loss):
    """A Keras loss of one value a batch item, in the type of its input.

    Keras's own `__call__` converts to float32 first: a uint8 mask would be 255 there, and float64
    would lose its digits. A `dtype` that is given is obeyed, down to float32.
    """

    def __init__(self, *, dtype=None, **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self._is_typed = dtype is not None

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Returns the values of `call`, weighted and reduced as Keras's losses are."""
        with keras.name_scope(self.name):
            values = self.call(y_true, self._typed(y_pred))
            weights, _ = split_weights(sample_weight, values.shape, grid_rank=0, dtype=values.dtype)
            return self._reduced(values, weights)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "dtype": self.dtype if self._is_typed else None}

    def _typed(self, y_pred):
        """Returns floats in the loss's own type, if it was given one; all else as it is."""
        y_pred = tf.convert_to_tensor(y_pred)
        return (
            tf.cast(y_pred, self.dtype) if self._is_typed and y_pred.dtype.is_floating else y_pred
        )

    def _reduced(self, values, weights):
        # A loss of Keras that hands its values on, for Keras's own rules of reduction.
        dtype = keras.backend.standardize_dtype(values.dtype)
        reduction = _Reduction(name="reduction", reduction=self.reduction, dtype=dtype)
        return reduction(values, values, weights)


class _Reduction(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return y_pred
