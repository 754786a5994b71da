"""PNG and JPEG files decoded by TensorFlow's own operations, eagerly or in a saved graph.

Pictures come from anybody. Everything that a decoder would allocate by is read from the header and
compared with the limits here before it decodes.
"""

import dataclasses

import tensorflow as tf

from tf_softras.pictures._checks import require
from tf_softras.pictures._orientation import upright

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
# Each scan of a progressive JPEG costs a pass over all pixels, and may be a few bytes long.
MAX_JPEG_SCANS = 64
_JPEG_SCAN = b"\xff\xda"
_PNG_DATA, _PNG_TRANSPARENCY = b"IDAT", b"tRNS"
# Signature, length and name of IHDR, width, height, bit depth, colour type.
_PNG_HEADER_BYTES = 26
_PNG_ALPHA_TYPES = (4, 6)


@dataclasses.dataclass(frozen=True)
class PictureLimits:
    """The largest picture that is decoded.

    Attributes:
        num_bytes: The size of the file.
        side: Height and width, pixels.
        pixels: Height times width.
    """

    num_bytes: int
    side: int
    pixels: int

    def conditions(self, name: str, height, width):
        """Returns what `require` checks of a size that a header claims."""
        size = tf.stack([height, width])
        sides_fit = tf.reduce_all((size >= 1) & (size <= self.side))
        return (
            (
                # A product of sides that do not fit might overflow.
                sides_fit & (height * width <= self.pixels),
                f"{name}: expected sides of 1 to {self.side} and at most {self.pixels} pixels; "
                "received height and width:",
                size,
            ),
        )


def decoded(name: str, content, limits: PictureLimits):
    """Returns uint8 `[height, width, 4]` of a PNG or JPEG file, upright; alpha 255 without alpha.

    Args:
        name: The file's name, for messages.
        content: string scalar.
        limits: The limits of the file and of the picture.

    Raises:
        PictureError: Called eagerly, the file is another kind, or beyond the limits.
        tf.errors.InvalidArgumentError: The file is damaged; in a graph, any of these.
    """
    # Long enough that no slice is out of range.
    header = tf.strings.substr(tf.strings.join([content, b"\0" * 32]), 0, _PNG_HEADER_BYTES)
    is_png = tf.strings.substr(header, 0, len(PNG)) == PNG
    is_jpeg = tf.strings.substr(header, 0, len(JPEG)) == JPEG
    length = tf.strings.length(content)
    content = require(
        content,
        (
            length <= limits.num_bytes,
            f"{name}: expected at most {limits.num_bytes} bytes; received:",
            length,
        ),
        (
            is_png | is_jpeg,
            f"{name}: expected a PNG or JPEG file; received another kind, its bytes:",
            length,
        ),
    )
    picture = tf.cond(
        is_png,
        lambda: _decoded_png(name, content, header, limits),
        lambda: _decoded_jpeg(name, content, limits),
    )
    return upright(picture, content)


def _decoded_png(name: str, content, header, limits: PictureLimits):
    values = tf.cast(tf.io.decode_raw(header, tf.uint8), tf.int64)
    width, height = (
        tf.reduce_sum(values[start : start + 4] * [2**24, 2**16, 2**8, 1]) for start in (16, 20)
    )
    is_header = tf.strings.substr(header, 12, 4) == b"IHDR"
    content = require(
        content,
        (
            is_header,
            f"{name}: expected a whole PNG file; received one without a header, its bytes:",
            tf.strings.length(content),
        ),
        *limits.conditions(name, height, width),
    )
    picture = tf.io.decode_png(content, channels=4)
    # Below 8 bits TensorFlow fills a missing alpha channel with 1, 3 or 15.
    in_front = tf.strings.split(content, _PNG_DATA, maxsplit=1)[0]
    has_alpha = tf.reduce_any(values[25] == _PNG_ALPHA_TYPES) | (
        _count(in_front, _PNG_TRANSPARENCY) > 0
    )
    return tf.cond(has_alpha, lambda: picture, lambda: _opaque(picture[..., :3]))


def _decoded_jpeg(name: str, content, limits: PictureLimits):
    scans = _count(content, _JPEG_SCAN)
    content = require(
        content,
        (
            scans <= MAX_JPEG_SCANS,
            f"{name}: expected a JPEG of at most {MAX_JPEG_SCANS} scans; received:",
            scans,
        ),
    )
    shape = tf.io.extract_jpeg_shape(content, output_type=tf.int64)
    content = require(content, *limits.conditions(name, shape[0], shape[1]))
    colors = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
    return _opaque(colors)


def _count(content, mark: bytes):
    return tf.size(tf.strings.split(content, mark)) - 1


def _opaque(colors):
    return tf.concat([colors, 255 * tf.ones_like(colors[..., :1])], axis=-1)
