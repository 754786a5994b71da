"""Pictures as PNG, for pages that hold them."""

import base64
import io

import numpy as np
import PIL.Image


def png_bytes(picture: np.ndarray) -> bytes:
    """Returns uint8 `[height, width, 3 or 4]` as a PNG file."""
    stream = io.BytesIO()
    PIL.Image.fromarray(picture).save(stream, format="PNG")
    return stream.getvalue()


def png_url(picture: np.ndarray) -> str:
    """Returns uint8 `[height, width, 3 or 4]` as the data URL of a PNG."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(picture)).decode()
