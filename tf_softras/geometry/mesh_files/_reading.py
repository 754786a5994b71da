"""Shared by all readers of mesh files: bytes up to a limit, files beside the mesh, textures."""

import dataclasses
import io
import logging
import os
import pathlib
import warnings
from collections.abc import Callable

import numpy as np
import PIL.Image

# The formats of textures that are decoded. None of them runs code or opens another file.
_TEXTURE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TGA", "TIFF", "WEBP")

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Limits:
    """The most that a mesh file may hold; see `load_mesh`."""

    max_bytes: int
    max_faces: int
    max_texture_pixels: int


class Reading:
    """One call of `load_mesh`: the file, its limits, and what is said about it.

    Args:
        path: the mesh file.
        limits: what it may hold.
        foreign_files: "warn" or "error", for names that lead out of the mesh's folder.
        warn: called with one sentence for each part that is left out; None writes to the log.
    """

    def __init__(
        self,
        path: pathlib.Path,
        limits: Limits,
        *,
        foreign_files: str = "warn",
        warn: Callable[[str], None] | None = None,
    ):
        self.path = path
        self.limits = limits
        self._foreign_files = foreign_files
        self._warn = warn
        self._warned: set[str] = set()
        self._pixels = 0
        self._textures: dict[pathlib.Path, np.ndarray | None] = {}

    def warn(self, sentence: str) -> None:
        """Says once what is left out of the mesh."""
        if sentence in self._warned:
            return
        self._warned.add(sentence)
        if self._warn is not None:
            self._warn(sentence)
        else:
            _logger.warning("'%s': %s", self.path, sentence)

    def bytes_of(self, path: pathlib.Path) -> bytes:
        """Returns the content of a file, at most `max_bytes` of it.

        Raises:
            ValueError: It is larger, or no file.
            OSError: It cannot be read.
        """
        if path.exists() and not path.is_file():
            raise ValueError("expected a file; received a folder or a device")
        limit = self.limits.max_bytes
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise ValueError(f"expected at most {limit} bytes (max_bytes); received {size}")
            # Reading takes memory for all that it is asked for, also where a file is smaller.
            data = file.read(size + 1)
        if len(data) != size:
            raise ValueError(f"expected a file of {size} bytes; received one that changes")
        return data

    def check_faces(self, num_faces: int) -> None:
        """Refuses no faces, and more triangles than are allowed.

        Raises:
            ValueError: There are none or too many.
        """
        limit = self.limits.max_faces
        if num_faces < 1:
            raise ValueError(f"expected at least one face; received {num_faces}")
        if num_faces > limit:
            raise ValueError(f"expected at most {limit} faces (max_faces); received {num_faces}")

    def file_beside(self, name: str, *, kind: str) -> pathlib.Path | None:
        """Returns the file that a mesh file names, or None with a warning.

        Allowed are files in or below the mesh's own folder, and in or below the folder `images`
        beside that folder (`../images`), where ShapeNetCore keeps textures. Links are resolved
        first. Backslashes divide folders, as on Windows.

        Args:
            name: the name in the file.
            kind: what is looked for, in words: "material library" or "texture".

        Raises:
            ValueError: The name leads elsewhere, and `foreign_files` is "error".
        """
        for candidate in dict.fromkeys((name, name.replace("\\", "/"), _without_comment(name))):
            found, is_inside = self._located(candidate)
            if found is not None:
                return found
        if not is_inside and self._foreign_files == "error":
            raise ValueError(
                f"expected a {kind} in or below the mesh's own folder or ../images; received "
                f"'{name}'"
            )
        where = "was not found" if is_inside else "leads out of the mesh's own folder and ../images"
        self.warn(f"The {kind} '{name}' {where}; it is left out.")
        return None

    def has_file(self, name: str) -> bool:
        """Returns whether a name is that of an allowed file."""
        return self._located(name.replace("\\", "/"))[0] is not None

    def _located(self, name: str) -> tuple[pathlib.Path | None, bool]:
        """Returns the file, if it is there and allowed, and whether the name stays inside."""
        folder = self.path.parent.resolve()
        try:
            resolved = (folder / name.replace("\\", "/")).resolve()
            allowed = (folder, folder.parent / "images")
            is_inside = any(resolved.is_relative_to(one) for one in allowed)
            is_file = is_inside and resolved.is_file()
        except (OSError, RuntimeError, ValueError):  # A name too long, a loop of links, a NUL.
            return None, False
        return (resolved if is_file else None), is_inside

    def texture_beside(self, name: str) -> np.ndarray | None:
        """Returns the texture in a file that the mesh file names, or None with a warning."""
        path = self.file_beside(name, kind="texture")
        if path is None:
            return None
        if path not in self._textures:
            try:
                data = self.bytes_of(path)
            except (OSError, ValueError) as error:
                self.warn(f"The texture '{name}' cannot be read: {error}")
                data = b""
            self._textures[path] = self.texture(data, name) if data else None
        return self._textures[path]

    def texture(self, data: bytes, name: str) -> np.ndarray | None:
        """Returns a picture file as a texture, or None with a warning if it cannot be decoded.

        Returns:
            uint8 `[height, width, 3]`, or 4 channels if a texel is not opaque.

        Raises:
            ValueError: All textures together have more pixels than are allowed.
        """
        try:
            with PIL.Image.open(io.BytesIO(data), formats=_TEXTURE_FORMATS) as picture:
                self._pixels += picture.width * picture.height
                if self._pixels > self.limits.max_texture_pixels:
                    raise _TooManyPixels
                return _decoded(picture)
        except _TooManyPixels:
            raise ValueError(
                f"expected textures of at most {self.limits.max_texture_pixels} pixels in all "
                f"(max_texture_pixels); received {self._pixels} with '{name}'"
            ) from None
        except Exception as error:  # Pillow's decoders raise many kinds for damaged files.
            self.warn(f"The texture '{name}' cannot be decoded and is left out: {error}")
            return None


class _TooManyPixels(Exception):
    pass


def _decoded(picture: PIL.Image.Image) -> np.ndarray:
    if picture.mode.startswith("I;16"):
        # Pillow would cut 16 bits off at 255.
        grey = (np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    has_alpha = "A" in picture.getbands() or "transparency" in picture.info
    pixels = np.array(picture.convert("RGBA" if has_alpha else "RGB"))
    if has_alpha and (pixels[..., 3] == 255).all():
        pixels = np.ascontiguousarray(pixels[..., :3])
    return pixels


def _without_comment(name: str) -> str:
    return name.split(" #", 1)[0].rstrip()


def unit_colors(values: np.ndarray, *, dtype=None) -> np.ndarray:
    """Returns colours of a file in [0, 1]: float64 of the same shape.

    Args:
        values: numbers `[n, 3 or 4]`.
        dtype: the integer type in the file, whose largest value means 1; without one, values beyond
            1 anywhere mean that 255 stands for 1.
    """
    scaled = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    if dtype is not None and np.issubdtype(dtype, np.integer) and np.dtype(dtype).itemsize < 4:
        scaled /= np.iinfo(dtype).max
    elif scaled.size and scaled.max() > 1.0:
        scaled /= 255.0
    return with_opacity(np.clip(scaled, 0.0, 1.0))


def with_opacity(colors: np.ndarray) -> np.ndarray:
    """Returns colours `[n, 3 or 4]` without their fourth column if it says nothing.

    It says nothing where all are opaque, or all are transparent, as exporters write that have no
    opacity.
    """
    if colors.shape[1] == 4 and ((colors[:, 3] == 1.0).all() or (colors[:, 3] == 0.0).all()):
        return colors[:, :3]
    return colors


def numbers(text: bytes, dtype=np.float64) -> np.ndarray | None:
    """Returns all numbers of a text divided by whitespace, or None if it holds anything else."""
    if not text.strip():
        return np.zeros(0, dtype)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.fromstring(text, dtype=dtype, sep=" ")
    except (DeprecationWarning, ValueError):
        return None
