"""An object framed as the training renders frame it: one function for Python and saved graphs."""

import numbers

import numpy as np
import tensorflow as tf

from tf_softras.pictures._checks import PictureError, require
from tf_softras.pictures._cut_out import OPAQUE

# The share of the square picture that the longer side of an object's mask takes, in the middle: the
# median over views of 150 objects of all classes, rendered with N3MR's cameras. A quarter of the
# views lies below 0.55, a quarter above 0.72; masks are 2 % of the side below the centre.
OBJECT_SHARE = 0.64
"""The share of a framed picture's side that the longer side of the object takes."""


def frame_object(
    picture: np.ndarray, *, image_size: int = 64, object_share: float = OBJECT_SHARE
) -> np.ndarray:
    """Returns uint8 `[image_size, image_size, 4]`: the object centred and as large as in training.

    The box around the pixels that are more than half opaque comes to the middle, its longer side
    `object_share` of the picture's. The square is transparent where it reaches beyond the picture.
    Pixels are averaged with their alpha as weight, so the background's colour does not bleed in.

    Args:
        picture: uint8 `[height, width, 4]`: straight RGB and alpha, as `read_picture` returns it.
        image_size: Height and width of the result, pixels.
        object_share: In (0, 1].

    Raises:
        PictureError: The picture has another type or shape, or no pixel is more than half opaque.
        ValueError: `image_size` or `object_share` is out of range.

    Example:
    >>> import numpy as np
    >>> from tf_softras.pictures import frame_object
    >>> picture = np.zeros([300, 400, 4], np.uint8)
    >>> picture[100:200, 50:350] = (200, 40, 80, 255)
    >>> frame_object(picture)[32, 32]
    array([200,  40,  80, 255], dtype=uint8)
    """
    picture = _checked_picture(picture)
    is_size = isinstance(image_size, numbers.Integral) and not isinstance(image_size, bool)
    if not is_size or image_size < 1:
        raise ValueError(f"image_size: expected an int of at least 1; received {image_size!r}")
    if not 0.0 < object_share <= 1.0:
        raise ValueError(f"object_share: expected a number in (0, 1]; received {object_share!r}")
    return framed(tf.constant(picture), image_size=image_size, object_share=object_share).numpy()


def _checked_picture(picture) -> np.ndarray:
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 4:
        is_float = np.issubdtype(picture.dtype, np.floating)
        hint = ". Scale floats in [0, 1] by 255 and cast them" if is_float else ""
        raise PictureError(
            "picture: expected uint8 [height, width, 4], colours and alpha; received "
            f"{picture.dtype} {list(picture.shape)}{hint}"
        )
    return picture


def framed(picture, *, image_size: int, object_share: float = OBJECT_SHARE):
    """Returns `frame_object` of a tensor, in a graph too.

    Args:
        picture: uint8 `[height, width, 4]`, straight colours and alpha.
        image_size: Height and width of the result.
        object_share: In (0, 1].

    Raises:
        As `require`: No pixel is more than half opaque.
    """
    picture = require(
        picture,
        (
            tf.reduce_any(picture[..., 3] > OPAQUE),
            "picture: expected an alpha channel with an object in it; received an empty one: no "
            "pixel is more than half opaque, height and width:",
            tf.shape(picture)[:2],
        ),
    )
    # Pairs are (row, column).
    low, high = _box(picture[..., 3])
    side = tf.cast(tf.reduce_max(high - low), tf.float32) / object_share
    centre = tf.cast(low + high, tf.float32) / 2.0
    start = centre - side / 2.0
    scale = image_size / side
    # Whole pixels of the square, with those that the resampling kernel reaches beyond it. Pixels
    # outside of the picture are transparent.
    margin = tf.cast(tf.math.ceil(tf.maximum(1.0, 1.0 / scale)), tf.int32) + 1
    size = tf.shape(picture)[:2]
    first = tf.cast(tf.floor(start), tf.int32) - margin
    last = tf.cast(tf.math.ceil(start + side), tf.int32) + margin
    begin, end = tf.maximum(first, 0), tf.minimum(last, size)
    part = picture[begin[0] : end[0], begin[1] : end[1]]
    # At the picture's border one kernel's width of nothing is as good as all of it.
    before = tf.minimum(begin - first, margin)
    after = tf.minimum(last - end, margin)
    part = tf.pad(part, [[before[0], after[0]], [before[1], after[1]], [0, 0]])
    translation = -(start - tf.cast(begin - before, tf.float32)) * scale
    return _resampled(part, scale, translation, image_size=image_size)


def _box(alpha):
    """Returns int32 `[2]` twice: the first row and column of the object, and those behind it."""
    inside = tf.cast(alpha > OPAQUE, tf.float32)
    # A product: TensorFlow's reductions along rows are ten times as slow.
    counts = [
        tf.reduce_sum(inside, axis=1),
        tf.linalg.matvec(inside, tf.ones_like(inside[:, 0]), True),
    ]
    ends = []
    for count in counts:
        places = tf.where(count > 0)[:, 0]
        ends.append(tf.cast(tf.stack([places[0], places[-1] + 1]), tf.int32))
    return tf.unstack(tf.stack(ends, axis=1))


def _resampled(part, scale, translation, *, image_size: int):
    """Returns uint8 `[image_size, image_size, 4]`: means of pixels, weighted by their alpha.

    `tf.image.resize(antialias=True)` calls the same operation; here the square that is resampled
    may begin and end within a pixel.

    Args:
        part: uint8 `[rows, columns, 4]`, straight.
        scale: float32 scalar, result's pixels for each pixel of `part`.
        translation: float32 `[2]`, the result's row and column where `part` begins.
        image_size: Height and width of the result.
    """
    red, green, blue, alpha = tf.unstack(part, axis=-1)
    # Planes, because a product with alpha is faster so; exact in uint16: at most 255 * 255.
    alpha = tf.cast(alpha[None], tf.uint16)
    color = tf.cast(tf.stack([red, green, blue]), tf.uint16) * alpha

    def resized(planes, kernel: str):
        return tf.raw_ops.ScaleAndTranslate(
            images=planes[..., None],
            size=[image_size, image_size],
            scale=tf.repeat(scale, 2),
            translation=translation,
            kernel_type=kernel,
            antialias=True,
        )[..., 0]

    # A mean over pixels, as the renderer takes it over samples. Enlarging, it would show blocks.
    color, alpha = tf.cond(
        scale > 1.0,
        lambda: (resized(color, "triangle"), resized(alpha, "triangle")),
        lambda: (resized(color, "box"), resized(alpha, "box")),
    )
    straight = tf.math.divide_no_nan(color, alpha)
    straight = tf.where(tf.round(alpha) > 0.0, straight, 0.0)
    values = tf.transpose(tf.concat([straight, alpha], axis=0), [1, 2, 0])
    return tf.cast(tf.clip_by_value(tf.round(values), 0.0, 255.0), tf.uint8)
