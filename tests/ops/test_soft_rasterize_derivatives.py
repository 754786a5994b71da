"""Derivatives of soft_rasterize beyond that of vertices: sigma, forward mode, where they end."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from tests.gradient_checks import directional_derivative
from tests.ops.meshes import SCENES, sphere
from tf_softras import geometry, layers
from tf_softras.ops import soft_rasterize
from tf_softras.ops._library import library

SIGMAS = [3e-5, 1e-3, 1e-1]
IMAGE_SIZE = (24, 32)
# The bound of the float64 ops against the reference. Both are rounded to 1e-16 a term. If terms
# cancel, errors are compared with the norm of all pixels.
EXACT = 1e-8
# The bound for float32 vertices and results; the sums are made in double.
SINGLE = 1e-5


def scene(name, dtype=np.float64):
    vertices, faces = SCENES[name](np.random.default_rng(0))
    return tf.constant(vertices.astype(dtype)), faces


def tangent_like(vertices):
    return tf.constant(np.random.default_rng(2).normal(size=vertices.shape), dtype=vertices.dtype)


def upstream_like(image):
    return np.random.default_rng(3).normal(size=image.shape)


def rendered(vertices, faces, sigma, implementation="op", near=0.0):
    return soft_rasterize(
        vertices,
        faces,
        image_size=IMAGE_SIZE,
        sigma=sigma,
        near=near,
        implementation=implementation,
    )


def sigma_gradient(vertices, faces, sigma, implementation):
    sigma = tf.constant(sigma, vertices.dtype)
    with tf.GradientTape() as tape:
        tape.watch(sigma)
        image = rendered(vertices, faces, sigma, implementation)
        loss = tf.reduce_sum(tf.cast(image, tf.float64) * upstream_like(image))
    return float(tape.gradient(loss, sigma))


def tangent_of_image(vertices, faces, sigma, implementation, sigma_tangent=0.0):
    """The silhouette's derivative in forward mode."""
    sigma = tf.constant(sigma, vertices.dtype)
    primals = [vertices, sigma]
    tangents = [tangent_like(vertices), tf.constant(sigma_tangent, vertices.dtype)]
    with tf.autodiff.ForwardAccumulator(primals, tangents) as accumulator:
        image = rendered(vertices, faces, sigma, implementation)
    return accumulator.jvp(image).numpy()


def assert_close(actual, expected, tolerance):
    assert np.linalg.norm(expected) > 0
    assert np.linalg.norm(actual - expected) <= tolerance * np.linalg.norm(expected)


class TestSigma:
    @pytest.mark.parametrize("sigma", SIGMAS)
    @pytest.mark.parametrize("name", SCENES)
    def test_gradient_is_the_references(self, name, sigma):
        vertices, faces = scene(name)
        sigma = float(np.float32(sigma))
        truth = sigma_gradient(vertices, faces, sigma, "reference")
        # A sum of terms of either sign, each exact: relative to the largest that it may be.
        image = rendered(vertices, faces, sigma)
        scale = np.linalg.norm(upstream_like(image)) / sigma
        assert abs(sigma_gradient(vertices, faces, sigma, "op") - truth) < 1e-12 * scale
        single = sigma_gradient(tf.cast(vertices, tf.float32), faces, sigma, "op")
        assert abs(single - truth) < 1e-6 * scale
        assert abs(truth) > 1e-4 * scale or name == "sphere"

    @pytest.mark.parametrize("name", ["random mesh", "sphere"])
    def test_gradient_is_that_of_central_differences(self, name):
        vertices, faces = scene(name)
        weights = upstream_like(rendered(vertices, faces, 1e-2))
        numeric = directional_derivative(
            lambda s: np.sum(weights * rendered(vertices, faces, s).numpy()), 1e-2, 1.0, 1e-5
        )
        assert_close(sigma_gradient(vertices, faces, 1e-2, "op"), numeric, 1e-7)

    def test_variables_are_differentiated_unless_they_are_not_trained(self):
        vertices, faces = scene("small faces", np.float32)
        for trainable in (True, False):
            sigma = tf.Variable(1e-2, trainable=trainable)
            with tf.GradientTape() as tape:
                tape.watch(sigma)
                loss = tf.reduce_sum(rendered(vertices, faces, sigma))
            assert (tape.gradient(loss, sigma) is not None) == trainable

    def test_faces_behind_the_near_plane_and_empty_meshes_give_none(self):
        vertices, faces = scene("small faces")
        sigma = tf.constant(1e-2, tf.float64)
        for of_faces, near in ((faces, 5.0), (np.zeros((0, 3), np.int32), 0.0)):
            with tf.GradientTape() as tape:
                tape.watch(sigma)
                loss = tf.reduce_sum(rendered(vertices, of_faces, sigma, near=near))
            assert float(tape.gradient(loss, sigma)) == 0.0

    @pytest.mark.parametrize("sigma", [1.2e-38, 1e-30, 1e30, 3e38])
    def test_gradient_is_finite_for_every_sigma(self, sigma):
        vertices, faces = scene("slivers", np.float32)
        assert np.isfinite(sigma_gradient(vertices, faces, sigma, "op"))
        assert np.all(np.isfinite(tangent_of_image(vertices, faces, sigma, "op", 1.0)))

    def test_xla_gives_the_same_bits(self):
        vertices, faces = scene("sphere", np.float32)
        upstream = tf.constant(upstream_like(rendered(vertices, faces, 1e-2)), tf.float32)

        def gradient(sigma):
            with tf.GradientTape() as tape:
                tape.watch(sigma)
                loss = tf.reduce_sum(rendered(vertices, faces, sigma) * upstream)
            return tape.gradient(loss, sigma)

        sigma = tf.constant(1e-2)
        compiled = tf.function(gradient, jit_compile=True)(sigma)
        assert compiled.numpy() == gradient(sigma).numpy() != 0


class TestSigmaThatNobodyDifferentiates:
    """It costs nothing: its op does not run."""

    @pytest.fixture
    def forbidden(self, monkeypatch):
        def fail(*inputs, **attributes):
            raise AssertionError("the gradient of sigma was computed")

        monkeypatch.setattr(library(), "softras_soft_rasterize_sigma_grad", fail)

    @pytest.mark.parametrize("in_graph", [False, True])
    def test_under_a_tape(self, forbidden, in_graph):
        vertices, faces = scene("small faces", np.float32)

        def gradient(vertices, sigma):
            with tf.GradientTape() as tape:
                tape.watch(vertices)
                loss = tf.reduce_sum(rendered(vertices, faces, sigma))
            return tape.gradient(loss, vertices)

        gradient = tf.function(gradient) if in_graph else gradient
        for sigma in (1e-2, tf.constant(1e-2), tf.Variable(1e-2, trainable=False)):
            assert np.any(gradient(vertices, sigma) != 0)

    def test_in_the_backward_function_of_a_layer(self, forbidden):
        """The tape is outside of the function, which does not know what is asked of it."""
        vertices, faces = scene("small faces", np.float32)
        layer = layers.SoftRasterize(faces, IMAGE_SIZE, sigma=1e-2)
        call = tf.function(layer.__call__)
        with tf.GradientTape() as tape:
            tape.watch(vertices)
            loss = tf.reduce_sum(call(vertices))
        assert np.any(tape.gradient(loss, vertices) != 0)


class TestForwardMode:
    @pytest.mark.parametrize("sigma_tangent", [0.0, 1.0])
    @pytest.mark.parametrize("sigma", SIGMAS)
    @pytest.mark.parametrize("name", SCENES)
    def test_jvp_is_the_references(self, name, sigma, sigma_tangent):
        vertices, faces = scene(name)
        sigma = float(np.float32(sigma))
        sigma_tangent = sigma_tangent * sigma
        truth = tangent_of_image(vertices, faces, sigma, "reference", sigma_tangent)
        actual = tangent_of_image(vertices, faces, sigma, "op", sigma_tangent)
        assert_close(actual, truth, EXACT)
        single = tangent_of_image(tf.cast(vertices, tf.float32), faces, sigma, "op", sigma_tangent)
        assert single.dtype == np.float32
        assert_close(single, truth, SINGLE)

    @pytest.mark.parametrize("name", ["random mesh", "sphere"])
    def test_jvp_is_that_of_central_differences(self, name):
        vertices, faces = scene(name)
        direction = tangent_like(vertices).numpy()
        numeric = directional_derivative(
            lambda v: rendered(v, faces, 1e-2).numpy(), vertices.numpy(), direction, 1e-6
        )
        assert_close(tangent_of_image(vertices, faces, 1e-2, "op"), numeric, 1e-6)

    @pytest.mark.parametrize("function", ["none", "inside", "outside"])
    def test_pose_tracking(self, function):
        """Three numbers of an eye and all pixels: columns of the Jacobian, one pass each."""
        mesh = geometry.icosphere(1)
        vertices = tf.constant(0.5 * mesh.vertices[None].astype(np.float64))
        eye = tf.constant([[1.2, 1.0, 2.0]], tf.float64)

        def picture(eye):
            plane = geometry.perspective(geometry.look_at(vertices, eye))
            return rendered(plane, mesh.faces, 1e-2)

        def column(direction):
            inner = tf.function(picture) if function == "inside" else picture
            with tf.autodiff.ForwardAccumulator(eye, direction) as accumulator:
                image = inner(eye)
            return accumulator.jvp(image)

        column = tf.function(column) if function == "outside" else column
        with tf.GradientTape() as tape:
            tape.watch(eye)
            image = picture(eye)
        jacobian = tape.jacobian(image, eye).numpy()
        for axis in range(3):
            forward = column(tf.one_hot([axis], 3, dtype=tf.float64)).numpy()
            assert_close(forward, jacobian[..., 0, axis], 1e-10)

    def test_it_is_linear_in_the_tangents(self):
        """The gradients with respect to them are those of the silhouette."""
        vertices, faces = scene("small faces")
        sigma = tf.constant(1e-2, tf.float64)
        options = {"height": IMAGE_SIZE[0], "width": IMAGE_SIZE[1]}
        with tf.GradientTape() as plain:
            plain.watch((vertices, sigma))
            image, transparency = library().softras_soft_rasterize(
                vertices, faces, sigma, **options
            )
            loss = tf.reduce_sum(upstream_like(image) * image)
        tangents = tangent_like(vertices), tf.constant(0.3, tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(tangents)
            moved = library().softras_soft_rasterize_jvp(
                vertices, faces, sigma, transparency, *tangents, **options
            )
            moved_loss = tf.reduce_sum(upstream_like(image) * moved)
        for one, other in zip(
            tape.gradient(moved_loss, tangents),
            plain.gradient(loss, (vertices, sigma)),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)

    def test_an_empty_batch_has_an_empty_tangent(self):
        vertices = tf.zeros((0, 3, 3))
        assert tangent_of_image(vertices, [[0, 1, 2]], 1e-2, "op").shape == (0, *IMAGE_SIZE)

    def test_xla_refuses_it_by_name(self):
        vertices, faces = scene("small faces", np.float32)
        compiled = tf.function(
            lambda v: tangent_of_image_tensor(v, faces), jit_compile=True, autograph=False
        )
        with pytest.raises(
            (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError), match="SoftRasterizeJvp"
        ):
            compiled(vertices)


def tangent_of_image_tensor(vertices, faces):
    with tf.autodiff.ForwardAccumulator(vertices, tf.ones_like(vertices)) as accumulator:
        image = rendered(vertices, faces, 1e-2)
    return accumulator.jvp(image)


class TestSecondDerivatives:
    @pytest.mark.parametrize("implementation", ["op", "reference"])
    @pytest.mark.parametrize("inner", ["reverse", "forward"])
    def test_the_op_names_the_reference_which_has_them(self, inner, implementation):
        vertices, faces = scene("faces through pixel centres")

        def derivative(vertices):
            if inner == "forward":
                tangent = tangent_like(vertices)
                with tf.autodiff.ForwardAccumulator(vertices, tangent) as accumulator:
                    image = rendered(vertices, faces, 1e-2, implementation)
                return tf.reduce_sum(accumulator.jvp(image))
            with tf.GradientTape() as tape:
                tape.watch(vertices)
                image = tf.reduce_sum(rendered(vertices, faces, 1e-2, implementation))
            return tf.reduce_sum(tape.gradient(image, vertices))

        with tf.GradientTape() as tape:
            tape.watch(vertices)
            first = derivative(vertices)
        if implementation == "reference":
            assert np.any(tape.gradient(first, vertices) != 0)
            return
        if inner == "forward":
            # An accumulator makes graphs, which do not know what is wanted of them.
            assert np.all(np.isnan(tape.gradient(first, vertices)))
            return
        with pytest.raises(NotImplementedError, match="forward mode .*implementation='reference'"):
            tape.gradient(first, vertices)

    def test_a_first_derivative_beside_forward_mode_is_right(self):
        """The tape records both, and cannot know that one of them is not asked for."""
        vertices, faces = scene("small faces")
        upstream = upstream_like(rendered(vertices, faces, 1e-2))
        with tf.GradientTape() as tape:
            tape.watch(vertices)
            with tf.autodiff.ForwardAccumulator(vertices, tangent_like(vertices)) as accumulator:
                image = rendered(vertices, faces, 1e-2)
            loss = tf.reduce_sum(upstream * image)
        assert np.any(accumulator.jvp(image) != 0)
        gradient = tape.gradient(loss, vertices)
        with tf.GradientTape() as tape:
            tape.watch(vertices)
            loss = tf.reduce_sum(upstream * rendered(vertices, faces, 1e-2))
        np.testing.assert_array_equal(gradient, tape.gradient(loss, vertices))


class TestOps:
    GOOD = {
        "vertices": np.ones((2, 4, 3), np.float32),
        "faces": np.array([[0, 1, 2]], np.int32),
        "sigma": np.float32(1e-3),
        "transparency": np.ones((2, 8, 8), np.float32),
        "height": 8,
        "width": 8,
    }

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"transparency": np.ones((2, 7, 8), np.float32)}, "transparency|must be equal"),
            ({"silhouette_gradient": np.ones((1, 8, 8), np.float32)}, "silhouette_gradient|equal"),
            (
                {"vertices_tangent": np.ones((2, 3, 3), np.float32)},
                "vertices_tangent|must be equal",
            ),
            ({"sigma_tangent": np.ones(2, np.float32)}, "sigma_tangent|must be rank 0"),
            ({"sigma": np.float32(-1)}, "sigma: expected a positive finite number"),
            ({"faces": np.array([[0, 1, 9]], np.int32)}, "faces: expected vertex indices"),
        ],
    )
    def test_bad_inputs_are_invalid_arguments(self, changes, message):
        gradient = {"silhouette_gradient": np.ones((2, 8, 8), np.float32)}
        tangents = {
            "vertices_tangent": np.ones((2, 4, 3), np.float32),
            "sigma_tangent": np.float32(1),
        }
        for op, own in (
            (library().softras_soft_rasterize_sigma_grad, gradient),
            (library().softras_soft_rasterize_jvp, tangents),
        ):
            given = {**self.GOOD, **own}
            op(**given)
            if not set(changes) <= set(given):
                continue
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                op(**{**given, **changes})

    def test_bits_are_the_same_for_any_number_of_threads(self, tmp_path):
        script = textwrap.dedent("""
            import sys
            import numpy as np, tensorflow as tf
            tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
            from tests.ops.meshes import random_mesh, sphere
            from tf_softras.ops import soft_rasterize
            results = []
            for scene, size in ((sphere, 150), (random_mesh, 200)):
                vertices, faces = scene(np.random.default_rng(0))
                vertices, sigma = tf.constant(vertices), tf.constant(1e-3)
                tangent = tf.sin(37.0 * vertices)
                with tf.autodiff.ForwardAccumulator(vertices, tangent) as forward:
                    with tf.GradientTape() as tape:
                        tape.watch(sigma)
                        image = soft_rasterize(vertices, faces, image_size=size, sigma=sigma)
                        loss = tf.reduce_sum(tf.sin(37.0 * image))
                results += [forward.jvp(image).numpy(), tape.gradient(loss, sigma).numpy()]
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


def test_a_large_scene_agrees_with_reverse_mode():
    """Several tiles, bins and blocks of a face: <u, J t> is <J' u, t>."""
    vertices, faces = sphere(np.random.default_rng(0), level=3)
    huge = np.array([[-1.5, -1.3, 1.0], [1.4, -1.2, 1.0], [0.1, 1.6, 1.0]])
    vertices = np.concatenate([vertices, np.repeat(huge[None], 2, axis=0)], axis=1)
    faces = np.concatenate([faces, [[642, 643, 644]]])
    vertices = tf.constant(vertices, tf.float64)
    sigma = tf.constant(3e-3, tf.float64)
    tangents = [tangent_like(vertices), tf.constant(2e-3, tf.float64)]
    with tf.autodiff.ForwardAccumulator([vertices, sigma], tangents) as accumulator:
        image = soft_rasterize(vertices, faces, image_size=(150, 200), sigma=sigma)
    tangent, upstream = accumulator.jvp(image), upstream_like(image)
    with tf.GradientTape() as tape:
        tape.watch((vertices, sigma))
        image = soft_rasterize(vertices, faces, image_size=(150, 200), sigma=sigma)
        loss = tf.reduce_sum(upstream * image)
    backward = tape.gradient(loss, [vertices, sigma])
    forward = float(tf.reduce_sum(upstream * tangent))
    expected = sum(float(tf.reduce_sum(g * t)) for g, t in zip(backward, tangents, strict=True))
    scale = np.linalg.norm(upstream) * np.linalg.norm(tangent)
    assert abs(forward - expected) < 1e-9 * scale
