"""Pictures in files: PNG and JPEG in, PNG out, and framing as in the training renders."""

import importlib
import io
import pathlib
import warnings

import numpy as np
import PIL.Image
import PIL.ImageOps
from scipy import ndimage

from tf_softras._shared.errors import SoftrasError
from tf_softras._shared.files import replaced_whole

# What share of the square picture the longer side of an object's mask takes, in the middle: the
# median over views of 150 objects of all classes, rendered with N3MR's cameras. A quarter of the
# views lies below 0.55, a quarter above 0.72; masks are 2 % of the side below the centre.
OBJECT_SHARE = 0.64

# A pixel belongs to the object if it is more than half opaque.
OPAQUE = 127
_FORMATS = ("PNG", "JPEG")
# GrabCut sees pictures reduced to this side: its time grows with the pixels, a mask of a network's
# picture needs a tenth of them.
_SEGMENTED_SIDE = 480
_SEGMENTATION_ROUNDS = 5
# Longer objects are first reduced by a whole factor, so that padding them costs little memory.
WORKING_SIDE = 1024


class PictureError(SoftrasError, ValueError):
    """A picture cannot be used: the message names it, what was expected and what came."""


def read_picture(path, *, mask_path=None, box=None, max_pixels: int = 50_000_000) -> np.ndarray:
    """Returns uint8 `[height, width, 4]`: straight sRGB colours and an alpha that shows an object.

    Alpha is the picture's own, or the grey values of the mask, which is on black where it is
    transparent itself: white is the object. Or, with a box around the object, it is what GrabCut
    takes for it: the colours that are rare outside of the box, the largest connected part. A
    picture that a camera stored turned is turned back.

    Args:
        path: a PNG or JPEG file, or its bytes.
        mask_path: None, or a PNG or JPEG file of the picture's size, or its bytes. Without it the
            picture must have an alpha channel that is not opaque everywhere.
        box: None, or (left, top, right, bottom) in pixels of the upright picture, around the
            object, with some of the background inside and outside of it.
        max_pixels: the most pixels of either file; checked before they are decoded.

    Raises:
        PictureError: a file is missing, no picture, damaged or too large; the mask is of another
            size; nothing or, without a mask, everything is the object; the box is none, or there
            is a mask beside it.
        ImportError: There is a box, and the extra `segment` (OpenCV) is not installed.

    Source of GrabCut: Rother et al. 2004; OpenCV's implementation.
    """
    picture = _read(path, max_pixels=max_pixels)
    if box is not None and mask_path is not None:
        raise PictureError("Expected a mask or a box around the object, received both.")
    name = _name(path, "picture")
    mask_name = None if mask_path is None else _name(mask_path, "mask")
    if mask_path is not None:
        alpha = _read_mask(mask_path, size=picture.size, max_pixels=max_pixels)
    elif box is not None:
        alpha = _segmented(picture, box)
    elif _has_alpha(picture):
        alpha = picture.convert("RGBA").getchannel("A")
        if _extrema(alpha)[0] > OPAQUE:
            raise PictureError(
                f"Cannot use {name}. Expected an alpha channel that cuts the object out, or a "
                "mask beside it; received one that is opaque everywhere."
            )
    else:
        raise PictureError(
            f"Cannot use {name}. Expected a PNG with an alpha channel, a mask beside it, or a box "
            f"around the object; received a {picture.format} of mode {picture.mode} alone."
        )
    if _extrema(alpha)[1] <= OPAQUE:
        raise PictureError(
            f"Cannot use {mask_name or name}. Expected a mask with an object in it, received an "
            "empty one: no pixel is more than half opaque."
        )
    picture = picture.convert("RGBA")
    picture.putalpha(alpha)
    return np.asarray(picture)


def frame_object(
    picture: np.ndarray, *, image_size: int = 64, object_share: float = OBJECT_SHARE
) -> np.ndarray:
    """Returns uint8 `[image_size, image_size, 4]`: the object centred and as large as in training.

    The box around the pixels that are more than half opaque comes to the middle, its longer side
    `object_share` of the picture's; what the square reaches beyond the picture is transparent.
    Pixels are averaged with their alpha as weight, so the background's colour does not bleed in.

    Args:
        picture: uint8 `[height, width, 4]`: straight RGB and alpha, as `read_picture` gives it.
        image_size: of the result, pixels.
        object_share: in (0, 1].

    Raises:
        PictureError: no pixel is more than half opaque.
    """
    inside = picture[..., 3] > OPAQUE
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        raise PictureError(
            "Cannot frame the object. Expected an alpha channel with an object in it, received an "
            "empty one: no pixel is more than half opaque."
        )
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = max(bottom - top, right - left) / object_share
    # Soft edges around the box belong to the object too; beyond the square nothing is seen.
    centre = np.array([left + right, top + bottom]) / 2.0
    low = np.floor(centre - side / 2.0).astype(int)
    high = np.ceil(centre + side / 2.0).astype(int)
    factor = max(1, int(side) // WORKING_SIDE)
    high = low + -(-(high - low) // factor) * factor
    square = _reduced(picture, low, high, factor)
    box = np.concatenate([centre - side / 2.0 - low, centre + side / 2.0 - low]) / factor
    # A mean over pixels, as the renderer takes it over samples; enlarging, it would show blocks.
    resampling = PIL.Image.Resampling.BOX
    if side / factor < image_size:
        resampling = PIL.Image.Resampling.BILINEAR
    framed = np.array(square.resize((image_size, image_size), resampling, box=tuple(box)))
    framed[framed[..., 3] == 0] = 0
    return framed


def write_picture(path, picture: np.ndarray) -> None:
    """Writes uint8 `[height, width, 3 or 4]` to a PNG file, whole or not at all.

    Raises:
        ValueError: the name does not end in .png.
        FileNotFoundError: the folder does not exist.
        OSError: the file cannot be written.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() != ".png":
        raise PictureError(
            f"Cannot write a picture to '{path}'. Expected a name that ends in .png, received "
            f"{path.suffix or 'no suffix'!r}."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot write a picture to '{path}'. Expected a folder that exists, received "
            f"'{path.parent}'."
        )
    with replaced_whole(path) as written:
        PIL.Image.fromarray(picture).save(written, format="PNG")


def _name(path, what: str) -> str:
    """Returns what a message calls a file: its path in quotes, or what it is if it has none."""
    return f"the {what}" if isinstance(path, bytes) else f"'{path}'"


def _read(path, *, max_pixels: int, what: str = "picture") -> PIL.Image.Image:
    """Returns a decoded picture of 8 bits a channel, upright."""
    name = _name(path, what)
    source = io.BytesIO(path) if isinstance(path, bytes) else pathlib.Path(path)
    too_large = f"Cannot use {name}. Expected at most {max_pixels:,} pixels, received "
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(source, formats=_FORMATS) as picture:
                width, height = picture.size
                if width * height > max_pixels:
                    raise PictureError(f"{too_large}{width} x {height}.")
                picture.load()
                upright = PIL.ImageOps.exif_transpose(picture)
                upright.format = picture.format
    except PictureError:
        raise
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise PictureError(f"{too_large}more.") from error
    except PIL.UnidentifiedImageError as error:
        raise PictureError(
            f"Cannot use {name}. Expected a {' or '.join(_FORMATS)} picture, received another "
            "kind of file."
        ) from error
    except OSError as error:
        raise PictureError(
            f"Cannot use {name}. Expected a readable picture, received: {error.strerror or error}."
        ) from error
    except (SyntaxError, ValueError, EOFError) as error:  # Pillow's words for damaged files.
        raise PictureError(
            f"Cannot use {name}. Expected a whole picture, received a damaged one: {error}."
        ) from error
    return _eight_bits(upright)


def _eight_bits(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Returns 16-bit grey pictures as 8-bit ones; Pillow itself would clip their values."""
    if not picture.mode.startswith("I"):
        return picture
    grey = PIL.Image.fromarray((np.asarray(picture) >> 8).clip(0, 255).astype(np.uint8))
    grey.format = picture.format
    return grey


def _read_mask(path, *, size, max_pixels: int) -> PIL.Image.Image:
    """Returns the grey values of a mask, which must be of the picture's size."""
    mask = _read(path, max_pixels=max_pixels, what="mask")
    if mask.size != size:
        raise PictureError(
            f"Cannot use {_name(path, 'mask')}. Expected a mask of the picture's {size[0]} x "
            f"{size[1]} pixels, received {mask.size[0]} x {mask.size[1]}."
        )
    if _has_alpha(mask):
        mask = mask.convert("RGBA")
        black = PIL.Image.new("RGBA", mask.size, (0, 0, 0, 255))
        mask = PIL.Image.alpha_composite(black, mask)
    return mask.convert("L")


def _segmented(picture: PIL.Image.Image, box) -> PIL.Image.Image:
    """Returns the mask of what GrabCut takes for the object in a box."""
    left, top, right, bottom = _checked_box(box, picture.size)
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as error:
        raise ImportError(
            "Cutting an object out by a box needs OpenCV: pip install 'tf-softras[segment]'"
        ) from error
    factor = max(1.0, max(picture.size) / _SEGMENTED_SIDE)
    size = [max(1, round(side / factor)) for side in picture.size]
    small = np.asarray(picture.convert("RGB").resize(size, PIL.Image.Resampling.BOX))
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    rows = slice(int(top / factor), max(int(top / factor) + 1, int(bottom / factor)))
    columns = slice(int(left / factor), max(int(left / factor) + 1, int(right / factor)))
    labels[rows, columns] = cv2.GC_PR_FGD
    cv2.setRNGSeed(0)  # Its clusters of colours begin at random.
    models = np.zeros((1, 65)), np.zeros((1, 65))
    # OpenCV has blue first; a copy, because it wants rows without gaps.
    bgr = np.ascontiguousarray(small[..., ::-1])
    cv2.grabCut(bgr, labels, None, *models, _SEGMENTATION_ROUNDS, cv2.GC_INIT_WITH_MASK)
    parts, count = ndimage.label((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))
    if not count:
        raise PictureError(
            "Cannot cut the object out. Expected colours in the box that are rare outside of it, "
            "received none: give a mask instead."
        )
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    mask = PIL.Image.fromarray(np.uint8(255 * largest))
    return mask.resize(picture.size, PIL.Image.Resampling.BILINEAR)


def _checked_box(box, size) -> tuple[int, int, int, int]:
    width, height = size
    left, top, right, bottom = box
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise PictureError(
            f"Invalid box. Expected 0 <= left < right <= {width} and 0 <= top < bottom <= "
            f"{height}; received {tuple(box)}."
        )
    if (right - left) * (bottom - top) == width * height:
        raise PictureError(
            "Invalid box. Expected some background outside of it; received the whole picture, "
            f"{tuple(box)}."
        )
    return left, top, right, bottom


def _extrema(channel: PIL.Image.Image) -> tuple[int, int]:
    """Returns the smallest and the largest value of a picture of one channel, 8 bits."""
    values = np.asarray(channel)
    return int(values.min()), int(values.max())


def _has_alpha(picture: PIL.Image.Image) -> bool:
    return "A" in picture.getbands() or "transparency" in picture.info


def _reduced(picture: np.ndarray, low, high, factor: int) -> PIL.Image.Image:
    """Returns the square from `low` to `high` (column, row), `factor` pixels averaged to one.

    Only what lies in the picture is reduced, cut at multiples of the factor from `low`; the rest is
    transparent.
    """
    size = np.array(picture.shape[1::-1])
    first = low + np.maximum(-low, 0) // factor * factor
    last = high - np.maximum(high - size, 0) // factor * factor
    part = PIL.Image.fromarray(picture).crop((*first.tolist(), *last.tolist()))
    square = PIL.Image.new("RGBA", ((high - low) // factor).tolist())
    square.paste(part.reduce(factor), tuple(((first - low) // factor).tolist()))
    return square
