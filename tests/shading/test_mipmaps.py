"""Mip-mapping, against Pillow's and OpenCV's reductions, rays, and numeric gradients."""

import cv2
import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tests.gradient_checks import numeric_gradient
from tf_softras import layers, shading

RNG = np.random.default_rng(0)
TEXTURE = RNG.uniform(0, 1, (6, 9, 3))


def box_reduced(texture, height, width):
    """The mean over the area of each texel; OpenCV weights those that are cut by their share."""
    return cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA)


def test_levels_of_even_sides_are_pillows_box_reduction():
    texture = RNG.uniform(0, 1, (8, 16)).astype(np.float32)
    levels = shading.mip_levels(texture[..., None])
    assert [tuple(level.shape) for level in levels] == [
        (8, 16, 1), (4, 8, 1), (2, 4, 1), (1, 2, 1), (1, 1, 1),
    ]  # fmt: skip
    np.testing.assert_array_equal(levels[0][..., 0], texture)
    for level in levels[1:4]:
        factor = 8 // level.shape[0]
        expected = PIL.Image.fromarray(texture).reduce(factor)
        np.testing.assert_allclose(level[..., 0], expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 9), (13, 10), (1, 7), (5, 1), (7, 31)])
def test_levels_of_odd_sides_are_means_over_areas(shape):
    expected = RNG.uniform(0, 1, (*shape, 3))
    mean = expected.mean(axis=(0, 1))
    levels = shading.mip_levels(expected)
    assert len(levels) == 1 + int(np.log2(max(shape))) and levels[-1].shape == (1, 1, 3)
    for level in levels[1:]:
        height, width = (max(side // 2, 1) for side in expected.shape[:2])
        # For a side of 1, OpenCV uses no neighbours along that axis; neither do we.
        expected = box_reduced(expected, height, width).reshape(height, width, 3)
        np.testing.assert_allclose(level, expected, atol=1e-6)
        np.testing.assert_allclose(np.mean(level, axis=(0, 1)), mean, atol=1e-6)


def test_each_texture_of_a_batch_has_its_levels():
    textures = np.stack([TEXTURE, 1 - TEXTURE])
    for together, one, other in zip(
        shading.mip_levels(textures), *map(shading.mip_levels, textures), strict=True
    ):
        np.testing.assert_allclose(together, [one, other], atol=1e-15)


def looked_at(plane, uvs, point):
    """(u, v, z) where the ray through a point of the image plane meets a triangle's plane."""
    # In a camera of tan(half angle) 1: the corner of depth z at (x, y) is at (x z, y z, z).
    corners = plane * plane[:, 2:] ** [1, 1, 0]
    a, b, c = np.linalg.solve(corners.T, [*point, 1.0])
    depth = 1.0 / (a + b + c)
    return np.array([*(depth * np.array([a, b, c]) @ uvs), depth])


@pytest.mark.parametrize("clipped", [False, True])
def test_derivatives_are_those_of_rays_through_pixels(clipped):
    rng = np.random.default_rng(3)
    plane = np.concatenate([rng.uniform(-1, 1, (3, 2)), rng.uniform(0.5, 3, (3, 1))], axis=-1)
    uvs, point = rng.uniform(-2, 2, (3, 2)), plane[:, :2].mean(axis=0)
    corners, corner_uvs = plane[None], uvs[None]
    if clipped:
        # The rest of the triangle has four corners, or three and one that does not exist.
        cut = np.array([*((plane[0] + plane[2])[:2] / 2), 0.0])
        cut[2] = looked_at(plane, uvs, cut[:2])[2]
        quad = np.stack([plane[0], plane[1], plane[2], cut])
        hidden = np.stack([*plane, [0.0, 0.0, -1.0]])
        corners = np.stack([quad, hidden])
        cut_uv = looked_at(plane, uvs, cut[:2])[:2]
        corner_uvs = np.stack([[*uvs, cut_uv], [*uvs, [0.0, 0.0]]])
    attributes = shading.footprint_attributes(corners, corner_uvs)
    assert attributes.shape == (*corners.shape[:2], 6)
    *uv, depth = looked_at(plane, uvs, point)
    # Pixels of 2 / 24 of the image plane.
    seen = shading.uv_derivatives(np.array(uv), np.array([depth]), attributes, image_size=(32, 24))
    step = 1e-6
    expected = [
        (looked_at(plane, uvs, point + d) - looked_at(plane, uvs, point - d))[:2] / (2 * step)
        for d in step * np.eye(2)
    ]
    expected = np.transpose(expected) * 2 / 24
    np.testing.assert_allclose(seen, np.broadcast_to(expected, seen.shape), rtol=1e-7)


def test_faces_without_area_have_finite_slopes():
    plane = np.float32([[[0, 0, 1], [1, 1, 2], [2, 2, 3]], [[0, 0, -1]] * 3])
    uvs = np.float32([[[0, 0], [1, 0], [0, 1]]] * 2)
    slopes = np.asarray(shading.footprint_attributes(plane, uvs))
    assert np.all(np.isfinite(slopes)) and not slopes[1].any()
    level = shading.level_of_detail(
        shading.uv_derivatives(uvs, plane[..., 2:], slopes, image_size=8), height=64, width=64
    )
    assert np.all(np.isfinite(level))


def test_the_level_is_that_of_the_longer_side_of_a_pixel():
    # 4 texels of 32 a pixel to the right, and 1 / 4 of 8 upwards: level 2, and 3 along a diagonal.
    derivatives = np.zeros((3, 2, 2))
    derivatives[0] = [[4 / 32, 0], [0, 0.25 / 8]]
    derivatives[1] = [[8 / 32 * 0.6, 0], [8 / 8 * 0.8, 0]]
    derivatives[2] = [[0.5 / 32, 0], [0, 0.9 / 8]]
    level = shading.level_of_detail(derivatives, height=8, width=32)
    np.testing.assert_allclose(level, [2, 3, 0], atol=1e-12)


@pytest.mark.parametrize("wrap", ["repeat", "clamp"])
def test_between_levels_colours_are_interpolated(wrap):
    uv = RNG.uniform(-0.5, 1.5, (1, 5, 2))
    halved = box_reduced(TEXTURE, 3, 4)
    quartered = box_reduced(halved, 1, 2)
    one, two, four = (
        np.asarray(shading.sample_texture(texture, uv, wrap=wrap))
        for texture in (TEXTURE, halved, quartered.reshape(1, 2, 3))
    )
    for level, expected in {
        -1.0: one, 0.0: one, 0.25: 0.75 * one + 0.25 * two, 1.5: 0.5 * (two + four),
        3.0: np.broadcast_to(TEXTURE.mean(axis=(0, 1)), one.shape),
        20.0: np.broadcast_to(TEXTURE.mean(axis=(0, 1)), one.shape),
    }.items():  # fmt: skip
        derivatives = np.zeros((1, 5, 2, 2))
        derivatives[..., 0, 0] = 2.0**level / 9
        seen = shading.sample_texture(TEXTURE, uv, derivatives, wrap=wrap)
        # OpenCV weights in float32.
        np.testing.assert_allclose(seen, expected, atol=1e-6)


def test_each_item_may_have_a_texture():
    textures = np.stack([TEXTURE, 1 - TEXTURE])
    uv = RNG.uniform(0, 1, (2, 3, 4, 2))
    derivatives = RNG.normal(size=(2, 3, 4, 2, 2)) * 0.3
    seen = shading.sample_texture(textures, uv, derivatives)
    for item in range(2):
        alone = shading.sample_texture(textures[item], uv[item][None], derivatives[item][None])
        np.testing.assert_allclose(seen[item], alone[0], atol=1e-12)


@pytest.mark.parametrize("of", ["texture", "textures", "uv", "uv_derivatives"])
def test_gradients_are_the_numeric_ones(of):
    rng = np.random.default_rng(3)
    uv, derivatives = rng.uniform(-0.2, 1.2, (2, 6, 2)), rng.normal(size=(2, 6, 2, 2)) * 0.3
    textures, weights = rng.uniform(0, 1, (2, 3, 5, 2)), rng.normal(size=(2, 6, 2))
    function, point = {
        "texture": (lambda x: shading.sample_texture(x, uv, derivatives), textures[0]),
        "textures": (lambda x: shading.sample_texture(x, uv, derivatives), textures),
        "uv": (lambda x: shading.sample_texture(textures, x, derivatives), uv),
        "uv_derivatives": (lambda x: shading.sample_texture(textures, uv, x), derivatives),
    }[of]

    @tf.function
    def loss(x):
        return tf.reduce_sum(weights * tf.sin(function(x)))

    with tf.GradientTape() as tape:
        x = tf.constant(point)
        tape.watch(x)
        value = loss(x)
    expected = numeric_gradient(lambda p: float(loss(tf.constant(p))), point, step=1e-5)
    gradient = tf.convert_to_tensor(tape.gradient(value, x))
    assert np.abs(expected).max() > 1e-2
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


# A quad in the plane z = 0, two faces, texture coordinates from corner to corner.
QUAD = np.array([[[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]], np.float32)
QUAD_FACES = np.array([[0, 1, 2], [0, 2, 3]])
QUAD_UVS = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], np.float32)
CHECKS = np.indices((64, 64)).sum(axis=0)[None, ..., None] % 2 * np.ones(3, np.float32)


def drawn(vertices, texture, size, *, eye=(0.0, 0.0, 3.0), face_uvs=QUAD_UVS, **options):
    """The picture, unlit, and which pixels lie wholly on the mesh."""
    options = {"lighting": None, "aggregation": "hard", **options}
    layer = layers.Renderer(QUAD_FACES, size, face_uvs=face_uvs, **options)
    inputs = {"vertices": vertices, "textures": texture, "eyes": np.float32([eye])}
    outputs = layer(inputs)
    inside = cv2.erode(np.float32(outputs["alpha"][0] >= 1.0), np.ones((3, 3))) > 0
    return np.asarray(outputs["image"][0]), inside


def test_checks_far_away_are_their_mean_colour():
    # 64 checks over 10 pixels: 6.4 a pixel, level 2.7, where every level from 1 on is their mean,
    # half the light of white: sRGB 0.7354. Without levels each pixel is what its centre hits.
    mapped, inside = drawn(0.5 * QUAD, CHECKS, 16, mipmaps=True)
    assert inside.sum() >= 64
    np.testing.assert_allclose(mapped[inside], 0.7354, atol=1e-3)
    aliased, _ = drawn(0.5 * QUAD, CHECKS, 16)
    assert np.abs(aliased[inside] - 0.7354).max() > 0.2


def test_a_slanted_floor_is_what_many_samples_make_of_it():
    floor = (QUAD[..., [0, 2, 1]] * [1, 1, -6] - [0, 0.6, 4]).astype(np.float32)
    texture = np.kron(CHECKS[:, :32, :32], np.ones((1, 2, 2, 1))).astype(np.float32)
    expected, inside = drawn(floor, texture, 32, supersampling=16)
    aliased, mapped = (drawn(floor, texture, 32, mipmaps=flag)[0] for flag in (False, True))
    error, aliased_error = (
        np.sqrt(np.mean((image - expected)[inside] ** 2)) for image in (mapped, aliased)
    )
    # The remaining blur is along the rows, where pixels are shorter than along the columns.
    assert error < 0.5 * aliased_error and error < 0.15


def test_a_texture_that_is_magnified_stays_as_it_is():
    texture = RNG.uniform(0, 1, (1, 4, 4, 3)).astype(np.float32)
    for options in ({}, {"aggregation": "soft"}):
        plain, mapped = (drawn(QUAD, texture, 32, mipmaps=m, **options)[0] for m in (False, True))
        np.testing.assert_array_equal(plain, mapped)


def test_supersampling_takes_the_level_of_a_sample():
    # Two texels a pixel are one a sample.
    texture = RNG.uniform(0, 1, (1, 20, 20, 3)).astype(np.float32)
    options = {"eye": (0.0, 0.0, 1 / np.tan(np.radians(15))), "supersampling": 2}
    plain, mapped = (drawn(QUAD, texture, 10, mipmaps=m, **options)[0] for m in (False, True))
    np.testing.assert_allclose(plain, mapped, atol=1e-4)


def test_a_seam_of_the_texture_is_not_seen():
    texture = RNG.uniform(0, 1, (1, 32, 32, 3)).astype(np.float32)
    jump = QUAD_UVS + np.float32([[[0, 0]], [[5, -3]]])
    expected, inside = drawn(QUAD, texture, 24, mipmaps=True)
    seen, _ = drawn(QUAD, texture, 24, face_uvs=jump, mipmaps=True)
    assert inside.sum() > 300
    np.testing.assert_allclose(seen[inside], expected[inside], atol=1e-4)


def test_a_functional_model_is_mip_mapped_and_saved(tmp_path):
    shapes = {"vertices": (4, 3), "textures": (64, 64, 3), "eyes": (3,)}
    symbols = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    options = {"face_uvs": QUAD_UVS, "lighting": None, "aggregation": "hard", "mipmaps": True}
    layer = layers.Renderer(QUAD_FACES, 16, **options)
    model = keras.Model(symbols, layer(symbols)["image"])
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    inputs = {"vertices": 0.5 * QUAD, "textures": CHECKS, "eyes": np.float32([[0, 0, 3]])}
    np.testing.assert_allclose(restored(inputs)[0, 8, 8], 0.7354 * np.ones(3), atol=1e-3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: shading.mip_levels(TEXTURE[:, 0]), r"texture: expected.*\(6, 3\)"),
        (lambda: shading.mip_levels(TEXTURE[:0]), "texture: expected.*not empty"),
        (
            lambda: shading.sample_texture(TEXTURE, np.zeros((1, 5, 2)), np.zeros((1, 5, 2))),
            r"uv_derivatives: expected.*\(1, 5, 2, 2\).*\(1, 5, 2\)",
        ),
        (
            lambda: shading.sample_texture(TEXTURE, np.zeros((1, 5, 2)), np.zeros((1, 4, 2, 2))),
            r"uv_derivatives: expected.*\(1, 4, 2, 2\)",
        ),
        (
            lambda: shading.uv_derivatives(
                np.zeros((1, 2)), np.ones((1, 1)), np.zeros((1, 6)), image_size=0
            ),
            "image_size: expected",
        ),
        (lambda: layers.UVTexture(mipmaps="linear"), "mipmaps: expected.*linear"),
        (
            lambda: layers.UVTexture(mipmaps=True)([TEXTURE[None], np.zeros((1, 5, 2))]),
            r"expected \[textures, uv, uv_derivatives\]; received 2 tensors",
        ),
        (lambda: layers.Renderer(QUAD_FACES, 8, mipmaps=True), "mipmaps: expected.*face_uvs"),
        (lambda: layers.Renderer(QUAD_FACES, 8, mipmaps=1), "mipmaps: expected.*True or False"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_texture_of_unknown_size_is_refused():
    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.float64)])
    def sample(texture):
        return shading.sample_texture(texture, np.zeros((1, 5, 2)), np.zeros((1, 5, 2, 2)))

    with pytest.raises(ValueError, match="texture: expected.*known height"):
        sample(TEXTURE)
