"""Reads an image size: an int or (height, width)."""

import operator


def standardize_image_size(image_size):
    """(height, width) from an int or a pair.

    Raises:
        ValueError: it is neither, or a side is less than 1.
    """
    try:
        sides = image_size if isinstance(image_size, (tuple, list)) else (image_size, image_size)
        height, width = (operator.index(side) for side in sides)
    except (TypeError, ValueError):
        height = width = 0
    # The ops take 64 bits, and say which sizes are too large.
    if not (1 <= height < 2**63 and 1 <= width < 2**63):
        raise ValueError(
            "Invalid image_size. Expected a positive int or (height, width) of positive ints. "
            f"Received: image_size={image_size!r}"
        )
    return height, width
