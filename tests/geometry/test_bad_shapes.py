"""Functions of meshes and cameras refuse what broadcasting would take for something else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry

SPHERE = geometry.icosphere(0)
V, F = np.asarray(SPHERE.vertices), SPHERE.faces
SEEN = V + [0.0, 0.0, 3.0]
EYE = [0.0, 0.0, 2.7]
K = np.asarray(geometry.intrinsic_matrix(64, focal_length=60.0))
NEGATIVE = K * [[-1], [1], [1]]

SHAPES = {
    "eye": (lambda: geometry.look_at(V, [2.0]), r"^eye: expected shape \[..., 3\].*\[1\]"),
    "at": (lambda: geometry.look_at(V, EYE, at=[1.0]), r"^at: expected .*received \[1\]"),
    "up": (lambda: geometry.look_at(V, EYE, up=[1.0]), r"^up: expected .*received \[1\]"),
    "vertices": (
        lambda: geometry.look_at(V[:, :2], EYE),
        r"^vertices: expected shape \[..., num_vertices, 3\]; received \[12, 2\]",
    ),
    "eye of extrinsics": (lambda: geometry.look_at_extrinsics([2.0]), "^eye: expected"),
    "translation": (
        lambda: geometry.world_to_camera(V, np.eye(3), [3.0]),
        r"^translation: expected shape \[..., 3\]; received \[1\]",
    ),
    "rotation": (
        lambda: geometry.world_to_camera(V, np.eye(1), [0.0, 0.0, 3.0]),
        r"^rotation: expected shape \[..., 3, 3\]; received \[1, 1\]",
    ),
    "vertices of extrinsics": (
        lambda: geometry.world_to_camera(V[:, :1], np.eye(3), [0.0, 0.0, 3.0]),
        "^vertices: expected",
    ),
    "orthographic": (lambda: geometry.orthographic(SEEN[..., :2]), "^vertices: expected"),
    "centre": (lambda: geometry.orthographic(SEEN, center=[0.0]), "^center: expected"),
    "five numbers": (
        lambda: geometry.rotation_from_quaternion([0.0, 0.0, 0.0, 1.0, 5.0]),
        r"^quaternion: expected shape \[..., 4\]; received \[5\]",
    ),
    "three numbers": (
        lambda: geometry.rotation_from_quaternion([0.0, 0.0, 1.0]),
        "^quaternion: expected",
    ),
    "angles": (
        lambda: geometry.eye_from_angles([1.0, 2.0], [1.0, 2.0, 3.0], [0.0]),
        r"^distance, elevation and azimuth: expected shapes that broadcast; received "
        r"distance \[2\], elevation \[3\], azimuth \[1\]$",
    ),
    "angles of up": (
        lambda: geometry.up_from_angles([1.0, 2.0], [1.0, 2.0, 3.0]),
        "^elevation and azimuth: expected shapes that broadcast",
    ),
    "intrinsics": (
        lambda: geometry.pinhole(SEEN, np.eye(4), image_size=64),
        r"^intrinsics: expected shape \[..., 3, 3\]; received \[4, 4\]",
    ),
    "projection": (
        lambda: geometry.intrinsics_from_projection(np.eye(3), 64),
        r"^projection: expected shape \[..., 4, 4\]; received \[3, 3\]",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_that_would_broadcast_to_another_camera_are_refused(name):
    call, message = SHAPES[name]
    with pytest.raises(ValueError, match=message):
        call()
    with pytest.raises(ValueError, match=message.lstrip("^")):  # after AutoGraph's traceback
        tf.function(call)()


def test_sizes_that_a_graph_does_not_know_pass():
    unknown = tf.TensorSpec([None, None], tf.float32)
    look = tf.function(lambda v, eye: geometry.look_at(v, eye), input_signature=[unknown] * 2)
    np.testing.assert_array_equal(look(V, [EYE]), geometry.look_at(np.float32(V), [EYE]))
    angles = [tf.TensorSpec([None], tf.float32)] * 3
    eyes = tf.function(geometry.eye_from_angles, input_signature=angles)
    assert eyes([2.0, 3.0], [1.0], [0.0]).shape == (2, 3)


WITHOUT_BATCH = {
    "vertex_normals": geometry.vertex_normals,
    "corner_normals": geometry.corner_normals,
    "cull_back_faces": geometry.cull_back_faces,
    "clip_to_near": lambda v, f: geometry.clip_to_near(v, f, near=0.1),
    "face_corners": geometry.face_corners,
}


@pytest.mark.parametrize("name", WITHOUT_BATCH)
def test_vertices_without_a_batch_are_named(name):
    message = r"^vertices: expected shape \[batch, num_vertices, 3\]; received \[12, 3\]$"
    with pytest.raises(ValueError, match=message):
        WITHOUT_BATCH[name](V, F)


def test_attributes_without_a_batch_are_named():
    with pytest.raises(ValueError, match=r"^attributes: expected shape \[batch, num_vert"):
        geometry.face_corners(V[None], F, V)


@pytest.mark.parametrize(
    "call",
    [
        lambda: geometry.look_at(V, [0.0, 0.0, 0.0]),
        lambda: geometry.look_at(V[None], [EYE, [1.0, 2.0, 3.0]], at=[1.0, 2.0, 3.0]),
        lambda: geometry.look_at(V, tf.Variable([0.0, 0.0, 0.0])),
        lambda: geometry.look_at_extrinsics([0.0, 0.0, 0.0]),
    ],
)
def test_an_eye_at_the_point_that_it_looks_at_is_refused(call):
    with pytest.raises(ValueError, match=r"^eye: expected an eye apart from at.*received \["):
        call()


def test_an_eye_that_is_known_only_when_the_graph_runs_is_taken():
    look = tf.function(geometry.look_at, jit_compile=True)
    assert np.isfinite(look(np.float32(V), tf.zeros([3]))).all()
    assert geometry.look_at(keras.Input((12, 3)), keras.Input((3,))).shape == (None, 12, 3)


BAD_MATRICES = {
    "transposed": (K.T, r"intrinsics: expected the last row \(0, 0, 1\).*\[31.5, 31.5, 1.0\]"),
    "scaled": (2.0 * K, r"the last row.*received \[0.0, 0.0, 2.0\]"),
    "zeros": (np.zeros((3, 3)), r"the last row.*received \[0.0, 0.0, 0.0\]"),
    "negative": (NEGATIVE, r"expected positive focal lengths fx and fy; received \[-60.0, 60.0\]"),
    "one of two": (np.stack([K, NEGATIVE]), "expected positive focal lengths"),
}


@pytest.mark.parametrize("name", BAD_MATRICES)
@pytest.mark.parametrize("to", [np.asarray, lambda x: tf.constant(x, tf.float32)])
def test_known_matrices_that_are_no_intrinsics_are_refused(name, to):
    matrix, message = BAD_MATRICES[name]
    with pytest.raises(ValueError, match=message):
        geometry.pinhole(np.float32(SEEN), to(matrix), image_size=64)
