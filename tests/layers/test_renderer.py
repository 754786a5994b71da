"""Pictures in one call: where things are, how bright, how encoded; and their gradients."""

import keras
import numpy as np
import pytest
import scipy.special
import shapely
import tensorflow as tf

from tests.gradient_checks import directional_derivative
from tf_softras import geometry, layers, ops, shading
from tf_softras.geometry.colors import DEFAULT_COLOR

SPHERE = geometry.icosphere(2)
EYE = np.array([[0.0, 0.0, 3.0]], np.float32)
# On +z: the camera sees world x to the right and y up.
QUAD = np.array([[[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]], np.float32)
QUAD_FACES = np.array([[0, 1, 2], [0, 2, 3]])
QUAD_UVS = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], np.float32)


def draw(faces, vertices, image_size=32, *, inputs=(), **options):
    """The pictures of the first item, as arrays."""
    layer = layers.Renderer(faces, image_size, **options)
    outputs = layer({"vertices": vertices, "eyes": EYE, **dict(inputs)})
    return {name: np.asarray(value[0]) for name, value in outputs.items()}


def test_colours_stay_as_they_are_without_light():
    colors = np.broadcast_to(np.float32([0.2, 0.5, 0.9]), QUAD.shape)
    for aggregation in ("soft", "hard"):
        seen = draw(
            QUAD_FACES,
            QUAD,
            inputs={"colors": colors},
            lighting=None,
            aggregation=aggregation,
        )
        # Beside the diagonal, which two soft faces share.
        np.testing.assert_allclose(seen["image"][20, 25], [0.2, 0.5, 0.9], atol=1e-4)
    assert draw(QUAD_FACES, QUAD, lighting=None)["image"][20, 25] == pytest.approx(
        DEFAULT_COLOR, abs=1e-4
    )


def test_light_adds_up_before_colours_are_encoded():
    # Half the light of white is sRGB 0.7354, not 0.5.
    half = layers.LambertLighting(ambient=0.5)
    white = np.ones_like(QUAD)
    seen = draw(QUAD_FACES, QUAD, inputs={"colors": white}, lighting=half, aggregation="hard")
    np.testing.assert_allclose(seen["image"][16, 16], [0.7354] * 3, atol=1e-4)


def test_edges_blend_in_linear_light():
    # Every pixel of the quad's left side has two of its four samples on it: half of black on white.
    left = QUAD * [0.25, 4, 1] + [0.25 - 1 / 32 * np.tan(np.radians(15)) * 3, 0, 0]
    seen = draw(
        QUAD_FACES,
        left.astype(np.float32),
        inputs={"colors": np.zeros_like(QUAD)},
        lighting=None,
        aggregation="hard",
        supersampling=2,
    )
    np.testing.assert_allclose(seen["alpha"][16, 15], 0.5)
    np.testing.assert_allclose(seen["image"][16, 15], [0.7354] * 3, atol=1e-4)
    np.testing.assert_allclose(seen["depth"][16, 15], 3.0, atol=1e-5)


def test_x_is_right_y_is_up_and_uv_too():
    texture = np.zeros((1, 2, 2, 3), np.float32)
    texture[0, 0, 0, 0] = texture[0, 0, 1, 1] = texture[0, 1, 0, 2] = 1  # Red, green / blue, black.
    small = 0.5 * QUAD
    textured = draw(
        QUAD_FACES,
        small,
        inputs={"textures": texture},
        face_uvs=QUAD_UVS,
        wrap="clamp",
        lighting=None,
        aggregation="hard",
    )["image"]
    # The quad reaches 0.5 / (3 tan 15) = 0.62 of the half side: 10 of 16 pixels.
    corners = textured[[7, 7, 24, 24], [7, 24, 7, 24]]
    np.testing.assert_allclose(corners, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], atol=1e-3)
    by_vertex = draw(
        QUAD_FACES,
        small,
        inputs={"colors": np.float32([[[0, 0, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0]]])},
        lighting=None,
        aggregation="hard",
    )["image"]
    np.testing.assert_allclose(by_vertex[[7, 7, 24, 24], [7, 24, 7, 24]].argmax(-1)[:3], [0, 1, 2])


def test_textures_are_decoded_before_they_are_lit():
    texture = np.full((1, 3, 3, 3), 0.5, np.float32)
    seen = draw(
        QUAD_FACES,
        QUAD,
        inputs={"textures": texture},
        face_uvs=QUAD_UVS,
        lighting=layers.LambertLighting(ambient=0.5),
    )
    expected = geometry.srgb_from_linear(0.5 * geometry.linear_from_srgb(0.5))
    np.testing.assert_allclose(seen["image"][20, 25], [float(expected)] * 3, atol=1e-4)


def test_depth_is_that_of_a_tilted_plane():
    # y rises from -1 to 1 as z goes from 0 to -2: the ray (x, y, 1) d from z = 3 meets it at
    # 3 - d = -1 - (y d), so d = 4 / (1 - y), y in half sides times tan 15.
    tilted = QUAD.copy()
    tilted[..., 2] = -1 - tilted[..., 1]
    seen = draw(QUAD_FACES, 2 * tilted * [1, 0.5, 0.5], aggregation="hard")
    y = (31 - 2 * np.arange(32)) / 32 * np.tan(np.radians(15))
    expected = np.where(4 / (1 - y) < 5, 4 / (1 - y), 0)  # The plane ends there.
    np.testing.assert_allclose(seen["depth"][:, 16], expected, rtol=1e-5)


def test_normals_are_in_the_world_and_face_out():
    seen = draw(SPHERE.faces, 0.5 * SPHERE.vertices[None], 33, background=None)
    hit = seen["depth"] > 0
    assert np.all(seen["normals"][16, 16] > [-0.05, -0.05, 0.99])
    assert seen["normals"][16, 24, 0] > 0.5 and seen["normals"][8, 16, 1] > 0.5
    np.testing.assert_allclose(np.linalg.norm(seen["normals"][hit], axis=-1), 1, atol=1e-5)
    assert not seen["normals"][~hit].any() and not seen["image"][~hit].any()
    # The sphere's nearest point.
    assert seen["depth"][16, 16] == pytest.approx(2.5, abs=0.01)


def test_soft_alpha_is_the_silhouette():
    vertices = 0.5 * SPHERE.vertices[None]
    seen = draw(SPHERE.faces, vertices, sigma=1e-3)
    plane = geometry.perspective(geometry.look_at(vertices, EYE))
    expected = ops.soft_rasterize(plane, SPHERE.faces, image_size=32, sigma=1e-3)[0]
    np.testing.assert_allclose(seen["alpha"], expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [None, 1e-3])
def test_a_plain_square_is_plain_and_its_silhouette_is_eq_2(sigma):
    plain = np.broadcast_to(np.float32([0.9, 0.1, 0.2]), QUAD.shape)
    seen = draw(QUAD_FACES, 0.6 * QUAD, inputs={"colors": plain}, lighting=None, sigma=sigma)
    # The square reaches 0.6 / (3 tan 15) = 0.746 of the half side, 11.9 of 16 pixels.
    inside = slice(8, 24)
    np.testing.assert_allclose(seen["image"][inside, inside], np.ones((16, 16, 3)) * plain[0, 0])
    np.testing.assert_array_equal(seen["coverage"][inside, inside], np.ones((16, 16)))
    # The diagonal goes through the centres of pixels: D is a half for both faces.
    diagonal = seen["alpha"][np.arange(8, 24), np.arange(23, 7, -1)]
    np.testing.assert_allclose(diagonal, 0.75, atol=1e-4)
    # Beyond its edge there is less and less of it.
    assert 0.0 < seen["coverage"][16, 28] < 0.5 and np.all(seen["image"][16, 31] > 0.9999)


def test_a_plain_ball_shows_no_triangles_at_any_sigma():
    ball = geometry.icosphere(3)

    def shown(**options):
        return draw(ball.faces, 0.5 * ball.vertices[None], 112, **options)["image"]

    # Within 0.6 of the ball's radius, which is 0.63 of the half side.
    y, x = np.mgrid[-55.5:56, -55.5:56] / 56
    inside = x**2 + y**2 < (0.6 * 0.63) ** 2
    difference = shown(sigma=1e-3) - shown(aggregation="hard")
    assert np.abs(difference[inside]).mean() < 0.003
    # Faces beside a sample win with a sharp gamma: the kind of picture that this must tell apart.
    difference = shown(sigma=1e-3, gamma=1e-5) - shown(aggregation="hard")
    assert np.abs(difference[inside]).mean() > 0.008


def test_the_default_gamma_grows_with_sigma():
    sharp = layers.Renderer(QUAD_FACES, 32)
    assert sharp.gamma == 1e-5
    assert layers.Renderer(QUAD_FACES, 32, sigma=sharp.sigma / 4).gamma == 1e-5
    softer = layers.Renderer(QUAD_FACES, 32, sigma=3 * sharp.sigma)
    assert softer.gamma == pytest.approx(3e-5)
    assert layers.Renderer.from_config(softer.get_config()).gamma == softer.gamma
    assert layers.Renderer(QUAD_FACES, 32, sigma=1.0).gamma == 3e-4


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
def test_a_picture_is_one_pass_of_the_shader(aggregation, monkeypatch):
    calls = []

    def counted(*args, **options):
        calls.append(options)
        return ops.soft_shade(*args, **options)

    monkeypatch.setattr("tf_softras.layers._renderer.passes.soft_shade", counted)
    draw(QUAD_FACES, QUAD, aggregation=aggregation)
    assert len(calls) == 1


def test_coverage_is_the_sum_of_eq_1_up_to_1():
    quad = np.array([[-0.5, -0.4], [0.6, -0.5], [0.45, 0.5], [-0.55, 0.35]])
    sigma, depth = 2e-3, 2.0
    on_plane = np.tan(np.radians(15)) * depth * quad
    world = np.concatenate([on_plane, np.ones((4, 1))], axis=1)[None].astype(np.float32)
    seen = draw(QUAD_FACES, world, 24, sigma=sigma)["coverage"]
    centres = (2 * np.arange(24) + 1 - 24) / 24
    expected = np.zeros((24, 24))
    for row, column in np.ndindex(24, 24):
        pixel = shapely.Point(centres[column], -centres[row])
        for face in QUAD_FACES:
            triangle = shapely.Polygon(quad[face])
            sign = 1 if triangle.contains(pixel) else -1
            x = sign * triangle.boundary.distance(pixel) ** 2 / sigma
            # Pairs below 1e-4 do not count (`min_coverage`).
            expected[row, column] += scipy.special.expit(x) * (x > -9.21)
    np.testing.assert_allclose(seen, np.minimum(expected, 1.0), atol=2e-4)
    assert ((seen > 0.05) & (seen < 0.95)).sum() > 50


def test_coverage_of_a_closed_mesh_is_that_of_its_front():
    ball = geometry.icosphere(1)
    seen = draw(ball.faces, 0.5 * ball.vertices[None], 24, sigma=2e-3)["coverage"]
    # The camera looks along -z from 3.
    vertices = 0.5 * ball.vertices.astype(np.float64)
    plane = vertices[:, :2] / ((3 - vertices[:, 2:]) * np.tan(np.radians(15)))
    front, back = [], []
    for face in ball.faces:
        (ax, ay), (bx, by), (cx, cy) = plane[face]
        is_front = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) > 0
        (front if is_front else back).append(shapely.Polygon(plane[face]))
    centres = (2 * np.arange(24) + 1 - 24) / 24
    expected = np.zeros((2, 24, 24))
    for row, column in np.ndindex(24, 24):
        pixel = shapely.Point(centres[column], -centres[row])
        for side, triangles in enumerate((front, back)):
            sign = np.where(shapely.contains(triangles, pixel), 1, -1)
            x = sign * shapely.distance(shapely.boundary(triangles), pixel) ** 2 / 2e-3
            expected[side, row, column] = np.sum(scipy.special.expit(x) * (x > -9.21))
    np.testing.assert_allclose(seen, np.minimum(expected.max(axis=0), 1.0), atol=5e-4)
    assert seen[12, 12] == 1.0 and ((seen > 0.05) & (seen < 0.95)).sum() > 30


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
def test_pictures_do_not_depend_on_the_unit_of_length(aggregation):
    vertices, layer = (
        0.5 * SPHERE.vertices[None],
        layers.Renderer(SPHERE.faces, 17, near=1e-3, aggregation=aggregation),
    )
    expected = layer({"vertices": vertices, "eyes": EYE})
    # `far` is 100: the sphere is before it, around it, and beyond.
    for scale in (20.0, 33.0, 200.0, 1e5):
        seen = layer({"vertices": scale * vertices, "eyes": scale * EYE})
        hit = np.asarray(expected["depth"]) > 0
        np.testing.assert_allclose(seen["depth"], scale * expected["depth"], rtol=5e-3)
        for name in ("image", "alpha", "normals"):
            # Beside a smaller sphere, edges between faces are softer in depth.
            np.testing.assert_allclose(seen[name][hit], expected[name][hit], atol=0.15)
    assert hit.sum() > 80


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
@pytest.mark.parametrize("mipmaps", [False, True])
def test_parallel_projection_interpolates_linearly(aggregation, mipmaps):
    # A slanted plane: depth goes from 1 to 3 as x goes from -1 to 1, and u from 0 to 1.
    plane = np.float32([[[-1, -1, 1], [1, -1, 3], [1, 1, 3], [-1, 1, 1]]])
    options = {
        "camera": layers.WorldToCamera(
            rotation=np.eye(3), translation=[0, 0, 0], convention="softras"
        ),
        "lens": layers.Orthographic(view_size=2.0),
        "aggregation": aggregation,
        "sigma": 1e-6,  # no pixel sees two faces
        "lighting": None,
    }
    x = (2 * np.arange(8) + 1 - 8) / 8
    red = np.float32([[[0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0]]])
    seen = layers.Renderer(QUAD_FACES, 8, **options)({"vertices": plane, "colors": red})
    np.testing.assert_allclose(seen["depth"][0, 4], 2 + x, atol=1e-5)
    linear = geometry.linear_from_srgb(seen["image"])[0, 4, :, 0]
    np.testing.assert_allclose(linear, (1 + x) / 2, atol=1e-5)
    # A ramp of 8 texels under 8 pixels: the centres of both meet, so the ramp is what is seen.
    ramp = np.broadcast_to(np.linspace(0, 1, 8, dtype=np.float32)[:, None], (1, 8, 8, 3))
    textured = layers.Renderer(
        QUAD_FACES, 8, face_uvs=QUAD_UVS, mipmaps=mipmaps, wrap="clamp", **options
    )({"vertices": plane, "textures": ramp})
    np.testing.assert_allclose(textured["image"][0, 3], ramp[0, 0], atol=1e-3)


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_supersampled_depth_and_normals_are_those_of_one_surface(aggregation, factor):
    # A square at depth 2.7 whose right side is in the middle of pixels, before one at 10.7.
    front = np.float32([[-0.5, -0.5, 0], [0.02, -0.5, 0], [0.02, 0.5, 0], [-0.5, 0.5, 0]])
    back = np.float32([[-4, -4, -8], [4, -4, -8], [4, 4, -8], [-4, 4, -8]])
    faces = np.concatenate([QUAD_FACES, QUAD_FACES + 4])
    layer = layers.Renderer(faces, 32, aggregation=aggregation, supersampling=factor)
    eyes = np.float32([[0, 0, 2.7]])
    seen = layer({"vertices": np.concatenate([front, back])[None], "eyes": eyes})
    depths = np.asarray(seen["depth"])
    assert np.all(np.isclose(depths, 2.7) | np.isclose(depths, 10.7, atol=1e-4))
    assert set(np.round(depths[0, 16].astype(np.float64), 1)) == {2.7, 10.7}
    image = np.asarray(seen["image"])[0, 16]
    np.testing.assert_allclose(np.linalg.norm(seen["normals"], axis=-1), 1.0, atol=1e-5)
    assert image.std() < 0.05  # both are lit alike


def _wound(faces, how):
    turned = np.random.default_rng(0).uniform(size=len(faces)) < 0.5
    return {
        "doubled": np.concatenate([faces, faces[:, ::-1]]),
        "doubled the other way": np.concatenate([faces[:, ::-1], faces]),
        "at random": np.where(turned[:, None], faces[:, ::-1], faces),
    }[how]


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
@pytest.mark.parametrize("how", ["doubled", "doubled the other way", "at random"])
def test_two_sided_pictures_do_not_depend_on_winding(how, aggregation):
    mesh = geometry.icosphere(3)
    vertices = 0.5 * mesh.vertices[None]
    expected, seen = (
        draw(faces, vertices, aggregation=aggregation)
        for faces in (mesh.faces, _wound(mesh.faces, how))
    )
    hit = expected["alpha"] > 0.99
    # Normals of vertices that cancel in part lean by up to 0.1.
    atol = 0.04 if how == "at random" else 2e-3
    np.testing.assert_allclose(seen["image"][hit], expected["image"][hit], atol=atol)
    np.testing.assert_allclose(seen["depth"][hit], expected["depth"][hit], atol=1e-3)
    side = np.sum(seen["normals"] * expected["normals"], axis=-1)[hit]
    np.testing.assert_allclose(np.abs(side), 1.0, atol=0.02)


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
def test_doubled_faces_without_common_vertices_look_like_single_ones(aggregation):
    corners = 0.5 * SPHERE.vertices[SPHERE.faces].reshape(1, -1, 3)
    faces = np.arange(corners.shape[1]).reshape(-1, 3)
    doubled = np.concatenate([corners, corners], axis=1)
    expected = draw(faces, corners, aggregation=aggregation)
    seen = draw(
        np.concatenate([faces, faces[:, ::-1] + corners.shape[1]]),
        doubled,
        aggregation=aggregation,
    )
    hit = expected["alpha"] > 0.99
    difference = np.abs(seen["image"] - expected["image"])[hit]
    # Beside the edges of flat faces normals are mixed: of four faces there, of two here.
    assert np.quantile(difference, 0.9) < 1e-3 and difference.max() < 0.05


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
def test_a_seam_shows_no_colour_from_elsewhere_in_the_texture(aggregation):
    # u goes from 0.9 over 1 to 0.1 across the seam; blue is only around u = 0.5, the far side.
    ball = geometry.icosphere(2)
    texture = np.zeros((1, 64, 64, 3), np.float32)
    texture[..., 0] = 1.0
    texture[0, :, 24:40] = [0, 0, 1]
    seen = layers.Renderer(
        ball.faces,
        48,
        face_uvs=geometry.spherical_uvs(ball),
        lighting=None,
        aggregation=aggregation,
        background=(0, 0, 0),
    )
    eyes = np.float32([[2.7, 0.4, 0.3]])
    image = seen({"vertices": 0.5 * ball.vertices[None], "eyes": eyes, "textures": texture})
    image = np.asarray(image["image"])[0]
    assert image[..., 2].max() < 0.02 and image[24, 24, 0] > 0.99


@pytest.mark.parametrize("gamma", [1e-5, 1e-1])
def test_charts_of_an_atlas_do_not_mix(gamma):
    # Two triangles of a square lie in opposite corners of the texture; between them it is green.
    texture = np.zeros((1, 32, 32, 3), np.float32)
    texture[..., 1] = 1.0
    texture[0, 20:, :12] = [1, 0, 0]
    texture[0, :12, 20:] = [0, 0, 1]
    uvs = np.float32(
        [[[0.05, 0.05], [0.3, 0.05], [0.3, 0.3]], [[0.7, 0.7], [0.9, 0.9], [0.7, 0.9]]]
    )
    inputs = {"textures": texture}
    seen = draw(QUAD_FACES, QUAD, inputs=inputs, face_uvs=uvs, lighting=None, gamma=gamma)
    assert seen["image"][..., 1].max() < 1e-3
    assert seen["image"][4, 8, 2] > 0.99 and seen["image"][27, 23, 0] > 0.99


def test_xla_compiles_what_supports_jit_says():
    layer = layers.Renderer(SPHERE.faces, 8)
    assert layer.supports_jit == layers.SoftRasterize(SPHERE.faces, 8).supports_jit
    vertices, eyes = keras.Input((162, 3)), keras.Input((3,))
    model = keras.Model([vertices, eyes], layer({"vertices": vertices, "eyes": eyes})["alpha"])
    model.compile("sgd", "mse", jit_compile=True)
    inputs = [0.5 * SPHERE.vertices[None], EYE]
    assert model.jit_compile == layer.supports_jit
    expected = layer({"vertices": inputs[0], "eyes": inputs[1]})["alpha"]
    np.testing.assert_allclose(model.predict(inputs, verbose=0), expected, atol=1e-6)


def test_straight_down_a_camera_of_angles_keeps_its_azimuth():
    # From azimuth 90 and just before the pole, x is to the right and z down.
    seen = layers.LookAt(distance=3.0, elevation=90.0, azimuth=90.0)(np.eye(3)[None])
    np.testing.assert_allclose(seen[0], [[1, 0, 3], [0, 0, 2], [0, -1, 3]], atol=1e-5)
    seen = layers.LookAt(distance=3.0, elevation=90.0, azimuth=0.0)(np.eye(3)[None])
    np.testing.assert_allclose(seen[0], [[0, -1, 3], [0, 0, 2], [-1, 0, 3]], atol=1e-5)


def test_the_sun_is_where_it_was_put():
    light = layers.LambertLighting(directional=[shading.DirectionalLight((1.0, 1.0, 0.0))])
    vertices = 0.5 * SPHERE.vertices[None]
    image = draw(SPHERE.faces, vertices, lighting=light, aggregation="hard")["image"][..., 0]
    # Upper right bright, lower left black.
    assert image[10, 21] > 0.5 and image[21, 10] < 0.01


def test_two_sided_light_needs_no_winding():
    vertices = 0.5 * SPHERE.vertices[None]
    seen = [draw(faces, vertices)["image"] for faces in (SPHERE.faces, SPHERE.faces[:, ::-1])]
    np.testing.assert_allclose(*seen, atol=1e-4)


def test_real_cameras_and_lenses_draw_the_same_picture():
    vertices = 0.5 * SPHERE.vertices[None]
    expected = draw(SPHERE.faces, vertices, (24, 36))
    rotation, translation = geometry.look_at_extrinsics(EYE, convention="opencv")
    lens = geometry.intrinsic_matrix((24, 36), field_of_view=30.0, across="height")
    layer = layers.Renderer(
        SPHERE.faces,
        (24, 36),
        camera=layers.WorldToCamera(),
        lens=layers.Pinhole((24, 36)),
    )
    seen = layer(
        {
            "vertices": vertices,
            "rotations": rotation,
            "translations": translation,
            "intrinsics": lens[None],
        }
    )
    for name, value in expected.items():
        np.testing.assert_allclose(seen[name][0], value, atol=2e-4)


def test_a_floor_under_the_camera_is_cut_and_not_dropped():
    floor = np.array([[[-2, -1, 5], [2, -1, 5], [2, -1, -5], [-2, -1, -5]]], np.float32)
    seen = draw(QUAD_FACES, floor, lens=layers.Perspective(viewing_angle=45.0), aggregation="hard")
    assert seen["alpha"][:16].max() == 0 and seen["alpha"][31].min() == 1


def test_meshes_of_different_size_share_a_batch():
    meshes = [geometry.icosphere(0), SPHERE]
    vertices, faces = geometry.pad_meshes(meshes)
    eyes = np.repeat(EYE, 2, axis=0)
    together = layers.Renderer(None, 16)({"vertices": 0.5 * vertices, "faces": faces, "eyes": eyes})
    for item, mesh in enumerate(meshes):
        alone = draw(mesh.faces, 0.5 * mesh.vertices[None], 16)
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][item], value, atol=1e-4)


def _renderer(**options):
    dtype = "float64" if options.get("dtype") == "float64" else "float32"
    return layers.Renderer(
        SPHERE.faces,
        (6, 8),
        camera=layers.LookAt(distance=3.0, elevation=20.0, azimuth=30.0, dtype=dtype),
        lighting=layers.LambertLighting(
            ambient=0.2,
            point=[shading.PointLight((1.0, 2.0, 2.0), 4.0)],
            two_sided=True,
            dtype=dtype,
        ),
        face_uvs=np.linspace(0, 1, SPHERE.faces.size * 2).reshape(-1, 3, 2),
        **options,
    )


TEXTURE = np.random.default_rng(0).uniform(size=(1, 4, 4, 3)).astype(np.float32)


def test_a_saved_model_draws_the_same(tmp_path):
    shapes = {"vertices": (162, 3), "textures": (4, 4, 3)}
    symbols = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    model = keras.Model(symbols, _renderer(name="renderer")(symbols))
    assert model.output["image"].shape == (None, 6, 8, 3)
    assert model.output["depth"].shape == (None, 6, 8)
    inputs = {"vertices": 0.5 * SPHERE.vertices[None], "textures": TEXTURE}
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    # Keras 3.15 restores a dict of outputs as a list of them.
    outputs = [tf.nest.flatten(each(inputs)) for each in (model, restored)]
    for one, other in zip(*outputs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_half_precision_draws_in_float32():
    inputs = {"vertices": 0.5 * SPHERE.vertices[None], "textures": TEXTURE}
    exact, half = (_renderer(dtype=policy)(inputs) for policy in ("float32", "mixed_bfloat16"))
    assert half["image"].dtype == tf.bfloat16 and half["depth"].dtype == tf.float32
    np.testing.assert_allclose(half["depth"], exact["depth"], atol=1e-5)
    np.testing.assert_allclose(tf.cast(half["image"], tf.float32), exact["image"], atol=1e-2)


@pytest.mark.parametrize("of", ["vertices", "textures"])
@pytest.mark.parametrize("mipmaps", [False, True])
@pytest.mark.parametrize("implementation", ["op", "reference"])
def test_gradients_are_the_numeric_ones(of, mipmaps, implementation):
    layer = _renderer(
        dtype="float64",
        sigma=0.02,
        gamma=1e-2,
        far=10.0,
        mipmaps=mipmaps,
        implementation=implementation,
    )
    rng = np.random.default_rng(1)
    point = {"vertices": 0.5 * SPHERE.vertices[None].astype(np.float64), "textures": TEXTURE}
    weights = {"image": (6, 8, 3), "alpha": (6, 8), "depth": (6, 8), "normals": (6, 8, 3)}
    weights = {name: rng.normal(size=shape) for name, shape in weights.items()}

    def loss(x):
        outputs = layer({**point, of: x})
        return tf.add_n([tf.reduce_sum(weights[name] * outputs[name]) for name in weights])

    with tf.GradientTape() as tape:
        x = tf.constant(point[of], tf.float64)
        tape.watch(x)
        value = loss(x)
    gradient = np.asarray(tape.gradient(value, x))
    # A ripple along the gradient, so that no direction is near a right angle to it.
    direction = gradient * rng.uniform(0.5, 1.5, gradient.shape)
    direction /= np.linalg.norm(direction)
    expected = directional_derivative(
        lambda p: float(loss(tf.constant(p))), np.asarray(x), direction, 1e-6
    )
    assert np.sum(gradient * direction) == pytest.approx(expected, rel=1e-5)


NAN = np.full((1, 3), np.nan, np.float32)
NAN_CAMERAS = {
    "an eye": ({}, {"eyes": NAN}),
    "a rotation": (
        {"camera": layers.WorldToCamera()},
        {"rotations": np.full((1, 3, 3), np.nan), "translations": np.zeros((1, 3))},
    ),
    "intrinsics": (
        {"lens": layers.Pinhole(8)},
        {"eyes": EYE, "intrinsics": np.full((1, 3, 3), np.nan)},
    ),
    # One component is enough, also where the mesh is behind the camera by the other two.
    "a part of an eye": ({}, {"eyes": np.float32([[0.0, np.nan, 3.0]])}),
    "a part of a translation": (
        {"camera": layers.WorldToCamera()},
        {"rotations": np.eye(3)[None], "translations": np.float32([[np.nan, 0.0, -9.0]])},
    ),
}


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
@pytest.mark.parametrize("camera", NAN_CAMERAS)
def test_a_camera_of_nan_is_refused(camera, aggregation):
    options, inputs = NAN_CAMERAS[camera]
    layer = layers.Renderer(QUAD_FACES, 8, aggregation=aggregation, **options)
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected finite"):
        layer({"vertices": QUAD, **inputs})


def test_a_fixed_camera_of_nan_is_refused_when_it_is_made():
    with pytest.raises(ValueError, match="elevation: expected a float.*received nan"):
        layers.LookAt(distance=3.0, elevation=np.nan, azimuth=0.0)


def test_a_camera_of_nan_draws_nan_where_no_op_can_refuse_it():
    layer = layers.Renderer(QUAD_FACES, 4, implementation="reference")
    eyes = np.concatenate([EYE, NAN])
    outputs = layer({"vertices": np.repeat(QUAD, 2, axis=0), "eyes": eyes})
    for name in ("image", "alpha", "depth"):
        assert np.isfinite(outputs[name][0]).all() and np.isnan(outputs[name][1]).all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"lighting": "studio"}, "lighting: expected"),
        ({"face_uvs": np.zeros((2, 3))}, r"face_uvs: expected.*\(2, 3, 2\)"),
        ({"faces": None, "face_uvs": np.zeros((2, 3, 2))}, "face_uvs: expected.*faces=None"),
        ({"background": 1.0}, "background: expected floats"),
        ({"supersampling": 0}, "supersampling: expected"),
        ({"supersampling": 1.5}, "supersampling: expected"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        layers.Renderer(**{"faces": QUAD_FACES, "image_size": 8, **options})


@pytest.mark.parametrize(
    "inputs, message",
    [
        (
            {"vertices": QUAD},
            r"expected \[vertices, eyes\], or a dict.*received a dict of \['vertices'\]",
        ),
        ({"vertices": QUAD, "eyes": EYE, "textures": TEXTURE}, "received.*textures"),
        (QUAD, "or a dict of them .* received one tensor"),
    ],
)
def test_inputs_that_are_missing_or_mean_nothing(inputs, message):
    with pytest.raises(ValueError, match=message):
        layers.Renderer(QUAD_FACES, 8)(inputs)
