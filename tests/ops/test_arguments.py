"""The ops' Python functions take many kinds of arguments, and refuse others in one sentence."""

import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry, ops

MESH = geometry.icosphere(0)
FACES = np.asarray(MESH.faces)
VERTICES = (np.asarray(MESH.vertices)[None] + [0, 0, 3]).astype(np.float32)


def silhouette(**changes):
    given = {"vertices": VERTICES, "faces": FACES, "image_size": 6, "sigma": 1e-2, **changes}
    return ops.soft_rasterize(**given)


def shaded(**changes):
    given = {
        "vertices": VERTICES,
        "faces": FACES,
        "attributes": np.ones((1, 12, 1), np.float32),
        "image_size": 6,
        "sigma": 1e-2,
        **changes,
    }
    return ops.soft_shade(**given)[1]


def nearest(**changes):
    return ops.rasterize_faces(
        **{"vertices": VERTICES, "faces": FACES, "image_size": 6, **changes}
    )[1]


CALLS = pytest.mark.parametrize("call", [silhouette, shaded, nearest])


@CALLS
@pytest.mark.parametrize(
    "changes",
    [
        {"faces": FACES.tolist()},
        {"faces": FACES.astype(np.uint8)},
        {"faces": FACES.astype(np.int64)},
        {"faces": FACES.astype(np.uint64)},
        {"faces": tf.constant(FACES, tf.int64)},
        {"faces": tf.constant(FACES, tf.uint64)},
        {"faces": tf.Variable(FACES)},
        {"faces": list(tf.unstack(tf.constant(FACES)))},
        {"image_size": (6, 6)},
        {"image_size": np.array([6, 6])},
        {"image_size": np.int64(6)},
        {"image_size": np.array(6)},
        {"image_size": tf.constant(6)},
        {"image_size": tf.constant([6, 6])},
        {"image_size": tf.TensorShape([1, 6, 6, 3])[1:3]},
        {"near": np.float64(0)},
    ],
    ids=lambda changes: " ".join(f"{k}: {type(v).__name__}" for k, v in changes.items()),
)
def test_what_is_meant_is_taken(call, changes):
    np.testing.assert_array_equal(call(**changes), call())


@CALLS
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"faces": FACES + 0.7},
            r"^faces: expected integers \[num_faces, 3\]; received float64 \[20, 3\]$",
        ),
        (
            {"faces": tf.constant(FACES, tf.float32)},
            r"^faces: expected integers \[num_faces, 3\]; received float32 \[20, 3\]$",
        ),
        ({"faces": FACES > 3}, r"^faces: expected integers .* received bool \[20, 3\]$"),
        (
            {"faces": FACES.astype(np.int64) + 2**32},
            r"^faces: expected vertex indices of 32 bits; received 42949673\d\d$",
        ),
        ({"faces": FACES.astype(np.int64) - 2**33}, "vertex indices of 32 bits; received -8589"),
        (
            {"faces": tf.RaggedTensor.from_row_lengths(FACES, [10, 10])},
            r"^faces: expected integers .*received a RaggedTensor: pad meshes.*pad_meshes\)$",
        ),
        (
            {"vertices": tf.RaggedTensor.from_row_lengths(VERTICES[0], [12])},
            r"^vertices: expected float32 or float64 .*received a RaggedTensor: pad meshes",
        ),
        (
            {"vertices": VERTICES.astype(np.float16)},
            r"^vertices: expected float32 or float64 \[batch, num_vertices, 3\]; "
            r"received float16 \[1, 12, 3\], which .* cast them",
        ),
        ({"vertices": tf.cast(VERTICES, tf.bfloat16)}, r"received bfloat16 \[1, 12, 3\]"),
        (
            {"vertices": VERTICES.astype(np.int64)},
            r"^vertices: expected float32 or float64 \[batch, num_vertices, 3\]; "
            r"received int64 \[1, 12, 3\]$",
        ),
        ({"image_size": True}, "^image_size: expected a positive int or .* received True$"),
        ({"image_size": (True, 6)}, r"^image_size: .* received \(True, 6\)$"),
        ({"image_size": np.array([6.0, 6.0])}, "^image_size: .* received array"),
        ({"image_size": tf.TensorShape([None, 6])}, "^image_size: .* received TensorShape"),
        ({"image_size": {6, 7}}, "^image_size: .* received {6, 7}$"),
        ({"near": "0"}, "^near: expected a number; received '0'$"),
        ({"near": None}, "^near: expected a number; received None$"),
    ],
)
def test_the_rest_is_refused_in_one_sentence(call, changes, message):
    with pytest.raises(ValueError, match=message) as error:
        call(**changes)
    assert len(str(error.value)) < 200


def test_indices_of_a_tensor_beyond_32_bits_never_wrap():
    """In a graph no Python sees them: the op does."""
    render = tf.function(lambda faces: silhouette(faces=faces))
    for offset in (2**32, -(2**32)):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"faces: expected vertex indices in \[0, 12\)"
        ):
            render(tf.constant(FACES, tf.int64) + offset)
    np.testing.assert_array_equal(render(tf.constant(FACES, tf.int64)), silhouette())


def test_the_reference_takes_half_precision():
    image = silhouette(vertices=VERTICES.astype(np.float16), implementation="reference")
    assert image.dtype == tf.float16
    np.testing.assert_allclose(image.numpy(), silhouette().numpy(), atol=0.05)


def n3mr(**changes):
    return silhouette(implementation="n3mr", **changes)


def by_reference(**changes):
    return silhouette(implementation="reference", **changes)


def shaded_by_reference(**changes):
    return shaded(implementation="reference", **changes)


def hard(**changes):
    return shaded(aggregation="hard", **changes)


def hard_by_reference(**changes):
    return shaded_by_reference(aggregation="hard", **changes)


@pytest.mark.parametrize("sigma", [-1e-3, 0.0, np.nan, np.inf], ids=str)
@pytest.mark.parametrize(
    "call", [silhouette, n3mr, by_reference, shaded, shaded_by_reference, hard, hard_by_reference]
)
def test_sigma_is_checked_by_every_implementation(call, sigma):
    message = f"^.*sigma: expected a positive finite number; received {sigma:g}"
    for given in (sigma, np.float32(sigma), tf.constant(sigma), tf.Variable(sigma)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            call(sigma=given)


@pytest.mark.parametrize("call", [shaded, shaded_by_reference])
def test_gamma_is_checked_by_every_implementation(call):
    with pytest.raises(tf.errors.InvalidArgumentError, match="gamma: expected a positive finite"):
        call(gamma=0.0)


@pytest.mark.parametrize("call", [n3mr, by_reference, shaded_by_reference])
def test_a_sigma_from_python_is_checked_in_a_graph_and_others_pass(call):
    with pytest.raises(tf.errors.InvalidArgumentError, match="sigma: expected a positive finite"):
        tf.function(lambda: call(sigma=-1.0))()
    np.testing.assert_allclose(
        tf.function(lambda sigma: call(sigma=sigma))(tf.constant(1e-2)),
        call(),
        atol=1e-6,  # a graph may fuse and reorder sums of numbers up to 1
    )
