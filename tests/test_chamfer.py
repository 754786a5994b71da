"""The chamfer loss against SciPy's k-d tree, its gradient against central differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial import cKDTree

from tests.gradient_checks import directional_derivative
from tf_softras import geometry, losses

RANDOM = np.random.default_rng(0)


def by_tree(first, second):
    """The sum of both mean squared distances, in float64."""
    return sum(np.mean(cKDTree(b).query(a)[0] ** 2) for a, b in ((first, second), (second, first)))


@pytest.mark.parametrize("dtype, rtol", [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("middle", [0.0, 100.0])
def test_values_are_those_of_a_k_d_tree(dtype, rtol, middle):
    # Whole 512ths: moved by 100 they are still exact in float32.
    true, predicted = (
        (RANDOM.integers(-256, 256, (3, n, 3)) / 512 + middle).astype(dtype) for n in (60, 45)
    )
    expected = [by_tree(*pair) for pair in zip(true, predicted, strict=True)]
    value = losses.chamfer_loss(true, predicted)
    assert value.dtype == dtype
    np.testing.assert_allclose(value, expected, rtol=rtol)
    loss = losses.ChamferLoss()(true, predicted, np.array([1.0, 0.0, 2.0], "float32"))
    np.testing.assert_allclose(loss, np.dot(expected, [1, 0, 2]) / 3, rtol=rtol)


def test_almost_equal_sets_keep_their_digits():
    true = RANDOM.random((1, 200, 3))
    predicted = true + 1e-7 * RANDOM.normal(size=true.shape)
    value = losses.chamfer_loss(true, predicted)
    np.testing.assert_allclose(value, [by_tree(true[0], predicted[0])], rtol=1e-6)


def test_gradient_is_that_of_central_differences():
    true, predicted = RANDOM.random((2, 9, 3)), RANDOM.random((2, 7, 3))
    for of_true in (False, True):
        point, other = (true, predicted) if of_true else (predicted, true)

        def value(p, other=other, of_true=of_true):
            pairs = zip(p, other, strict=True)
            return sum(by_tree(a, b) if of_true else by_tree(b, a) for a, b in pairs)

        x = tf.constant(point)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = losses.chamfer_loss(x, other) if of_true else losses.chamfer_loss(other, x)
        gradient = tape.gradient(loss, x).numpy()
        for _ in range(3):
            direction = RANDOM.normal(size=point.shape)
            expected = directional_derivative(value, point, direction, 1e-5)
            np.testing.assert_allclose(np.sum(gradient * direction), expected, rtol=1e-7)


def test_one_set_beside_many_is_compared_with_each():
    true, predicted = RANDOM.random((1, 9, 3)), RANDOM.random((3, 7, 3))
    expected = [by_tree(true[0], p) for p in predicted]
    np.testing.assert_allclose(losses.chamfer_loss(true, predicted), expected)
    np.testing.assert_allclose(losses.chamfer_loss(predicted, true), expected)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_it_works_in_graphs_of_unknown_batch_size(jit_compile):
    @tf.function(
        input_signature=[tf.TensorSpec((None, 9, 3)), tf.TensorSpec((None, 7, 3))],
        jit_compile=jit_compile,
    )
    def loss(true, predicted):
        return losses.ChamferLoss()(true, predicted)

    true, predicted = RANDOM.random((2, 9, 3)), RANDOM.random((2, 7, 3))
    expected = np.mean([by_tree(*pair) for pair in zip(true, predicted, strict=True)])
    value = loss(true.astype("float32"), predicted.astype("float32"))
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_nan_stays_nan():
    points = RANDOM.random((2, 5, 3))
    points[1, 2, 0] = np.nan
    value = losses.chamfer_loss(points, RANDOM.random((2, 6, 3)))
    assert np.isnan(value).tolist() == [False, True]


@pytest.mark.parametrize(
    "shapes",
    [((2, 5, 3), (3, 5, 3)), ((5, 3), (5, 3)), ((1, 0, 3), (1, 5, 3)), ((1, 5, 2), (1, 5, 3))],
)
def test_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="y_true and y_pred: expected points .*; received"):
        losses.chamfer_loss(np.zeros(shapes[0]), np.zeros(shapes[1]))


def test_the_loss_survives_serialization():
    loss = losses.ChamferLoss(reduction="sum")
    restored = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(restored) is losses.ChamferLoss
    assert restored.get_config() == loss.get_config()


def test_samples_lie_on_faces_by_their_areas_and_move_with_the_corners():
    # Two triangles at z = 0 and z = 1; the second has three times the area of the first.
    vertices = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [3, 0, 1], [0, 1, 1]]], float)
    faces = [[0, 1, 2], [3, 4, 5], [-1, -1, -1]]
    points = losses.sample_surface(vertices, faces, 4000, seed=1).numpy()[0]
    on_second = points[:, 2] > 0.5
    np.testing.assert_allclose(points[:, 2], on_second, atol=1e-15)
    # The share of 4,000 draws is 0.75 +- 0.0068 (one sigma).
    assert abs(on_second.mean() - 0.75) < 4 * 0.0068
    first = points[~on_second]
    assert first.min() >= 0 and (first[:, 0] + first[:, 1]).max() <= 1
    # Uniform over a triangle: the mean is its middle, each coordinate's variance 1 / 18.
    np.testing.assert_allclose(first[:, :2].mean(0), 1 / 3, atol=4 * np.sqrt(1 / 18 / len(first)))

    x = tf.constant(vertices)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(losses.sample_surface(x, faces, 4000, seed=1))
    # Weights of a point's corners sum to 1: so do the gradients of all its coordinates.
    gradient = tape.gradient(total, x).numpy()[0]
    np.testing.assert_allclose(gradient.sum(0), 4000)
    np.testing.assert_allclose(gradient[:3].sum(0), (~on_second).sum())


def test_samples_are_new_at_each_call_unless_they_have_a_seed():
    sphere = geometry.icosphere(1)
    draws = [
        losses.sample_surface(sphere.vertices[None], sphere.faces, 5, seed=seed).numpy()
        for seed in (None, None, 7, 7)
    ]
    assert not np.array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[2], draws[3])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"faces": np.zeros((0, 3), int)}, "faces: expected at least one"),
        ({"num_points": 0}, "num_points: expected a positive int"),
        ({"num_points": 2.5}, "num_points: expected a positive int"),
    ],
)
def test_bad_samples_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        losses.sample_surface(
            **{"vertices": np.zeros((1, 3, 3)), "faces": [[0, 1, 2]], "num_points": 3, **arguments}
        )


def test_a_sphere_descends_onto_points_of_an_ellipsoid():
    sphere = geometry.icosphere(1)
    target = losses.sample_surface(
        sphere.vertices[None] * [0.5, 1.0, 0.5], sphere.faces, 200, seed=3
    )
    vertices = tf.Variable(sphere.vertices[None])
    optimizer = keras.optimizers.Adam(0.05)
    optimizer.build([vertices])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            points = losses.sample_surface(vertices, sphere.faces, 200)
            value = losses.ChamferLoss()(target, points)
        optimizer.apply([tape.gradient(value, vertices)], [vertices])
        return value

    values = [float(step()) for _ in range(30)]
    assert values[-1] < 0.15 * values[0]
