"""Pictures that nobody sends who means well: (picture, mask, words of the refusal) by name."""

import io
import struct
import zlib

import numpy as np
import PIL.Image


def png(array, **options):
    file = io.BytesIO()
    PIL.Image.fromarray(array).save(file, format="PNG", **options)
    return file.getvalue()


def jpeg(array, **options):
    file = io.BytesIO()
    PIL.Image.fromarray(array).save(file, format="JPEG", **options)
    return file.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_claiming(width, height, data=b"\0" * 8):
    """A PNG whose header claims a size, of whatever it goes on with."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def jpeg_claiming(width, height):
    """A JPEG whose frame header claims a size that its data has not."""
    content = bytearray(JPEG)
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def jpeg_of_scans(count):
    """A progressive JPEG with the last scan again and again."""
    content = jpeg(CUT_OUT[..., :3], progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * count + content[-2:]


CUT_OUT = np.zeros((40, 60, 4), np.uint8)
CUT_OUT[10:30, 20:50] = (200, 100, 50, 255)
PNG = png(CUT_OUT)
JPEG = jpeg(CUT_OUT[..., :3])
MASK = png(CUT_OUT[..., 3])
# 4 GB of nothing in 4 MB; told by its header alone.
BOMB = png_claiming(32000, 32000, zlib.compress(b"\0" * 4_000_000))

HOSTILE = {
    "nothing": (b"", b"", "image_bytes: expected a PNG or JPEG file"),
    "one byte": (b"\x89", b"", "image_bytes: expected a PNG or JPEG file"),
    "text": (b"v 0 0 0\n" * 9, b"", "image_bytes: expected a PNG or JPEG file"),
    "GIF": (b"GIF89a" + b"\0" * 50, b"", "image_bytes: expected a PNG or JPEG file"),
    "BMP": (b"BM" + b"\0" * 50, b"", "image_bytes: expected a PNG or JPEG file"),
    "too many bytes": (b"\0" * (32 * 2**20 + 1), b"", "expected at most 33554432 bytes"),
    "signature alone": (PNG[:8], b"", "without a header"),
    "PNG header alone": (PNG[:33], b"", "PNG"),
    "half a PNG": (PNG[: len(PNG) // 2], b"", "PNG"),
    "PNG with damaged data": (PNG[:60] + b"????" + PNG[64:], b"", "PNG"),
    "PNG with a damaged header": (PNG[:12] + b"JHDR" + PNG[16:], b"", "without a header"),
    "half a JPEG": (JPEG[: len(JPEG) // 2], MASK, "JPEG"),
    "JPEG start alone": (JPEG[:4], MASK, "JPEG"),
    "JPEG of garbage": (b"\xff\xd8\xff" + b"\x55" * 300, MASK, "JPEG"),
    "bomb": (BOMB, b"", "expected sides of 1 to 8192"),
    "PNG too wide": (png_claiming(8193, 1), b"", "expected sides of 1 to 8192"),
    "PNG too large": (png_claiming(4097, 4097), b"", "at most 16777216"),
    "PNG beyond int32": (png_claiming(2**32 - 1, 2**32 - 1), b"", "expected sides of 1 to 8192"),
    "PNG of no width": (png_claiming(0, 10), b"", "expected sides of 1 to 8192"),
    "PNG larger than its data": (png_claiming(4096, 4096), b"", "PNG"),
    "JPEG too wide": (jpeg_claiming(60000, 60000), MASK, "expected sides of 1 to 8192"),
    "JPEG too large": (jpeg_claiming(8000, 8000), MASK, "at most 16777216"),
    "JPEG of many scans": (jpeg_of_scans(100), MASK, "at most 64 scans"),
    "no alpha": (png(CUT_OUT[..., :3]), b"", "opaque everywhere"),
    "JPEG without a mask": (JPEG, b"", "opaque everywhere"),
    "nothing to see": (png(0 * CUT_OUT), b"", "no pixel is more than half opaque"),
    "half opaque": (png(CUT_OUT // 2), b"", "no pixel is more than half opaque"),
    "empty mask": (JPEG, png(0 * CUT_OUT[..., 3]), "no pixel is more than half opaque"),
    "mask of another size": (
        JPEG,
        png(CUT_OUT[:30, :, 3]),
        "expected height and width of the picture",
    ),
    "mask of text": (JPEG, b"mask", "mask_bytes: expected a PNG or JPEG file"),
    "mask that is a bomb": (PNG, BOMB, "mask_bytes: expected sides"),
}
