"""Pictures from files: which ones are taken, and how the object in them is framed."""

import io
import re
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from tf_softras.geometry import eye_from_angles, icosphere, n3mr_views
from tf_softras.geometry.mesh import Mesh
from tf_softras.pictures import (
    OBJECT_SHARE,
    PictureError,
    frame_object,
    read_picture,
    write_picture,
)
from tf_softras.rendering import render_views

RED, BLUE = (200, 10, 10), (10, 10, 200)


def square_picture(size=(60, 40), box=(10, 5, 30, 25), color=RED, background=BLUE):
    """RGBA: an opaque box (left, top, right, bottom) on a transparent, coloured background."""
    picture = np.zeros((size[1], size[0], 4), np.uint8)
    picture[..., :3] = background
    left, top, right, bottom = box
    picture[top:bottom, left:right] = (*color, 255)
    return picture


def save(path, array, **options):
    PIL.Image.fromarray(array).save(path, **options)
    return path


def box_of(alpha):
    """(left, top, right, bottom) of what is more than half opaque."""
    rows, columns = np.flatnonzero((alpha > 127).any(1)), np.flatnonzero((alpha > 127).any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def photograph(seed=0, size=(300, 200)):
    """(RGB, mask): a shaded solid in front of a wall and a floor, with noise."""
    sphere = icosphere(3)
    solid = Mesh(
        vertices=sphere.vertices * np.float32([0.5, 0.3, 0.2]),
        faces=sphere.faces,
        face_colors=np.tile(np.float32([[0.8, 0.25, 0.1]]), (len(sphere.faces), 1)),
    )
    eye = eye_from_angles([2.732], [20.0], [40.0])
    render = render_views(solid, eye, image_size=size[::-1])[0].astype(np.float64)
    wall = np.where(np.arange(size[1])[:, None, None] < 120, [[[120, 130, 140]]], [[[90, 110, 70]]])
    noise = np.random.default_rng(seed).normal(scale=12, size=(size[1], size[0], 3))
    alpha = render[..., 3:] / 255
    mixed = render[..., :3] * alpha + (wall + noise) * (1 - alpha)
    return np.uint8(np.clip(mixed, 0, 255)), render[..., 3]


# Reading


def test_alpha_and_colour_are_the_files_own(tmp_path):
    picture = square_picture()
    np.testing.assert_array_equal(read_picture(save(tmp_path / "a.png", picture)), picture)


def test_a_mask_takes_the_place_of_alpha_and_goes_with_any_kind_of_picture(tmp_path):
    picture = square_picture()
    mask = save(tmp_path / "mask.png", picture[..., 3])
    for name, array in {
        "opaque.png": picture[..., :3],
        "alpha.png": np.dstack([picture[..., :3], 255 - picture[..., 3]]),
    }.items():
        read = read_picture(save(tmp_path / name, array), mask_path=mask)
        np.testing.assert_array_equal(read, picture)
    jpeg = read_picture(save(tmp_path / "a.jpg", picture[..., :3]), mask_path=mask)
    np.testing.assert_array_equal(jpeg[..., 3], picture[..., 3])


def test_masks_of_all_modes_say_the_same(tmp_path):
    picture = square_picture()
    alpha = picture[..., 3]
    path = save(tmp_path / "a.png", picture)
    white = np.full((*alpha.shape, 3), 255, np.uint8)
    masks = {
        "grey": PIL.Image.fromarray(alpha),
        "bits": PIL.Image.fromarray(alpha).convert("1"),
        "palette": PIL.Image.fromarray(alpha).convert("P"),
        "colour": PIL.Image.fromarray(alpha).convert("RGB"),
        "cut out": PIL.Image.fromarray(np.dstack([white, alpha])),
        "16 bits": PIL.Image.fromarray(alpha.astype(np.uint16) * 257),
    }
    for name, mask in masks.items():
        mask.save(tmp_path / "mask.png")
        read = read_picture(path, mask_path=tmp_path / "mask.png")
        np.testing.assert_array_equal(read[..., 3], alpha, err_msg=name)


@pytest.mark.parametrize("mode", ["LA", "PA", "P", "RGB"])
def test_alpha_of_other_modes_is_understood(tmp_path, mode):
    picture = PIL.Image.fromarray(square_picture(color=(255, 255, 255), background=(0, 0, 0)))
    path = tmp_path / "a.png"
    if mode == "RGB":  # One colour stands for transparent.
        picture.convert("RGB").save(path, transparency=(0, 0, 0))
    elif mode == "P":
        picture.quantize(8).save(path)
    elif mode == "PA":
        picture.convert("LA").save(path)
    else:
        picture.convert(mode).save(path)
    alpha = np.asarray(picture)[..., 3]
    np.testing.assert_array_equal(read_picture(path)[..., 3], alpha)


def test_a_photo_that_a_camera_stored_turned_is_turned_back_with_its_mask_upright(tmp_path):
    picture = square_picture()
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # To be turned a quarter to the right.
    turned = np.rot90(picture[..., :3])
    path = save(tmp_path / "a.jpg", np.ascontiguousarray(turned), exif=exif, quality=100)
    mask = save(tmp_path / "mask.png", picture[..., 3])
    read = read_picture(path, mask_path=mask)
    # JPEG: the colours of flat regions to a few units, away from their borders.
    np.testing.assert_allclose(read[8:22, 13:27, :3], picture[8:22, 13:27, :3], atol=12)


def png_header(width, height):
    """A PNG that claims to be of a size, and goes on with nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header
    chunk += struct.pack(">I", zlib.crc32(b"IHDR" + header))
    data = struct.pack(">I", 4) + b"IDAT" + b"\0" * 8
    return b"\x89PNG\r\n\x1a\n" + chunk + data


def png_bytes(array):
    file = io.BytesIO()
    PIL.Image.fromarray(array).save(file, format="PNG")
    return file.getvalue()


PICTURE = png_bytes(square_picture())


@pytest.mark.parametrize(
    "content, words",
    [
        (None, "No such file"),
        (b"", "another kind of file"),
        (b"v 0 0 0\n", "another kind of file"),
        (b"\x00asm" + b"\0" * 50, "another kind of file"),
        (b"GIF89a" + b"\0" * 50, "another kind of file"),
        (PICTURE[: len(PICTURE) // 2], "received a damaged one"),
        (PICTURE[:40] + b"?????" + PICTURE[45:], "received a damaged one"),
        (PICTURE[:12], "expected a whole PNG file; received one without a header"),
        (png_header(9000, 9001), r"at most 50000000 pixels; received .*: 9001 x 9000"),
        (png_header(200000, 200000), "at most 50000000 pixels"),
        (png_bytes(square_picture()[..., :3]), "a box around the object; .* opaque everywhere"),
        (png_bytes(square_picture(box=(0, 0, 60, 40))), "opaque everywhere"),
        (png_bytes(square_picture(box=(0, 0, 0, 0))), "no pixel is more than half opaque"),
    ],
)
def test_what_is_no_picture_of_an_object_is_refused_by_name(tmp_path, content, words):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PictureError, match=words) as caught:
        read_picture(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_box_cuts_the_object_out_of_a_photo(tmp_path):
    pytest.importorskip("cv2", reason="needs the extra segment")
    rgb, mask = photograph()
    left, top, right, bottom = box_of(mask)
    box = (left - 15, top - 10, right + 12, bottom + 18)
    for scale in (1, 4):
        photo = save(tmp_path / "photo.jpg", rgb.repeat(scale, 0).repeat(scale, 1), quality=90)
        alpha = read_picture(photo, box=tuple(int(scale * side) for side in box))[..., 3]
        true = mask.repeat(scale, 0).repeat(scale, 1) > 127
        found = alpha > 127
        assert found.shape == true.shape
        assert (found & true).sum() / (found | true).sum() > 0.93
    again = read_picture(photo, box=tuple(int(4 * side) for side in box))[..., 3]
    np.testing.assert_array_equal(again, alpha)


def test_boxes_that_are_none_are_refused(tmp_path):
    photo = save(tmp_path / "photo.png", photograph()[0])
    for box, words in (
        ((10, 10, 301, 20), "right <= 300"),
        ((10, 20, 30, 20), "top < bottom"),
        ((0, 0, 300, 200), "background outside"),
        ((30, 10, 170), r"left, top, right, bottom.*received \(30, 10, 170\)"),
        (30, r"left, top, right, bottom.*received 30"),
    ):
        with pytest.raises(PictureError, match=f"box: expected .*{words}"):
            read_picture(photo, box=box)
    with pytest.raises(PictureError, match="expected a mask or a box"):
        read_picture(photo, mask_path=photo, box=(1, 1, 5, 5))


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(PictureError, match="Is a directory"):
        read_picture(tmp_path)


def test_masks_that_do_not_fit_or_are_empty_are_refused_by_name(tmp_path):
    picture = save(tmp_path / "a.png", square_picture())
    mask = tmp_path / "mask.png"
    for array, words in (
        (np.full((40, 61), 255, np.uint8), "of the picture; .* 40 x 61 and 40 x 60"),
        (np.zeros((40, 60), np.uint8), "empty one"),
        (np.full((40, 60), 127, np.uint8), "empty one"),
    ):
        save(mask, array)
        with pytest.raises(PictureError, match=f"{re.escape(str(mask))}.*{words}"):
            read_picture(picture, mask_path=mask)


# Framing


def test_the_object_comes_to_the_middle_and_its_longer_side_takes_its_share():
    for box in ((10, 5, 30, 25), (0, 0, 60, 10), (55, 2, 60, 39), (0, 0, 60, 40), (30, 20, 31, 21)):
        alpha = frame_object(square_picture(box=box))[..., 3].astype(float)
        left, top, right, bottom = box_of(alpha)
        # Each end is rounded to a whole pixel.
        assert abs(max(right - left, bottom - top) - 64 * OBJECT_SHARE) < 1.5
        middle = np.array([left + right, top + bottom]) / 2
        np.testing.assert_allclose(middle, 32, atol=0.5)
        longer, shorter = sorted((box[2] - box[0], box[3] - box[1]))[::-1]
        # Enlarging one or two pixels rounds the corners off; the area stands for the sides.
        if shorter > 2:
            area = (64 * OBJECT_SHARE) ** 2 * shorter / longer
            assert abs(alpha.sum() / 255 - area) < 0.03 * area


def test_pixels_are_means_weighted_by_alpha_and_empty_ones_are_zero():
    # A square of 40, half its columns red, on transparent blue: 10 x 10 pixels become one.
    picture = square_picture(size=(50, 45), box=(5, 3, 45, 43))
    picture[3:43, 10:15] = (*BLUE, 0)
    framed = frame_object(picture, image_size=8, object_share=0.5)
    expected = np.zeros((8, 8, 4), np.uint8)
    expected[2:6, 2:6] = (*RED, 255)
    expected[2:6, 2] = (*RED, 128)
    # Straight colours come back from premultiplied bytes: off by up to 1 at half alpha.
    np.testing.assert_allclose(framed.astype(int), expected, atol=1)
    assert (framed[framed[..., 3] == 0] == 0).all()


def test_large_pictures_are_framed_like_small_ones():
    small = square_picture(size=(300, 200), box=(20, 60, 290, 190))
    small[100:140, 100:180] = (*BLUE, 0)
    large = small.repeat(17, axis=0).repeat(17, axis=1)
    difference = frame_object(small).astype(int) - frame_object(large)
    # Pillow's box filter takes whole pixels: at an edge one of the 6.6 that make a pixel.
    assert np.abs(difference).max() <= 255 / 6.6
    assert np.abs(difference[..., 3]).mean() < 0.5


def test_a_framed_picture_is_what_the_renderer_would_draw():
    # A box of 1 x 0.7 x 0.4, seen at 512 pixels and framed, beside the same at 64 pixels from the
    # distance at which its mask takes the same share.
    box = Mesh(icosphere(2).vertices * [0.5, 0.35, 0.2], icosphere(2).faces)
    eyes = eye_from_angles(2.732, 0.0, [90.0])
    framed = frame_object(render_views(box, eyes, image_size=512)[0])
    left, _, right, _ = box_of(render_views(box, eyes, image_size=512)[0, ..., 3])
    share = (right - left) / 512
    # Far enough to see no difference of perspective: the angle does the scaling.
    angle = np.degrees(np.arctan(np.tan(np.radians(15.0)) * share / OBJECT_SHARE))
    drawn = render_views(box, eyes, image_size=64, viewing_angle=angle, supersampling=16)[0]
    np.testing.assert_allclose(framed[..., 3].astype(int), drawn[..., 3], atol=40)
    assert np.abs(framed[..., 3].astype(int) - drawn[..., 3]).mean() < 1.0
    inside = (framed[..., 3] == 255) & (drawn[..., 3] == 255)
    assert np.abs(framed[inside].astype(int) - drawn[inside]).mean() < 3.0


def test_the_share_is_that_of_the_renders(tmp_path):
    """On the four classes of the embedded sample; the constant is of all thirteen."""
    from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
    from tf_softras.datasets.shapenet_views.mesh_folder import scan_mesh_folder
    from tf_softras.geometry import load_mesh

    unpack_sample(tmp_path)
    eyes = eye_from_angles(**n3mr_views())[::5]
    shares = []
    for model in scan_mesh_folder(tmp_path)[0][::3]:
        for picture in render_views(load_mesh(model.path).normalized(), eyes, supersampling=1):
            left, top, right, bottom = box_of(picture[..., 3])
            shares.append(max(right - left, bottom - top) / 64)
    # Chairs and tables are rather large, airplanes and rifles (not here) rather small.
    assert abs(np.median(shares) - OBJECT_SHARE) < 0.15


def test_framing_nothing_is_refused():
    with pytest.raises(PictureError, match="no pixel is more than half opaque"):
        frame_object(np.zeros((5, 5, 4), np.uint8))


@pytest.mark.parametrize(
    ("picture", "options", "words"),
    [
        (
            square_picture() / 255.0,
            {},
            r"picture: .*; received float64 \[40, 60, 4\]. Scale floats",
        ),
        (np.int64(square_picture()), {}, r"picture: expected uint8 .*; received int64 \["),
        (square_picture()[..., :3], {}, r"picture: .*; received uint8 \[40, 60, 3\]"),
        (square_picture()[None], {}, r"picture: .*; received uint8 \[1, 40, 60, 4\]"),
        *(
            (square_picture(), {"object_share": share}, f"object_share: .*; received {share}")
            for share in (2.0, 0.0, -0.5, float("nan"))
        ),
        *(
            (square_picture(), {"image_size": size}, f"image_size: .*; received {size}")
            for size in (0, -3, 6.5, True)
        ),
    ],
)
def test_wrong_arguments_of_framing_are_named(picture, options, words):
    with pytest.raises(ValueError, match=words):
        frame_object(picture, **options)


# Writing


def test_written_pictures_read_back_and_leave_nothing_beside_them(tmp_path):
    picture = square_picture()
    for _ in range(2):
        write_picture(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), picture)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_pictures_go_to_png_files_in_folders_that_exist(tmp_path):
    with pytest.raises(PictureError, match=r"ends in \.png"):
        write_picture(tmp_path / "a.jpg", square_picture())
    with pytest.raises(FileNotFoundError, match="folder that exists"):
        write_picture(tmp_path / "no" / "a.png", square_picture())


# Other kinds of file, and what cameras write


def encoded(picture, kind, **options):
    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, format=kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["WEBP", "BMP", "TIFF", "GIF"])
def test_other_kinds_are_read_by_pillow(kind):
    picture = square_picture(background=(0, 0, 0))
    options = {"lossless": True} if kind == "WEBP" else {}
    if kind == "BMP":
        read = read_picture(
            encoded(picture[..., :3], kind), mask_path=encoded(picture[..., 3], kind)
        )
    else:
        read = read_picture(encoded(picture, kind, **options))
    seen = picture[..., 3] > 0
    np.testing.assert_array_equal(read[..., 3], picture[..., 3])
    np.testing.assert_array_equal(read[seen], picture[seen])
    for content, words in (
        (encoded(picture[..., :3], kind)[:60], "a damaged one"),
        (encoded(np.zeros((71, 100, 3), np.uint8), kind), "at most 7000 pixels; .* 71 x 100"),
    ):
        with pytest.raises(PictureError, match=words):
            read_picture(content, mask_path=content, max_pixels=7000)


def test_sixteen_bits_are_scaled_and_floats_refused():
    grey = np.uint16([[0, 300], [30_000, 65_535]])
    mask = encoded(np.full((2, 2), 255, np.uint8), "PNG")
    read = read_picture(encoded(grey, "TIFF"), mask_path=mask)
    np.testing.assert_array_equal(read[..., 0], [[0, 1], [117, 255]])
    with pytest.raises(PictureError, match="8 or 16 bits a channel"):
        read_picture(encoded(np.float32(grey), "TIFF"), mask_path=mask)


def exif_block(orientation, order):
    """TIFF data with an image width before the orientation, in little or big endian."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    entries = struct.pack(f"{order}HHIHH", 0x0100, 3, 1, 40, 0)
    entries += struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return head + struct.pack(f"{order}IH", 8, 2) + entries + b"\0" * 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "JPEG, big endian", "PNG", "XMP", "WEBP"])
def test_every_orientation_is_turned_back_as_pillow_turns_it(kind, orientation):
    picture = np.zeros((24, 40, 4), np.uint8)
    picture[2:20, 4:30] = (200, 100, 0, 255)
    picture[2:8, 4:12] = (0, 100, 200, 255)
    name, block = kind.split(",")[0], exif_block(orientation, ">" if "big" in kind else "<")
    if kind == "XMP":
        xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="{orientation}"/>'
        content = encoded(picture[..., :3], "JPEG", xmp=xmp.encode(), quality=95)
    elif name == "JPEG":
        content = encoded(picture[..., :3], name, exif=b"Exif\0\0" + block, quality=95)
    else:
        content = encoded(
            picture, name, exif=block, **({"lossless": True} if name == "WEBP" else {})
        )
    upright = np.asarray(PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(content))))
    assert upright.shape[0] == (24 if orientation < 5 else 40)
    mask = encoded(np.uint8(255 * (upright[..., :3].max(axis=-1) > 50)), "PNG")
    read = read_picture(content, mask_path=mask)
    np.testing.assert_allclose(read[..., :3].astype(int), upright[..., :3], atol=2)


def test_damaged_exif_is_no_orientation():
    picture = square_picture()
    whole = exif_block(6, "<")
    far = whole[:4] + struct.pack("<I", 2**32 - 1) + whole[8:]
    many = whole[:8] + struct.pack("<H", 65535) + whole[10:12]
    for block in (whole[:20], far, many, b"II*\0", exif_block(9, ">"), exif_block(0, "<")):
        content = encoded(picture, "PNG", exif=block)
        np.testing.assert_array_equal(read_picture(content), picture)


def test_a_wrong_checksum_is_damage():
    content = bytearray(PICTURE)
    content[content.index(b"IEND") - 5] ^= 1  # The last byte of the data's checksum.
    with pytest.raises(PictureError, match=r"picture: expected a whole picture; .* damaged"):
        read_picture(bytes(content))


def test_framing_is_close_to_pillows():
    """The same kernels by another implementation, rounded to bytes between its two passes."""
    for side, shape in ((400, (450, 500)), (20, (40, 50))):
        picture = square_picture(size=shape[::-1], box=(15, 10, 15 + side, 10 + side))
        picture[..., :3] = np.random.default_rng(0).integers(0, 256, (1, shape[1], 3))
        half = side / OBJECT_SHARE / 2
        centre = (15 + side / 2, 10 + side / 2)
        box = (centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)
        padded = PIL.Image.fromarray(np.pad(picture, [(200, 200), (200, 200), (0, 0)]))
        kernel = PIL.Image.Resampling.BOX if side > 64 else PIL.Image.Resampling.BILINEAR
        expected = padded.resize((64, 64), kernel, box=[200 + x for x in box])
        expected, framed = np.asarray(expected).astype(int), frame_object(picture).astype(int)
        np.testing.assert_allclose(framed[..., 3], expected[..., 3], atol=1)
        seen = expected[..., 3] > 200
        np.testing.assert_allclose(framed[seen], expected[seen], atol=2)
