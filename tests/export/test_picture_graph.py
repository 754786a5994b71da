"""Pictures decoded and framed in a graph: Pillow's bytes, and refusals."""

import io
import pathlib
import tempfile

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.export.hostile_pictures import HOSTILE
from tf_softras import pictures
from tf_softras.export import _picture_graph as picture_graph


@tf.function(input_signature=[tf.TensorSpec([None, None, 4], tf.uint8)])
def frame_in_graph(picture):
    return picture_graph.frame_object(picture, image_size=64)


@tf.function(input_signature=[tf.TensorSpec([], tf.string)] * 2)
def read_in_graph(image_bytes, mask_bytes):
    return picture_graph.read_picture(image_bytes, mask_bytes)


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2)
def framed_images(image_bytes, mask_bytes):
    return picture_graph.framed_images(image_bytes, mask_bytes, image_size=64)


def noise(height, width, seed, *, soft_edges=True):
    """uint8 [height, width, 4]: noise in all channels, more than half opaque in some box only."""
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (height, width, 4)).astype(np.uint8)
    top, left = random.integers(0, height), random.integers(0, width)
    bottom, right = random.integers(top, height) + 1, random.integers(left, width) + 1
    inside = np.zeros((height, width), bool)
    inside[top:bottom, left:right] = True
    if soft_edges:
        picture[..., 3] = np.where(inside, picture[..., 3], picture[..., 3] // 2)
        picture[top, left, 3] = 255
    else:
        picture[..., 3] = 255 * inside
    return picture


def file_of(picture, format="PNG", **options):
    if not isinstance(picture, PIL.Image.Image):
        picture = PIL.Image.fromarray(picture)
    file = io.BytesIO()
    picture.save(file, format=format, **options)
    return file.getvalue()


def read_by_pillow(image, mask=None):
    """What the command line reads of files of such content."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, content in (("image", image), ("mask", mask)):
            paths.append(None if content is None else pathlib.Path(folder) / name)
            if content is not None:
                paths[-1].write_bytes(content)
        return pictures.read_picture(paths[0], mask_path=paths[1])


# Framing


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    seed=st.integers(0, 999),
    soft=st.booleans(),
)
def test_framing_gives_pillows_bytes(height, width, seed, soft):
    picture = noise(height, width, seed, soft_edges=soft)
    np.testing.assert_array_equal(frame_in_graph(picture), pictures.frame_object(picture))


@pytest.mark.parametrize(
    "height, width, factor",
    [
        (700, 900, 1),
        (1500, 1300, 2),
        (2400, 2100, 3),
        (60, 8192, 12),
        pytest.param(4096, 4096, 6, marks=pytest.mark.slow),
    ],
)
def test_framing_large_pictures_gives_pillows_bytes(height, width, factor):
    picture = noise(height, width, 1)
    # The box takes all but a margin, on one side: the square reaches beyond the picture.
    picture[..., 3] = picture[..., 3] // 2
    picture[height // 9 :, : -width // 50, 3] |= 128
    inside = np.argwhere(picture[..., 3] > 127)
    side = (np.ptp(inside, axis=0) + 1).max() / pictures.OBJECT_SHARE
    assert max(1, int(side) // pictures.WORKING_SIDE) == factor
    np.testing.assert_array_equal(frame_in_graph(picture), pictures.frame_object(picture))


# Decoding


def cut_out(seed):
    """uint8 [37, 53, 4]: few colours and alphas, so that a palette holds them."""
    random = np.random.default_rng(seed)
    picture = random.choice([0, 30, 90, 250], (37, 53, 4)).astype(np.uint8)
    picture[..., 1:3] = picture[..., :1] // 2
    picture[:5, :, 3] = 0
    return picture


def modes(picture):
    """Name -> a Pillow picture of the mode; grey ones show the red channel."""
    rgba = PIL.Image.fromarray(picture)
    grey = np.dstack([picture[..., 0], picture[..., 3]])
    return {
        "RGBA": rgba,
        "LA": PIL.Image.fromarray(grey),
        "P with alpha": rgba.quantize(64),
        "P with alpha, 4 bits": rgba.quantize(16),
        "RGB": rgba.convert("RGB"),
        "L": rgba.getchannel("R"),
        "1": rgba.getchannel("A").convert("1"),
        "P": rgba.convert("RGB").quantize(32),
        "P, 4 bits": rgba.convert("RGB").quantize(16),
        "P, 2 bits": rgba.convert("RGB").quantize(4),
        "16 bits": PIL.Image.fromarray(picture[..., 0].astype(np.uint16) * 251),
    }


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P with alpha", "P with alpha, 4 bits"])
def test_png_files_with_alpha_are_read_as_pillow_reads_them(mode):
    content = file_of(modes(cut_out(2))[mode])
    np.testing.assert_array_equal(read_in_graph(content, b""), read_by_pillow(content))


def test_a_colour_that_stands_for_transparent_is_read_as_pillow_reads_it():
    picture = noise(37, 53, 2)
    picture[picture[..., 3] < 128] = (1, 2, 3, 0)
    for image, color in (
        (PIL.Image.fromarray(picture[..., :3]), (1, 2, 3)),
        (PIL.Image.fromarray(picture[..., 0]), 1),
    ):
        content = file_of(image, transparency=color)
        np.testing.assert_array_equal(read_in_graph(content, b""), read_by_pillow(content))


@pytest.mark.parametrize("mode", modes(cut_out(0)))
def test_masks_and_pictures_of_all_modes_are_read_as_pillow_reads_them(mode):
    image, mask = (file_of(modes(cut_out(seed))[mode]) for seed in (3, 4))
    np.testing.assert_array_equal(read_in_graph(image, mask), read_by_pillow(image, mask))


def smooth(height, width, seed):
    """uint8 [height, width, 3]: colours that change slowly, as in photos."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    return PIL.Image.fromarray(small).resize((width, height), PIL.Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_files_are_read_as_pillow_reads_them(options, mode):
    image = file_of(smooth(61, 83, 5).convert(mode), "JPEG", **options)
    alpha = noise(61, 83, 6)[..., 3]
    for mask in (file_of(alpha), file_of(PIL.Image.fromarray(alpha), "JPEG", **options)):
        read = np.asarray(read_in_graph(image, mask)).astype(int)
        # Both decode with libjpeg-turbo and its exact transform, each with a build of its own.
        assert np.abs(read - read_by_pillow(image, mask)).max() <= 1


def test_batches_are_what_the_command_line_shows_the_network():
    contents = [file_of(noise(90 + 7 * seed, 120, seed)) for seed in range(5)]
    photo = file_of(smooth(64, 48, 1), "JPEG")
    mask = file_of(noise(64, 48, 9)[..., 3])
    expected = [pictures.frame_object(read_by_pillow(content)) for content in contents]
    expected.append(pictures.frame_object(read_by_pillow(photo, mask)))
    framed = framed_images([*contents, photo], [b""] * 5 + [mask]).numpy()
    assert framed.dtype == np.float32
    np.testing.assert_array_equal(framed[:5], np.float32(expected[:5]) / 255.0)
    np.testing.assert_allclose(framed[5], np.float32(expected[5]) / 255.0, atol=1.01 / 255)


# What is refused


@pytest.mark.parametrize("image, mask, words", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_picture_of_an_object_is_an_invalid_argument(image, mask, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        read_in_graph(image, mask)
