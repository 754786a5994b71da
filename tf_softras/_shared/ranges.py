"""Numbers that have to lie in a range, wherever their values are known."""

import numpy as np


def known_array(value):
    """Returns numbers, arrays and eager tensors as a NumPy array; None for symbolic tensors."""
    try:
        return np.asarray(value)
    except (NotImplementedError, TypeError, ValueError):
        # A symbolic tensor: TensorFlow raises the first of them, Keras the others.
        return None


def check_between(name, value, low, high, expected):
    """Checks that known values lie between two bounds, both exclusive.

    Numbers, arrays and eager tensors are known. Symbolic tensors are not, and pass.

    Args:
        name: the argument's name, for the error.
        value: numbers of any shape.
        low: the lower bound.
        high: the upper bound.
        expected: what is expected, for the error.

    Raises:
        ValueError: `value` is known, and it is not numeric or leaves the range. NaN leaves it.
    """
    known = known_array(value)
    if known is None:
        return
    # bfloat16 is of kind V.
    if known.dtype.kind not in "iufV":
        raise ValueError(f"{name}: expected {expected}; received {value!r}")
    known = known.astype(np.float64)
    is_inside = (known > low) & (known < high)
    if not is_inside.all():
        raise ValueError(f"{name}: expected {expected}; received {known[~is_inside].flat[0]}")
