"""PNG and JPEG bytes to what the network sees, in TensorFlow's own operations.

The twin of `tf_softras.pictures`: `read_picture` and `frame_object` as a graph that a stock server
runs, to the same bytes. Pillow resizes in integers, so the same integers come out of TensorFlow's;
`tests/export/test_picture_graph.py` compares them.

Pictures come from anybody. Everything that a decoder would allocate by is read from the header and
compared with the limits here before it decodes.
"""

import numpy as np
import tensorflow as tf

from tf_softras.export._checks import require
from tf_softras.pictures import OBJECT_SHARE, OPAQUE, WORKING_SIDE

MAX_PICTURE_BYTES = 32 * 2**20
MAX_PICTURE_SIDE = 8192
MAX_PICTURE_PIXELS = 4096 * 4096
# Of a progressive JPEG: each scan costs a pass over all pixels, and may be a few bytes long.
MAX_JPEG_SCANS = 64

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JPEG_SCAN = b"\xff\xda"
_PNG_DATA, _PNG_TRANSPARENCY = b"IDAT", b"tRNS"
# Signature, length and name of IHDR, width, height, bit depth, colour type.
_PNG_HEADER_BYTES = 26
_PNG_ALPHA_TYPES = (4, 6)

_LEVELS = np.arange(256, dtype=np.float32) / np.float32(255.0)

# Pillow's resampling in 8 bits: the binary digits of a weight.
_WEIGHT_BITS = 22


def framed_images(image_bytes, mask_bytes, *, image_size: int):
    """Returns float32 `[batch, image_size, image_size, 4]` in [0, 1], as the network sees them.

    An input that is not as below is an INVALID_ARGUMENT.

    Args:
        image_bytes: string `[batch]`, PNG or JPEG files.
        mask_bytes: string `[batch]`, PNG or JPEG files of the pictures' sizes, white where the
            object is; or empty, where the picture's own alpha channel tells.
        image_size: Height and width of the result.
    """

    def one(strings):
        picture = read_picture(strings[0], strings[1])
        framed = frame_object(picture, image_size=image_size)
        # Not a division by 255: TensorFlow would make it a multiplication, which rounds otherwise.
        return tf.gather(_LEVELS, tf.cast(framed, tf.int32))

    return tf.map_fn(
        one,
        tf.stack([image_bytes, mask_bytes], axis=1),
        # One at a time: a large picture takes hundreds of megabytes on its way.
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec([image_size, image_size, 4], tf.float32),
    )


def read_picture(image_bytes, mask_bytes):
    """Returns uint8 `[height, width, 4]`, straight colours and the alpha that shows the object.

    `tf_softras.pictures.read_picture` of a file's content, but that a picture which a camera stored
    turned stays turned.

    Args:
        image_bytes: string scalar, a PNG or JPEG file.
        mask_bytes: string scalar: a PNG or JPEG file of the same size, or empty.
    """
    picture = _decoded("image_bytes", image_bytes)
    has_mask = tf.strings.length(mask_bytes) > 0
    alpha = tf.cond(
        has_mask,
        lambda: _mask(mask_bytes, size=tf.shape(picture)[:2]),
        lambda: picture[..., 3],
    )
    alpha = require(
        alpha,
        (
            has_mask | (tf.reduce_min(alpha) <= OPAQUE),
            "image_bytes: expected an alpha channel that cuts the object out, or mask_bytes; "
            "received no mask and a picture that is opaque everywhere, of height and width:",
            tf.shape(alpha),
        ),
        (
            tf.reduce_max(alpha) > OPAQUE,
            "image_bytes, mask_bytes: expected a mask with an object in it, received an empty one: "
            "no pixel is more than half opaque; the most is:",
            tf.reduce_max(alpha),
        ),
    )
    return tf.concat([picture[..., :3], alpha[..., None]], axis=-1)


def frame_object(picture, *, image_size: int, object_share: float = OBJECT_SHARE):
    """Returns uint8 `[image_size, image_size, 4]`: `tf_softras.pictures.frame_object` as a graph.

    Args:
        picture: uint8 `[height, width, 4]`, straight colours and alpha, some of it above OPAQUE.
        image_size: Height and width of the result.
        object_share: In (0, 1].
    """
    top, bottom = _extent(picture[..., 3], axis=1)
    left, right = _extent(picture[..., 3], axis=0)
    # Pairs are of column and row.
    side = tf.cast(tf.maximum(bottom - top, right - left), tf.float64) / object_share
    centre = tf.cast(tf.stack([left + right, top + bottom]), tf.float64) / 2.0
    low = tf.cast(tf.floor(centre - side / 2.0), tf.int32)
    high = tf.cast(tf.math.ceil(centre + side / 2.0), tf.int32)
    factor = tf.maximum(1, tf.cast(side, tf.int32) // WORKING_SIDE)
    high = low + -(-(high - low) // factor) * factor
    # The part of the square that is in the picture, cut at multiples of the factor.
    size = tf.stack([tf.shape(picture)[1], tf.shape(picture)[0]])
    first = low + tf.maximum(-low, 0) // factor * factor
    last = high - tf.maximum(high - size, 0) // factor * factor
    begin, end = tf.maximum(first, 0), tf.minimum(last, size)
    part = picture[begin[1] : end[1], begin[0] : end[0]]
    missing = tf.stack([begin - first, last - end], axis=1)  # [column and row, before and after]
    part = tf.pad(part, tf.stack([missing[1], missing[0], [0, 0]]))
    part = tf.cond(factor > 1, lambda: _reduced(part, factor), lambda: part)
    return _resized(
        part,
        offset=(first - low) // factor,
        square=(high - low) // factor,
        box_low=(centre - side / 2.0 - tf.cast(low, tf.float64)) / tf.cast(factor, tf.float64),
        box_high=(centre + side / 2.0 - tf.cast(low, tf.float64)) / tf.cast(factor, tf.float64),
        enlarging=side / tf.cast(factor, tf.float64) < image_size,
        image_size=image_size,
    )


def _decoded(name: str, content):
    """Returns uint8 `[height, width, 4]` of a PNG or JPEG file, alpha 255 where it has none."""
    # So long that no slice is out of range.
    header = tf.strings.substr(tf.strings.join([content, b"\0" * 32]), 0, _PNG_HEADER_BYTES)
    is_png = tf.strings.substr(header, 0, len(_PNG)) == _PNG
    is_jpeg = tf.strings.substr(header, 0, len(_JPEG)) == _JPEG
    length = tf.strings.length(content)
    content = require(
        content,
        (
            length <= MAX_PICTURE_BYTES,
            f"{name}: expected at most {MAX_PICTURE_BYTES} bytes, received:",
            length,
        ),
        (
            is_png | is_jpeg,
            f"{name}: expected a PNG or JPEG file, received another kind, its bytes:",
            length,
        ),
    )
    return tf.cond(
        is_png, lambda: _decoded_png(name, content, header), lambda: _decoded_jpeg(name, content)
    )


def _decoded_png(name: str, content, header):
    values = tf.cast(tf.io.decode_raw(header, tf.uint8), tf.int64)
    width, height = (
        tf.reduce_sum(values[start : start + 4] * [2**24, 2**16, 2**8, 1]) for start in (16, 20)
    )
    is_header = tf.strings.substr(header, 12, 4) == b"IHDR"
    content = require(
        content,
        (
            is_header,
            f"{name}: expected a PNG file, received one without a header, its bytes:",
            tf.strings.length(content),
        ),
        *_within_limits(name, height, width),
    )
    picture = tf.io.decode_png(content, channels=4)
    # Below 8 bits TensorFlow fills a missing alpha channel with 1, 3 or 15.
    in_front = tf.strings.split(content, _PNG_DATA, maxsplit=1)[0]
    has_alpha = tf.reduce_any(values[25] == _PNG_ALPHA_TYPES) | (
        _count(in_front, _PNG_TRANSPARENCY) > 0
    )
    return tf.cond(has_alpha, lambda: picture, lambda: _opaque(picture[..., :3]))


def _decoded_jpeg(name: str, content):
    scans = _count(content, _JPEG_SCAN)
    content = require(
        content,
        (
            scans <= MAX_JPEG_SCANS,
            f"{name}: expected a JPEG of at most {MAX_JPEG_SCANS} scans, received:",
            scans,
        ),
    )
    shape = tf.io.extract_jpeg_shape(content, output_type=tf.int64)
    content = require(content, *_within_limits(name, shape[0], shape[1]))
    # The cosine transform that Pillow takes.
    colors = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
    return _opaque(colors)


def _count(content, mark: bytes):
    return tf.size(tf.strings.split(content, mark)) - 1


def _opaque(colors):
    return tf.concat([colors, 255 * tf.ones_like(colors[..., :1])], axis=-1)


def _within_limits(name: str, height, width):
    """Returns the conditions on a size that a header claims."""
    size = tf.stack([height, width])
    sides_fit = tf.reduce_all((size >= 1) & (size <= MAX_PICTURE_SIDE))
    return (
        (
            # A product of sides that do not fit might overflow.
            sides_fit & (height * width <= MAX_PICTURE_PIXELS),
            f"{name}: expected sides of 1 to {MAX_PICTURE_SIDE} and at most {MAX_PICTURE_PIXELS} "
            "pixels, received height and width:",
            size,
        ),
    )


def _mask(content, *, size):
    """Returns uint8 `[height, width]`: the grey values of a mask, on black where transparent."""
    mask = _decoded("mask_bytes", content)
    mask = require(
        mask,
        (
            tf.reduce_all(tf.shape(mask)[:2] == size),
            "mask_bytes: expected height and width of the picture, received beside them:",
            tf.concat([size, tf.shape(mask)[:2]], axis=0),
        ),
    )
    # Pillow's alpha_composite on opaque black, then its convert("L"); a channel at a time, as four
    # of int32 would be large.
    alpha = tf.cast(mask[..., 3], tf.int32)

    def on_black(channel):
        value = tf.cast(mask[..., channel], tf.int32) * (alpha * 128) + 0x80 * 128
        return tf.where(alpha == 0, 0, _shift(_shift(value, 8) + value, 15))

    grey = 19595 * on_black(0) + 38470 * on_black(1) + 7471 * on_black(2)
    return tf.cast(_shift(grey + 0x8000, 16), tf.uint8)


def _extent(alpha, *, axis: int):
    """Returns the first row or column with an opaque pixel, and the one behind the last."""
    inside = tf.where(tf.reduce_max(alpha, axis=axis) > OPAQUE)
    return tf.cast(inside[0, 0], tf.int32), tf.cast(inside[-1, 0], tf.int32) + 1


def _reduced(part, factor):
    """Returns `part` with `factor` x `factor` pixels averaged to one, as Pillow's `reduce`."""
    rows, columns = tf.shape(part)[0] // factor, tf.shape(part)[1] // factor
    blocks = tf.reshape(_premultiplied(part), [rows, factor, columns, factor, 4])
    # uint16 holds 16 x 16 of them; MAX_PICTURE_SIDE keeps the factor below.
    sums = tf.cast(tf.reduce_sum(blocks, axis=[1, 3]), tf.int64)
    count = tf.cast(factor * factor, tf.int64)
    mean = _shift((sums + count // 2) * (2**32 // (256 * count)), 24)
    return _straight(tf.cast(mean, tf.int32))


def _resized(part, *, offset, square, box_low, box_high, enlarging, image_size: int):
    """Returns uint8 `[image_size, image_size, 4]`: Pillow's `resize` of a square that holds `part`.

    Args:
        part: uint8 `[rows, columns, 4]`; beside it the square is transparent.
        offset: int `[2]`, column and row of the square where `part` begins.
        square: int `[2]`, sides of the square.
        box_low: float64 `[2]`, column and row where what is resized begins.
        box_high: float64 `[2]`, and ends.
        enlarging: bool scalar: whether to interpolate, or to average.
        image_size: Height and width of the result.
    """
    (column, column_weight), (row, row_weight) = (
        _windows(box_low[i], box_high[i], square[i], enlarging, image_size=image_size)
        for i in (0, 1)
    )
    # Across, then down, with 8 bits between.
    values = tf.transpose(_premultiplied(part), [1, 0, 2])
    values = tf.transpose(_weighted(values, column, column_weight, offset[0]), [1, 0, 2])
    values = _weighted(values, row, row_weight, offset[1])
    framed = _straight(values)
    return tf.where(framed[..., 3:] == 0, tf.zeros_like(framed), framed)


def _windows(low, high, size, enlarging, *, image_size: int):
    """Returns which pixels make one, along an axis, and their weights: int32 `[image_size, most]`.

    Weights have `_WEIGHT_BITS` binary digits. Places beyond the end of a window have weight 0.
    """
    # Pillow hands the box on in float32.
    low, high = tf.cast(low, tf.float32), tf.cast(high, tf.float32)
    scale = tf.cast(high - low, tf.float64) / image_size
    filter_scale = tf.maximum(scale, 1.0)
    support = tf.where(enlarging, tf.constant(1.0, tf.float64), 0.5) * filter_scale
    centre = tf.cast(low, tf.float64) + (tf.range(image_size, dtype=tf.float64) + 0.5) * scale
    first = tf.maximum(0, tf.cast(centre - support + 0.5, tf.int32))
    last = tf.minimum(size, tf.cast(centre + support + 0.5, tf.int32))
    place = first[:, None] + tf.range(tf.reduce_max(last - first))
    x = (tf.cast(place, tf.float64) - centre[:, None] + 0.5) / filter_scale
    box = tf.cast((x > -0.5) & (x <= 0.5), tf.float64)
    triangle = tf.nn.relu(1.0 - tf.abs(x))
    weight = tf.where(place < last[:, None], tf.where(enlarging, triangle, box), 0.0)
    total = tf.reduce_sum(weight, axis=1, keepdims=True)
    weight = weight / tf.where(total == 0.0, tf.ones_like(total), total)
    return place, tf.cast(0.5 + weight * 2**_WEIGHT_BITS, tf.int32)


def _weighted(values, place, weight, offset):
    """Returns int32 `[image_size, n, 4]`, weighted sums along the first axis in [0, 255].

    Args:
        values: integers `[length, n, 4]` in [0, 255].
        place: int32 `[image_size, most]`, places in the square.
        weight: int32 `[image_size, most]`.
        offset: Where in the square `values` begins; beside it all is 0.
    """
    length = tf.shape(values)[0]
    place = place - offset
    weight = tf.where((place >= 0) & (place < length), weight, 0)
    taken = tf.gather(values, tf.clip_by_value(place, 0, length - 1))
    # At most 255 x 2^22 and rounding: int32 holds it.
    total = tf.reduce_sum(tf.cast(taken, tf.int32) * weight[..., None, None], axis=1)
    return tf.clip_by_value(_shift(total + (1 << (_WEIGHT_BITS - 1)), _WEIGHT_BITS), 0, 255)


def _premultiplied(picture):
    """Returns uint16 `[..., 4]` in [0, 255]: colours times alpha, rounded as Pillow rounds."""
    picture = tf.cast(picture, tf.uint16)
    alpha = picture[..., 3:]
    product = picture[..., :3] * alpha + tf.constant(128, tf.uint16)
    return tf.concat([_shift(_shift(product, 8) + product, 8), alpha], axis=-1)


def _straight(picture):
    """Returns uint8 `[..., 4]`: int32 premultiplied colours divided by alpha, as Pillow does."""
    color, alpha = picture[..., :3], picture[..., 3:]
    straight = tf.minimum(255 * color // tf.maximum(alpha, 1), 255)
    straight = tf.where((alpha == 0) | (alpha == 255), color, straight)
    return tf.cast(tf.concat([straight, alpha], axis=-1), tf.uint8)


def _shift(value, bits: int):
    return tf.bitwise.right_shift(value, tf.constant(bits, value.dtype))
