"""Films, read back by Pillow and by ffmpeg."""

import sys

import numpy as np
import PIL.Image
import PIL.ImageSequence
import pytest

from tf_softras.pictures import PictureError
from tf_softras.viewer import write_film

RED, BLUE = (220, 30, 30), (20, 40, 200)


def frames(count=6, height=32, width=48):
    """A red square that moves right, under a blue sky."""
    pictures = np.full((count, height, width, 3), 255, np.uint8)
    pictures[:, : height // 2] = BLUE
    for i, picture in enumerate(pictures):
        picture[-8:, 4 * i : 4 * i + 8] = RED
    return pictures


def test_gif_holds_the_frames_and_runs_for_ever(tmp_path):
    write_film(tmp_path / "film.gif", frames(), frames_per_second=10)
    with PIL.Image.open(tmp_path / "film.gif") as film:
        assert film.info["loop"] == 0
        shown = [(f.info["duration"], f.convert("RGB")) for f in PIL.ImageSequence.Iterator(film)]
    assert [duration for duration, _ in shown] == [100] * 6
    for (_, seen), expected in zip(shown, frames(), strict=True):
        np.testing.assert_array_equal(np.asarray(seen), expected)


def test_mp4_holds_the_frames(tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "film.mp4"
    write_film(path, frames(height=33), frames_per_second=10)
    reader = imageio_ffmpeg.read_frames(str(path))
    meta = next(reader)
    assert meta["size"] == (48, 32) and meta["fps"] == 10 and meta["codec"] == "h264"
    seen = [np.frombuffer(data, np.uint8).reshape(32, 48, 3) for data in reader]
    assert len(seen) == 6
    for picture, expected in zip(seen, frames(height=33), strict=True):
        # H.264 keeps half of the colours' resolution and loses digits: places, not values.
        difference = np.abs(picture.astype(int) - expected[:32])
        assert np.median(difference) < 8 and difference.mean() < 12


def test_mp4_names_the_extra_that_it_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'tf-softras\[film\]'"):
        write_film(tmp_path / "film.mp4", frames())


@pytest.mark.parametrize(
    "name, pictures, options, words",
    [
        ("film.avi", frames(), {}, "ends in .gif or .mp4"),
        ("film.gif", [], {}, "received 0 of the shapes"),
        ("film.gif", [frames()[0], frames(height=40)[0]], {}, "of one size"),
        ("film.gif", frames().astype(float), {}, "uint8"),
        ("film.gif", frames()[..., 0], {}, r"\[height, width, 3\]"),
        ("film.gif", frames(), {"frames_per_second": 51}, "frames_per_second"),
        ("film.gif", frames(), {"frames_per_second": float("nan")}, "frames_per_second"),
        ("film.gif", frames(), {"frames_per_second": 1 / 656}, "at most 655.35 seconds.* 656 s"),
        # Two seconds a frame; the 400 equal ones last longer together.
        ("film.gif", frames()[[0] * 400], {"frames_per_second": 0.5}, "2 seconds a frame"),
    ],
)
def test_what_is_no_film_is_refused(tmp_path, name, pictures, options, words):
    with pytest.raises((PictureError, ValueError), match=words):
        write_film(tmp_path / name, pictures, **options)
    assert not list(tmp_path.iterdir())
