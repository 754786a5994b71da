"""PNG and JPEG bytes to the images that a network sees, in a saved graph.

The functions are those of `tf_softras.pictures`, traced here: a server frames a picture as the
command line and the page do.
"""

import numpy as np
import tensorflow as tf

from tf_softras.pictures._cut_out import alpha_of_mask, with_alpha
from tf_softras.pictures._decoding import PictureLimits, decoded
from tf_softras.pictures._framing import framed

MAX_PICTURE_BYTES = 32 * 2**20
MAX_PICTURE_SIDE = 8192
MAX_PICTURE_PIXELS = 4096 * 4096

_LEVELS = np.arange(256, dtype=np.float32) / np.float32(255.0)


def picture_limits(max_pixels: int = MAX_PICTURE_PIXELS) -> PictureLimits:
    """Returns the limits of a served picture."""
    return PictureLimits(num_bytes=MAX_PICTURE_BYTES, side=MAX_PICTURE_SIDE, pixels=max_pixels)


def framed_images(image_bytes, mask_bytes, *, image_size: int, limits: PictureLimits):
    """Returns float32 `[batch, image_size, image_size, 4]` in [0, 1], as the network sees them.

    An input that is not as below is an INVALID_ARGUMENT.

    Args:
        image_bytes: string `[batch]`, PNG or JPEG files.
        mask_bytes: string `[batch]`, PNG or JPEG files of the pictures' sizes, white where the
            object is; or empty, where the picture's own alpha channel tells.
        image_size: Height and width of the result.
        limits: The limits of each file.
    """

    def one(strings):
        picture = framed(read_picture(strings[0], strings[1], limits), image_size=image_size)
        # Not a division by 255: TensorFlow would make it a multiplication, which rounds otherwise.
        return tf.gather(_LEVELS, tf.cast(picture, tf.int32))

    return tf.map_fn(
        one,
        tf.stack([image_bytes, mask_bytes], axis=1),
        # One at a time: a large picture takes hundreds of megabytes on its way.
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec([image_size, image_size, 4], tf.float32),
    )


def read_picture(image_bytes, mask_bytes, limits: PictureLimits):
    """Returns uint8 `[height, width, 4]`: `pictures.read_picture` of files' contents, as a graph.

    Args:
        image_bytes: string scalar, a PNG or JPEG file.
        mask_bytes: string scalar: a PNG or JPEG file of the same size, or empty.
        limits: The limits of each file.
    """
    picture = decoded("image_bytes", image_bytes, limits)
    has_mask = tf.strings.length(mask_bytes) > 0
    alpha = tf.cond(
        has_mask,
        lambda: alpha_of_mask("mask_bytes", decoded("mask_bytes", mask_bytes, limits), picture),
        lambda: picture[..., 3],
    )
    return with_alpha("image_bytes, mask_bytes", picture, alpha, is_own=tf.logical_not(has_mask))
