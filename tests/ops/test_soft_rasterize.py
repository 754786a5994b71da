"""The five promises of the soft rasteriser (docs/architecture.md), and its Python wrapper."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import shapely
import tensorflow as tf

from tests.gradient_checks import directional_derivative
from tests.ops.meshes import SCENES
from tf_softras.ops import soft_rasterize
from tf_softras.ops._soft_rasterize_reference import soft_rasterize_reference

SIGMAS = [1e-7, 1e-6, 3e-5, 1e-3, 1e-1, 1.0]
IMAGE_SIZES = {
    "random mesh": (24, 40),
    "small faces": (33, 17),
    "faces through pixel centres": (16, 16),
}


def _scene(name, seed=0):
    vertices, faces = SCENES[name](np.random.default_rng(seed))
    return vertices, faces, IMAGE_SIZES.get(name, (32, 32))


def _render_and_differentiate(render, vertices, upstream):
    vertices = tf.constant(vertices)
    with tf.GradientTape() as tape:
        tape.watch(vertices)
        silhouette = render(vertices)
        loss = tf.reduce_sum(silhouette * tf.cast(upstream, silhouette.dtype))
    return silhouette.numpy(), tape.gradient(loss, vertices).numpy()


def _op_and_truth(name, sigma, dtype, seed=0):
    """Image and gradient by the op in `dtype`, and by eqs. 1-2 in float64 from the same input."""
    vertices, faces, image_size = _scene(name, seed)
    sigma = float(np.float32(sigma))
    upstream = np.random.default_rng(1).normal(size=(len(vertices), *image_size))
    upstream = upstream.astype(np.float32)
    image, gradient = _render_and_differentiate(
        lambda v: soft_rasterize(v, faces, image_size=image_size, sigma=sigma),
        vertices.astype(dtype),
        upstream,
    )
    truth, true_gradient = _render_and_differentiate(
        lambda v: soft_rasterize_reference(
            v, faces, image_size=image_size, sigma=tf.constant(sigma, tf.float64)
        ),
        vertices.astype(np.float64),
        upstream,
    )
    return image, gradient, truth, true_gradient, upstream


class TestAccuracy:
    """Promise 1."""

    @pytest.mark.parametrize("sigma", SIGMAS)
    @pytest.mark.parametrize("name", SCENES)
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_image_and_gradient_are_within_the_promised_bounds(self, name, sigma, dtype):
        image, gradient, truth, true_gradient, upstream = _op_and_truth(name, sigma, dtype)
        single = dtype == np.float32
        image_bound = 5e-6 + 4e-8 / np.sqrt(sigma) if single else 1e-10
        gradient_bound = 1e-5 + 2e-7 / np.sqrt(sigma) if single else 1e-8
        assert image.dtype == gradient.dtype == dtype
        np.testing.assert_allclose(image, truth, rtol=0, atol=image_bound)
        # The promise stops where the true gradient is lost to saturation.
        smallest = 1e-3 * np.linalg.norm(upstream) / np.sqrt(sigma)
        if np.linalg.norm(true_gradient) > smallest:
            error = np.linalg.norm(gradient - true_gradient) / np.linalg.norm(true_gradient)
            assert error < gradient_bound

    def test_most_scenes_have_a_gradient_that_the_bound_applies_to(self):
        """Guards the test above against passing because everything saturates."""
        covered = 0
        for name in SCENES:
            for sigma in SIGMAS:
                *_, true_gradient, upstream = _op_and_truth(name, sigma, np.float64)
                smallest = 1e-3 * np.linalg.norm(upstream) / np.sqrt(sigma)
                covered += np.linalg.norm(true_gradient) > smallest
        # 34 of 36 when this was written: the sphere saturates at sigma 0.1 and 1.
        assert covered >= 30

    def test_many_faces_at_one_place_do_not_drift(self):
        """2,000 faces that each add little: float sums alone would lose digits."""
        vertices = np.array([[[1.5, 0, 1], [2, 0.5, 1], [2, -0.5, 1]]], np.float32)
        faces = np.tile(np.arange(3), (2000, 1))
        image = soft_rasterize(vertices, faces, image_size=8, sigma=0.3).numpy()
        truth = soft_rasterize_reference(
            vertices.astype(np.float64), faces, image_size=(8, 8), sigma=float(np.float32(0.3))
        ).numpy()
        assert np.any((truth > 0.1) & (truth < 0.9))
        np.testing.assert_allclose(image, truth, rtol=0, atol=5e-6 + 4e-8 / np.sqrt(0.3))

    def test_every_cut_off_face_counts_within_the_bound(self):
        """Faces just outside the cut-off, where culling hurts most."""
        sigma = 1e-4
        for distance in np.sqrt(sigma * np.array([10.0, 15.0, 20.0, 25.0])):
            edge = 1.0 + distance
            vertices = np.array([[[edge, -2, 1], [edge, 2, 1], [2, 0, 1]]], np.float32)
            faces = np.tile(np.arange(3), (5000, 1))
            image = soft_rasterize(vertices, faces, image_size=(4, 4), sigma=sigma).numpy()
            truth = soft_rasterize_reference(
                vertices.astype(np.float64), faces, image_size=(4, 4), sigma=sigma
            ).numpy()
            np.testing.assert_allclose(image, truth, rtol=0, atol=5e-6 + 4e-8 / np.sqrt(sigma))

    @pytest.mark.parametrize("image_size", [(5, 5), (4, 7), (9, 3)])
    def test_one_face_agrees_with_shapely(self, image_size):
        """Eq. 1 with another library's distance and containment: the image is not flipped."""
        corners = np.array([[-0.7, -0.4], [0.9, -0.1], [-0.2, 0.8]])
        triangle = shapely.Polygon(corners)
        height, width = image_size
        shorter = min(height, width)
        expected = np.zeros(image_size)
        for row in range(height):
            for column in range(width):
                point = shapely.Point(
                    (2 * column + 1 - width) / shorter, (height - 1 - 2 * row) / shorter
                )
                sign = 1 if triangle.contains(point) else -1
                distance = triangle.boundary.distance(point)
                expected[row, column] = 1 / (1 + np.exp(-sign * distance**2 / 0.05))
        vertices = np.concatenate([corners, np.ones((3, 1))], axis=1)[None]
        image = soft_rasterize(vertices, [[0, 1, 2]], image_size=image_size, sigma=0.05)
        np.testing.assert_allclose(image[0], expected, atol=1e-12)


class TestGradient:
    """The registered gradient against float64 differences of the image."""

    @pytest.mark.parametrize("sigma", [1e-6, 3e-5, 1e-3, 1e-1])
    @pytest.mark.parametrize("name", ["random mesh", "small faces", "sphere"])
    def test_agrees_with_numeric_differences(self, name, sigma):
        vertices, faces, image_size = _scene(name)
        vertices = vertices.astype(np.float64)
        rng = np.random.default_rng(2)
        upstream = rng.normal(size=(len(vertices), *image_size))
        _, gradient = _render_and_differentiate(
            lambda v: soft_rasterize(v, faces, image_size=image_size, sigma=sigma),
            vertices,
            upstream,
        )

        def loss(v):
            image = soft_rasterize(v, faces, image_size=image_size, sigma=sigma)
            return float(tf.reduce_sum(image * upstream))

        # Far below sqrt(sigma), the scale on which the image changes. Where the nearest edge
        # changes within a step, the difference sees the mean of two gradients.
        step = 1e-5 * np.sqrt(sigma)
        for _ in range(3):
            direction = rng.normal(size=vertices.shape)
            direction[..., 2] = 0.0
            numeric = directional_derivative(loss, vertices, direction, step)
            scale = np.linalg.norm(gradient) * np.linalg.norm(direction)
            assert abs(numeric - np.sum(gradient * direction)) < 1e-6 * scale

    def _assert_one_pixel_gradients_are_within_the_bound(self, corners):
        """Each item a face seen by one pixel at the origin: no other pixel hides an error."""
        vertices = np.concatenate([corners, np.ones((len(corners), 3, 1))], axis=-1)
        vertices = vertices.astype(np.float32)
        _, gradient = _render_and_differentiate(
            lambda v: soft_rasterize(v, [[0, 1, 2]], image_size=1, sigma=1.0), vertices, 1.0
        )
        _, truth = _render_and_differentiate(
            lambda v: soft_rasterize_reference(v, [[0, 1, 2]], image_size=(1, 1), sigma=1.0),
            vertices.astype(np.float64),
            1.0,
        )
        error = np.linalg.norm(gradient - truth, axis=(1, 2))
        assert np.all(error < (1e-5 + 2e-7) * np.linalg.norm(truth, axis=(1, 2)))

    def test_the_foot_of_the_perpendicular_wins_over_a_neighbours_end(self):
        """Their squared distances differ by t^2 < 2^-24, the closest points by t."""
        rng = np.random.default_rng(0)
        angle = rng.uniform(0, 2 * np.pi, (300, 1))
        normal = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
        along = normal[:, ::-1] * [-1, 1]
        t = 10 ** rng.uniform(-5, -3.5, (300, 1))
        a = normal - t * along
        b = a + 0.1 * along
        c = a + 0.1 * normal + rng.uniform(-0.1, 0.1, (300, 1)) * along
        for order in ([a, b, c], [b, a, c], [c, a, b], [b, c, a]):
            self._assert_one_pixel_gradients_are_within_the_bound(np.stack(order, axis=1))

    def test_the_nearest_edge_is_right_on_a_medial_axis(self):
        """All three edges are equally far from the incentre but for the rounding of vertices."""
        corners = np.random.default_rng(0).uniform(-1, 1, (300, 3, 2))
        sides = np.linalg.norm(np.roll(corners, -1, 1) - np.roll(corners, 1, 1), axis=-1)
        incentre = np.sum(corners * sides[..., None], 1) / np.sum(sides, 1)[:, None]
        self._assert_one_pixel_gradients_are_within_the_bound(corners - incentre[:, None])

    def test_depth_has_no_gradient(self):
        vertices, faces, image_size = _scene("sphere")
        _, gradient = _render_and_differentiate(
            lambda v: soft_rasterize(v, faces, image_size=image_size, sigma=1e-3), vertices, 1.0
        )
        assert np.all(gradient[..., 2] == 0) and np.any(gradient != 0)

    def test_faces_behind_the_near_plane_have_neither_image_nor_gradient(self):
        vertices = np.array(
            [[[-0.5, -0.5, 2], [0.5, -0.5, 2], [0, 0.5, 2], [0, 0, 1.0], [0.9, 0, 3]]], np.float32
        )
        in_front, behind = [0, 1, 2], [1, 3, 4]
        both = _render_and_differentiate(
            lambda v: soft_rasterize(v, [in_front, behind], image_size=16, sigma=1e-2, near=1.0),
            vertices,
            1.0,
        )
        alone = _render_and_differentiate(
            lambda v: soft_rasterize(v, [in_front], image_size=16, sigma=1e-2), vertices, 1.0
        )
        np.testing.assert_allclose(both[0], alone[0], atol=1e-6)
        np.testing.assert_allclose(both[1], alone[1], rtol=1e-5, atol=1e-6)
        assert np.all(both[1][0, 3:] == 0)

    def test_second_derivative_is_a_clear_error(self):
        vertices = tf.constant(_scene("sphere")[0])
        with tf.GradientTape() as outer, tf.GradientTape() as inner:
            outer.watch(vertices)
            inner.watch(vertices)
            image = soft_rasterize(vertices, _scene("sphere")[1], image_size=8, sigma=1e-2)
            gradient = inner.gradient(image, vertices)
        with pytest.raises(Exception, match="no second ones. Use implementation"):
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

    @pytest.mark.parametrize("sigma", [1e-37, 1e-7, 1e-3, 1.0, 1e30])
    @pytest.mark.parametrize("name", HOSTILE)
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_image_and_gradient_are_finite(self, name, sigma, dtype):
        corners, faces = self.HOSTILE[name]
        vertices = np.concatenate([corners, np.ones((len(corners), 1))], axis=1)[None]
        image, gradient = _render_and_differentiate(
            lambda v: soft_rasterize(v, faces, image_size=8, sigma=sigma),
            vertices.astype(dtype),
            1.0,
        )
        assert np.all(np.isfinite(image)) and np.all(np.isfinite(gradient))
        assert np.all((image >= 0) & (image <= 1))

    def test_coordinates_near_the_largest_double_are_finite(self):
        vertices = np.array([[[1.7e308, 1.7e308, 1], [-1.7e308, 1e308, 1], [0, -1.7e308, 1]]])
        image, gradient = _render_and_differentiate(
            lambda v: soft_rasterize(v, [[0, 1, 2]], image_size=4, sigma=1e-3), vertices, 1.0
        )
        assert np.all(image == 1.0) and np.all(gradient == 0.0)

    def test_the_tip_of_a_sliver_covers_nothing_beyond_itself(self):
        """Rounded signs of its two long edges must not claim the points that it points at."""
        rng = np.random.default_rng(0)
        # From one pixel centre towards others: some of those lie beyond the tip, on the axis.
        tip = (2 * rng.integers(-8, 8, (400, 2)) + 1) / 32
        along = rng.integers(1, 4, (400, 2)) * rng.choice([-1, 1], (400, 2)) / 16
        across = along[:, ::-1] * [1, -1] * 10 ** rng.uniform(-9, -6, (400, 1))
        corners = np.stack([tip, tip - 4 * along + across, tip - 4 * along - across], axis=1)
        vertices = np.concatenate([corners, np.ones((400, 3, 1))], axis=-1).astype(np.float32)
        image = soft_rasterize(vertices, [[0, 1, 2]], image_size=32, sigma=1e-4)
        truth = soft_rasterize_reference(
            vertices.astype(np.float64), [[0, 1, 2]], image_size=(32, 32), sigma=1e-4
        )
        np.testing.assert_allclose(image, truth, rtol=0, atol=5e-6 + 4e-8 / np.sqrt(1e-4))

    def test_a_face_without_area_is_its_longest_edge(self):
        vertices = np.array([[[-0.5, 0, 1], [0.5, 0, 1], [0.1, 0, 1]]])
        image = soft_rasterize(vertices, [[0, 2, 1]], image_size=9, sigma=1e-3).numpy()[0]
        # Pixel centres are 2/9 apart: row 4 is y = 0, columns 2 to 6 are x in [-0.5, 0.5].
        np.testing.assert_allclose(image[4, 2:7], 0.5, atol=1e-12)
        assert np.all(np.delete(image, 4, axis=0) < 1e-6)


class TestBadInput:
    """Promise 3: the message names the argument, what was expected and what came."""

    GOOD = {
        "vertices": np.zeros((2, 4, 3), np.float32) + 1,
        "faces": np.array([[0, 1, 2]], np.int32),
        "sigma": 1e-3,
        "image_size": 8,
    }

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"faces": [[0, 1, 4]]}, r"faces: expected vertex indices in \[0, 4\); received 4"),
            ({"faces": [[0, -1, 2]]}, r"faces: expected vertex indices in \[0, 4\); received -1"),
            ({"faces": [0, 1, 2]}, "must be rank 2|faces: expected shape"),
            ({"faces": [[0, 1]]}, "must be 3|faces: expected shape"),
            ({"vertices": np.ones((4, 3), np.float32)}, "must be rank 3|vertices: expected shape"),
            ({"vertices": np.ones((1, 4, 2), np.float32)}, "must be 3|vertices: expected shape"),
            ({"vertices": np.full((1, 4, 3), np.nan, np.float32)}, "vertices: expected finite"),
            ({"vertices": np.full((1, 4, 3), np.inf, np.float32)}, "vertices: expected finite"),
            ({"sigma": 0.0}, "sigma: expected a positive finite number; received 0"),
            ({"sigma": -1e-3}, "sigma: expected a positive finite number; received -0.001"),
            ({"sigma": np.nan}, "sigma: expected a positive finite number; received nan"),
            ({"sigma": np.inf}, "sigma: expected a positive finite number; received inf"),
            ({"sigma": [1e-3, 1e-3]}, "must be rank 0|sigma: expected a scalar"),
            ({"image_size": (2**30, 2**30 + 1)}, "height, width: expected sides of at most"),
            ({"image_size": (2**30, 2**30), "vertices": np.ones((16, 4, 3))}, "height, width"),
        ],
    )
    def test_is_an_invalid_argument_error(self, changes, message):
        arguments = {**self.GOOD, **changes}
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            soft_rasterize(
                arguments["vertices"],
                arguments["faces"],
                image_size=arguments["image_size"],
                sigma=arguments["sigma"],
            )

    @pytest.mark.parametrize("image_size", [0, -1, (4, 0), (1, 2, 3), 2.5, "8", None, 2**63])
    def test_image_size_is_checked(self, image_size):
        with pytest.raises(ValueError, match="image_size: expected.*received"):
            soft_rasterize(
                self.GOOD["vertices"], self.GOOD["faces"], image_size=image_size, sigma=1e-3
            )

    @pytest.mark.parametrize("name", ["vertices", "sigma"])
    @pytest.mark.parametrize("dtype", [str, np.int64, np.complex64])
    def test_types_are_checked(self, name, dtype):
        arguments = {**self.GOOD, name: np.asarray(self.GOOD[name]).astype(dtype)}
        with pytest.raises(ValueError, match=f"{name}: expected float.*; received \\w+"):
            soft_rasterize(**arguments)

    def test_implementation_is_checked(self):
        with pytest.raises(ValueError, match="implementation: expected.*'fast'"):
            soft_rasterize(
                self.GOOD["vertices"],
                self.GOOD["faces"],
                image_size=8,
                sigma=1e-3,
                implementation="fast",
            )

    def test_the_gradient_op_checks_its_own_shapes(self):
        from tf_softras.ops._library import library

        image = tf.zeros([2, 8, 8])
        with pytest.raises(tf.errors.InvalidArgumentError, match="transparency|must be equal"):
            library().softras_soft_rasterize_grad(
                self.GOOD["vertices"],
                self.GOOD["faces"],
                1e-3,
                image[:, :7],
                image,
                height=8,
                width=8,
            )


class TestDeterminism:
    """Promise 4."""

    def test_bits_are_the_same_for_any_number_of_threads(self, tmp_path):
        script = textwrap.dedent("""
            import sys
            import numpy as np, tensorflow as tf
            tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
            from tests.ops.meshes import random_mesh, sphere
            from tf_softras.ops import soft_rasterize
            results = []
            for scene, size in ((sphere, 64), (sphere, 150), (random_mesh, 200)):
                vertices, faces = scene(np.random.default_rng(0))
                vertices = tf.constant(vertices)
                for sigma in (3e-5, 1e-2):
                    with tf.GradientTape() as tape:
                        tape.watch(vertices)
                        image = soft_rasterize(vertices, faces, image_size=size, sigma=sigma)
                        loss = tf.reduce_sum(tf.sin(37.0 * image))
                    results += [image.numpy(), tape.gradient(loss, vertices).numpy()]
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


class TestEmpty:
    """Promise 5."""

    def test_an_empty_mesh_is_an_empty_picture_with_no_gradient(self):
        faces = np.zeros((0, 3), np.int32)
        image, gradient = _render_and_differentiate(
            lambda v: soft_rasterize(v, faces, image_size=(3, 5), sigma=1e-3),
            np.ones((2, 4, 3), np.float32),
            1.0,
        )
        assert image.shape == (2, 3, 5) and not image.any()
        assert gradient.shape == (2, 4, 3) and not gradient.any()

    def test_no_vertices_and_no_faces(self):
        image = soft_rasterize(
            np.ones((2, 0, 3), np.float32), np.zeros((0, 3), np.int32), image_size=2, sigma=1.0
        )
        assert image.shape == (2, 2, 2) and not image.numpy().any()

    def test_an_empty_batch_gives_an_empty_batch(self):
        image, gradient = _render_and_differentiate(
            lambda v: soft_rasterize(v, [[0, 1, 2]], image_size=(3, 5), sigma=1e-3),
            np.ones((0, 4, 3), np.float32),
            1.0,
        )
        assert image.shape == (0, 3, 5) and gradient.shape == (0, 4, 3)

    def test_a_one_pixel_image(self):
        vertices = np.array([[[-1, -1, 1], [1, -1, 1], [0, 1, 1]]], np.float64)
        image = soft_rasterize(vertices, [[0, 1, 2]], image_size=1, sigma=0.5).numpy()
        # The origin is inside; the edge from (1, -1) to (0, 1) is the nearest, 1 / sqrt 5 away.
        np.testing.assert_allclose(image, 1 / (1 + np.exp(-0.2 / 0.5)), atol=1e-12)


class TestGraph:
    def test_sigma_as_a_tensor_does_not_retrace(self):
        traces = []

        @tf.function
        def render(vertices, sigma):
            traces.append(1)
            return soft_rasterize(vertices, [[0, 1, 2]], image_size=8, sigma=sigma)

        vertices = tf.constant([[[-1.0, -1, 1], [1, -1, 1], [0, 1, 1]]])
        soft, sharp = render(vertices, tf.constant(1e-1)), render(vertices, tf.constant(1e-3))
        assert len(traces) == 1
        assert np.any(soft.numpy() != sharp.numpy())

    def test_static_shape_is_known_with_an_unknown_batch(self):
        @tf.function(input_signature=[tf.TensorSpec([None, None, 3])])
        def render(vertices):
            image = soft_rasterize(vertices, [[0, 1, 2]], image_size=(6, 4), sigma=1e-3)
            assert image.shape.as_list() == [None, 6, 4]
            return image

        assert render(tf.ones([2, 3, 3])).shape == (2, 6, 4)

    def test_reference_implementation_compiles_under_xla_and_agrees(self):
        vertices, faces, _ = _scene("small faces")

        @tf.function(jit_compile=True)
        def render(v):
            return soft_rasterize(v, faces, image_size=12, sigma=1e-3, implementation="reference")

        op = soft_rasterize(vertices, faces, image_size=12, sigma=1e-3)
        # Both are float32; the bound of promise 1 twice.
        np.testing.assert_allclose(render(vertices), op, atol=2 * (5e-6 + 4e-8 / np.sqrt(1e-3)))
