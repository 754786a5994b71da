"""Reads an image size: an int or (height, width)."""

import operator


def standardize_image_size(image_size):
    """Returns (height, width) from an int or a pair of ints: a tuple, list, array or shape.

    Raises:
        ValueError: it is neither, or a side is less than 1.
    """
    try:
        height, width = (_side(side) for side in _sides(image_size))
    except (TypeError, ValueError):
        height = width = 0
    # The ops take 64 bits, and say which sizes are too large.
    if not (1 <= height < 2**63 and 1 <= width < 2**63):
        raise ValueError(
            "image_size: expected a positive int or (height, width) of positive ints; "
            f"received {image_size!r}"
        )
    return height, width


def _sides(image_size):
    if isinstance(image_size, (set, frozenset, dict, str, bytes)):
        raise TypeError("no order of height and width")
    # An array without axes is a number, and says so only when it is iterated over.
    is_pair = hasattr(image_size, "__iter__") and getattr(image_size, "ndim", 1) > 0
    return tuple(image_size) if is_pair else (image_size, image_size)


def _side(side):
    if isinstance(side, bool):
        raise TypeError("True is not 1 here")
    return operator.index(side)
