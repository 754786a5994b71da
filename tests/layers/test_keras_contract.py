"""Layers keep Keras's contract: shapes for wrappers, short configurations, XLA, checked faces."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry, layers, losses, models
from tf_softras._shared.array_text import array_from_text, array_to_text

MESH = geometry.icosphere(1)
FRAMES = np.random.default_rng(0).normal(size=(2, 3, 42, 3)).astype("float32")
FRAMES = (0.3 * FRAMES + [0, 0, 5]).astype("float32")

LAYERS = {
    "SoftRasterize": lambda **k: layers.SoftRasterize(MESH.faces, 8, **k),
    "LookAt": lambda **k: layers.LookAt(eye=(0, 0, -3), **k),
    "Perspective": lambda **k: layers.Perspective(**k),
    "Orthographic": lambda **k: layers.Orthographic(**k),
    "Pinhole": lambda **k: layers.Pinhole(8, np.eye(3), **k),
    "WorldToCamera": lambda **k: layers.WorldToCamera(
        rotation=np.eye(3), translation=[0, 0, 3], **k
    ),
    "VertexNormals": lambda **k: layers.VertexNormals(MESH.faces, **k),
    "ClipToNear": lambda **k: layers.ClipToNear(MESH.faces, near=4.9, **k),
}


@pytest.mark.parametrize("name", LAYERS)
def test_time_distributed_gives_what_each_frame_gives(name):
    layer = LAYERS[name]()
    video = keras.layers.TimeDistributed(layer)
    symbol = video(keras.Input((3, 42, 3)))
    seen = video(FRAMES)
    assert symbol.shape == (None, *seen.shape[1:])
    for time in range(3):
        np.testing.assert_allclose(seen[:, time], layer(FRAMES[:, time]), rtol=1e-6)


def test_time_distributed_takes_one_picture_of_a_renderer_and_says_how():
    renderer = layers.Renderer(MESH.faces, 8, camera=layers.LookAt(eye=(0, 0, -1)))
    with pytest.raises(ValueError, match=r'keras.Model\(vertices, renderer\(vertices\)\["image"\]'):
        keras.layers.TimeDistributed(renderer)(keras.Input((3, 42, 3)))
    vertices = keras.Input((42, 3))
    picture = keras.Model(vertices, renderer(vertices)["image"])
    seen = keras.layers.TimeDistributed(picture)(FRAMES)
    assert seen.shape == (2, 3, 8, 8, 3)
    np.testing.assert_allclose(seen[:, 1], renderer(FRAMES[:, 1])["image"], atol=1e-6)


def test_a_renderer_says_that_xla_compiles_it_as_soft_rasterize_does():
    for implementation in ("op", "reference"):
        renderer = layers.Renderer(MESH.faces, 8, implementation=implementation)
        rasterizer = layers.SoftRasterize(MESH.faces, 8, implementation=implementation)
        assert renderer.supports_jit == rasterizer.supports_jit
    vertices = keras.Input((42, 3))
    model = keras.Model(
        vertices, layers.Renderer(MESH.faces, 8, camera=layers.LookAt(eye=(0, 0, -1)))(vertices)
    )
    model.compile("sgd", jit_compile=True)
    assert model.jit_compile == layers.SoftRasterize(MESH.faces, 8).supports_jit


FACED = {
    "SoftRasterize": lambda faces=MESH.faces: layers.SoftRasterize(faces, 8),
    "SoftShade": lambda faces=MESH.faces: layers.SoftShade(faces, 8),
    "VertexNormals": lambda faces=MESH.faces: layers.VertexNormals(faces),
    "ClipToNear": lambda faces=MESH.faces: layers.ClipToNear(faces, near=4.9),
    "Renderer": lambda faces=MESH.faces: layers.Renderer(faces, 8),
    "LaplacianLoss": lambda faces=MESH.faces: losses.LaplacianLoss(faces),
    "FlatteningLoss": lambda faces=MESH.faces: losses.FlatteningLoss(faces),
}


@pytest.mark.parametrize("name", FACED)
def test_a_configuration_keeps_faces_short_and_an_old_one_still_loads(name):
    made = FACED[name]()
    config = made.get_config()
    # 80 faces as lists are 1,070 characters.
    assert len(config["faces"]) < 300
    restored = type(made).from_config(json.loads(json.dumps(config)))
    old = type(made).from_config({**config, "faces": MESH.faces.tolist()})
    for layer in (restored, old):
        np.testing.assert_array_equal(layer.faces, MESH.faces)
        assert layer.faces.dtype == np.int32
        assert layer.get_config() == config


def test_the_regularisation_layer_and_textures_are_short_too():
    layer = models.MeshRegularization(MESH.faces, laplacian_weight=1.0, flattening_weight=1.0)
    assert len(layer.get_config()["faces"]) < 300
    restored = models.MeshRegularization.from_config(layer.get_config())
    np.testing.assert_array_equal(restored.laplacian.faces, MESH.faces)
    uvs = geometry.spherical_uvs(MESH)
    renderer = layers.Renderer(MESH.faces, 8, face_uvs=uvs)
    assert isinstance(renderer.get_config()["face_uvs"], str)
    restored = layers.Renderer.from_config(renderer.get_config())
    np.testing.assert_array_equal(restored.face_uvs, uvs)


def test_the_error_of_a_file_whose_layers_are_not_known_is_short(tmp_path):
    vertices = keras.Input((42, 3))
    model = keras.Model(vertices, layers.SoftRasterize(MESH.faces, 8)(vertices))
    model.save(tmp_path / "model.keras")
    config = json.loads(model.to_json())
    for layer in config["config"]["layers"]:
        layer["registered_name"] = layer["class_name"] = "Nowhere"
        layer["module"] = "nowhere"
    with pytest.raises((TypeError, ValueError, ModuleNotFoundError, ImportError)) as raised:
        keras.models.model_from_json(json.dumps(config))
    assert len(str(raised.value)) < 2000


@pytest.mark.parametrize("shape", [(80, 3), (2, 80, 3), (0, 3), (5,)])
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_the_text_of_an_array_gives_the_array(shape, dtype):
    array = np.random.default_rng(0).integers(-1, 2**31 - 1, shape).astype(dtype)
    read = array_from_text(array_to_text(array))
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "int32[2, 3]",
        "int32[2, 3] !!!!",
        "object[2, 3] abc",
        "int32[999999999999, 3] " + array_to_text(MESH.faces).split()[-1],
        array_to_text(MESH.faces).replace("[80", "[79"),
        array_to_text(MESH.faces).replace("[80", "[81"),
        array_to_text(MESH.faces)[:-9],
        "int32[-1, 3] abcde",
    ],
)
def test_a_text_that_is_no_array_is_refused_before_it_is_unpacked(text):
    with pytest.raises(ValueError, match="text of an array: expected"):
        layers.SoftRasterize(text, 8)


REFUSED = {
    "floats": (MESH.faces + 0.7, "expected integers .*received float64"),
    "beyond 32 bits": (MESH.faces.astype("int64") + 2**32, "expected vertex indices .* to 42949"),
    "bool": (MESH.faces > 3, "expected integers .*received bool"),
    "ragged": ([[0, 1, 2], [0, 1]], "expected known integers .*received list"),
    "a symbol": (keras.Input((3,), dtype="int32"), "expected known integers .*KerasTensor"),
    "half a padded face": ([[0, 1, 2], [3, -1, -1]], "expected (three of -1|vertex indices)"),
}


@pytest.mark.parametrize("name", FACED)
@pytest.mark.parametrize("case", REFUSED)
def test_faces_that_would_be_other_faces_are_refused(name, case):
    faces, message = REFUSED[case]
    with pytest.raises(ValueError, match=f"faces: {message}") as raised:
        FACED[name](faces)
    assert len(str(raised.value)) < 200


def test_faces_of_an_int64_tensor_are_taken():
    layer = layers.SoftRasterize(tf.constant(MESH.faces, tf.int64), 8)
    np.testing.assert_array_equal(layer.faces, MESH.faces)
