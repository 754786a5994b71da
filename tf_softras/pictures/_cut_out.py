"""An object cut out of its picture: by the picture's alpha, or by a mask."""

import tensorflow as tf

from tf_softras.pictures._checks import require

OPAQUE = 127
"""A pixel belongs to the object if its alpha is above this: more than half opaque."""


def with_alpha(name: str, picture, alpha, *, is_own):
    """Returns uint8 `[height, width, 4]`: a picture's colours with the alpha that shows its object.

    Args:
        name: The name of the picture, and of its mask if there is one, for messages.
        picture: uint8 `[height, width, 4]`.
        alpha: uint8 `[height, width]`.
        is_own: Whether it is the picture's own, which must not be opaque everywhere.

    Raises:
        As `require`: Nothing is the object; or, without a mask, everything.
    """
    alpha = require(
        alpha,
        (
            tf.logical_not(is_own) | (tf.reduce_min(alpha) <= OPAQUE),
            f"{name}: expected an alpha channel that cuts the object out, a mask beside it or a "
            "box around the object; received a picture that is opaque everywhere, height and "
            "width:",
            tf.shape(alpha),
        ),
        (
            tf.reduce_max(alpha) > OPAQUE,
            f"{name}: expected a mask with an object in it; received an empty one: no pixel is "
            "more than half opaque; the most opaque one has:",
            tf.reduce_max(alpha),
        ),
    )
    return tf.concat([picture[..., :3], alpha[..., None]], axis=-1)


def alpha_of_mask(name: str, mask, picture):
    """Returns uint8 `[height, width]`: the grey values of a mask, on black where transparent.

    Args:
        name: The mask's name, for messages.
        mask: uint8 `[height, width, 4]`, straight colours and alpha.
        picture: uint8 `[height, width, 4]`, whose size the mask must have.
    """
    sizes = tf.stack([tf.shape(mask)[:2], tf.shape(picture)[:2]])
    mask = require(
        mask,
        (
            tf.reduce_all(sizes[0] == sizes[1]),
            f"{name}: expected height and width of the picture; received those of the mask and of "
            "the picture:",
            sizes,
        ),
    )
    # Luma of ITU-R BT.601 in 16 bits, of one channel at a time: four of int32 would be large.
    alpha = tf.cast(mask[..., 3], tf.int32)
    weights = zip(range(3), (19595, 38470, 7471), strict=True)
    luma = sum(weight * tf.cast(mask[..., channel], tf.int32) for channel, weight in weights)
    grey = tf.bitwise.right_shift(luma + 0x8000, 16)
    on_black = (2 * grey * alpha + 255) // 510  # Rounded to the nearest.
    return tf.cast(on_black, tf.uint8)
