"""Mesh losses of meshes whose faces differ by item: those of each mesh alone, in float64 loops."""

import numpy as np
import pytest
import tensorflow as tf

from tests.test_losses import BY_LOOP, MESHES, numeric_gradient, random_vertices
from tf_softras import geometry, losses

NAMES = list(MESHES)
MOST_VERTICES = max(count for count, _ in MESHES.values())
MOST_FACES = max(len(faces) for _, faces in MESHES.values())
# Meshes of different size, open, closed, degenerate, empty: padded with faces of -1.
FACES = np.full((len(NAMES), MOST_FACES, 3), -1, "int32")
for item, (_, faces) in enumerate(MESHES.values()):
    FACES[item, : len(faces)] = faces
VERTICES = random_vertices(MOST_VERTICES, len(NAMES))
LOSSES = pytest.mark.parametrize("loss", BY_LOOP, ids=lambda f: f.__name__)


def by_loop(loss, vertices):
    pairs = zip(vertices, MESHES.values(), strict=True)
    return np.array([BY_LOOP[loss](v, faces) for v, (_, faces) in pairs])


@LOSSES
@pytest.mark.parametrize("as_tensor", [False, True])
def test_each_item_has_the_loss_of_its_mesh_alone(loss, as_tensor):
    faces = tf.constant(FACES, tf.int64) if as_tensor else FACES
    value = loss(VERTICES, faces)
    np.testing.assert_allclose(value, by_loop(loss, VERTICES), rtol=1e-10, atol=1e-12)
    single = loss(VERTICES.astype("float32"), faces)
    assert single.dtype == tf.float32
    np.testing.assert_allclose(single, by_loop(loss, VERTICES), rtol=1e-4, atol=1e-6)


@LOSSES
@pytest.mark.parametrize("jit_compile", [False, True])
def test_faces_and_batch_may_be_known_only_in_the_graph(loss, jit_compile):
    signature = [
        tf.TensorSpec((None, MOST_VERTICES, 3), tf.float64),
        tf.TensorSpec((None, None, 3), tf.int32),
    ]
    compiled = tf.function(loss, input_signature=signature, jit_compile=jit_compile)
    expected = by_loop(loss, VERTICES)
    np.testing.assert_allclose(compiled(VERTICES, FACES), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(compiled(VERTICES[:1], FACES[:1, :80]), expected[:1], rtol=1e-10)


@LOSSES
def test_gradients_are_numeric_differences_of_the_loops_and_0_beside_the_mesh(loss):
    x = tf.constant(VERTICES)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(x, FACES)
    gradient = tape.gradient(value, x).numpy()
    for name in ("open grid", "repeated index", "winding mixed"):
        item, (count, faces) = NAMES.index(name), MESHES[name]
        own = VERTICES[item, :count]
        expected = numeric_gradient(lambda v, faces=faces: BY_LOOP[loss](v, faces), own)
        error = np.linalg.norm(gradient[item, :count] - expected)
        assert error < 1e-5 * np.linalg.norm(expected)
        assert not gradient[item, count:].any()


@LOSSES
def test_views_of_each_item_are_averaged(loss):
    views = np.stack([VERTICES, 2 * VERTICES + random_vertices(MOST_VERTICES, 1)], axis=1)
    expected = np.mean([by_loop(loss, views[:, i]) for i in range(2)], axis=0)
    np.testing.assert_allclose(loss(views, FACES), expected, rtol=1e-10, atol=1e-12)


@LOSSES
def test_one_mesh_beside_many_and_many_topologies_of_one_set_of_vertices(loss):
    item = NAMES.index("open grid")
    value = loss(VERTICES[:3], FACES[item][None])
    expected = [BY_LOOP[loss](v, MESHES["open grid"][1]) for v in VERTICES[:3]]
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    value = loss(VERTICES[:1], FACES)
    expected = by_loop(loss, np.repeat(VERTICES[:1], len(NAMES), axis=0))
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)


@LOSSES
def test_padding_of_shared_faces_adds_nothing(loss):
    value = loss(VERTICES, FACES[NAMES.index("open grid")])
    np.testing.assert_allclose(value, loss(VERTICES, MESHES["open grid"][1]), rtol=1e-12)


@pytest.mark.parametrize("kind", [losses.LaplacianLoss, losses.FlatteningLoss])
def test_loss_classes_take_padded_meshes_and_are_restored(kind):
    meshes = [geometry.icosphere(0), geometry.icosphere(1)]
    vertices, faces = geometry.pad_meshes(meshes)
    loss = kind(faces, reduction=None)
    alone = [kind(mesh.faces)(None, mesh.vertices[None]) for mesh in meshes]
    np.testing.assert_allclose(loss(None, vertices), alone, rtol=1e-5)
    restored = kind.from_config(loss.get_config())
    np.testing.assert_array_equal(restored(None, vertices), loss(None, vertices))


@LOSSES
def test_a_vertex_that_is_not_there_is_refused(loss):
    faces = FACES.copy()
    faces[0, 0] = [0, 1, MOST_VERTICES]
    with pytest.raises(ValueError, match=f"vertex indices below {MOST_VERTICES}"):
        loss(VERTICES, faces)
    with pytest.raises(tf.errors.InvalidArgumentError, match="vertex indices below"):
        loss(VERTICES, tf.constant(faces))
    with pytest.raises(ValueError, match="faces: expected integers"):
        loss(VERTICES, tf.constant(faces, tf.float32))
