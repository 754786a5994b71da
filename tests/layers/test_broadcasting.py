"""One mesh before many cameras, and everything else of a batch of 1 beside a batch of n."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry, layers

RANDOM = np.random.default_rng(0)
MESH = geometry.icosphere(1)
WORLD = (0.5 * MESH.vertices + 0.02 * RANDOM.normal(size=(3, 42, 3))).astype("float32")
EYES = np.asarray(geometry.eye_from_angles(2.732, [20.0, 30.0, 40.0], [0.0, 90.0, 200.0]))
ROTATIONS, TRANSLATIONS = (
    np.asarray(value) for value in geometry.look_at_extrinsics(EYES, convention="opencv")
)
INTRINSICS = np.float32([[[f, 0, 8], [0, f, 7], [0, 0, 1]] for f in (20.0, 25.0, 30.0)])
CAMERA = np.asarray(geometry.look_at(WORLD, EYES))
PLANE = np.asarray(geometry.perspective(CAMERA))
COLORS = RANDOM.random((3, 42, 3)).astype("float32")
VECTORS = RANDOM.normal(size=(3, 42, 3)).astype("float32")
BACKGROUND = RANDOM.random((3, 8, 8, 3)).astype("float32")
TEXTURES = RANDOM.random((3, 5, 6, 3)).astype("float32")
UV = RANDOM.random((3, 7, 2)).astype("float32")
VOXELS = (RANDOM.random((3, 4, 4, 4)) < 0.5).astype("float32")
FACES = np.stack([MESH.faces, MESH.faces[::-1], MESH.faces])
FACES[1, :5] = -1
UVS = RANDOM.random((80, 3, 2)).astype("float32")
LIGHT = {"direction": RANDOM.normal(size=(3, 3)), "color": RANDOM.random((3, 3))}
LIGHT = {name: value.astype("float32") for name, value in LIGHT.items()}

# Name -> the layer, and its inputs by name, each of a batch of 3.
CASES = {
    "LookAt": (layers.LookAt, {"vertices": WORLD, "eyes": EYES}),
    "LookAt, all": (
        layers.LookAt,
        {"vertices": WORLD, "eyes": EYES, "at": 0.1 * VECTORS[:, 0], "up": VECTORS[:, 1]},
    ),
    "LookAt, fixed": (
        lambda: layers.LookAt(eye=(0, 0, 3)),
        {"vertices": WORLD, "at": 0.1 * VECTORS[:, 0], "up": VECTORS[:, 1]},
    ),
    "WorldToCamera": (
        layers.WorldToCamera,
        {"vertices": WORLD, "rotations": ROTATIONS, "translations": TRANSLATIONS},
    ),
    "Pinhole": (lambda: layers.Pinhole(16), {"vertices": CAMERA, "intrinsics": INTRINSICS}),
    "ClipToNear": (
        lambda: layers.ClipToNear(MESH.faces, near=2.7, has_attributes=True),
        {"vertices": CAMERA, "attributes": COLORS},
    ),
    "SoftShade": (
        lambda: layers.SoftShade(MESH.faces, 8, 1e-3),
        {"vertices": PLANE, "attributes": COLORS, "background": BACKGROUND},
    ),
    "UVTexture": (layers.UVTexture, {"textures": TEXTURES, "uv": UV}),
    "LambertLighting": (
        lambda: layers.LambertLighting(
            ambient=0.1, directional=[{"direction": (0, 1, 0)}], two_sided=True
        ),
        {"colors": COLORS, "normals": VECTORS, "positions": WORLD, "eyes": EYES},
    ),
    "ProjectVoxels": (lambda: layers.ProjectVoxels(6), {"voxels": VOXELS, "eyes": EYES}),
    "Renderer": (
        lambda: layers.Renderer(MESH.faces, 8),
        {"vertices": WORLD, "eyes": EYES, "colors": COLORS, "up": VECTORS[:, 1]},
    ),
    "Renderer, a lens an item": (
        lambda: layers.Renderer(
            MESH.faces, 16, camera=layers.WorldToCamera(), lens=layers.Pinhole(16)
        ),
        {
            "vertices": WORLD,
            "rotations": ROTATIONS,
            "translations": TRANSLATIONS,
            "intrinsics": INTRINSICS,
        },
    ),
    "Renderer, faces an item": (
        lambda: layers.Renderer(None, 8),
        {"vertices": WORLD, "eyes": EYES, "faces": FACES},
    ),
    "Renderer, textures": (
        lambda: layers.Renderer(MESH.faces, 8, face_uvs=UVS),
        {"vertices": WORLD, "eyes": EYES, "textures": TEXTURES},
    ),
}
NAMED = [(case, name) for case, (_, inputs) in CASES.items() for name in inputs]

MANY_BESIDE_ONE = (
    "LookAt, all",
    "WorldToCamera",
    "SoftShade",
    "Renderer",
    "Renderer, faces an item",
)


def arrays(outputs):
    return [np.asarray(value) for value in keras.tree.flatten(outputs)]


def assert_same(outputs, expected):
    for value, other in zip(arrays(outputs), arrays(expected), strict=True):
        assert value.shape == other.shape
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("case, name", NAMED)
def test_one_of_an_input_beside_many_is_that_one_for_each_item(case, name):
    make, inputs = CASES[case]
    layer = make()
    repeated = {**inputs, name: np.repeat(inputs[name][:1], 3, axis=0)}
    # The right picture of each item is that of a call with this item alone.
    alone = [layer({key: value[i : i + 1] for key, value in repeated.items()}) for i in range(3)]
    expected = keras.tree.map_structure(lambda *items: np.concatenate(items), *alone)
    assert_same(layer({**inputs, name: inputs[name][:1]}), expected)


@pytest.mark.parametrize("case, name", [(c, n) for c, n in NAMED if c in MANY_BESIDE_ONE])
def test_one_of_an_input_alone_has_a_batch_beside_it_of_any_size(case, name):
    """Only this input has a batch of 3."""
    make, inputs = CASES[case]
    layer = make()
    others = {key: value[:1] for key, value in inputs.items()}
    expected = layer(
        {key: np.repeat(value, 3, axis=0) for key, value in others.items()} | {name: inputs[name]}
    )
    assert_same(layer({**others, name: inputs[name]}), expected)


@pytest.mark.parametrize("case, name", NAMED)
def test_a_functional_model_declares_the_shape_that_it_gives(case, name):
    make, inputs = CASES[case]
    constants = {key: value[:1] for key, value in inputs.items() if key != name}
    dtype = "int32" if name == "faces" else "float32"
    symbol = keras.Input(inputs[name].shape[1:], dtype=dtype)
    model = keras.Model(symbol, make()({**constants, name: symbol}))
    declared = [value.shape for value in keras.tree.flatten(model.output)]
    given = arrays(model(inputs[name]))
    assert declared == [(None, *value.shape[1:]) for value in given]
    assert {value.shape[0] for value in given} == {3}


@pytest.mark.parametrize("case", CASES)
def test_computed_shapes_are_those_of_the_outputs(case):
    make, inputs = CASES[case]
    layer = make()
    shapes = {name: (None, *value.shape[1:]) for name, value in inputs.items()}
    expected = keras.tree.map_structure(lambda x: (None, *x.shape[1:]), layer(inputs))
    assert layer.compute_output_shape(shapes) == expected
    shapes[next(iter(shapes))] = (3, *shapes[next(iter(shapes))][1:])
    flat = layer.compute_output_shape(shapes)
    firsts = (
        flat.values() if isinstance(flat, dict) else flat if isinstance(flat[0], tuple) else [flat]
    )
    assert {shape[0] for shape in firsts} == {3}


@pytest.mark.parametrize("case", CASES)
def test_batches_that_do_not_fit_are_refused_where_they_are_known(case):
    make, inputs = CASES[case]
    first = next(iter(inputs))
    symbols = {
        name: keras.Input(value.shape[1:], 3, dtype=value.dtype) for name, value in inputs.items()
    }
    symbols[first] = keras.Input(inputs[first].shape[1:], 2, dtype=inputs[first].dtype)
    with pytest.raises(ValueError, match=r"expected batches of one size, or of 1; received .*2"):
        make()(symbols)


@pytest.mark.parametrize(
    "fixed, inputs",
    [
        (lambda: layers.LookAt(eye=EYES), EYES),
        (
            lambda: layers.LookAt(distance=2.732, elevation=[20, 30, 40], azimuth=[0, 90, 200]),
            EYES,
        ),
    ],
)
def test_a_layer_of_three_fixed_cameras_shows_one_mesh_three_times(fixed, inputs):
    layer = fixed()
    assert_same(layer(WORLD[:1]), layers.LookAt()([WORLD[:1], inputs]))
    assert layer(keras.Input((42, 3), 1)).shape == (3, 42, 3)
    restored = layers.LookAt.from_config(layer.get_config())
    assert_same(restored(WORLD[:1]), layer(WORLD[:1]))
    renderer = layers.Renderer(MESH.faces, 8, camera=fixed())
    symbolic = renderer(keras.Input((42, 3), 1))
    expected = layers.Renderer(MESH.faces, 8)({"vertices": WORLD[:1], "eyes": inputs})
    assert symbolic["image"].shape == (3, 8, 8, 3)
    assert_same(renderer(WORLD[:1]), expected)


def test_fixed_extrinsics_and_intrinsics_may_be_one_an_item():
    camera = layers.WorldToCamera(rotation=ROTATIONS, translation=TRANSLATIONS)
    seen = layers.WorldToCamera()([WORLD[:1], ROTATIONS, TRANSLATIONS])
    assert_same(camera(WORLD[:1]), seen)
    assert_same(camera.eyes(), EYES)
    lens = layers.Pinhole(16, INTRINSICS)
    assert_same(lens(seen), layers.Pinhole(16)([seen, INTRINSICS]))
    assert (
        camera(keras.Input((42, 3), 1)).shape == lens(keras.Input((42, 3), 1)).shape == (3, 42, 3)
    )


def test_gradients_of_a_repeated_mesh_are_the_sums_over_its_pictures():
    vertices, eyes = tf.constant(WORLD[:1]), tf.constant(EYES)
    renderer = layers.Renderer(MESH.faces, 8, sigma=1e-3)

    def gradient(eyes):
        with tf.GradientTape() as tape:
            tape.watch(vertices)
            value = tf.reduce_sum(renderer({"vertices": vertices, "eyes": eyes})["alpha"] ** 2)
        return tape.gradient(value, vertices)

    assert_same(gradient(eyes), sum(gradient(eyes[i : i + 1]) for i in range(3)))


class TestLightsOfACall:
    """Lights an item, by lambert's formula in NumPy."""

    NORMALS = VECTORS / np.linalg.norm(VECTORS, axis=-1, keepdims=True)

    def expected(self, ambient):
        towards = LIGHT["direction"] / np.linalg.norm(LIGHT["direction"], axis=-1, keepdims=True)
        cosine = np.einsum("bvc,bc->bv", self.NORMALS, towards)[..., None]
        return COLORS * (ambient[:, None] + LIGHT["color"][:, None] * np.maximum(cosine, 0))

    def test_are_those_of_the_formula(self):
        ambient = RANDOM.random((3, 3)).astype("float32")
        lights = {"ambient": ambient, "directional": [LIGHT]}
        layer = layers.LambertLighting(ambient=5.0, directional=[{"direction": (0, 1, 0)}])
        assert_same(layer([COLORS, VECTORS], lights=lights), self.expected(ambient))
        fixed = layers.LambertLighting(ambient=ambient, directional=[LIGHT])
        assert_same(fixed([COLORS, VECTORS]), self.expected(ambient))
        restored = layers.LambertLighting.from_config(fixed.get_config())
        assert_same(restored([COLORS, VECTORS]), self.expected(ambient))
        assert fixed([keras.Input((42, 3), 1)] * 2).shape == (3, 42, 3)

    def test_are_outputs_of_a_network_that_is_saved(self, tmp_path):
        symbols = [keras.Input((42, 3)), keras.Input((42, 3)), keras.Input((3,)), keras.Input((3,))]
        light = {"direction": symbols[2], "color": symbols[3]}
        lit = layers.LambertLighting()(symbols[:2], lights={"directional": [light]})
        keras.Model(symbols, lit).save(tmp_path / "lit.keras")
        restored = keras.saving.load_model(tmp_path / "lit.keras")
        inputs = [COLORS, VECTORS, LIGHT["direction"], LIGHT["color"]]
        assert_same(restored.predict(inputs, verbose=0), self.expected(np.zeros((3, 3), "float32")))

    def test_reach_the_renderer(self):
        renderer = layers.Renderer(MESH.faces, 8)
        given = {"vertices": WORLD[:1], "eyes": EYES[:1]}
        seen = renderer(given, lights={"directional": [LIGHT], "ambient": np.full(3, 0.1)})
        for i in range(3):
            light = {name: value[i] for name, value in LIGHT.items()}
            lighting = layers.LambertLighting(ambient=0.1, directional=[light], two_sided=True)
            alone = layers.Renderer(MESH.faces, 8, lighting=lighting)(given)
            assert_same({n: v[i : i + 1] for n, v in seen.items()}, alone)

    def test_of_other_names_are_refused(self):
        with pytest.raises(ValueError, match="lights: expected a dict of .*received.*sun"):
            layers.LambertLighting()([COLORS, VECTORS], lights={"sun": LIGHT})
