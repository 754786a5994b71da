"""The promises of the soft shader (docs/architecture.md), and its Python wrapper."""

import subprocess
import sys
import textwrap
from typing import NamedTuple

import numpy as np
import pytest
import scipy.special
import shapely
import shapely.ops
import tensorflow as tf

from tests.gradient_checks import directional_derivative
from tests.ops.meshes import SCENES, with_depths
from tf_softras.geometry import eye_from_angles, icosphere, look_at, perspective
from tf_softras.ops import rasterize_faces, soft_rasterize, soft_shade
from tf_softras.ops._library import library

# Odd, so that no pixel's centre meets a coordinate of the scenes by chance.
IMAGE_SIZE = (23, 28)
CHANNELS = 3
INPUTS = ("vertices", "attributes", "background")
GRADIENT_OPS = ("softras_soft_shade_grad", "softras_soft_shade_scales_grad")


class Scene(NamedTuple):
    vertices: np.ndarray
    faces: np.ndarray
    attributes: np.ndarray
    background: np.ndarray
    upstream: np.ndarray  # of the image

    def arrays(self, dtype=np.float64):
        return [array.astype(dtype) for array in (self.vertices, self.attributes, self.background)]


def _scene(name, image_size=IMAGE_SIZE, seed=0):
    rng = np.random.default_rng(seed)
    vertices, faces = SCENES[name](rng)
    vertices = with_depths(vertices, rng)
    shape = (len(vertices), *image_size, CHANNELS)
    return Scene(
        vertices,
        faces,
        rng.uniform(-1, 1, (*vertices.shape[:2], CHANNELS)).astype(np.float32),
        rng.uniform(-1, 1, shape).astype(np.float32),
        rng.normal(size=shape).astype(np.float32),
    )


def _shade_and_differentiate(scene, dtype, image_size=IMAGE_SIZE, **options):
    """Image, alpha and the gradients with respect to `INPUTS` of sum(image * upstream)."""
    inputs = [tf.constant(array) for array in scene.arrays(dtype)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        vertices, attributes, background = inputs
        image, alpha = soft_shade(
            vertices,
            scene.faces,
            attributes,
            image_size=image_size,
            background=background,
            **options,
        )
        loss = tf.reduce_sum(image * scene.upstream.astype(dtype))
    return image.numpy(), alpha.numpy(), [g.numpy() for g in tape.gradient(loss, inputs)]


def _as_float32(value):
    """Returns a number rounded to float32, so that both ops see the same."""
    return float(np.float32(value))


def _bounds(dtype, gamma):
    """Promise 1: of the image (absolute, values up to 1) and of the gradients (relative)."""
    if dtype == np.float32:
        return 1e-7 + 1e-15 / gamma, 1e-6 + 1e-15 / gamma
    return 1e-12 + 1e-15 / gamma, 1e-10 + 1e-15 / gamma


def _relative_error(gradient, truth):
    return np.linalg.norm(gradient - truth) / max(np.linalg.norm(truth), 1e-30)


class TestAccuracy:
    """Promise 1: against sums over all faces in float64, from the same numbers."""

    def _check(self, scene, image_size=IMAGE_SIZE, smooth=True, sigma=1e-3, gamma=1e-4, **options):
        options = {
            **options,
            "image_size": image_size,
            "sigma": _as_float32(sigma),
            "gamma": _as_float32(gamma),
        }
        truth, _, true_gradients = _shade_and_differentiate(
            scene, np.float64, implementation="reference", **options
        )
        for dtype in (np.float32, np.float64):
            image, alpha, gradients = _shade_and_differentiate(scene, dtype, **options)
            image_bound, gradient_bound = _bounds(dtype, gamma)
            assert image.dtype == alpha.dtype == dtype
            np.testing.assert_allclose(image, truth, rtol=0, atol=image_bound)
            for name, gradient, true in zip(INPUTS, gradients, true_gradients, strict=True):
                assert gradient.dtype == dtype
                if name == "vertices" and not smooth:
                    assert np.all(np.isfinite(gradient))
                elif np.linalg.norm(true) > 0:
                    assert _relative_error(gradient, true) < gradient_bound, name
        return true_gradients

    @pytest.mark.parametrize("gamma", [1e-6, 1e-4, 1e-1])
    @pytest.mark.parametrize("sigma", [1e-6, 1e-3, 1e-1])
    @pytest.mark.parametrize("name", SCENES)
    def test_soft_image_and_gradients_are_within_the_promised_bounds(self, name, sigma, gamma):
        # With a pixel's centre on an edge, the point slides one way or the other.
        on_edges = name == "faces through pixel centres"
        image_size = (16, 16) if on_edges else IMAGE_SIZE
        gradients = self._check(
            _scene(name, image_size),
            image_size,
            sigma=sigma,
            gamma=gamma,
            smooth=not on_edges,
        )
        assert all(np.linalg.norm(gradient) > 0 for gradient in gradients[:2])

    @pytest.mark.parametrize("name", SCENES)
    def test_hard_image_and_gradients_are_within_the_promised_bounds(self, name):
        image_size = (16, 16) if name == "faces through pixel centres" else IMAGE_SIZE
        self._check(_scene(name, image_size), image_size, aggregation="hard")

    @pytest.mark.parametrize("aggregation", ["soft", "hard"])
    def test_images_of_many_tiles_are_within_the_promised_bounds(self, aggregation):
        image_size = (70, 150)
        self._check(_scene("small faces", image_size), image_size, aggregation=aggregation)

    @pytest.mark.parametrize("aggregation", ["soft", "hard"])
    @pytest.mark.parametrize("name", ["random mesh", "small faces", "sphere"])
    def test_linear_interpolation_is_within_the_promised_bounds(self, name, aggregation):
        self._check(_scene(name), aggregation=aggregation, interpolation="linear")

    @pytest.mark.parametrize("summed_channels", [1, CHANNELS])
    @pytest.mark.parametrize("name", SCENES)
    def test_summed_channels_are_within_the_promised_bounds(self, name, summed_channels):
        scene = _scene(name)
        # Sums of many faces stay below 1 in size, as the promise has it.
        scene = scene._replace(attributes=scene.attributes / 256)
        on_edges = name == "faces through pixel centres"
        self._check(scene, smooth=not on_edges, summed_channels=summed_channels)

    def test_summed_channels_are_the_sum_of_coverages(self):
        scene = _scene("random mesh")
        options = {"image_size": IMAGE_SIZE, "sigma": 1e-3, "gamma": 1e-2}
        vertices = scene.vertices[:1].astype(np.float64)
        ones = np.ones((1, vertices.shape[1], 1))
        image, _ = soft_shade(vertices, scene.faces, ones, summed_channels=1, **options)
        # If all depths are alike, a single face leaves the background w_b = 1 / (1 + D).
        alike = {**options, "gamma": 1e30, "epsilon": 0.0}
        share = [soft_shade(vertices, face[None], ones, **alike)[0] for face in scene.faces]
        expected = tf.add_n([s / (1.0 - s) for s in share])
        assert expected.numpy().max() > 1.0
        np.testing.assert_allclose(image, expected, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("min_coverage", [1e-30, 1e-2, 0.5])
    def test_any_least_coverage_is_within_the_promised_bounds(self, min_coverage):
        self._check(_scene("small faces"), gamma=1e-2, min_coverage=min_coverage)

    def test_alpha_is_the_silhouette_to_the_last_bit(self):
        scene = _scene("sphere")
        for aggregation in ("soft", "hard"):
            _, alpha, _ = _shade_and_differentiate(
                scene, np.float32, sigma=1e-3, near=2.5, aggregation=aggregation
            )
            silhouette = soft_rasterize(
                scene.vertices, scene.faces, image_size=IMAGE_SIZE, sigma=1e-3, near=2.5
            )
            assert alpha.any()
            np.testing.assert_array_equal(alpha, silhouette)

    def test_many_faces_at_one_place_do_not_drift(self):
        vertices = np.array([[[-0.9, -0.8, 2], [0.9, -0.7, 3], [0.1, 0.9, 1.5]]])
        attributes = np.eye(3)[None]
        options = {"image_size": 8, "sigma": 1e-2, "gamma": 1e-2, "background": -1.0}
        one, _ = soft_shade(vertices, [[0, 1, 2]], attributes, **options)
        many, _ = soft_shade(vertices, np.tile(np.arange(3), (2000, 1)), attributes, **options)
        # w_b falls by a factor between 1 and 2000; a face's share of the rest stays.
        share = (many + 1) / tf.reduce_sum(many + 1, axis=-1, keepdims=True)
        expected = (one + 1) / tf.reduce_sum(one + 1, axis=-1, keepdims=True)
        covered = tf.reduce_sum(one + 1, axis=-1) > 1e-6
        np.testing.assert_allclose(share[covered], expected[covered], atol=1e-12)
        assert np.sum(covered) > 20


class TestFormula:
    """The definition with other libraries' geometry, by hand."""

    CORNERS = np.array(
        [
            [[-0.7, -0.4], [0.9, -0.1], [-0.2, 0.8]],
            [[0.8, 0.7], [-0.6, 0.5], [0.1, -0.9]],
        ]
    )
    DEPTHS = np.array([[1.0, 2.0, 4.0], [1.5, 3.0, 1.2]])
    COLORS = np.random.default_rng(0).uniform(0, 1, (2, 3, 2))
    NEAR, FAR, EPSILON, SIGMA, GAMMA = 0.5, 10.0, 0.25, 0.05, 0.2

    def _pixel(self, point):
        """Weighted by scipy's softmax, at shapely's nearest points, barycentric by solving."""
        logits, colors = [self.EPSILON / self.GAMMA], [np.array([0.5, -0.5])]
        for corners, depths, attributes in zip(self.CORNERS, self.DEPTHS, self.COLORS, strict=True):
            triangle = shapely.Polygon(corners)
            sign = 1 if triangle.contains(point) else -1
            x = sign * triangle.boundary.distance(point) ** 2 / self.SIGMA
            if scipy.special.expit(x) < _as_float32(1e-4):
                continue
            closest = shapely.ops.nearest_points(triangle, point)[0]
            b = np.linalg.solve(np.vstack([corners.T, np.ones(3)]), [closest.x, closest.y, 1.0])
            weights = b / depths
            z = 1 / weights.sum()
            colors.append(weights * z @ attributes)
            level = (self.FAR - z) / (self.FAR - self.NEAR)
            logits.append(scipy.special.log_expit(x) + level / self.GAMMA)
        return scipy.special.softmax(logits) @ colors

    @pytest.mark.parametrize("image_size", [(5, 5), (4, 9), (11, 3)])
    def test_two_faces_agree_with_shapely_and_scipy(self, image_size):
        height, width = image_size
        expected = [
            [
                self._pixel(
                    shapely.Point(
                        (2 * column + 1 - width) / min(image_size),
                        (height - 1 - 2 * row) / min(image_size),
                    )
                )
                for column in range(width)
            ]
            for row in range(height)
        ]
        vertices = np.concatenate([self.CORNERS, self.DEPTHS[..., None]], axis=-1)
        image, _ = soft_shade(
            vertices.reshape(1, 6, 3),
            np.arange(6).reshape(2, 3),
            self.COLORS.reshape(1, 6, 2),
            image_size=image_size,
            sigma=self.SIGMA,
            gamma=self.GAMMA,
            epsilon=self.EPSILON,
            near=self.NEAR,
            far=self.FAR,
            background=[0.5, -0.5],
        )
        np.testing.assert_allclose(image[0], expected, atol=1e-12)

    @pytest.mark.parametrize("aggregation", ["soft", "hard"])
    def test_interpolation_is_perspective(self, aggregation):
        """Camera-space positions as attributes: what a pixel sees lies on the pixel's ray."""
        mesh = icosphere(1)
        camera = look_at(mesh.vertices.astype(np.float64), [[1.5, 1.0, 2.2]]).numpy()
        image, _ = soft_shade(
            perspective(camera, viewing_angle=30.0),
            mesh.faces,
            camera,
            image_size=32,
            sigma=1e-12,  # no pixel sees two faces at an edge
            gamma=1e-6,
            aggregation=aggregation,
        )
        vertices = perspective(camera, viewing_angle=30.0)
        index, depth = rasterize_faces(vertices, mesh.faces, image_size=32)
        covered = index[0].numpy() >= 0
        x, y, z = np.moveaxis(image[0].numpy(), -1, 0)
        centres = (2 * np.arange(32) + 1 - 32) / 32 * np.tan(np.radians(30.0))
        assert 200 < covered.sum() < 900
        np.testing.assert_allclose((x - z * centres)[covered], 0, atol=1e-9)
        np.testing.assert_allclose((y + z * centres[:, None])[covered], 0, atol=1e-9)
        np.testing.assert_allclose(z[covered], depth[0][covered], atol=1e-9)

    @pytest.mark.parametrize("aggregation", ["soft", "hard"])
    @pytest.mark.parametrize("implementation", ["op", "reference"])
    def test_linear_interpolation_is_that_of_parallel_rays(self, aggregation, implementation):
        """Positions as attributes: what a pixel sees lies above it, at the depth of the plane."""
        corners = np.array([[[-1.2, -0.9, 1.0], [1.1, -1.0, 4.0], [0.1, 1.3, 2.0]]])
        options = {"image_size": 16, "interpolation": "linear"}
        image, _ = soft_shade(
            corners,
            [[0, 1, 2]],
            corners,
            sigma=1e-12,
            gamma=1e-6,
            aggregation=aggregation,
            implementation=implementation,
            **options,
        )
        centres = (2 * np.arange(16) + 1 - 16) / 16
        x, y = np.meshgrid(centres, -centres)
        # z = p x + q y + r through the corners.
        p, q, r = np.linalg.solve(np.c_[corners[0, :, :2], np.ones(3)], corners[0, :, 2])
        index, depth = rasterize_faces(corners, [[0, 1, 2]], **options)
        covered = index[0].numpy() == 0
        assert 60 < covered.sum() < 200
        expected = np.stack([x, y, p * x + q * y + r], axis=-1)
        np.testing.assert_allclose(image[0][covered], expected[covered], atol=1e-12)
        np.testing.assert_allclose(depth[0][covered], expected[covered][:, 2], atol=1e-12)

    def test_hard_is_the_nearest_face_and_the_background_elsewhere(self):
        scene = _scene("small faces")
        index, _ = rasterize_faces(scene.vertices, scene.faces, image_size=IMAGE_SIZE)
        # Faces share no vertex: a colour for each.
        attributes = np.repeat(np.arange(60.0, dtype=np.float32), 3)[None, :, None]
        image, _ = soft_shade(
            scene.vertices,
            scene.faces,
            attributes,
            image_size=IMAGE_SIZE,
            sigma=1e-3,
            background=-1.0,
            aggregation="hard",
        )
        assert len(np.unique(index)) > 20
        np.testing.assert_allclose(image[..., 0], index, atol=1e-5)

    def test_small_gamma_and_sigma_give_the_hard_image_away_from_edges(self):
        scene = _scene("sphere")
        options = {"image_size": IMAGE_SIZE, "sigma": 1e-9, "gamma": 1e-6, "background": 0.25}
        soft, _ = soft_shade(scene.vertices, scene.faces, scene.attributes, **options)
        hard, _ = soft_shade(
            scene.vertices, scene.faces, scene.attributes, aggregation="hard", **options
        )
        np.testing.assert_allclose(soft, hard, atol=2e-4)

    @pytest.mark.parametrize("implementation", ["op", "reference"])
    @pytest.mark.parametrize("aggregation", ["soft", "hard"])
    @pytest.mark.parametrize("scale", [1.0, 30.0, 300.0, 1e6])
    def test_what_lies_beyond_far_is_drawn_where_alpha_is_1(
        self, scale, aggregation, implementation
    ):
        # Red at depths 2 and, behind it, green at 3: in units of which far, 100, is ever less.
        vertices = np.array([[[-9.0, -9, 2], [9, -9, 2], [0, 9, 2]] * 2], np.float32)
        vertices[0, 3:, 2] = 3.0
        vertices[..., 2] *= scale
        colors = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)[None]
        image, alpha = soft_shade(
            vertices,
            [[0, 1, 2], [3, 4, 5]],
            colors,
            image_size=3,
            sigma=1e-3,
            background=7.0,
            aggregation=aggregation,
            implementation=implementation,
        )
        np.testing.assert_allclose(alpha, np.ones((1, 3, 3)), atol=1e-6)
        np.testing.assert_allclose(image, np.ones((1, 3, 3, 1)) * [1.0, 0.0], atol=1e-6)

    def test_a_background_with_a_level_hides_what_lies_beyond_it_and_leaves_nothing_out(self):
        vertices = np.array([[[-9, -9, 20.0], [9, -9, 20.0], [0, 9, 20.0]]])
        options = {"image_size": 1, "sigma": 1e-3, "far": 10.0, "background": 0.0, "epsilon": 0.0}
        color = np.ones((1, 3, 1))
        hidden, _ = soft_shade(vertices, [[0, 1, 2]], color, gamma=1e-4, **options)
        # l = -1, against 0 of the background.
        mixed, _ = soft_shade(vertices, [[0, 1, 2]], color, gamma=1.0, **options)
        hard, _ = soft_shade(vertices, [[0, 1, 2]], color, aggregation="hard", **options)
        assert 0 <= hidden < 1e-300 and hard == 1.0
        np.testing.assert_allclose(mixed, 1 / (1 + np.e), atol=1e-12)


class TestGradient:
    """The registered gradient against float64 differences, for every input."""

    @staticmethod
    def _loss(scene, upstream_alpha, options):
        def loss(vertices, attributes, background):
            image, alpha = soft_shade(
                vertices,
                scene.faces,
                attributes,
                image_size=IMAGE_SIZE,
                background=background,
                **options,
            )
            return tf.reduce_sum(image * scene.upstream) + tf.reduce_sum(alpha * upstream_alpha)

        return loss

    def _check(self, scene, background, tolerance=1e-6, step=1e-8, **options):
        rng = np.random.default_rng(3)
        upstream_alpha = rng.normal(size=(len(scene.vertices), *IMAGE_SIZE))
        loss = self._loss(scene, upstream_alpha, options)
        inputs = [scene.vertices.astype(np.float64), scene.attributes.astype(np.float64)]
        inputs.append(np.asarray(background, np.float64))
        tensors = [tf.constant(array) for array in inputs]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = loss(*tensors)
        gradients = [g.numpy() for g in tape.gradient(value, tensors)]
        # x and y, and z, alone: neither hides an error of the other.
        parts = [(0, np.array([1.0, 1, 0])), (0, np.array([0.0, 0, 1])), (1, 1.0), (2, 1.0)]
        for index, mask in parts:
            gradient = gradients[index] * mask
            is_z = index == 0 and mask[2] == 1
            if is_z and options.get("interpolation") == "linear" and "aggregation" in options:
                # Under parallel projection nothing but the order of faces depends on z.
                assert not gradient.any() or options["aggregation"] == "soft"
            else:
                assert np.linalg.norm(gradient) > 0 or options.get("sigma", 0) > 1e-2
            for _ in range(2):
                direction = rng.normal(size=inputs[index].shape) * mask

                def along(point, index=index):
                    return float(loss(*inputs[:index], point, *inputs[index + 1 :]))

                # The linear inputs may take any step.
                numeric = directional_derivative(
                    along, inputs[index], direction, step if index == 0 else 1e-3
                )
                scale = np.linalg.norm(gradient) * np.linalg.norm(direction)
                assert abs(numeric - np.sum(gradient * direction)) <= tolerance * scale + 1e-9

    @pytest.mark.parametrize("gamma", [1e-3, 1e-1])
    @pytest.mark.parametrize("sigma", [1e-5, 1e-3, 1e-1])
    @pytest.mark.parametrize("name", ["random mesh", "small faces", "sphere"])
    def test_soft_agrees_with_numeric_differences(self, name, sigma, gamma):
        scene = _scene(name)
        # Small steps: the image jumps where a pair's coverage passes the least that counts.
        self._check(scene, scene.background, sigma=sigma, gamma=gamma, tolerance=1e-5)

    def test_soft_agrees_with_numeric_differences_at_the_smallest_gamma(self):
        scene = _scene("small faces")
        # Rounding of l / gamma, 1e-16 / 1e-6, over a step of 1e-8.
        self._check(scene, scene.background, sigma=1e-2, gamma=1e-6, tolerance=1e-3)

    @pytest.mark.parametrize("name", ["random mesh", "small faces", "sphere"])
    def test_hard_agrees_with_numeric_differences(self, name):
        scene = _scene(name)
        self._check(scene, scene.background, sigma=1e-3, aggregation="hard", tolerance=1e-5)

    @pytest.mark.parametrize("aggregation", ["soft", "hard"])
    @pytest.mark.parametrize("name", ["random mesh", "small faces", "sphere"])
    def test_linear_interpolation_agrees_with_numeric_differences(self, name, aggregation):
        scene = _scene(name)
        options = {"aggregation": aggregation, "interpolation": "linear"}
        self._check(scene, scene.background, sigma=1e-3, gamma=1e-2, tolerance=1e-5, **options)

    @pytest.mark.parametrize("aggregation", ["soft", "hard"])
    @pytest.mark.parametrize("background", [0.25, [0.5, -0.25, 1.0]])
    def test_background_of_every_shape_agrees_with_numeric_differences(
        self, background, aggregation
    ):
        self._check(_scene("small faces"), background, sigma=1e-3, aggregation=aggregation)

    @pytest.mark.parametrize("corner", range(3))
    @pytest.mark.parametrize("axis", range(3))
    def test_each_coordinate_of_one_face_seen_from_inside_and_outside(self, corner, axis):
        """One pixel and one face: no sum hides a term."""
        rng = np.random.default_rng(0)
        corners = rng.uniform(-1, 1, (60, 3, 3)) + [0, 0, 3.0]
        attributes, background = rng.normal(size=(60, 3, 2)), rng.normal(size=2)
        options = {"image_size": 1, "sigma": 1.0, "gamma": 0.3, "background": background}

        def image(vertices):
            return soft_shade(vertices, [[0, 1, 2]], attributes, **options)[0]

        vertices = tf.constant(corners)
        with tf.GradientTape() as tape:
            tape.watch(vertices)
            loss = tf.reduce_sum(image(vertices) * [1.0, -0.7])
        gradient = tape.gradient(loss, vertices).numpy()[:, corner, axis]
        step = np.zeros_like(corners)
        step[:, corner, axis] = 1e-6
        difference = (image(corners + step) - image(corners - step)).numpy() / 2e-6
        np.testing.assert_allclose(
            gradient, difference[:, 0, 0] @ [1.0, -0.7], atol=1e-6 * np.abs(gradient).max()
        )
        inside = soft_rasterize(corners, [[0, 1, 2]], image_size=1, sigma=1.0).numpy() > 0.5
        assert 5 < inside.sum() < 55

    def test_a_face_in_front_is_pushed_back_when_the_one_behind_fits_better(self):
        vertices = np.array([[[-9.0, -9, 2], [9, -9, 2], [0, 9, 2]] * 2])
        vertices[0, 3:, 2] = 2.5
        attributes = np.array([[[1.0]] * 3 + [[0.0]] * 3])
        vertices = tf.constant(vertices)
        with tf.GradientTape() as tape:
            tape.watch(vertices)
            image, _ = soft_shade(
                vertices, [[0, 1, 2], [3, 4, 5]], attributes, image_size=4, sigma=1e-3, gamma=1e-2
            )
            loss = tf.reduce_sum(image)
        gradient = tape.gradient(loss, vertices)[0, :, 2].numpy()
        # Descending moves the face of ones away, and that of zeros nearer.
        assert np.all(gradient[:3] < 0) and np.all(gradient[3:] > 0)

    @pytest.mark.parametrize("aggregation", ["soft", "hard"])
    def test_faces_behind_the_near_plane_have_neither_image_nor_gradient(self, aggregation):
        scene = _scene("small faces")
        vertices = scene.vertices.copy()
        behind = np.arange(0, 60, 2)
        vertices[0, scene.faces[behind, 0], 2] = np.where(behind % 4, 1.0, -3.0)
        everything = scene._replace(vertices=vertices)
        options = {"near": 1.0, "sigma": 1e-3, "gamma": 1e-2, "aggregation": aggregation}
        both = _shade_and_differentiate(everything, np.float64, **options)
        alone = _shade_and_differentiate(
            everything._replace(faces=scene.faces[1::2]), np.float64, **options
        )
        np.testing.assert_allclose(both[0], alone[0], atol=1e-13)
        for one, other in zip(both[2], alone[2], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-10)
        assert not both[2][0][0, scene.faces[behind].ravel()].any()
        assert both[2][0].any()

    def test_second_derivative_is_a_clear_error(self):
        scene = _scene("small faces")
        vertices = tf.constant(scene.vertices)
        with tf.GradientTape() as outer, tf.GradientTape() as inner:
            outer.watch(vertices)
            inner.watch(vertices)
            image, _ = soft_shade(vertices, scene.faces, scene.attributes, image_size=8, sigma=1e-2)
            gradient = inner.gradient(image, vertices)
        with pytest.raises(Exception, match="soft_shade: .* nor second derivatives"):
            outer.gradient(gradient, vertices)


class TestFinite:
    """Promise 2."""

    HOSTILE = {
        "repeated indices": ([[0, 0], [1, 1], [0.3, -0.2]], [[0, 0, 0], [0, 1, 1], [2, 2, 1]]),
        "far outside": ([[1e30, 0], [-1e30, 1e30], [0, -3e38], [0.1, 0.1]], [[0, 1, 2], [0, 1, 3]]),
        "largest floats": ([[3.4e38, 3.4e38], [-3.4e38, 3.4e38], [3.4e38, -3.4e38]], [[0, 1, 2]]),
        "denormal edges": (
            [[0, 0], [1e-45, 0], [0, 1e-45], [1e-20, 1e-30]],
            [[0, 1, 2], [1, 2, 3]],
        ),
        "vertex on a pixel centre": ([[0.125, 0.125], [0.875, 0.125], [0.125, 0.875]], [[0, 1, 2]]),
        "needle": ([[-1, 0.1], [1, 0.1 + 1e-8], [1, 0.1]], [[0, 1, 2]]),
    }
    DEPTHS = ([1.0, 1.0, 1.0, 1.0], [1e-30, 1.0, 1e30, 2.0], [3e38, 1e-37, 50.0, 1e5])

    @pytest.mark.parametrize("aggregation", ["soft", "hard"])
    @pytest.mark.parametrize("name", HOSTILE)
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_image_and_gradients_are_finite(self, name, dtype, aggregation):
        corners, faces = self.HOSTILE[name]
        count = len(corners)
        rng = np.random.default_rng(0)
        for depths in self.DEPTHS:
            vertices = np.column_stack([corners, depths[:count]])[None]
            for scale in (1.0, 1e20):
                scene = Scene(
                    vertices,
                    np.array(faces),
                    scale * rng.normal(size=(1, count, 2)),
                    scale * rng.normal(size=(1, 8, 8, 2)),
                    np.ones((1, 8, 8, 2)),
                )
                for sigma in (1e-37, 1e-7, 1e-3, 1.0, 1e30):
                    for gamma in (1e-30, 1e-6, 1.0, 1e30):
                        image, alpha, gradients = _shade_and_differentiate(
                            scene, dtype, 8, sigma=sigma, gamma=gamma, aggregation=aggregation
                        )
                        for array in (image, alpha, *gradients):
                            assert np.all(np.isfinite(array)), (depths, scale, sigma, gamma)
                        most = max(np.abs(scene.attributes).max(), np.abs(scene.background).max())
                        assert np.abs(image).max() <= most * (1 + 1e-6)

    @pytest.mark.parametrize("aggregation", ["soft", "hard"])
    def test_the_background_shows_where_all_faces_are_left_out(self, aggregation):
        scene = _scene("small faces")
        image, alpha, gradients = _shade_and_differentiate(
            scene, np.float32, sigma=1e-3, near=50.0, aggregation=aggregation
        )
        np.testing.assert_array_equal(image, scene.background)
        np.testing.assert_array_equal(gradients[2], scene.upstream)
        assert not (alpha.any() or gradients[0].any() or gradients[1].any())


class TestBadInput:
    """Promise 3: the message names the argument, what was expected and what came."""

    GOOD = {
        "vertices": np.zeros((2, 4, 3), np.float32) + 1,
        "faces": np.array([[0, 1, 2]], np.int32),
        "attributes": np.zeros((2, 4, 3), np.float32),
        "sigma": 1e-3,
        "image_size": 8,
    }

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"faces": [[0, 1, 4]]}, r"faces: expected vertex indices in \[0, 4\); received 4"),
            ({"faces": [0, 1, 2]}, "must be rank 2|faces: expected shape"),
            ({"vertices": np.ones((1, 4, 2), np.float32)}, "must be 3|vertices: expected shape"),
            ({"vertices": np.full((2, 4, 3), np.nan, np.float32)}, "vertices: expected finite"),
            ({"sigma": 0.0}, "sigma: expected a positive finite number; received 0"),
            ({"sigma": [1e-3, 1e-3]}, "must be rank 0|sigma: expected a scalar"),
            ({"gamma": 0.0}, "gamma: expected a positive finite number; received 0"),
            ({"gamma": -1.0}, "gamma: expected a positive finite number; received -1"),
            ({"gamma": np.inf}, "gamma: expected a positive finite number; received inf"),
            ({"gamma": [1e-3]}, "must be rank 0|gamma: expected a scalar"),
            ({"attributes": np.zeros((2, 4), np.float32)}, "must be rank 3|attributes: expected"),
            (
                {"attributes": np.zeros((2, 5, 3), np.float32)},
                r"must be equal|attributes: expected shape \[2, 4, channels\]",
            ),
            (
                {"attributes": np.full((2, 4, 3), np.inf, np.float32)},
                "attributes: expected finite numbers; received inf",
            ),
            ({"background": [0.0, 1.0]}, r"must be equal|background: expected shape \[3\] or"),
            (
                {"background": np.zeros((1, 8, 8, 3))},
                r"must be equal|background: expected shape \[3\] or \[2,8,8,3\]",
            ),
            ({"background": np.nan}, "background: expected finite numbers; received nan"),
            ({"near": -0.5}, "near: expected a finite depth that is not negative; received -0.5"),
            ({"near": 2.0, "far": 2.0}, "far: expected a finite depth above near = 2; received 2"),
            ({"far": np.inf}, "far: expected a finite depth"),
            ({"epsilon": np.nan}, "epsilon: expected a finite number; received nan"),
            ({"min_coverage": 0.0}, r"min_coverage: expected a number in \(0, 0.5\]; received 0"),
            ({"min_coverage": 0.6}, r"min_coverage: expected a number in \(0, 0.5\]; received 0.6"),
            ({"image_size": (2**30, 2**30 + 1)}, "height, width: expected sides of at most"),
            (
                {"summed_channels": 4},
                "summed_channels: expected at most the 3 channels of attributes; received 4",
            ),
        ],
    )
    def test_is_an_invalid_argument_error(self, changes, message):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            soft_shade(**{**self.GOOD, **changes})

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"image_size": 0}, "image_size: expected"),
            ({"implementation": "fast"}, "implementation: expected.*'fast'"),
            ({"aggregation": "max"}, "aggregation: expected.*'max'"),
            ({"summed_channels": -1}, "summed_channels: expected an int.*-1"),
            (
                {"summed_channels": 1, "aggregation": "hard"},
                "summed_channels: expected 0 with aggregation='hard'; received 1",
            ),
        ],
    )
    def test_is_a_value_error(self, changes, message):
        with pytest.raises(ValueError, match=message):
            soft_shade(**{**self.GOOD, **changes})

    def _gradient(self, op, aggregation="soft", summed_channels=0, **changes):
        """Calls a gradient op on `GOOD` with arrays of the right shapes, but for `changes`."""
        arrays = {
            "transparency": tf.zeros([2, 8, 8]),
            "image": tf.zeros([2, 8, 8, 3]),
            "state": tf.ones([2, 8, 8, 7]),
            "image_gradient": tf.ones([2, 8, 8, 3]),
            "alpha_gradient": tf.zeros([2, 8, 8]),
        }
        return getattr(library(), op)(
            vertices=self.GOOD["vertices"],
            faces=self.GOOD["faces"],
            sigma=1e-3,
            gamma=1e-3,
            attributes=self.GOOD["attributes"],
            background=tf.zeros([3]),
            height=8,
            width=8,
            aggregation=aggregation,
            summed_channels=summed_channels,
            **{**arrays, **changes},
        )

    @pytest.mark.parametrize("op", GRADIENT_OPS)
    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("transparency", [2, 7, 8]),
            ("image", [2, 7, 8, 3]),
            ("state", [2, 7, 8, 7]),
            ("image_gradient", [2, 7, 8, 3]),
            ("alpha_gradient", [2, 7, 8]),
        ],
    )
    def test_the_gradient_ops_check_their_own_shapes(self, op, name, shape):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name}|must be equal"):
            self._gradient(op, **{name: tf.zeros(shape)})

    @pytest.mark.parametrize("op", GRADIENT_OPS)
    @pytest.mark.parametrize(
        ("numbers", "expected", "options"),
        [
            (6, 7, {}),
            (8, 7, {}),
            (7, 5, {"summed_channels": 2}),
            (7, 0, {"aggregation": "hard"}),
        ],
    )
    def test_a_state_of_other_numbers_is_refused(self, op, numbers, expected, options):
        message = rf"state: expected shape \[2,8,8,{expected}\] or \[2,8,8,0\]; received"
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            self._gradient(op, state=tf.zeros([2, 8, 8, numbers]), **options)

    @pytest.mark.parametrize("op", GRADIENT_OPS)
    @pytest.mark.parametrize("value", [0.0, -1.0, 3e38, -3e38])
    def test_any_finite_state_gives_finite_gradients(self, op, value):
        for gradient in self._gradient(op, state=tf.fill([2, 8, 8, 7], value)):
            assert np.all(np.isfinite(gradient))


class TestState:
    """Gradients are the same with and without the state of the forward op."""

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("summed_channels", [0, 1, CHANNELS])
    @pytest.mark.parametrize("name", ["sphere", "small faces", "depths of all sizes"])
    def test_gradients_are_the_same_without_it(self, name, summed_channels, dtype):
        scene = _scene("sphere" if name == "depths of all sizes" else name)
        vertices, attributes, background = scene.arrays(dtype)
        if name == "depths of all sizes":
            vertices[..., 2] *= np.geomspace(1e-3, 1e6, vertices.shape[1])
        options = {"height": IMAGE_SIZE[0], "width": IMAGE_SIZE[1], "far": 10.0}
        options["summed_channels"] = summed_channels
        # The gradient of a small gamma is nothing but rounding.
        for op, gamma in zip(GRADIENT_OPS, (1e-6, 1e-2), strict=True):
            inputs = [vertices, scene.faces, 1e-3, gamma, attributes, background]
            image, alpha, transparency, state = library().softras_soft_shade(*inputs, **options)
            assert state.shape == (*alpha.shape, 4 + CHANNELS - summed_channels)
            assert np.all(np.isfinite(state))
            upstream = scene.upstream.astype(dtype), tf.zeros_like(alpha)
            with_state, without = (
                getattr(library(), op)(*inputs, transparency, image, kept, *upstream, **options)
                for kept in (state, state[..., :0])
            )
            for one, other in zip(with_state, without, strict=True):
                assert np.any(other != 0) or summed_channels == CHANNELS
                bound = 2 * _bounds(dtype, gamma)[1]
                assert _relative_error(one.numpy(), other.numpy()) < bound

    @pytest.mark.parametrize(("aggregation", "channels"), [("hard", CHANNELS), ("soft", 0)])
    def test_there_is_none_without_a_soft_image(self, aggregation, channels):
        scene = _scene("sphere")
        image, _, _, state = library().softras_soft_shade(
            scene.vertices,
            scene.faces,
            1e-3,
            1e-3,
            scene.attributes[..., :channels],
            scene.background[..., :channels],
            height=IMAGE_SIZE[0],
            width=IMAGE_SIZE[1],
            aggregation=aggregation,
        )
        assert state.shape == (*image.shape[:3], 0)


class TestDeterminism:
    """Promise 4."""

    def test_bits_are_the_same_for_any_number_of_threads(self, tmp_path):
        script = textwrap.dedent("""
            import sys
            import numpy as np, tensorflow as tf
            tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
            from tests.ops.meshes import random_mesh, sphere
            from tf_softras.ops import soft_shade
            results = []
            for scene, size in ((sphere, 64), (sphere, 100), (random_mesh, 130)):
                vertices, faces = scene(np.random.default_rng(0))
                inputs = [tf.constant(vertices), tf.sin(vertices), tf.constant([0.5, 1.0, 2.0])]
                for aggregation in ("soft", "hard"):
                    with tf.GradientTape() as tape:
                        tape.watch(inputs)
                        image, alpha = soft_shade(
                            inputs[0], faces, inputs[1], image_size=size, sigma=1e-3, gamma=1e-2,
                            background=inputs[2], aggregation=aggregation)
                        loss = tf.reduce_sum(tf.sin(37.0 * image)) + tf.reduce_sum(alpha)
                    results += [image.numpy(), alpha.numpy()]
                    results += [g.numpy() for g in tape.gradient(loss, inputs)]
            np.savez(sys.argv[2], *results)
        """)
        files = [tmp_path / f"{i}.npz" for i in range(3)]
        for file, threads in zip(files, ("1", "2", "5"), strict=True):
            subprocess.run(
                [sys.executable, "-c", script, threads, str(file)], check=True, capture_output=True
            )
        runs = [np.load(file) for file in files]
        for key in runs[0].files:
            assert np.any(runs[0][key] != 0)
            for run in runs[1:]:
                assert runs[0][key].tobytes() == run[key].tobytes()


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
class TestEmpty:
    """Promise 5."""

    def _shade(self, batch, num_vertices, channels, faces, aggregation, image_size=(3, 5)):
        scene = Scene(
            np.ones((batch, num_vertices, 3)),
            np.array(faces, np.int32).reshape(-1, 3),
            np.ones((batch, num_vertices, channels)),
            np.full((batch, *image_size, channels), 7.0),
            np.ones((batch, *image_size, channels)),
        )
        image, alpha, gradients = _shade_and_differentiate(
            scene, np.float32, image_size, sigma=1e-3, aggregation=aggregation
        )
        assert image.shape == (batch, *image_size, channels)
        assert alpha.shape == (batch, *image_size)
        shapes = [gradient.shape for gradient in gradients]
        assert shapes == [array.shape for array in scene.arrays()]
        return image, gradients

    def test_an_empty_mesh_is_the_background(self, aggregation):
        image, gradients = self._shade(2, 4, 3, [], aggregation)
        assert np.all(image == 7) and np.all(gradients[2] == 1)
        assert not (gradients[0].any() or gradients[1].any())

    def test_no_vertices_and_no_faces(self, aggregation):
        assert np.all(self._shade(2, 0, 3, [], aggregation)[0] == 7)

    def test_an_empty_batch_gives_an_empty_batch(self, aggregation):
        self._shade(0, 4, 3, [[0, 1, 2]], aggregation)

    def test_no_channels(self, aggregation):
        self._shade(2, 4, 0, [[0, 1, 2]], aggregation)

    def test_a_one_pixel_image_of_many_channels(self, aggregation):
        vertices = np.array([[[-1, -1, 1], [1, -1, 1], [0, 1, 1]]], np.float64)
        attributes = np.arange(3 * 100.0).reshape(1, 3, 100)
        image, _ = soft_shade(
            vertices, [[0, 1, 2]], attributes, image_size=1, sigma=0.5, aggregation=aggregation
        )
        # The origin's barycentric coordinates, and no background to speak of.
        expected = np.array([0.25, 0.25, 0.5]) @ attributes[0]
        np.testing.assert_allclose(image[0, 0, 0], expected, atol=1e-10)


class TestGraph:
    def test_sigma_and_gamma_as_tensors_do_not_retrace(self):
        traces = []
        scene = _scene("small faces")

        @tf.function
        def render(sigma, gamma):
            traces.append(1)
            return soft_shade(
                scene.vertices,
                scene.faces,
                scene.attributes,
                image_size=8,
                sigma=sigma,
                gamma=gamma,
            )[0]

        images = [
            render(tf.constant(sigma), tf.constant(gamma)).numpy()
            for sigma, gamma in ((1e-1, 1e-1), (1e-1, 1e-3), (1e-3, 1e-3))
        ]
        assert len(traces) == 1
        assert np.any(images[0] != images[1]) and np.any(images[1] != images[2])

    def test_static_shapes_are_known_with_an_unknown_batch(self):
        @tf.function(
            input_signature=[tf.TensorSpec([None, None, 3]), tf.TensorSpec([None, None, 5])]
        )
        def render(vertices, attributes):
            image, alpha = soft_shade(
                vertices, [[0, 1, 2]], attributes, image_size=(6, 4), sigma=1e-3
            )
            assert image.shape.as_list() == [None, 6, 4, 5]
            assert alpha.shape.as_list() == [None, 6, 4]
            return image

        assert render(tf.ones([2, 3, 3]), tf.ones([2, 3, 5])).shape == (2, 6, 4, 5)

    def test_reference_implementation_compiles_under_xla_and_agrees(self):
        scene = _scene("small faces")
        options = {"image_size": 12, "sigma": 1e-3, "gamma": 0.1, "background": 0.5}

        @tf.function(jit_compile=True)
        def render(vertices, attributes):
            return soft_shade(
                vertices, scene.faces, attributes, implementation="reference", **options
            )

        image, alpha = soft_shade(scene.vertices, scene.faces, scene.attributes, **options)
        compiled, compiled_alpha = render(scene.vertices, scene.attributes)
        # Distances, and levels over gamma, in float32.
        np.testing.assert_allclose(compiled, image, atol=1e-4)
        np.testing.assert_allclose(compiled_alpha, alpha, atol=1e-5)


class TestPicture:
    """The right way up and the right way round; what is near hides what is far."""

    def test_colors_of_a_sphere_lie_where_its_vertices_are(self):
        mesh = icosphere(3)
        eye = eye_from_angles(2.732, 30.0, 0.0)
        vertices = perspective(look_at(0.5 * mesh.vertices[None], eye[None]))
        colors = 0.5 + 0.5 * mesh.vertices[None]  # red +x, green +y, blue +z
        image, alpha = soft_shade(
            vertices, mesh.faces, colors, image_size=65, sigma=1e-5, background=0.0
        )
        image = image[0].numpy()
        assert alpha[0, 32, 32] > 0.99 and alpha[0, 0, 0] == 0 and not image[0, 0].any()
        # From +x and above, the middle is the side of +x, the top that of +y; forward is -x, so
        # right = forward x up is -z.
        assert image[32, 32, 0] > 0.9 and image[14, 32, 1] > 0.8
        assert image[32, 14, 2] > 0.8 and image[32, 50, 2] < 0.2

    @pytest.mark.parametrize("aggregation", ["soft", "hard"])
    def test_the_nearer_of_two_triangles_wins_on_both_sides_of_their_crossing(self, aggregation):
        left, right = [-0.9, -0.9], [0.9, -0.9]
        top = [0.0, 0.9]
        # The red one is near at the left, the blue one at the right.
        vertices = np.array(
            [[[*left, 2], [*right, 4], [*top, 3], [*left, 4], [*right, 2], [*top, 3]]]
        )
        colors = np.array([[[1.0, 0, 0]] * 3 + [[0, 0, 1.0]] * 3])
        image, _ = soft_shade(
            vertices,
            [[0, 1, 2], [3, 4, 5]],
            colors,
            image_size=33,
            sigma=1e-6,
            background=1.0,
            aggregation=aggregation,
        )
        image = image[0].numpy()
        np.testing.assert_allclose(image[28, 6], [1, 0, 0], atol=1e-3)
        np.testing.assert_allclose(image[28, 26], [0, 0, 1], atol=1e-3)
        np.testing.assert_allclose(image[2, 2], [1, 1, 1], atol=1e-12)
