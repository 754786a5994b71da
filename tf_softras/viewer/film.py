"""Films: MP4 by imageio, an extra; GIF by Pillow, which is there anyway."""

import pathlib
import struct
from collections.abc import Iterable

import numpy as np
import PIL.Image

from tf_softras._shared.files import replaced_whole
from tf_softras.pictures import PictureError

SUFFIXES = (".gif", ".mp4")
GIF_FRAME_SECONDS = 655.35
"""The longest time that a GIF shows a frame: hundredths of a second in 16 bits."""


def write_film(path, frames: Iterable[np.ndarray], *, frames_per_second: float = 20.0) -> None:
    """Writes frames to a GIF that repeats for ever, or to an MP4 (H.264), by the suffix.

    MP4 needs the extra `film`, which brings ffmpeg; an odd side loses its last row or column. A GIF
    has 256 colours a frame, and shows each for a multiple of 10 ms.

    Args:
        path: The file to write, in a folder that exists.
        frames: uint8 `[height, width, 3]` each, all of one size; at least one.
        frames_per_second: In (0, 50], which GIF viewers keep to.

    Raises:
        PictureError: The suffix is neither, or there are no frames of one size.
        ValueError: `frames_per_second` is out of range, or a GIF shows a frame too long.
        ModuleNotFoundError: For an MP4, if the extra is not installed.
        OSError: The file cannot be written.
    """
    path = pathlib.Path(path)
    frames = [np.asarray(frame) for frame in frames]
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1 or any(frame.dtype != np.uint8 for frame in frames):
        raise PictureError(
            f"'{path}': expected uint8 frames of one size; received "
            f"{len(frames)} of the shapes {sorted(shapes)}"
        )
    (shape,) = shapes
    if len(shape) != 3 or shape[2] != 3:
        raise PictureError(f"'{path}': expected frames [height, width, 3]; received {list(shape)}")
    if not 0.0 < frames_per_second <= 50.0:
        raise ValueError(
            f"frames_per_second: expected a number in (0, 50]; received {frames_per_second}"
        )
    if path.suffix.lower() not in SUFFIXES:
        raise PictureError(
            f"'{path}': expected a name that ends in .gif or .mp4; received "
            f"{path.suffix or 'no suffix'!r}"
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"'{path}': expected a folder that exists; received '{path.parent}'"
        )
    write = _write_gif if path.suffix.lower() == ".gif" else _write_mp4
    with replaced_whole(path) as written:
        write(written, frames, frames_per_second)


def _write_gif(path: pathlib.Path, frames: list[np.ndarray], frames_per_second: float) -> None:
    first, *rest = (PIL.Image.fromarray(frame) for frame in frames)
    milliseconds = 10 * max(2, round(100.0 / frames_per_second))
    try:
        first.save(path, save_all=True, append_images=rest, duration=milliseconds, loop=0)
    except struct.error as error:
        raise ValueError(
            f"frames_per_second: expected a GIF to show each picture for at most "
            f"{GIF_FRAME_SECONDS} seconds, and equal frames in a row are one picture; received "
            f"{frames_per_second:.6g}, which is {milliseconds / 1000.0:.10g} seconds a frame"
        ) from error


def _write_mp4(path: pathlib.Path, frames: list[np.ndarray], frames_per_second: float) -> None:
    try:
        import imageio.v3
        import imageio_ffmpeg  # noqa: F401  (imageio's extra, which it loads by itself)
    except ImportError as error:
        raise ModuleNotFoundError(
            "An MP4 needs the package imageio[ffmpeg]: pip install 'tf-softras[film]'. A .gif "
            "needs nothing"
        ) from error
    height, width = (side - side % 2 for side in frames[0].shape[:2])
    cut = np.stack([frame[:height, :width] for frame in frames])
    imageio.v3.imwrite(
        path,
        cut,
        extension=".mp4",
        plugin="FFMPEG",
        fps=frames_per_second,
        codec="libx264",
        macro_block_size=2,
    )
