"""Pictures decoded and framed in a graph: what Python sees, what Pillow reads, and refusals."""

import io

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.export.hostile_pictures import HOSTILE
from tf_softras import pictures
from tf_softras.export import _picture_graph as picture_graph
from tf_softras.pictures._framing import framed

LIMITS = picture_graph.picture_limits()


@tf.function(input_signature=[tf.TensorSpec([None, None, 4], tf.uint8)])
def frame_in_graph(picture):
    return framed(picture, image_size=64)


@tf.function(input_signature=[tf.TensorSpec([], tf.string)] * 2)
def read_in_graph(image_bytes, mask_bytes):
    return picture_graph.read_picture(image_bytes, mask_bytes, LIMITS)


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2)
def framed_images(image_bytes, mask_bytes):
    return picture_graph.framed_images(image_bytes, mask_bytes, image_size=64, limits=LIMITS)


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
    """Returns the picture that another library reads: uint8 `[height, width, 4]`."""
    picture = PIL.Image.open(io.BytesIO(image))
    rgba = np.asarray(eight_bits(picture).convert("RGBA")).copy()
    if mask is not None:
        rgba[..., 3] = on_black(eight_bits(PIL.Image.open(io.BytesIO(mask))))
    return rgba


def eight_bits(picture):
    if not picture.mode.startswith("I"):
        return picture
    return PIL.Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def on_black(mask):
    black = PIL.Image.new("RGBA", mask.size, (0, 0, 0, 255))
    return np.asarray(PIL.Image.alpha_composite(black, mask.convert("RGBA")).convert("L"))


def both_read(image, mask=None):
    """Returns what the graph reads, after checking that the command line reads the same bytes."""
    read = read_in_graph(image, mask or b"").numpy()
    np.testing.assert_array_equal(pictures.read_picture(image, mask_path=mask), read)
    return read.astype(int)


# Framing: one function, traced and called


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    seed=st.integers(0, 999),
    soft=st.booleans(),
)
def test_a_graph_frames_to_the_bytes_that_python_sees(height, width, seed, soft):
    picture = noise(height, width, seed, soft_edges=soft)
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
    np.testing.assert_array_equal(both_read(content), read_by_pillow(content))


def test_a_colour_that_stands_for_transparent_is_read_as_pillow_reads_it():
    picture = noise(37, 53, 2)
    picture[picture[..., 3] < 128] = (1, 2, 3, 0)
    for image, color in (
        (PIL.Image.fromarray(picture[..., :3]), (1, 2, 3)),
        (PIL.Image.fromarray(picture[..., 0]), 1),
    ):
        content = file_of(image, transparency=color)
        np.testing.assert_array_equal(both_read(content), read_by_pillow(content))


@pytest.mark.parametrize("mode", modes(cut_out(0)))
def test_masks_and_pictures_of_all_modes_are_read_as_pillow_reads_them(mode):
    image, mask = (file_of(modes(cut_out(seed))[mode]) for seed in (3, 4))
    expected = read_by_pillow(image, mask)
    # Pillow rounds twice on the way to a grey value on black.
    np.testing.assert_allclose(both_read(image, mask), expected, atol=1)
    np.testing.assert_array_equal(both_read(image, mask)[..., :3], expected[..., :3])


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
        read = both_read(image, mask)
        # Both decode with libjpeg-turbo and its exact transform, each with a build of its own.
        assert np.abs(read - read_by_pillow(image, mask)).max() <= 1


def test_batches_are_what_the_command_line_shows_the_network():
    files = [(file_of(noise(90 + 7 * seed, 120, seed)), b"") for seed in range(5)]
    files.append((file_of(smooth(64, 48, 1), "JPEG"), file_of(noise(64, 48, 9)[..., 3])))
    expected = [
        pictures.frame_object(pictures.read_picture(image, mask_path=mask or None))
        for image, mask in files
    ]
    framed = framed_images(*zip(*files, strict=True)).numpy()
    assert framed.dtype == np.float32
    np.testing.assert_array_equal(framed, np.float32(expected) / 255.0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_and_its_upright_mask_are_read_as_the_command_line_reads_them(orientation):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    image = file_of(smooth(24, 40, 3), "JPEG", exif=exif)
    height, width = (24, 40) if orientation < 5 else (40, 24)
    mask = np.zeros((height, width), np.uint8)
    mask[:10, :5] = 255
    upright = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(image)))
    read = both_read(image, file_of(mask))
    np.testing.assert_allclose(read[..., :3], np.asarray(upright).astype(int), atol=1)
    np.testing.assert_array_equal(read[..., 3], mask)


# What is refused


@pytest.mark.parametrize("image, mask, words", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_picture_of_an_object_is_an_invalid_argument(image, mask, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        read_in_graph(image, mask)
    # The command line has a longer list of kinds, and a limit on pixels alone.
    if "expected sides" not in words and "expected at most" not in words:
        with pytest.raises(pictures.PictureError):
            pictures.read_picture(image, mask_path=mask or None)
