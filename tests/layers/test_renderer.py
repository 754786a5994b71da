"""Pictures in one call: where things are, how bright, how encoded; and their gradients."""

import keras
import numpy as np
import pytest
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
        ({"lighting": "studio"}, "Invalid lighting"),
        ({"face_uvs": np.zeros((2, 3))}, r"Invalid face_uvs.*\(2, 3, 2\)"),
        ({"faces": None, "face_uvs": np.zeros((2, 3, 2))}, "Invalid face_uvs.*faces=None"),
        ({"background": 1.0}, "background: expected floats"),
        ({"supersampling": 0}, "Invalid supersampling"),
        ({"supersampling": 1.5}, "Invalid supersampling"),
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
