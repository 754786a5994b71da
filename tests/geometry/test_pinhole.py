"""Real cameras, against OpenCV's projectPoints, GLM's project and numeric derivatives."""

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from pyglm import glm
from scipy.spatial.transform import Rotation

from tests.gradient_checks import numeric_gradient
from tf_softras import geometry
from tf_softras.geometry.cameras import CAMERA_AXES

SIZES = [(48, 48), (36, 64), (64, 36)]


def plane_of_pixels(pixels, image_size, pixel_center):
    """Image-plane coordinates of (u, v), counted from the words of the convention."""
    height, width = image_size
    # From the image's corner to its middle in pixels, in half shorter sides.
    column, row = pixels[..., 0] - pixel_center + 0.5, pixels[..., 1] - pixel_center + 0.5
    half = min(height, width) / 2
    return np.stack([(column - width / 2) / half, (height / 2 - row) / half], axis=-1)


def random_camera(seed):
    rng = np.random.default_rng(seed)
    rotation = Rotation.random(rng=rng).as_matrix()
    points = rng.normal(size=(20, 3))
    translation = np.array([0.3, -0.2, 6.0])
    intrinsics = np.array([[70.0, 0.0, 30.0], [0.0, 80.0, 11.0], [0.0, 0.0, 1.0]])
    return points, rotation, translation, intrinsics


@pytest.mark.parametrize("image_size", SIZES)
def test_pinhole_sees_points_where_opencv_projects_them(image_size):
    points, rotation, translation, intrinsics = random_camera(1)
    pixels, _ = cv2.projectPoints(
        points, cv2.Rodrigues(rotation)[0], translation, intrinsics, np.zeros(4)
    )
    seen = geometry.pinhole(
        geometry.world_to_camera(points, rotation, translation, convention="opencv"),
        intrinsics,
        image_size=image_size,
    ).numpy()
    expected = plane_of_pixels(pixels[:, 0], image_size, pixel_center=0.0)
    np.testing.assert_allclose(seen[:, :2], expected, atol=1e-12)
    np.testing.assert_allclose(seen[:, 2], (points @ rotation.T + translation)[:, 2], atol=1e-12)


def test_a_pixel_centre_of_one_half_moves_the_principal_point_alone():
    points, _, _, intrinsics = random_camera(2)
    points = points + [0, 0, 6]
    shifted = intrinsics + [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
    np.testing.assert_allclose(
        geometry.pinhole(points, shifted, image_size=(36, 64), pixel_center=0.5),
        geometry.pinhole(points, intrinsics, image_size=(36, 64)),
        atol=1e-12,
    )


def test_skew_moves_columns_with_rows():
    # K (x, y, 1): u = 10 * 0 + 4 * y + 7 with y down, so a point one unit down moves 4 right.
    intrinsics = [[10.0, 4.0, 7.0], [0.0, 10.0, 7.0], [0.0, 0.0, 1.0]]
    seen = geometry.pinhole([[0.0, -1.0, 1.0]], intrinsics, image_size=16)
    np.testing.assert_allclose(
        seen[:, :2], plane_of_pixels(np.array([[11.0, 17.0]]), (16, 16), 0.0), atol=1e-6
    )


def test_a_camera_for_each_item_of_a_batch():
    cameras = [random_camera(seed) for seed in (3, 4)]
    points, rotations, translations, intrinsics = map(np.stack, zip(*cameras, strict=True))
    intrinsics[1, 0, 0] *= 2
    together = geometry.pinhole(
        geometry.world_to_camera(points, rotations, translations), intrinsics, image_size=16
    )
    for item in range(2):
        alone = geometry.pinhole(
            geometry.world_to_camera(points[item], rotations[item], translations[item]),
            intrinsics[item],
            image_size=16,
        )
        np.testing.assert_allclose(together[item], alone, atol=1e-12)


def test_one_point_set_is_seen_by_many_cameras():
    points, rotation, translation, intrinsics = random_camera(5)
    seen = geometry.pinhole(
        geometry.world_to_camera(points, np.stack([rotation] * 3), np.stack([translation] * 3)),
        intrinsics,
        image_size=16,
    )
    assert seen.shape == (3, 20, 3)
    seen = geometry.pinhole(points, np.stack([intrinsics] * 3), image_size=16)
    assert seen.shape == (3, 20, 3)


def test_the_perspective_of_half_an_angle_is_the_pinhole_of_its_double():
    points = random_camera(6)[0] + [0, 0, 6]
    for image_size in SIZES:
        lens = geometry.intrinsic_matrix(image_size, field_of_view=30.0, across="shorter")
        np.testing.assert_allclose(
            geometry.pinhole(points, lens, image_size=image_size),
            geometry.perspective(points, viewing_angle=15.0),
            atol=1e-6,  # The matrix is float32.
        )


@pytest.mark.parametrize("image_size", SIZES)
def test_opengl_cameras_are_seen_as_glm_projects_them(image_size):
    height, width = image_size
    # An off-centre frustum; GLM is float32 and has its window's origin at the bottom left.
    frustum = glm.frustum(-0.3, 0.5, -0.2, 0.25, 0.5, 20.0)
    view = glm.lookAt(glm.vec3(1, 2, 3), glm.vec3(0.1, 0, 0), glm.vec3(0, 1, 0))
    points = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    window = np.array(
        [
            glm.projectNO(glm.vec3(*map(float, p)), view, frustum, glm.vec4(0, 0, width, height))
            for p in points
        ]
    )
    pixels = np.stack([window[:, 0], height - window[:, 1]], axis=-1)

    rotation, translation = np.array(view)[:3, :3], np.array(view)[:3, 3]
    lens = geometry.intrinsics_from_projection(np.array(frustum), image_size, pixel_center=0.5)
    seen = geometry.pinhole(
        geometry.world_to_camera(points, rotation, translation, convention="opengl"),
        lens,
        image_size=image_size,
        pixel_center=0.5,
    )
    expected = plane_of_pixels(pixels, image_size, pixel_center=0.5)
    np.testing.assert_allclose(seen[:, :2], expected, atol=2e-5)


def test_look_at_extrinsics_are_those_of_glm_in_opengls_frame():
    view = np.array(glm.lookAt(glm.vec3(1, 2, 3), glm.vec3(0.1, 0, 0), glm.vec3(0, 1, 0)))
    rotation, translation = geometry.look_at_extrinsics(
        [1.0, 2.0, 3.0], at=[0.1, 0.0, 0.0], convention="opengl"
    )
    np.testing.assert_allclose(rotation, view[:3, :3], atol=1e-6)
    np.testing.assert_allclose(translation, view[:3, 3], atol=1e-6)


@pytest.mark.parametrize("convention", CAMERA_AXES)
def test_look_at_is_its_own_extrinsics_in_every_convention(convention):
    rng = np.random.default_rng(0)
    points, eye = rng.normal(size=(2, 7, 3)), rng.normal(size=(2, 3)) + 3
    rotation, translation = geometry.look_at_extrinsics(eye, convention=convention)
    sign = -1 if convention == "softras" else 1
    np.testing.assert_allclose(np.linalg.det(rotation), [sign, sign], atol=1e-12)
    np.testing.assert_allclose(
        geometry.world_to_camera(points, rotation, translation, convention=convention),
        geometry.look_at(points, eye),
        atol=1e-12,
    )


@pytest.mark.parametrize("source", CAMERA_AXES)
@pytest.mark.parametrize("target", CAMERA_AXES)
def test_converted_extrinsics_see_the_same(source, target):
    points, rotation, translation, _ = random_camera(7)
    converted = geometry.convert_extrinsics(rotation, translation, source=source, target=target)
    np.testing.assert_allclose(
        geometry.world_to_camera(points, *converted, convention=target),
        geometry.world_to_camera(points, rotation, translation, convention=source),
        atol=1e-12,
    )


class TestIntrinsicMatrix:
    def test_focal_length_in_pixels(self):
        matrix = geometry.intrinsic_matrix((40, 60), focal_length=50.0)
        # The middle of 60 columns lies between the centres of columns 29 and 30.
        np.testing.assert_allclose(matrix, [[50, 0, 29.5], [0, 50, 19.5], [0, 0, 1]])

    def test_two_focal_lengths_a_principal_point_and_skew(self):
        matrix = geometry.intrinsic_matrix(
            (40, 60), focal_length=(50.0, 55.0), principal_point=(20.0, 10.0), skew=2.0
        )
        np.testing.assert_allclose(matrix, [[50, 2, 20], [0, 55, 10], [0, 0, 1]])

    def test_millimetres(self):
        # 18 mm on a sensor of 36 mm: half the image's width.
        matrix = geometry.intrinsic_matrix((40, 60), focal_length_mm=18.0, pixel_center=0.5)
        np.testing.assert_allclose(matrix, [[30, 0, 30], [0, 30, 20], [0, 0, 1]])

    @pytest.mark.parametrize("across, side", [("width", 60), ("height", 40), ("shorter", 40)])
    def test_field_of_view(self, across, side):
        # At 90 degrees the focal length is half the side.
        matrix = geometry.intrinsic_matrix((40, 60), field_of_view=90.0, across=across)
        np.testing.assert_allclose(np.diag(matrix), [side / 2, side / 2, 1], rtol=1e-6)

    def test_it_agrees_with_opencvs_reading_of_a_matrix(self):
        # Its angles are those between the image's outer sides, whose pixels are centred at 0.5.
        def lens(**lens):
            return geometry.intrinsic_matrix((40, 60), pixel_center=0.5, **lens)

        matrix = lens(focal_length_mm=np.array(35.0))
        across_width, across_height, focal_mm, _, _ = cv2.calibrationMatrixValues(
            matrix.numpy(), (60, 40), 36.0, 24.0
        )
        back = lens(field_of_view=np.array(across_width))
        np.testing.assert_allclose(back, matrix, rtol=1e-12)
        back = lens(field_of_view=np.array(across_height), across="height")
        np.testing.assert_allclose(back, matrix, rtol=1e-12)
        assert focal_mm == pytest.approx(35.0)

    def test_a_lens_for_each_item(self):
        matrix = geometry.intrinsic_matrix(
            16, focal_length=np.array([10.0, 20.0]), principal_point=(np.array([5.0, 6.0]), 7.0)
        )
        assert matrix.dtype == tf.float64
        np.testing.assert_allclose(matrix[1], [[20, 0, 6], [0, 20, 7], [0, 0, 1]])

    @pytest.mark.parametrize(
        "arguments, message",
        [
            ({}, "lens: expected.*none"),
            ({"focal_length": 1.0, "field_of_view": 30.0}, "lens: expected.*focal_length, field"),
            ({"focal_length": -1.0}, "focal_length: expected.*-1"),
            ({"focal_length_mm": 0.0}, "focal_length_mm: expected"),
            ({"focal_length_mm": 1.0, "sensor_width_mm": 0.0}, "sensor_width_mm: expected"),
            ({"field_of_view": 180.0}, "field_of_view: expected.*180"),
            ({"field_of_view": np.array([30.0, 200.0])}, r"field_of_view: expected.*200\.0"),
            ({"field_of_view": tf.constant([-5.0, 30.0])}, r"field_of_view: expected.*-5\.0"),
            ({"field_of_view": tf.Variable([np.nan])}, "field_of_view: expected.*nan"),
            ({"field_of_view": "wide"}, "field_of_view: expected.*'wide'"),
            ({"focal_length": (20.0, np.array([20.0, 0.0]))}, r"focal_length: expected.*0\.0"),
            ({"focal_length_mm": np.inf}, "focal_length_mm: expected.*inf"),
            ({"field_of_view": 30.0, "across": "diagonal"}, "across: expected.*diagonal"),
        ],
    )
    def test_bad_input(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            geometry.intrinsic_matrix(16, **arguments)

    def test_angles_that_are_not_known_yet_pass(self):
        traced = tf.function(lambda angle: geometry.intrinsic_matrix(16, field_of_view=angle))
        assert traced(tf.constant([30.0, 200.0])).shape == (2, 3, 3)


def test_orthographic_measures_the_shorter_side():
    # 4 units across the shorter side: a point 1 above the middle is half way up.
    seen = geometry.orthographic(np.array([[3.0, 1.0, 9.0]]), view_size=4.0, center=(1.0, 0.0))
    np.testing.assert_allclose(seen, [[1.0, 0.5, 9.0]])


def test_orthographic_is_the_limit_of_far_cameras():
    points = np.random.default_rng(0).normal(size=(9, 3))
    far = 1e7
    angle = np.degrees(np.arctan(1.5 / far))  # 3 units across, where the points are.
    np.testing.assert_allclose(
        geometry.orthographic(points, view_size=3.0)[:, :2],
        geometry.perspective(points + [0, 0, far], viewing_angle=angle)[:, :2],
        atol=1e-5,
    )


def test_orthographic_takes_a_size_and_a_centre_for_each_item():
    points = np.random.default_rng(0).normal(size=(2, 5, 3))
    sizes, centers = np.array([2.0, 3.0]), np.array([[0.0, 0.1], [0.2, 0.3]])
    seen = geometry.orthographic(points, view_size=sizes, center=centers)
    alone = geometry.orthographic(points[1], view_size=3.0, center=centers[1])
    np.testing.assert_allclose(seen[1], alone)


@pytest.mark.parametrize("size", [0.0, -1.0, float("inf"), float("nan"), np.array([2.0, -1.0])])
def test_orthographic_checks_its_size(size):
    with pytest.raises(ValueError, match="view_size: expected"):
        geometry.orthographic(np.zeros((1, 3)), view_size=size)


def test_unknown_conventions_are_named():
    with pytest.raises(ValueError, match="source: expected.*softras.*opencv.*opengl.*'blender'"):
        geometry.world_to_camera(np.zeros((1, 3)), np.eye(3), np.zeros(3), convention="blender")


def test_quaternions_are_those_of_scipy():
    rotations = Rotation.random(5, rng=np.random.default_rng(0))
    seen = geometry.rotation_from_quaternion(-3.0 * rotations.as_quat())
    np.testing.assert_allclose(seen, rotations.as_matrix(), atol=1e-12)
    np.testing.assert_array_equal(geometry.rotation_from_quaternion([0.0] * 4), np.eye(3))


POINTS = np.random.default_rng(8).normal(size=(4, 3)) + [0, 0, 5]
WEIGHTS = np.random.default_rng(9).normal(size=(4, 3))
LENS = np.array([[70.0, 3.0, 30.0], [0.0, 80.0, 11.0], [0.0, 0.0, 1.0]])
ROTATION = Rotation.random(rng=np.random.default_rng(3)).as_matrix()


def _matrix_of_lens(lens):
    return geometry.intrinsic_matrix(
        16, focal_length=(lens[0], lens[1]), principal_point=(lens[2], lens[3]), skew=lens[4]
    )


# Each function of one input, to [4, 3].
DIFFERENTIABLE = {
    "pinhole vertices": (lambda x: geometry.pinhole(x, LENS, image_size=(9, 16)), POINTS),
    "pinhole intrinsics": (lambda x: geometry.pinhole(POINTS, x, image_size=(9, 16)), LENS),
    "focal length": (
        lambda x: geometry.pinhole(POINTS, _matrix_of_lens(x), image_size=16),
        np.array([10.0, 11.0, 7.0, 8.0, 0.5]),
    ),
    "field of view": (
        lambda x: geometry.pinhole(
            POINTS, geometry.intrinsic_matrix(16, field_of_view=x), image_size=16
        ),
        np.array(40.0),
    ),
    "projection": (
        lambda x: geometry.pinhole(
            POINTS, geometry.intrinsics_from_projection(x, (9, 16)), image_size=(9, 16)
        ),
        np.array(glm.frustum(-0.3, 0.5, -0.2, 0.25, 0.5, 20.0), np.float64),
    ),
    "world to camera, vertices": (
        lambda x: geometry.world_to_camera(x, ROTATION, [0.1, 0.2, 0.3], convention="opengl"),
        POINTS,
    ),
    "world to camera, rotation": (
        lambda x: geometry.world_to_camera(POINTS, x, [0.1, 0.2, 0.3]),
        ROTATION,
    ),
    "world to camera, translation": (
        lambda x: geometry.world_to_camera(POINTS, ROTATION, x, convention="opengl"),
        np.array([0.1, 0.2, 0.3]),
    ),
    "look-at extrinsics": (
        lambda x: geometry.world_to_camera(
            POINTS, *geometry.look_at_extrinsics(x, convention="opencv")
        ),
        np.array([1.0, 2.0, 3.0]),
    ),
    "quaternion": (
        lambda x: geometry.world_to_camera(POINTS, geometry.rotation_from_quaternion(x), [0.0] * 3),
        np.array([0.3, -0.5, 0.7, 1.1]),
    ),
    "orthographic vertices": (lambda x: geometry.orthographic(x, view_size=3.0), POINTS),
    "orthographic size": (lambda x: geometry.orthographic(POINTS, view_size=x), np.array(3.0)),
    "orthographic centre": (
        lambda x: geometry.orthographic(POINTS, view_size=3.0, center=x),
        np.array([0.1, 0.2]),
    ),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_are_the_numeric_ones(name):
    function, point = DIFFERENTIABLE[name]

    def loss(x):
        return float(tf.reduce_sum(WEIGHTS * keras.ops.sin(function(tf.constant(x)))))

    with tf.GradientTape() as tape:
        variable = tf.constant(point)
        tape.watch(variable)
        value = tf.reduce_sum(WEIGHTS * keras.ops.sin(function(variable)))
    expected = numeric_gradient(loss, point, step=1e-4 * max(1e-3, np.abs(point).max()))
    np.testing.assert_allclose(tape.gradient(value, variable), expected, rtol=1e-6, atol=1e-8)


def test_pinhole_in_the_plane_of_the_eye_is_finite():
    with tf.GradientTape() as tape:
        vertices = tf.Variable([[1.0, 1.0, 0.0], [1.0, 1.0, -1e-9], [1.0, 1.0, -2.0]])
        seen = geometry.pinhole(vertices, LENS, image_size=16)
    gradient = tape.gradient(seen, vertices)
    assert np.all(np.isfinite(seen)) and np.all(np.isfinite(gradient))
