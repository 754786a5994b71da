"""The images that a reconstructor is asked with, checked before a network sees them."""

import keras
import numpy as np

# Images may leave [0, 1] by this much, because scaling in float32 rounds.
RANGE_SLACK = 0.01
_CHANNELS = 4


def standardize_images(images, *, image_size: int | None) -> np.ndarray:
    """Returns images as float32 `[batch, height, width, 4]`, after checking them.

    Args:
        images: Floats in [0, 1]; see `Reconstructor.reconstruct`.
        image_size: Their height and width; None if any will do.

    Raises:
        ValueError: Another type or shape, or values that are not finite or outside [0, 1].
    """
    side = "height, width" if image_size is None else f"{image_size}, {image_size}"
    expected = f"images: expected floats in [0, 1] of shape [batch, {side}, {_CHANNELS}]"
    try:
        array = np.asarray(images)
    except ValueError as error:
        raise ValueError(f"{expected}; received images of several shapes") from error
    received = f"{array.dtype} {list(array.shape)}"
    if not keras.backend.is_float_dtype(array.dtype.name):
        hint = ". Divide uint8 by 255" if array.dtype.kind in "iu" else ""
        raise ValueError(f"{expected}; received {received}{hint}")
    sides = array.shape[1:3] if image_size is None else (image_size, image_size)
    if array.ndim != 4 or array.shape[1:] != (*sides, _CHANNELS):
        raise ValueError(f"{expected}; received {received}")
    array = array.astype(np.float32, copy=False)
    low, high = array.min(initial=0.0), array.max(initial=1.0)
    # If any value is NaN, so are the least and the largest.
    if not (np.isfinite(low) and np.isfinite(high)):
        count = np.count_nonzero(~np.isfinite(array))
        raise ValueError(f"{expected}; received {count} of {array.size} values that are not finite")
    if low < -RANGE_SLACK or high > 1.0 + RANGE_SLACK:
        hint = ". Divide values of 0 to 255 by 255" if low >= 0.0 else ""
        raise ValueError(
            f"{expected}; received values from {array.min():.6g} to {array.max():.6g}{hint}"
        )
    return array
