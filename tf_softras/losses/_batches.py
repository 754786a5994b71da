"""Steps that the losses share: one value a batch item, in at least float32."""

import keras
from keras import ops


def at_least_float32(tensor):
    tensor = ops.convert_to_tensor(tensor)
    if keras.backend.standardize_dtype(tensor.dtype) == "float64":
        return tensor
    return ops.cast(tensor, "float32")


def check_grid_shapes(y_true, y_pred, *, grid_rank):
    """Raises ValueError unless both are [batch, ..., grid axes] of one shape."""
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    agree = len(shapes[0]) == len(shapes[1]) and all(
        a == b or a is None or b is None for a, b in zip(*shapes, strict=True)
    )
    if not agree or len(shapes[1]) < grid_rank + 1:
        raise ValueError(
            f"Invalid y_true and y_pred. Expected: one shape, [batch, ..., {grid_rank} axes of the "
            f"grid]. Received: {shapes[0]} and {shapes[1]}"
        )


def mean_of_middle_axes(values):
    rank = len(values.shape)
    return ops.mean(values, axis=tuple(range(1, rank))) if rank > 1 else values
