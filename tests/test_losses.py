"""Losses: eqs. 3 to 5 in plain float64 loops, gradients against numeric differences."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import losses
from tf_softras.geometry import icosphere

# A unit square of two triangles, and a 3 x 3 grid of them with all its borders.
SQUARE = np.array([[0, 1, 2], [0, 2, 3]])
GRID = np.array(
    [
        face
        for r, c in itertools.product(range(3), range(3))
        for i in [4 * r + c]
        for face in ([i, i + 1, i + 5], [i, i + 5, i + 4])
    ]
)
TETRAHEDRON = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
MESHES = {
    "icosphere": (42, icosphere(1).faces),
    "open grid": (16, GRID),
    "isolated vertices": (19, GRID + 1),
    "winding mixed": (16, np.where(np.arange(18)[:, None] % 3 == 0, GRID[:, ::-1], GRID)),
    "three faces at an edge": (5, np.array([[0, 1, 2], [0, 1, 3], [1, 0, 4]])),
    "repeated index": (4, np.array([[0, 1, 2], [2, 1, 3], [3, 3, 0]])),
    "one face twice": (3, np.array([[0, 1, 2], [0, 1, 2]])),
    "no faces": (4, np.zeros((0, 3), int)),
}


def random_vertices(num_vertices, *batch, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(size=(*batch, num_vertices, 3)).astype(dtype)


def neighbors_by_loop(faces):
    neighbors = {}
    for face in np.asarray(faces).tolist():
        for i, j in itertools.permutations(face, 2):
            if i != j:
                neighbors.setdefault(i, set()).add(j)
    return neighbors


def laplacian_by_loop(vertices, faces):
    total = 0.0
    for i, neighbors in neighbors_by_loop(faces).items():
        delta = vertices[i] - sum(vertices[j] for j in neighbors) / len(neighbors)
        total += delta @ delta
    return total


def flattening_by_loop(vertices, faces):
    """Eq. 5 by perpendiculars from the edge, over edges that have exactly two faces."""
    opposites = {}
    for face in np.asarray(faces).tolist():
        if len(set(face)) == 3:
            for corner in face:
                edge = frozenset(face) - {corner}
                opposites.setdefault(edge, []).append(corner)
    total = 0.0
    for edge, corners in opposites.items():
        if len(corners) != 2:
            continue
        start, end = (vertices[i] for i in edge)
        along = (end - start) / np.linalg.norm(end - start)
        p, q = (vertices[i] - start for i in corners)
        p, q = p - along * (p @ along), q - along * (q @ along)
        total += (p @ q / np.linalg.norm(p) / np.linalg.norm(q) + 1) ** 2
    return total


BY_LOOP = {
    losses.laplacian_loss: laplacian_by_loop,
    losses.flattening_loss: flattening_by_loop,
}
MESH_LOSSES = pytest.mark.parametrize("loss", BY_LOOP, ids=lambda f: f.__name__)
ALL_MESHES = pytest.mark.parametrize("mesh", MESHES)


def value_and_gradient(loss, vertices, faces):
    vertices = tf.convert_to_tensor(vertices)
    with tf.GradientTape() as tape:
        tape.watch(vertices)
        value = loss(vertices, faces)
    gradient = tape.gradient(value, vertices, unconnected_gradients="zero")
    return value.numpy(), tf.convert_to_tensor(gradient).numpy()


def numeric_gradient(function, point, step=1e-5):
    gradient = np.zeros_like(point)
    for index in np.ndindex(point.shape):
        ahead, behind = point.copy(), point.copy()
        ahead[index] += step
        behind[index] -= step
        gradient[index] = (function(ahead) - function(behind)) / (2 * step)
    return gradient


@MESH_LOSSES
@ALL_MESHES
def test_mesh_losses_equal_the_papers_sums_in_plain_loops(loss, mesh):
    num_vertices, faces = MESHES[mesh]
    vertices = random_vertices(num_vertices, 3)
    expected = [BY_LOOP[loss](v, faces) for v in vertices]
    # Random faces may be slivers, whose cosine loses digits: hence not 1e-15.
    np.testing.assert_allclose(loss(vertices, faces), expected, rtol=1e-10, atol=1e-12)
    single = loss(vertices.astype("float32"), faces)
    assert single.dtype == tf.float32
    np.testing.assert_allclose(single, expected, rtol=1e-4, atol=1e-6)


@MESH_LOSSES
@ALL_MESHES
def test_gradients_of_mesh_losses_equal_numeric_differences_of_the_loops(loss, mesh):
    num_vertices, faces = MESHES[mesh]
    vertices = random_vertices(num_vertices, 1, seed=1)
    expected = numeric_gradient(lambda v: BY_LOOP[loss](v[0], faces), vertices)
    _, exact = value_and_gradient(loss, vertices, faces)
    # Central differences with step h err by h^2 times a third derivative (slivers make that large)
    # and, where the gradient is 0, by rounding over h: 1e-16 / 1e-5.
    scale = np.linalg.norm(expected) + 1e-4
    assert np.linalg.norm(exact - expected) / scale < 1e-5
    _, single = value_and_gradient(loss, vertices.astype("float32"), faces)
    # Sums of float32 terms, of order 1 each, that may cancel.
    assert np.linalg.norm(single - exact) < 1e-3 * np.linalg.norm(expected) + 1e-5


def test_laplacian_of_a_square_is_the_number_worked_out_by_hand():
    # Vertices 0 and 2 see the three others: delta_0 = -(1 + 1 + 0, 0 + 1 + 1)/3, |.|^2 = 8/9.
    # Vertices 1 and 3 see 0 and 2 only, whose middle is (1/2, 1/2): |delta|^2 = 1/2.
    vertices = np.array([[[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]], "float32")
    np.testing.assert_allclose(losses.laplacian_loss(vertices, SQUARE), [2 * 8 / 9 + 1], rtol=1e-6)


@pytest.mark.parametrize(("degrees", "cosine"), [(180, -1), (90, 0), (60, 0.5), (0, 1), (300, 0.5)])
@pytest.mark.parametrize("faces", [[[0, 1, 2], [1, 0, 3]], [[0, 1, 2], [0, 1, 3]]])
def test_flattening_of_two_faces_at_a_known_angle(degrees, cosine, faces):
    angle = np.radians(degrees)
    # Opposite vertices at different places along the edge: only the angle about it may matter.
    opposite = [2.0, 3 * np.cos(angle), 3 * np.sin(angle)]
    vertices = np.array([[[0, 0, 0], [1, 0, 0], [0.3, 0.5, 0], opposite]], "float32")
    np.testing.assert_allclose(
        losses.flattening_loss(vertices, faces), [(cosine + 1) ** 2], atol=1e-6
    )


def test_a_flat_grid_has_no_flattening_loss_and_a_cube_has_one_per_edge():
    y, x = np.mgrid[0:4, 0:4]
    grid = np.stack([x, y, 0.5 * x + 0.25 * y], -1).reshape(1, 16, 3).astype("float32")
    np.testing.assert_allclose(losses.flattening_loss(grid, GRID), [0], atol=1e-10)
    corners = np.array(list(itertools.product([0, 1], repeat=3)), "float32")
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [f for a, b, c, d in quads for f in ([a, b, c], [a, c, d])]
    # 12 edges at 90 degrees: (0 + 1)^2 each; the 6 diagonals are flat.
    np.testing.assert_allclose(losses.flattening_loss(corners[None], faces), [12], rtol=1e-6)


def test_flattening_of_a_regular_tetrahedron_knows_its_dihedral_angle():
    # cos(theta) = 1/3 at each of 6 edges.
    vertices = np.array([[[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]], "float32")
    loss = losses.flattening_loss(vertices, TETRAHEDRON)
    np.testing.assert_allclose(loss, [6 * (4 / 3) ** 2], rtol=1e-6)


@MESH_LOSSES
def test_mesh_losses_do_not_know_pose_batch_or_order(loss):
    mesh = icosphere(1)
    random = np.random.default_rng(3)
    vertices = mesh.vertices + 0.2 * random.normal(size=mesh.vertices.shape)
    rotation, _ = np.linalg.qr(random.normal(size=(3, 3)))
    order = random.permutation(len(vertices))
    relabeled = np.argsort(order)[mesh.faces][random.permutation(len(mesh.faces))][:, [1, 2, 0]]
    expected = loss(vertices[None], mesh.faces)
    np.testing.assert_allclose(loss((vertices @ rotation + [1, 2, 3])[None], mesh.faces), expected)
    np.testing.assert_allclose(loss(vertices[order][None], relabeled), expected)
    views = np.stack([vertices, 2 * vertices, 3 * vertices])
    each = [loss(view[None], mesh.faces)[0] for view in views]
    np.testing.assert_allclose(loss(views, mesh.faces), each)
    np.testing.assert_allclose(loss(views[None], mesh.faces), [np.mean(each)])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_flattening_does_not_know_size_away_from_degenerate_faces(scale):
    mesh = icosphere(1)
    vertices = mesh.vertices + 0.1 * random_vertices(42, seed=2)
    expected = flattening_by_loop(vertices, mesh.faces)
    loss = losses.flattening_loss((scale * vertices[None]).astype("float32"), mesh.faces)
    # 120 terms of order 0.1, each right to a few float32 roundings (6e-8).
    np.testing.assert_allclose(loss, [expected], rtol=2e-6)


def _square(apex):
    return np.array([[[0, 0, 0], [1, 0, 0], [0.5, 1, 0], apex]])


DEGENERATE = {
    "folded": (_square([0.5, 1, 0]), [[0, 1, 2], [1, 0, 3]]),
    "zero area": (_square([0.5, 0, 0]), [[0, 1, 2], [1, 0, 3]]),
    "nearly zero area": (_square([0.5, -1e-12, 0]), [[0, 1, 2], [1, 0, 3]]),
    "apex on the edge's end": (_square([1, 0, 0]), [[0, 1, 2], [1, 0, 3]]),
    "zero-length edge": (np.array([[[0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0]]]), SQUARE),
    "all in one point": (np.full((1, 42, 3), 0.3), icosphere(1).faces),
    "tiny": (1e-20 * icosphere(1).vertices[None], icosphere(1).faces),
    "flattened sphere": (icosphere(1).vertices[None] * [1, 1, 0], icosphere(1).faces),
    "repeated index": (_square([0, 1, 0]), [[0, 1, 1], [1, 0, 3], [2, 2, 2]]),
}


@MESH_LOSSES
@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_is_finite_on_faces_that_fold_or_vanish(loss, case, dtype):
    vertices, faces = DEGENERATE[case]
    value, gradient = value_and_gradient(loss, vertices.astype(dtype), faces)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()
    assert np.abs(gradient).max() < 1e9


@pytest.mark.parametrize("case", ["folded", "zero area", "nearly zero area", "zero-length edge"])
def test_gradient_on_degenerate_faces_is_that_of_the_value(case):
    vertices, faces = DEGENERATE[case]
    # A generic offset too small to leave the degenerate region, large enough for differences.
    vertices = vertices + 1e-5 * random_vertices(4, 1, seed=7)
    numeric = numeric_gradient(
        lambda v: losses.flattening_loss(v, faces).numpy()[0], vertices, step=1e-7
    )
    _, gradient = value_and_gradient(losses.flattening_loss, vertices, faces)
    # Numeric differences carry rounding of the value over the step, 4e-16 / 1e-7.
    atol = 1e-8 + 1e-4 * np.abs(numeric).max()
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=atol)


def test_a_vanishing_face_counts_as_a_right_angle_and_is_pushed_open():
    vertices, faces = DEGENERATE["zero area"]
    value, gradient = value_and_gradient(losses.flattening_loss, vertices, faces)
    np.testing.assert_allclose(value, [1])
    assert gradient[0, 3, 1] > 0  # Descent moves the apex to -y, away from the other face.


def test_silhouette_iou_of_small_masks_is_the_number_worked_out_by_hand():
    first = np.array([[1, 1, 0], [1, 1, 0]], "float32")
    second = np.array([[0, 1, 1], [0, 1, 1]], "float32")
    # 2 pixels in common, 6 in either.
    value = losses.silhouette_iou_loss(first[None], second[None])
    np.testing.assert_allclose(value, [1 - 2 / 6], rtol=1e-6)
    # Soft: t = .5 and p = .5 make t p = .25 and t + p - t p = .75 in every pixel.
    value = losses.silhouette_iou_loss(first[None] * 0 + 0.5, second[None] * 0 + 0.5)
    np.testing.assert_allclose(value, [1 - 1 / 3], rtol=1e-6)


def test_silhouette_iou_of_views_is_the_mean_of_each_views_loss():
    random = np.random.default_rng(0)
    truth = (random.random((5, 4, 8, 6)) < [[[0.1]], [[0.5]], [[0.9]], [[0.0]]]) * 1.0
    silhouettes = random.random((5, 4, 8, 6))
    expected = np.zeros(5)
    for b, v in np.ndindex(5, 4):
        t, p = truth[b, v], silhouettes[b, v]
        expected[b] += (1 - (t * p).sum() / (t + p - t * p).sum()) / 4
    np.testing.assert_allclose(losses.silhouette_iou_loss(truth, silhouettes), expected, rtol=1e-12)


def test_gradient_of_silhouette_iou_equals_numeric_differences():
    random = np.random.default_rng(0)
    truth, silhouettes = random.random((2, 2, 3, 4)), random.random((2, 2, 3, 4))

    def loop(p):
        return (1 - (truth * p).sum((2, 3)) / (truth + p - truth * p).sum((2, 3))).mean(1).sum()

    _, gradient = value_and_gradient(
        lambda p, t: losses.silhouette_iou_loss(t, p), silhouettes, truth
    )
    np.testing.assert_allclose(gradient, numeric_gradient(loop, silhouettes), rtol=1e-7, atol=1e-9)


def test_empty_images_agree_and_give_a_finite_gradient():
    images = np.zeros((3, 4, 4), "float32")
    truth = images.copy()
    truth[1, 0, 0] = 1  # Missed altogether.
    images[2] = 1e-30  # All but empty.
    value, gradient = value_and_gradient(
        lambda p, t: losses.silhouette_iou_loss(t, p), images, truth
    )
    np.testing.assert_allclose(value, [0, 1, 1])
    assert np.isfinite(gradient).all()
    # The gradient of 1 - sum(t p) / sum(t + p - t p) at p = 0: minus t, over one pixel of truth.
    np.testing.assert_allclose(gradient[1], -truth[1])
    assert not gradient[0].any()


@pytest.mark.parametrize(
    "shapes", [((2, 4, 4), (2, 4, 5)), ((2, 4, 4), (2, 1, 4, 4)), ((4, 4),) * 2]
)
def test_silhouettes_of_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="y_true and y_pred: expected .*; received"):
        losses.silhouette_iou_loss(np.zeros(shapes[0]), np.zeros(shapes[1]))


@MESH_LOSSES
def test_bad_faces_and_vertices_are_refused_by_name(loss):
    vertices = np.zeros((1, 4, 3), "float32")
    for faces, match in [
        ([[0, 1, 4]], "vertex indices below 4.*received 4"),
        ([[0, -1, 2]], "faces: expected three of -1"),
        ([[0.0, 1.0, 2.0]], "faces: expected integers.*float64"),
        ([0, 1, 2], r"faces: expected integers.*\[3\]"),
        ([[0, 1, 2, 3]], r"faces: expected integers.*\[1, 4\]"),
    ]:
        with pytest.raises(ValueError, match=match):
            loss(vertices, faces)
    for shape in [(4, 3), (1, 4, 2)]:
        with pytest.raises(ValueError, match="vertices: expected.*; received"):
            loss(np.zeros(shape, "float32"), SQUARE)


def loss_cases():
    random = np.random.default_rng(0)
    images = random.random((2, 3, 2, 5, 5)).astype("float32")
    vertices = random.normal(size=(3, 2, 42, 3)).astype("float32")
    faces = icosphere(1).faces
    return {
        "SilhouetteIoULoss": (losses.SilhouetteIoULoss(), losses.silhouette_iou_loss, *images),
        "LaplacianLoss": (
            losses.LaplacianLoss(faces),
            lambda _, v: losses.laplacian_loss(v, faces),
            None,
            vertices,
        ),
        "FlatteningLoss": (
            losses.FlatteningLoss(faces),
            lambda _, v: losses.flattening_loss(v, faces),
            None,
            vertices,
        ),
    }


LOSS_CLASSES = pytest.mark.parametrize("case", loss_cases())


@LOSS_CLASSES
def test_loss_classes_are_the_functions_mean_and_honour_sample_weight(case):
    loss, function, y_true, y_pred = loss_cases()[case]
    values = function(y_true, y_pred).numpy()
    np.testing.assert_allclose(loss(y_true, y_pred), values.mean(), rtol=1e-6)
    weight = np.array([1.0, 0.0, 3.0], "float32")
    weighted = loss(y_true, y_pred, sample_weight=weight)
    np.testing.assert_allclose(weighted, (values * weight).sum() / 3, rtol=1e-6)


@LOSS_CLASSES
def test_loss_classes_survive_serialization(case):
    loss, _, y_true, y_pred = loss_cases()[case]
    loss.reduction = "sum"
    restored = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(restored) is type(loss)
    assert restored.get_config() == loss.get_config()
    np.testing.assert_allclose(restored(y_true, y_pred), loss(y_true, y_pred))


@LOSS_CLASSES
def test_loss_classes_compute_in_float32_under_mixed_precision(case):
    loss, function, y_true, y_pred = loss_cases()[case]
    half = y_pred.astype("float16")
    for value in (loss(y_true, half), function(y_true, half)):
        assert value.dtype == tf.float32
    expected = loss(y_true, half.astype("float32"))
    np.testing.assert_allclose(loss(y_true, half), expected, rtol=1e-6)


@LOSS_CLASSES
@pytest.mark.parametrize("jit_compile", [False, True])
def test_loss_classes_work_in_graphs_of_unknown_batch_size(case, jit_compile):
    loss, _, y_true, y_pred = loss_cases()[case]
    shape = (None, *y_pred.shape[1:])

    @tf.function(input_signature=[tf.TensorSpec(shape)], jit_compile=jit_compile)
    def gradient(y_pred):
        with tf.GradientTape() as tape:
            tape.watch(y_pred)
            value = loss(None if y_true is None else tf.constant(y_true), y_pred)
        return value, tape.gradient(value, y_pred)

    value, slope = gradient(y_pred)
    np.testing.assert_allclose(value, loss(y_true, y_pred), rtol=1e-5)
    assert slope.shape == y_pred.shape and np.isfinite(slope).all()
