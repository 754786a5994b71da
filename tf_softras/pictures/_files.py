"""Picture files: PNG, JPEG, WebP, BMP, TIFF and GIF in, PNG out."""

import io
import pathlib
import warnings

import numpy as np
import PIL.Image
import PIL.ImageOps
import tensorflow as tf

from tf_softras._shared.files import replaced_whole
from tf_softras.pictures._checks import PictureError
from tf_softras.pictures._cut_out import alpha_of_mask, with_alpha
from tf_softras.pictures._decoding import JPEG, PNG, PictureLimits, decoded
from tf_softras.pictures._segmentation import segmented

# PNG and JPEG are decoded by TensorFlow, as in an exported network; these by Pillow.
_PILLOW_FORMATS = ("WEBP", "BMP", "TIFF", "GIF")
_MAX_BYTES = 256 * 2**20
# A JPEG has no longer ones.
_MAX_SIDE = 65535


def read_picture(path, *, mask_path=None, box=None, max_pixels: int = 50_000_000) -> np.ndarray:
    """Returns uint8 `[height, width, 4]`: straight sRGB colours and an alpha that shows an object.

    Alpha is the picture's own, or the grey values of the mask: white is the object, and transparent
    pixels of the mask count as black. With a box around the object, GrabCut finds the object: the
    largest connected part whose colours are rare outside of the box. A picture that a camera stored
    turned (EXIF) is turned back. Only the first of several frames is read.

    Args:
        path: A PNG, JPEG, WebP, BMP, TIFF or GIF file of at most 256 MiB, or its bytes.
        mask_path: None, or such a file of the picture's size, or its bytes. Without it the picture
            must have an alpha channel that is not opaque everywhere.
        box: None, or (left, top, right, bottom) in pixels of the upright picture, around the
            object, with some of the background inside and outside of it.
        max_pixels: The most pixels of either file; checked before they are decoded.

    Raises:
        PictureError: A file is missing, no picture, damaged or too large; the mask has another
            size; nothing is the object or, without a mask, everything; the box is none, or there
            is a mask beside it.
        ImportError: There is a box, and the extra `segment` (OpenCV) is not installed.
    """
    if box is not None and mask_path is not None:
        raise PictureError("box: expected a mask or a box around the object; received both")
    limits = PictureLimits(num_bytes=_MAX_BYTES, side=_MAX_SIDE, pixels=max_pixels)
    name = _name(path, "picture")
    picture = _read(path, name, limits)
    if mask_path is not None:
        name = _name(mask_path, "mask")
        alpha = alpha_of_mask(name, _read(mask_path, name, limits), picture)
    elif box is not None:
        alpha = segmented(picture[..., :3], box)
    else:
        alpha = picture[..., 3]
    is_own = mask_path is None and box is None
    return np.asarray(with_alpha(name, picture, alpha, is_own=is_own))


def write_picture(path, picture: np.ndarray) -> None:
    """Writes uint8 `[height, width, 3 or 4]` to a PNG file, whole or not at all.

    Raises:
        PictureError: The name does not end in .png.
        FileNotFoundError: The folder does not exist.
        OSError: The file cannot be written.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() != ".png":
        raise PictureError(
            f"'{path}': expected a name that ends in .png; received {path.suffix or 'no suffix'!r}"
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"'{path}': expected a folder that exists; received '{path.parent}'"
        )
    with replaced_whole(path) as written:
        PIL.Image.fromarray(picture).save(written, format="PNG")


def _name(path, what: str) -> str:
    """Returns a file's name for messages: its path in quotes, or its role if it has no path."""
    return what if isinstance(path, bytes) else f"'{path}'"


def _read(path, name: str, limits: PictureLimits) -> np.ndarray:
    """Returns uint8 `[height, width, 4]` of a file, upright."""
    content = _content(path, name, limits)
    if content.startswith((PNG, JPEG)):
        try:
            return decoded(name, tf.constant(content), limits).numpy()
        except tf.errors.OpError as error:
            raise PictureError(
                f"{name}: expected a whole picture; received a damaged one: "
                f"{_first_sentence(error.message)}"
            ) from error
    return _decoded_by_pillow(content, name, limits)


def _content(path, name: str, limits: PictureLimits) -> bytes:
    content = path
    if not isinstance(path, bytes):
        try:
            with pathlib.Path(path).open("rb") as file:
                content = file.read(limits.num_bytes + 1)
        except OSError as error:
            raise PictureError(
                f"{name}: expected a readable picture; received: {error.strerror or error}"
            ) from error
    if len(content) > limits.num_bytes:
        raise PictureError(f"{name}: expected at most {limits.num_bytes} bytes; received more")
    return content


def _first_sentence(message: str) -> str:
    """Returns an operation's message without its place in a graph."""
    return " ".join(
        message.replace("{{function_node ", " ").split("}} ")[-1].split("[Op:")[0].split()
    )


def _decoded_by_pillow(content: bytes, name: str, limits: PictureLimits) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            # Pillow's limit is another; ours is checked below.
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(io.BytesIO(content), formats=_PILLOW_FORMATS) as picture:
                width, height = picture.size
                if max(width, height) > limits.side or width * height > limits.pixels:
                    raise PictureError(
                        f"{name}: expected sides of 1 to {limits.side} and at most {limits.pixels} "
                        f"pixels; received height and width: {height} x {width}"
                    )
                picture.load()
                upright = PIL.ImageOps.exif_transpose(picture)
                return np.asarray(_eight_bits(upright, name).convert("RGBA"))
    except PictureError:
        raise
    except PIL.Image.DecompressionBombError as error:
        raise PictureError(
            f"{name}: expected at most {limits.pixels} pixels; received more"
        ) from error
    except PIL.UnidentifiedImageError as error:
        raise PictureError(
            f"{name}: expected a PNG, JPEG, WebP, BMP, TIFF or GIF file; received another kind of "
            "file, or a damaged one"
        ) from error
    # Pillow's words for damaged files.
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError) as error:
        raise PictureError(
            f"{name}: expected a whole picture; received a damaged one: {error}"
        ) from error


def _eight_bits(picture: PIL.Image.Image, name: str) -> PIL.Image.Image:
    """Returns 16-bit grey pictures as 8-bit ones; Pillow itself would clip their values."""
    if picture.mode.startswith("I;16"):
        return PIL.Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode[0] in "IF":
        raise PictureError(
            f"{name}: expected 8 or 16 bits a channel; received a picture of mode {picture.mode}"
        )
    return picture
