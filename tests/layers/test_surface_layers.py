"""The layers of cameras and surfaces as Keras users meet them: one table, the same demands."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry, layers, shading

MESH = geometry.icosphere(0)
RNG = np.random.default_rng(0)
VERTICES = (RNG.normal(size=(2, 12, 3)) * 0.3 + [0, 0, 1]).astype(np.float32)
NORMALS = RNG.normal(size=(2, 12, 3)).astype(np.float32)
COLORS = RNG.uniform(size=(2, 12, 3)).astype(np.float32)
ROTATIONS, TRANSLATIONS = (
    np.asarray(value)
    for value in geometry.look_at_extrinsics(RNG.normal(size=(2, 3)).astype(np.float32))
)
LENS = np.asarray(geometry.intrinsic_matrix((30, 40), field_of_view=50.0))
TEXTURES = RNG.uniform(size=(2, 4, 5, 3)).astype(np.float32)
UV = RNG.uniform(-1, 2, (2, 6, 7, 2)).astype(np.float32)
UV_DERIVATIVES = (0.3 * np.random.default_rng(1).normal(size=(2, 6, 7, 2, 2))).astype(np.float32)
SUN, BULB = shading.DirectionalLight((1, 2, 3), (0.5, 0.25, 1.0)), shading.PointLight((0, 2, 0), 3)


def _clipped(vertices, attributes=None):
    clipped = geometry.clip_to_near(vertices, MESH.faces, attributes, near=0.9)
    return clipped.vertices if attributes is None else (clipped.vertices, clipped.attributes)


# Name: the layer, what it is called with, and the function that it stands for.
TABLE = {
    "world to camera": (
        lambda **k: layers.WorldToCamera(convention="opengl", **k),
        [VERTICES, ROTATIONS, TRANSLATIONS],
        lambda *x: geometry.world_to_camera(*x, convention="opengl"),
    ),
    "fixed world to camera": (
        lambda **k: layers.WorldToCamera(rotation=ROTATIONS[0], translation=TRANSLATIONS[0], **k),
        [VERTICES],
        lambda x: geometry.world_to_camera(x, ROTATIONS[0], TRANSLATIONS[0]),
    ),
    "pinhole": (
        lambda **k: layers.Pinhole((30, 40), pixel_center=0.5, **k),
        [VERTICES, np.stack([LENS, LENS * [[2.0], [2.0], [1.0]]])],
        lambda *x: geometry.pinhole(*x, image_size=(30, 40), pixel_center=0.5),
    ),
    "fixed pinhole": (
        lambda **k: layers.Pinhole((30, 40), LENS, **k),
        [VERTICES],
        lambda x: geometry.pinhole(x, LENS, image_size=(30, 40)),
    ),
    "orthographic": (
        lambda **k: layers.Orthographic(view_size=3.0, center=(0.1, 0.2), **k),
        [VERTICES],
        lambda x: geometry.orthographic(x, view_size=3.0, center=(0.1, 0.2)),
    ),
    "clip": (lambda **k: layers.ClipToNear(MESH.faces, near=0.9, **k), [VERTICES], _clipped),
    "clip with attributes": (
        lambda **k: layers.ClipToNear(MESH.faces, near=0.9, has_attributes=True, **k),
        [VERTICES, COLORS],
        _clipped,
    ),
    "normals": (
        lambda **k: layers.VertexNormals(MESH.faces, **k),
        [VERTICES],
        lambda x: geometry.vertex_normals(x, MESH.faces),
    ),
    "texture": (
        lambda **k: layers.UVTexture(wrap="clamp", **k),
        [TEXTURES, UV],
        lambda *x: shading.sample_texture(*x, wrap="clamp"),
    ),
    "mip-mapped texture": (
        lambda **k: layers.UVTexture(mipmaps=True, **k),
        [TEXTURES, UV, UV_DERIVATIVES],
        lambda *x: shading.sample_texture(*x),
    ),
    "lighting": (
        lambda **k: layers.LambertLighting(ambient=0.25, directional=[SUN], **k),
        [COLORS, NORMALS],
        lambda c, n: c * shading.lambert_light(n, ambient=0.25, directional=[SUN]),
    ),
    "two-sided lighting": (
        lambda **k: layers.LambertLighting(directional=[SUN], point=[BULB], two_sided=True, **k),
        [COLORS, NORMALS, VERTICES, VERTICES[:, 0] + 1],
        lambda c, n, p, e: (
            c * shading.lambert_light(n, p, eye=e, directional=[SUN], point=[BULB], two_sided=True)
        ),
    ),
}
# Their results are geometry, of which half precision would lose pixels; the others' are colours.
KEEP_FLOAT32 = set(TABLE) - {"texture", "mip-mapped texture", "lighting", "two-sided lighting"}


def called(layer, inputs):
    return layer(inputs if len(inputs) > 1 else inputs[0])


def assert_same(seen, expected, **tolerance):
    for one, other in zip(tf.nest.flatten(seen), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(tf.cast(one, tf.float64), other, **tolerance)


@pytest.mark.parametrize("name", TABLE)
def test_a_layer_is_its_function(name):
    make, inputs, function = TABLE[name]
    assert_same(called(make(), inputs), function(*inputs), atol=1e-6)


@pytest.mark.parametrize("name", TABLE)
def test_float64_layers_compute_in_float64(name):
    make, inputs, function = TABLE[name]
    inputs = [value.astype(np.float64) for value in inputs]
    seen = called(make(dtype="float64"), inputs)
    assert {value.dtype for value in tf.nest.flatten(seen)} == {tf.float64}
    assert_same(seen, function(*inputs), atol=1e-12)


@pytest.mark.parametrize("name", TABLE)
def test_a_saved_model_of_unknown_batch_size_is_restored(name, tmp_path):
    make, inputs, function = TABLE[name]
    symbols = [keras.Input(value.shape[1:]) for value in inputs]
    model = keras.Model(
        symbols if len(symbols) > 1 else symbols[0], called(make(name="the_layer"), symbols)
    )
    shapes = [x.shape for x in tf.nest.flatten(model.output)]
    assert shapes == [(None, *x.shape[1:]) for x in tf.nest.flatten(function(*inputs))]
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert restored.get_layer("the_layer").get_config() == make(name="the_layer").get_config()
    assert_same(called(restored, inputs), function(*inputs), atol=1e-6)


@pytest.mark.parametrize("name", TABLE)
def test_half_precision_computes_in_float32(name):
    make, inputs, function = TABLE[name]
    seen = tf.nest.flatten(called(make(dtype="mixed_bfloat16"), inputs))
    expected = tf.nest.flatten(function(*inputs))
    dtype = tf.float32 if name in KEEP_FLOAT32 else tf.bfloat16
    assert {value.dtype for value in seen} == {dtype}
    assert_same(seen, [tf.cast(value, dtype) for value in expected], atol=1e-6, rtol=1e-2)


@pytest.mark.parametrize("name", TABLE)
def test_a_call_with_too_many_tensors_is_told_what_to_bring(name):
    make, inputs, _ = TABLE[name]
    layer = make()
    with pytest.raises(ValueError, match=r"Input of layer.*: expected.*; received \d tensors"):
        layer([*inputs, VERTICES])


def test_clipped_faces_are_those_of_the_function():
    layer = layers.ClipToNear(MESH.faces, near=0.9)
    expected = geometry.clip_to_near(VERTICES, MESH.faces, near=0.9).faces
    np.testing.assert_array_equal(layer.clipped_faces, expected)


@pytest.mark.parametrize("convention", ["opencv", "opengl", "softras"])
def test_eyes_of_extrinsics_are_where_the_camera_stands(convention):
    eyes = RNG.normal(size=(3, 3)).astype(np.float32)
    rotations, translations = geometry.look_at_extrinsics(eyes, convention=convention)
    layer = layers.WorldToCamera(convention=convention)
    np.testing.assert_allclose(layer.eyes(rotations, translations), eyes, atol=1e-6)
    fixed = layers.WorldToCamera(
        rotation=rotations[1], translation=translations[1], convention=convention
    )
    np.testing.assert_allclose(fixed.eyes(), eyes[1], atol=1e-6)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.WorldToCamera(rotation=np.eye(3)), "camera: expected .*rotation alone"),
        (
            lambda: layers.WorldToCamera(rotation=[1], translation=[1, 2, 3]),
            "rotation: expected floats",
        ),
        (lambda: layers.WorldToCamera(convention="maya"), "source: expected.*maya"),
        (lambda: layers.Pinhole(16, np.eye(2)), r"intrinsics: expected floats \[3, 3\]"),
        (lambda: layers.Pinhole(0), "image_size: expected"),
        (lambda: layers.Orthographic(view_size=0.0), "view_size: expected"),
        (lambda: layers.Orthographic(center=1.0), "center: expected floats"),
        (lambda: layers.ClipToNear(MESH.faces, near=0.0), "near: expected"),
        (lambda: layers.ClipToNear([[0, 1]], near=1.0), "faces: expected integers"),
        (lambda: layers.ClipToNear([[[0, 1, 2]]], near=1.0), "faces: expected integers"),
        (lambda: layers.VertexNormals([[0.5, 1, 2]]), "faces: expected integers"),
        (lambda: layers.UVTexture(wrap="mirror"), "wrap: expected"),
        (lambda: layers.LambertLighting(ambient=(1, 2)), "ambient: expected floats"),
        (lambda: layers.LambertLighting(point=[{"direction": (0, 0, 1)}]), "light: expected"),
        (
            lambda: layers.LambertLighting(directional=[{"direction": (0, 1)}]),
            "direction: expected floats",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
