"""Cameras, lenses and `Renderer` refuse what would draw another picture in silence."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry, layers

SPHERE = geometry.icosphere(0)
FACES = SPHERE.faces
VERTICES = np.float32(0.5 * SPHERE.vertices[None])
EYES = np.float32([[0.0, 0.0, 2.7]])
K = np.asarray(geometry.intrinsic_matrix(64, focal_length=60.0))
UVS = np.zeros((20, 3, 2), np.float32)
TEXTURE = np.full((1, 4, 4, 3), 200, np.uint8)


@pytest.mark.parametrize("aggregation", ["Soft", "x", None, True])
def test_an_unknown_aggregation_is_refused_by_all_alike(aggregation):
    message = r"aggregation: expected one of \('soft', 'hard'\); received "
    for layer in (layers.Renderer, layers.SoftShade):
        with pytest.raises(ValueError, match=message):
            layer(FACES, 16, aggregation=aggregation)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"wrap": "x"}, r"wrap: expected one of \('repeat', 'clamp'\); received 'x'"),
        ({"implementation": "x"}, r"implementation: expected one of .*; received 'x'"),
        ({"implementation": "n3mr"}, r"implementation: expected one of .*; received 'n3mr'"),
        ({"background": (300, 0, 0)}, r"background: expected floats in \[0, 1\]; .*\(300, 0, 0\)"),
        ({"background": (-0.5, 0, 0)}, r"background: expected floats in \[0, 1\]"),
        ({"near": 1.0, "far": 0.5}, r"0 < near < far; received near=1.0, far=0.5"),
        ({"near": 0.0}, r"0 < near < far; received near=0.0, far=100.0"),
        ({"near": 0.1, "far": np.nan}, r"far: expected a float, finite; received nan"),
        ({"far": np.inf}, r"far: expected a float, finite; received inf"),
    ],
)
def test_bad_options_of_a_renderer_are_refused_when_it_is_made(options, message):
    with pytest.raises(ValueError, match=message):
        layers.Renderer(FACES, 16, **options)


def test_a_background_beside_1_by_a_rounding_is_taken():
    assert layers.Renderer(FACES, 16, background=np.float32([1.0000001, 0, 1])).background


@pytest.mark.parametrize(
    "camera",
    [
        {"eye": [0.0, 0.0, 0.0]},
        {"eye": [[1.0, 0.0, 0.0], [1.0, 2.0, 3.0]], "at": [1.0, 2.0, 3.0]},
        {"distance": 0.0, "elevation": 0.0, "azimuth": 0.0},
        {"distance": [2.0, 0.0], "elevation": 0.0, "azimuth": 0.0},
    ],
)
def test_a_fixed_eye_at_the_point_looked_at_is_refused(camera):
    name = "eye" if "eye" in camera else "distance, elevation and azimuth"
    with pytest.raises(ValueError, match=f"^{name}: expected an eye apart from at"):
        layers.LookAt(**camera)


def test_an_eye_at_the_point_looked_at_is_refused():
    eyes = np.concatenate([EYES, [[0.0, 0.0, 0.0]]])
    message = r"eyes: expected an eye apart from at, .*; received \[0.0, 0.0, 0.0\] for both"
    with pytest.raises(ValueError, match=message):
        layers.LookAt()([VERTICES, eyes])
    with pytest.raises(ValueError, match=message):
        layers.Renderer(FACES, 8)({"vertices": VERTICES, "eyes": eyes})
    away = layers.LookAt(at=[0.0, 1.0, 0.0])([VERTICES, eyes])
    assert np.abs(away).max(axis=(1, 2)).min() > 0.0


def test_fixed_angles_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match="distance, elevation and azimuth: expected shapes"):
        layers.LookAt(distance=[1.0, 2.0], elevation=[1.0, 2.0, 3.0], azimuth=0.0)


# Inputs with one value, or without a batch, which broadcasting would take.
SHAPES = {
    "eyes of one number": ({"eyes": [[2.0]]}, r"eyes: expected shape \[batch, 3\]; .*\[1, 1\]"),
    "eyes without a batch": ({"eyes": EYES[0]}, r"eyes: expected shape \[batch, 3\]; .*\[3\]"),
    "at": ({"at": [[1.0]]}, r"at: expected shape \[batch, 3\]"),
    "at without a batch": ({"at": [1.0, 0.0, 0.0]}, r"at: expected shape \[batch, 3\]"),
    "up": ({"up": [[1.0]]}, r"up: expected shape \[batch, 3\]"),
    "one coordinate": (
        {"vertices": VERTICES[..., :1]},
        r"vertices: expected shape \[batch, num_vertices, 3\]; received \[1, 12, 1\]",
    ),
    "vertices without a batch": (
        {"vertices": VERTICES[0]},
        r"vertices: expected shape \[batch, num_vertices, 3\]; received \[12, 3\]",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("layer", [layers.LookAt(), layers.Renderer(FACES, 8)])
def test_inputs_of_another_shape_are_refused(layer, name):
    changes, message = SHAPES[name]
    changes = {key: np.float32(value) for key, value in changes.items()}
    inputs = {"vertices": VERTICES, "eyes": EYES, **changes}
    with pytest.raises(ValueError, match=message):
        layer(inputs)
    symbols = {key: keras.KerasTensor(value.shape) for key, value in inputs.items()}
    with pytest.raises(ValueError, match=message):
        layer(symbols)
    with pytest.raises(ValueError, match=message):
        tf.function(layer)({key: tf.constant(value) for key, value in inputs.items()})


@pytest.mark.parametrize(
    "layer, inputs, message",
    [
        (layers.WorldToCamera(), [VERTICES, np.eye(3)[None], np.ones((1, 1))], "translations: "),
        (layers.WorldToCamera(), [VERTICES, np.eye(3), np.ones((1, 3))], "rotations: "),
        (layers.Pinhole(64), [VERTICES, K], r"intrinsics: expected shape \[batch, 3, 3\]"),
        (layers.Pinhole(64), [VERTICES, K.T[None]], "intrinsics: expected the last row"),
        (layers.Orthographic(), VERTICES[..., :2], "vertices: expected shape"),
        (layers.Perspective(), VERTICES[..., :2], "vertices: expected shape"),
        (layers.LookAt(eye=EYES[0]), VERTICES[..., :1], "vertices: expected shape"),
        (
            layers.Renderer(None, 8),
            {"vertices": VERTICES, "eyes": EYES, "faces": FACES},
            r"faces: expected shape \[batch, num_faces, 3\]",
        ),
    ],
)
def test_inputs_of_other_cameras_are_checked_too(layer, inputs, message):
    with pytest.raises(ValueError, match=message):
        layer(inputs)


@pytest.mark.parametrize(
    "matrix, message",
    [
        (K.T, r"the last row \(0, 0, 1\)"),
        (2 * K, r"the last row \(0, 0, 1\)"),
        (np.zeros((3, 3)), r"the last row \(0, 0, 1\)"),
        (K * [[-1], [1], [1]], "positive focal lengths"),
        (np.stack([K, K * [[1], [0], [1]]]), "positive focal lengths"),
    ],
)
def test_a_fixed_matrix_that_is_no_intrinsics_is_refused(matrix, message):
    with pytest.raises(ValueError, match=f"intrinsics: expected {message}"):
        layers.Pinhole(64, matrix)


@pytest.mark.parametrize(
    "name, value", [("colors", np.full((1, 12, 3), 200, np.uint8)), ("textures", TEXTURE)]
)
def test_colours_of_0_to_255_are_refused(name, value):
    layer = layers.Renderer(FACES, 8, face_uvs=UVS if name == "textures" else None)
    message = rf"{name}: expected floats in \[0, 1\]; received uint8. Divide .* by 255.0"
    inputs = {"vertices": VERTICES, "eyes": EYES, name: value}
    with pytest.raises(ValueError, match=message):
        layer(inputs)
    with pytest.raises(ValueError, match=message):
        tf.function(layer)({key: tf.constant(value) for key, value in inputs.items()})
    symbols = {key: keras.Input(v.shape[1:], dtype=v.dtype.name) for key, v in inputs.items()}
    with pytest.raises(ValueError, match=message):
        layer(symbols)
    assert layer({**inputs, name: value / np.float32(255.0)})["image"].shape == (1, 8, 8, 3)
