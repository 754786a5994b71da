"""The conventions of DESIGN: worked out by hand, not by the code's own formulae."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.gradient_checks import numeric_gradient
from tf_softras.geometry import (
    eye_from_angles,
    look_at,
    n3mr_views,
    perspective,
    pinhole,
    up_from_angles,
)

INTRINSICS = np.float32([[70, 0, 32], [0, 70, 32], [0, 0, 1]])


def test_azimuth_0_is_on_plus_x_and_90_on_plus_z():
    np.testing.assert_allclose(eye_from_angles(2.0, 0.0, 0.0), [2, 0, 0], atol=1e-6)
    np.testing.assert_allclose(eye_from_angles(2.0, 0.0, 90.0), [0, 0, 2], atol=1e-6)


def test_elevation_is_towards_plus_y():
    # cos 30 = sqrt(3)/2, sin 30 = 1/2.
    np.testing.assert_allclose(eye_from_angles(2.0, 30.0, 0.0), [np.sqrt(3), 1, 0], atol=1e-6)
    np.testing.assert_allclose(eye_from_angles(2.0, 90.0, 45.0), [0, 2, 0], atol=1e-6)


def test_eyes_of_several_views_at_once():
    views = n3mr_views()
    eyes = eye_from_angles(**views)
    assert eyes.shape == (24, 3)
    np.testing.assert_allclose(np.linalg.norm(eyes, axis=1), 2.732, rtol=1e-6)
    np.testing.assert_allclose(views["azimuth"], 15 * np.arange(24))


def test_camera_on_plus_z_sees_world_x_to_the_right_and_y_up():
    points = np.eye(3, dtype=np.float32)
    seen = look_at(points, (0.0, 0.0, 3.0))
    np.testing.assert_allclose(seen, [[1, 0, 3], [0, 1, 3], [0, 0, 2]], atol=1e-6)


def test_camera_on_plus_x_sees_minus_z_to_the_right():
    # forward = -x, right = forward x up = -x x y = -z.
    seen = look_at(np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]), (3.0, 0.0, 0.0))
    np.testing.assert_allclose(seen, [[1, 0, 3], [0, 0, 2]], atol=1e-12)


def test_look_at_is_a_rotation_and_a_translation():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5, 7, 3))
    seen = look_at(points, rng.normal(size=(5, 3)) + 3, at=(0.1, 0.2, 0.3)).numpy()

    def distances(x):
        return np.linalg.norm(x[:, :, None] - x[:, None], axis=-1)

    np.testing.assert_allclose(distances(seen), distances(points), atol=1e-12)
    edges = [(x[:, 1:4] - x[:, :1]) for x in (points, seen)]
    np.testing.assert_allclose(np.linalg.det(edges[1]), -np.linalg.det(edges[0]), atol=1e-12)


def test_what_is_looked_at_is_in_the_middle_at_its_distance():
    seen = look_at(np.array([[0.1, 0.2, 0.3]]), (3.1, 0.2, 0.3), at=(0.1, 0.2, 0.3))
    np.testing.assert_allclose(seen, [[0, 0, 3]], atol=1e-12)


@pytest.mark.parametrize("eye", [(0, 2, 0), (0, -2, 0), (1e-9, 2, 0)])
def test_straight_down_is_finite_and_still_a_rotation(eye):
    origin_and_axes = np.concatenate([np.zeros((1, 3)), np.eye(3)])
    seen = look_at(origin_and_axes, np.array(eye, np.float64)).numpy()
    rotation = seen[1:] - seen[:1]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(seen[0], [0, 0, 2], atol=1e-6)


def test_up_may_be_parallel_to_z():
    seen = look_at(np.eye(3), (0.0, 0.0, 2.0), up=(0.0, 0.0, 1.0)).numpy()
    assert np.all(np.isfinite(seen))


@pytest.mark.parametrize("elevation", [-90.0, -60.0, 0.0, 89.0, 90.0])
def test_up_from_angles_is_the_limit_of_plus_y(elevation):
    # Just before the pole +y still says which way up is, in float64.
    azimuth = np.array([0.0, 30.0, 200.0])
    e, t = np.radians(np.clip(elevation, -89.9, 89.9)), np.radians(azimuth)
    eye = 2 * np.stack([np.cos(e) * np.cos(t), 0 * t + np.sin(e), np.cos(e) * np.sin(t)], axis=-1)
    forward = -eye / 2
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    points = np.random.default_rng(0).normal(size=(3, 5, 3))
    axes = np.stack([right, np.cross(right, forward), forward], axis=-2)
    expected = np.einsum("bij,bnj->bni", axes, points - eye[:, None])
    seen = look_at(
        points,
        np.asarray(eye_from_angles(2.0, elevation, azimuth)),
        up=up_from_angles(elevation, azimuth),
    )
    # A tenth of a degree is 0.002, and points are up to 4 away.
    np.testing.assert_allclose(seen, expected, atol=0.01 if abs(elevation) == 90 else 1e-5)


def test_beyond_the_pole_plus_y_stays_up():
    seen = [
        look_at(np.eye(3), np.asarray(eye_from_angles(2.0, 110.0, 20.0)), **up)
        for up in ({}, {"up": up_from_angles(110.0, 20.0)})
    ]
    np.testing.assert_allclose(*seen, atol=1e-6)


def test_each_item_has_an_up_vector_of_its_own():
    points = np.random.default_rng(1).normal(size=(2, 4, 3))
    up = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    eye = np.array([0.0, 3.0, 1.0])
    together = look_at(points, eye, up=up)
    for item in range(2):
        np.testing.assert_allclose(together[item], look_at(points[item], eye, up=up[item]))


def test_one_eye_serves_a_batch():
    points = np.random.default_rng(0).normal(size=(4, 6, 3))
    eye = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(look_at(points, eye)[2], look_at(points[2], eye), atol=1e-12)


@pytest.mark.parametrize("broken", ["eye", "at", "up"])
def test_a_camera_of_nan_sees_nan(broken):
    camera = {"eye": [0.0, 0.0, 2.0], "at": [0.0, 0.0, 0.0], "up": [0.0, 1.0, 0.0]}
    camera[broken] = [0.0, float("nan"), 0.0]
    seen = look_at(np.eye(3), np.array(camera["eye"]), at=camera["at"], up=camera["up"])
    assert np.isnan(seen).any(axis=-1).all()


def test_perspective_uses_the_half_angle():
    # At depth 2 and a half angle of 45 degrees the image's border is 2 away from the axis.
    seen = perspective(np.array([[2.0, -1.0, 2.0]]), viewing_angle=45.0)
    np.testing.assert_allclose(seen, [[1, -0.5, 2]], atol=1e-12)


def test_perspective_in_the_plane_of_the_eye_is_finite():
    with tf.GradientTape() as tape:
        vertices = tf.Variable([[1.0, 1.0, 0.0], [1.0, 1.0, -1e-9], [1.0, 1.0, -2.0]])
        seen = perspective(vertices)
    gradient = tape.gradient(seen, vertices)
    assert np.all(np.isfinite(seen)) and np.all(np.isfinite(gradient))


@pytest.mark.parametrize("angle", [0.0, 90.0, -15.0, float("nan")])
def test_perspective_checks_the_angle(angle):
    with pytest.raises(ValueError, match="viewing_angle: expected.*received"):
        perspective(np.zeros((1, 3)), viewing_angle=angle)


def test_gradients_flow_to_vertices_and_eye():
    vertices = tf.constant(np.random.default_rng(0).normal(size=(2, 5, 3)))
    eye = tf.constant([[3.0, 1.0, 0.5], [0.0, 4.0, 0.0]], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch([vertices, eye])
        loss = tf.reduce_sum(perspective(look_at(vertices, eye))[..., :2] ** 2)
    for gradient in tape.gradient(loss, [vertices, eye]):
        assert np.all(np.isfinite(gradient)) and np.any(gradient != 0)


class TestViewingAngle:
    """Numbers, tensors and variables, one for all or one an item."""

    VERTICES = np.random.default_rng(4).uniform(1.0, 3.0, (2, 5, 3))

    def test_one_angle_an_item_is_each_item_with_its_own(self):
        angles = np.array([20.0, 35.0])
        expected = np.stack(
            [
                perspective(item, viewing_angle=float(angle))
                for item, angle in zip(self.VERTICES, angles, strict=True)
            ]
        )
        for given in (angles, tf.constant(angles), tf.Variable(angles), keras.Variable(angles)):
            seen = perspective(self.VERTICES, viewing_angle=given)
            # A keras.Variable is float32: 30 units of its last digit at 35 degrees.
            np.testing.assert_allclose(seen, expected, rtol=2e-6)

    def test_one_mesh_is_seen_at_several_angles(self):
        seen = perspective(self.VERTICES[0], viewing_angle=np.array([20.0, 35.0]))
        assert seen.shape == (2, 5, 3)
        np.testing.assert_allclose(
            seen[1], perspective(self.VERTICES[0], viewing_angle=35.0), rtol=1e-14
        )

    @pytest.mark.parametrize("in_graph", [False, True])
    def test_gradient_of_the_angle_is_that_of_central_differences(self, in_graph):
        weights = np.random.default_rng(5).normal(size=self.VERTICES.shape)

        def loss(angles):
            return tf.reduce_sum(weights * perspective(self.VERTICES, viewing_angle=angles))

        angles = np.array([20.0, 35.0])
        variable = tf.Variable(angles)
        with tf.GradientTape() as tape:
            value = (tf.function(loss) if in_graph else loss)(variable)
        numeric = numeric_gradient(lambda a: float(loss(tf.constant(a))), angles, 1e-3)
        np.testing.assert_allclose(tape.gradient(value, variable), numeric, rtol=1e-8)

    @pytest.mark.parametrize(
        "angle", [np.array([20.0, 95.0]), tf.constant([20.0, 95.0]), tf.Variable([95.0, 20.0])]
    )
    def test_known_angles_are_checked(self, angle):
        with pytest.raises(ValueError, match=r"viewing_angle: expected .* received 95\.0"):
            perspective(self.VERTICES, viewing_angle=angle)

    @pytest.mark.parametrize("angle", ["20", None, [20.0, "wide"]])
    def test_what_is_no_angle_is_refused(self, angle):
        with pytest.raises(ValueError, match="viewing_angle: expected"):
            perspective(self.VERTICES, viewing_angle=angle)


def test_perspective_takes_integers_as_look_at_does():
    seen = perspective(np.array([[2, -1, 2]]), viewing_angle=45.0)
    assert seen.dtype == tf.float32
    np.testing.assert_allclose(seen, [[1, -0.5, 2]], atol=1e-6)


@pytest.mark.parametrize("project", [perspective, lambda v: pinhole(v, INTRINSICS, image_size=64)])
def test_points_of_any_shape_are_projected_alike(project):
    points = np.random.default_rng(0).uniform(1.0, 3.0, [2, 5, 3]).astype(np.float32)
    expected = project(points)
    unknown = tf.function(project, input_signature=[tf.TensorSpec(None, tf.float32)])
    np.testing.assert_array_equal(unknown(points), expected)
    np.testing.assert_allclose(np.squeeze(project(points[1, 2])), expected[1, 2], rtol=1e-6)
    for wrong in (points[..., :2], points[0, 0, 0]):
        with pytest.raises(
            ValueError, match=r"vertices: expected shape \[\.\.\., num_vertices, 3\]"
        ):
            project(wrong)


def test_cameras_of_unknown_rank_are_taken():
    points = np.random.default_rng(0).uniform(1.0, 3.0, [2, 5, 3]).astype(np.float32)
    unknown = [tf.TensorSpec(None, tf.float32)]
    at_angle = tf.function(lambda angle: perspective(points, viewing_angle=angle), unknown)
    expected = perspective(points, viewing_angle=20.0)
    np.testing.assert_allclose(at_angle([20.0, 20.0]), expected, rtol=1e-6)
    with_lens = tf.function(lambda lens: pinhole(points, lens, image_size=64), unknown)
    expected = pinhole(points, INTRINSICS, image_size=64)
    np.testing.assert_allclose(with_lens(np.stack([INTRINSICS] * 2)), expected, rtol=1e-6)
