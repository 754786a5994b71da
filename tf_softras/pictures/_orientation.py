"""Turns pictures upright by the orientation that their files hold."""

import tensorflow as tf

# EXIF data begin so in a JPEG's APP1 segment and in a PNG's chunk.
_EXIF_MARKS = (b"Exif\0\0", b"eXIf")
_LITTLE_ENDIAN, _BIG_ENDIAN = b"II*\0", b"MM\0*"
# A JPEG segment holds no more.
_EXIF_BYTES = 2**16
_MOST_ENTRIES = 512
_ENTRY_BYTES = 12
_ORIENTATION_TAG = 0x0112
_SHORT = 3
_XMP_MARK = b"tiff:Orientation"
_UPRIGHT = 1


def upright(picture, content):
    """Returns a picture turned and mirrored by its file's orientation.

    Args:
        picture: `[height, width, channels]`, decoded from `content`.
        content: string scalar, a PNG or JPEG file.
    """
    orientation = _orientation(content)
    # EXIF 2.32, table of tag 274. A transposition, then mirroring.
    picture = tf.cond(orientation >= 5, lambda: tf.transpose(picture, [1, 0, 2]), lambda: picture)
    for axis, mirrored in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
        picture = tf.cond(
            tf.reduce_any(orientation == tf.constant(mirrored)),
            lambda picture=picture, axis=axis: tf.reverse(picture, [axis]),
            lambda picture=picture: picture,
        )
    return picture


def _orientation(content):
    """Returns the orientation, int32 scalar in [1, 8]: of EXIF, else of XMP, else 1 (upright)."""
    found = _from_xmp(content)
    for mark in _EXIF_MARKS:
        of_exif = _from_exif(_behind(content, mark))
        found = tf.where(of_exif > 0, of_exif, found)
    return tf.where((found >= 1) & (found <= 8), found, _UPRIGHT)


def _behind(content, mark: bytes):
    """Returns what follows the first occurrence of a mark; nothing where there is none."""
    pieces = tf.strings.split(content, mark, maxsplit=1)
    return tf.cond(tf.size(pieces) > 1, lambda: pieces[-1], lambda: tf.constant(b""))


def _from_xmp(content):
    """Returns the digit of tiff:Orientation="6" or <tiff:Orientation>6<; 0 where there is none."""
    behind = _behind(content, _XMP_MARK)
    is_attribute = tf.strings.substr(tf.strings.join([behind, "  "]), 0, 2) == b'="'
    text = tf.strings.substr(tf.strings.join([behind, "   "]), tf.where(is_attribute, 2, 1), 1)
    is_digit = tf.strings.regex_full_match(text, "[1-8]")
    return tf.strings.to_number(tf.where(is_digit, text, "0"), tf.int32)


def _from_exif(tiff):
    """Returns the orientation in the first directory of a TIFF block, 0 where there is none."""
    head = tf.strings.substr(tf.strings.join([tiff, "    "]), 0, 4)
    is_little = head == _LITTLE_ENDIAN
    is_block = is_little | (head == _BIG_ENDIAN)
    values = tf.cast(tf.io.decode_raw(tiff, tf.uint8, fixed_length=_EXIF_BYTES), tf.int64)

    def number(at, size: int):
        """Returns the numbers of `size` bytes that begin at places, int64 as `at`."""
        places = tf.minimum(at[..., None] + tf.range(size, dtype=tf.int64), _EXIF_BYTES - 1)
        weights = 256 ** tf.range(size, dtype=tf.int64)
        weights = tf.where(is_little, weights, weights[::-1])
        return tf.reduce_sum(tf.gather(values, places) * weights, axis=-1)

    start = number(tf.constant(4, tf.int64), 4)
    count = tf.minimum(number(start, 2), _MOST_ENTRIES)
    entries = start + 2 + _ENTRY_BYTES * tf.range(count)
    is_orientation = (
        (number(entries, 2) == _ORIENTATION_TAG)
        & (number(entries + 2, 2) == _SHORT)
        & (entries + _ENTRY_BYTES <= _EXIF_BYTES)
    )
    found = tf.reduce_max(tf.where(is_orientation, number(entries + 8, 2), 0), axis=0)
    # Without entries the maximum is the smallest integer.
    return tf.cast(tf.where(is_block & (found > 0), found, 0), tf.int32)
