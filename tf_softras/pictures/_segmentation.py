"""An object cut out of a photograph by a box around it: GrabCut."""

import importlib

import numpy as np
import PIL.Image
from scipy import ndimage

from tf_softras.pictures._checks import PictureError

# GrabCut sees pictures reduced to this side: its time grows with the pixels, and the mask of a
# network's picture needs a tenth of them.
_SEGMENTED_SIDE = 480
_ROUNDS = 5


def segmented(colors: np.ndarray, box) -> np.ndarray:
    """Returns uint8 `[height, width]`: the mask of the object that GrabCut finds in a box.

    Args:
        colors: uint8 `[height, width, 3]`.
        box: (left, top, right, bottom), pixels.

    Raises:
        PictureError: The box is not in the picture, or nothing in it stands out.
        ImportError: The extra `segment` (OpenCV) is not installed.

    Source: Rother et al. 2004, "GrabCut"; OpenCV's implementation.
    """
    picture = PIL.Image.fromarray(colors)
    left, top, right, bottom = _checked_box(box, picture.size)
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as error:
        raise ImportError(
            "Cutting an object out by a box needs OpenCV: pip install 'tf-softras[segment]'"
        ) from error
    factor = max(1.0, max(picture.size) / _SEGMENTED_SIDE)
    size = [max(1, round(side / factor)) for side in picture.size]
    small = np.asarray(picture.resize(size, PIL.Image.Resampling.BOX))
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    rows = slice(int(top / factor), max(int(top / factor) + 1, int(bottom / factor)))
    columns = slice(int(left / factor), max(int(left / factor) + 1, int(right / factor)))
    labels[rows, columns] = cv2.GC_PR_FGD
    cv2.setRNGSeed(0)  # Its clusters of colours begin at random.
    models = np.zeros((1, 65)), np.zeros((1, 65))
    # OpenCV has blue first; a copy, because it wants rows without gaps.
    bgr = np.ascontiguousarray(small[..., ::-1])
    cv2.grabCut(bgr, labels, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    parts, count = ndimage.label((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))
    if not count:
        raise PictureError(
            "box: expected colours in it that are rare outside of it; received none. Give a mask "
            "instead"
        )
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    mask = PIL.Image.fromarray(np.uint8(255 * largest))
    return np.asarray(mask.resize(picture.size, PIL.Image.Resampling.BILINEAR))


def _checked_box(box, size) -> tuple[int, int, int, int]:
    width, height = size
    if np.shape(box) != (4,):
        raise PictureError(f"box: expected (left, top, right, bottom) in pixels; received {box!r}")
    left, top, right, bottom = box
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise PictureError(
            f"box: expected 0 <= left < right <= {width} and 0 <= top < bottom <= {height}; "
            f"received {tuple(box)}"
        )
    if (right - left) * (bottom - top) == width * height:
        raise PictureError(
            f"box: expected some background outside of it; received the whole picture, {tuple(box)}"
        )
    return left, top, right, bottom
