"""Arrays in a configuration, as a short text: a model's error messages print all of it."""

import base64
import math
import re
import zlib

import numpy as np

_FORM = re.compile(r"(int32|float32)\[(\d{1,12}(?:, \d{1,12}){0,3})\] ([!-~]*)")
# zlib makes at most 1032 bytes of one.
_MOST_BYTES_A_CHARACTER = 1032


def array_to_text(array):
    """Returns a printable text of an int32 or float32 array; `array_from_text` reads it.

    The text is the type, the shape, and base 85 of zlib of the array's bytes. The bytes are laid
    out column by column and by significance, which halves what zlib makes of indices.

    Args:
        array: NumPy array, int32 or float32, of 1 to 4 axes.
    """
    array = np.asarray(array)
    columns = np.ascontiguousarray(np.moveaxis(array, -1, 0)).astype(array.dtype.newbyteorder("<"))
    planes = columns.reshape(-1).view(np.uint8).reshape(-1, 4).T.tobytes()
    payload = base64.b85encode(zlib.compress(planes, 9)).decode("ascii")
    return f"{array.dtype.name}[{', '.join(map(str, array.shape))}] {payload}"


def array_from_text(text):
    """Returns the array that `array_to_text` wrote.

    Raises:
        ValueError: The text is no such text, or its bytes do not fill the shape.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(_message(text))
    dtype, shape = np.dtype(match[1]), tuple(map(int, match[2].split(", ")))
    size = 4 * math.prod(shape)
    if size > _MOST_BYTES_A_CHARACTER * len(match[3]):
        raise ValueError(_message(text))
    try:
        inflater = zlib.decompressobj()
        planes = inflater.decompress(base64.b85decode(match[3]), size + 1)
    except (ValueError, zlib.error) as error:
        raise ValueError(_message(text)) from error
    if len(planes) != size or not inflater.eof:
        raise ValueError(_message(text))
    values = np.frombuffer(planes, np.uint8).reshape(4, -1).T.copy().view(dtype.newbyteorder("<"))
    columns = values.reshape(shape[-1:] + shape[:-1]).astype(dtype)
    return np.ascontiguousarray(np.moveaxis(columns, 0, -1))


def _message(text):
    return (
        "text of an array: expected type, shape and compressed values, as get_config "
        f"writes them; received {text[:40]!r}, {len(text)} characters"
    )
