import numpy as np
import pytest
import tensorflow as tf

from tf_softras.geometry import LaplacianPreconditioner, icosphere
from tf_softras.ops import soft_rasterize


def dense_matrix(faces, num_vertices, smoothness):
    """I + smoothness L, entry by entry from its definition."""
    matrix = np.eye(num_vertices)
    neighbours = {frozenset((a, b)) for f in faces.tolist() for a in f for b in f if a != b}
    for a, b in map(tuple, neighbours):
        matrix[a, a] += smoothness
        matrix[b, b] += smoothness
        matrix[a, b] -= smoothness
        matrix[b, a] -= smoothness
    return matrix


@pytest.fixture(scope="module")
def ball():
    return icosphere(2)


@pytest.fixture(scope="module")
def smooth(ball):
    return LaplacianPreconditioner(ball.faces, smoothness=12.0)


def test_the_pair_is_the_matrix_and_its_inverse(ball, smooth):
    matrix = dense_matrix(ball.faces, len(ball.vertices), 12.0)
    values = np.random.default_rng(0).normal(size=(2, len(ball.vertices), 5))
    u = smooth.precondition(values)
    np.testing.assert_allclose(u, matrix @ values, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(smooth.restore(u), values, atol=1e-12)
    np.testing.assert_allclose(smooth.dense_inverse(), np.linalg.inv(matrix), atol=1e-12)


def test_open_and_unused_vertices_keep_their_coordinates():
    smooth = LaplacianPreconditioner([[0, 1, 2], [2, 1, 3]], 6, smoothness=5.0)
    expected = np.linalg.inv(dense_matrix(np.array([[0, 1, 2], [2, 1, 3]]), 6, 5.0))
    np.testing.assert_allclose(smooth.dense_inverse(), expected, atol=1e-14)
    assert (smooth.dense_inverse()[4:, 4:] == np.eye(2)).all()


def test_the_gradient_is_that_of_finite_differences(ball, smooth):
    u = tf.constant(smooth.precondition(0.5 * ball.vertices.astype(np.float64))[None])
    direction = np.random.default_rng(1).normal(size=u.shape)

    @tf.function
    def loss(u):
        return tf.reduce_sum(smooth.restore(u) ** 3)

    with tf.GradientTape() as tape:
        tape.watch(u)
        value = loss(u)
    step = 1e-5
    difference = (loss(u + step * direction) - loss(u - step * direction)) / (2 * step)
    # Central differences of a cubic: the error is about 1e-10 here.
    np.testing.assert_allclose(
        np.sum(tape.gradient(value, u) * direction), difference, rtol=1e-7, atol=1e-12
    )


def test_tensors_keep_dtype_and_static_shape(ball, smooth):
    @tf.function(input_signature=[tf.TensorSpec([None, len(ball.vertices), 3], tf.float32)])
    def there_and_back(v):
        u = smooth.precondition(v)
        assert u.shape == (None, len(ball.vertices), 3) and u.dtype == tf.float32
        return smooth.restore(u)

    # float32 of u, whose matrix has a condition number of about 12 * 12.
    np.testing.assert_allclose(there_and_back(ball.vertices[None])[0], ball.vertices, atol=3e-5)


def test_a_step_along_the_preconditioned_gradient_is_smooth(ball, smooth):
    """The rim of a silhouette alone has a gradient; the step moves what is beside it along."""
    plane = tf.constant(0.4 * ball.vertices + np.float32([0.0, 0.0, 3.0]))[None]
    with tf.GradientTape() as tape:
        tape.watch(plane)
        area = tf.reduce_sum(soft_rasterize(plane, ball.faces, image_size=32, sigma=1e-5))
    gradient = tape.gradient(area, plane)[0].numpy().astype(np.float64)
    sides = [ball.faces[:, [0, 1]], ball.faces[:, [1, 2]], ball.faces[:, [2, 0]]]
    first, second = np.concatenate(sides).T

    def roughness(step):
        return np.sum((step[first] - step[second]) ** 2) / np.sum(step**2)

    assert roughness(smooth.restore(smooth.restore(gradient))) < 0.1 * roughness(gradient)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([[0, 1]],), "faces"),
        (([[0, 1, -1]],), "faces"),
        (([[[0, 1, 2]]],), "faces: expected"),
        (([[0, 1, 3]], 3), "num_vertices: expected at least 4"),
    ],
)
def test_bad_topologies_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LaplacianPreconditioner(*arguments, smoothness=1.0)


@pytest.mark.parametrize("smoothness", [-1.0, float("nan"), float("inf")])
def test_bad_smoothness_is_refused(smoothness):
    with pytest.raises(ValueError, match="smoothness: expected"):
        LaplacianPreconditioner([[0, 1, 2]], smoothness=smoothness)


def test_other_numbers_of_vertices_are_refused(smooth):
    with pytest.raises(ValueError, match=r"vertices: expected shape \[..., 162, channels\]"):
        smooth.restore(np.zeros((161, 3)))
