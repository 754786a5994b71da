"""Derivatives of soft_shade with respect to sigma and gamma, and where derivatives end."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from tests.gradient_checks import directional_derivative
from tests.ops.meshes import SCENES, with_depths
from tf_softras import layers
from tf_softras.ops import soft_shade
from tf_softras.ops._library import library

IMAGE_SIZE = (24, 32)
SCALES = [(1e-3, 1e-2), (3e-5, 1e-3), (1e-2, 1e-4)]
CALLS = pytest.mark.parametrize("aggregation", ["soft", "hard"])


class Scene:
    """A scene with colours, a background picture and weights of all that is drawn."""

    def __init__(self, name, dtype=np.float64):
        rng = np.random.default_rng(0)
        vertices, self.faces = SCENES[name](rng)
        self.vertices = tf.constant(with_depths(vertices, rng).astype(dtype))
        batch, num_vertices, _ = vertices.shape
        self.attributes = rng.uniform(size=(batch, num_vertices, 2)).astype(dtype)
        self.background = rng.uniform(size=(batch, *IMAGE_SIZE, 2)).astype(dtype)
        self.of_image = rng.normal(size=(batch, *IMAGE_SIZE, 2))
        self.of_alpha = rng.normal(size=(batch, *IMAGE_SIZE))

    def drawn(
        self, sigma, gamma, aggregation="soft", implementation="op", vertices=None, **options
    ):
        return soft_shade(
            self.vertices if vertices is None else vertices,
            self.faces,
            self.attributes,
            image_size=IMAGE_SIZE,
            sigma=sigma,
            gamma=gamma,
            # Levels that differ by some gamma.
            far=10.0,
            background=self.background,
            aggregation=aggregation,
            implementation=implementation,
            **options,
        )

    def loss(self, *args, **kwargs):
        image, alpha = (tf.cast(x, tf.float64) for x in self.drawn(*args, **kwargs))
        return tf.reduce_sum(self.of_image * image) + tf.reduce_sum(self.of_alpha * alpha)

    def gradient(self, scales, *args, **options):
        """With respect to (sigma, gamma)."""
        scales = [tf.constant(scale, self.vertices.dtype) for scale in scales]
        with tf.GradientTape() as tape:
            tape.watch(scales)
            loss = self.loss(*scales, *args, **options)
        gradients = tape.gradient(loss, scales, unconnected_gradients="zero")
        return np.array([float(gradient) for gradient in gradients])


@CALLS
@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("name", SCENES)
def test_gradients_are_the_references(name, scales, aggregation):
    scales = [float(np.float32(scale)) for scale in scales]
    truth = Scene(name).gradient(scales, aggregation, "reference")
    # Sums of terms of either sign: errors are relative to the largest that a sum may be.
    largest = np.linalg.norm(Scene(name).of_image) / np.array(scales)
    assert np.all(np.abs(Scene(name).gradient(scales, aggregation) - truth) < 1e-10 * largest)
    single = Scene(name, np.float32).gradient(scales, aggregation)
    assert np.all(np.abs(single - truth) < 1e-6 * largest)
    if aggregation == "hard":
        assert truth[1] == 0.0


@pytest.mark.parametrize("name", ["random mesh", "sphere"])
def test_gradients_through_summed_channels_are_the_references(name):
    scales = [float(np.float32(1e-3)), float(np.float32(1e-2))]
    truth = Scene(name).gradient(scales, "soft", "reference", summed_channels=1)
    assert np.all(np.abs(truth - Scene(name).gradient(scales, "soft", "reference")) > 1e-3)
    largest = np.linalg.norm(Scene(name).of_image) / np.array(scales)
    error = Scene(name).gradient(scales, "soft", summed_channels=1) - truth
    assert np.all(np.abs(error) < 1e-10 * largest)


def test_most_scenes_have_gradients_to_compare():
    """Guards the test above against comparing zeros."""
    gradients = [Scene(name).gradient(scales, "soft") for name in SCENES for scales in SCALES]
    assert np.mean(np.abs(gradients) > 1e-3) > 0.8


@CALLS
@pytest.mark.parametrize("name", ["random mesh", "sphere"])
def test_gradients_are_those_of_central_differences(name, aggregation):
    scene, scales = Scene(name), np.array([1e-3, 1e-2])
    gradient = scene.gradient(scales, aggregation)
    for i in range(2):
        # Small steps: a pair that passes min_coverage makes the image jump.
        numeric = directional_derivative(
            lambda s: float(scene.loss(*s, aggregation)), scales, np.eye(2)[i], 1e-7 * scales[i]
        )
        # 1e-14 of the loss's terms over the step.
        assert abs(gradient[i] - numeric) < 1e-6 * np.linalg.norm(scene.of_image) / scales[i]


def test_float32_holds_a_small_gamma():
    """Levels are compared before they are divided by gamma: no digits are lost to it."""
    scales = [1e-3, float(np.float32(1e-6))]
    truth = Scene("random mesh").gradient(scales)
    single = Scene("random mesh", np.float32).gradient(scales)
    assert np.all(np.isfinite(single))
    np.testing.assert_allclose(single, truth, rtol=1e-3)


@pytest.mark.parametrize("function", ["none", "compiled"])
def test_a_graph_and_xla_give_the_same_bits(function):
    scene = Scene("sphere", np.float32)

    def gradient(sigma, gamma):
        with tf.GradientTape() as tape:
            tape.watch((sigma, gamma))
            image, alpha = scene.drawn(sigma, gamma)
            # Linear, so that XLA has nothing of its own to round.
            loss = tf.reduce_sum(image * tf.cast(scene.of_image, tf.float32))
            loss += tf.reduce_sum(alpha * tf.cast(scene.of_alpha, tf.float32))
        return tape.gradient(loss, (sigma, gamma))

    scales = tf.constant(1e-3), tf.constant(1e-2)
    in_graph = tf.function(gradient, jit_compile=function == "compiled")
    for one, other in zip(in_graph(*scales), gradient(*scales), strict=True):
        assert one.numpy() == other.numpy() != 0


def test_scales_that_nobody_differentiates_cost_nothing(monkeypatch):
    def fail(*inputs, **attributes):
        raise AssertionError("the gradients of sigma and gamma were computed")

    monkeypatch.setattr(library(), "softras_soft_shade_scales_grad", fail)
    scene = Scene("small faces", np.float32)
    layer = layers.SoftShade(scene.faces, IMAGE_SIZE, sigma=1e-3, gamma=1e-2)
    for drawn in (
        lambda v: scene.drawn(1e-3, tf.constant(1e-2), vertices=v)[0],
        # The tape is outside of the function, which does not know what is asked of it.
        tf.function(lambda v: layer([v, scene.attributes])[0]),
    ):
        with tf.GradientTape() as tape:
            tape.watch(scene.vertices)
            loss = tf.reduce_sum(drawn(scene.vertices))
        assert np.any(tape.gradient(loss, scene.vertices) != 0)


def test_forward_mode_and_second_derivatives_name_what_has_them():
    scene = Scene("small faces", np.float32)
    message = "forward mode .*implementation='reference'"
    with (
        tf.autodiff.ForwardAccumulator(scene.vertices, tf.ones_like(scene.vertices)),
        pytest.raises(NotImplementedError, match=message),
    ):
        scene.drawn(1e-3, 1e-2)
    with tf.GradientTape() as outer:
        outer.watch(scene.vertices)
        with tf.GradientTape() as tape:
            tape.watch(scene.vertices)
            loss = scene.loss(1e-3, 1e-2, vertices=scene.vertices)
        first = tf.reduce_sum(tape.gradient(loss, scene.vertices))
    with pytest.raises(NotImplementedError, match=message):
        outer.gradient(first, scene.vertices)


def test_bits_are_the_same_for_any_number_of_threads(tmp_path):
    script = textwrap.dedent("""
        import sys
        import numpy as np, tensorflow as tf
        tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
        from tests.ops.meshes import sphere
        from tf_softras.ops import soft_shade
        vertices, faces = sphere(np.random.default_rng(0))
        sigma, gamma = tf.constant(1e-3), tf.constant(1e-2)
        with tf.GradientTape() as tape:
            tape.watch((sigma, gamma))
            image, alpha = soft_shade(
                vertices, faces, np.sin(37 * vertices), image_size=150, sigma=sigma, gamma=gamma
            )
            loss = tf.reduce_sum(tf.sin(37.0 * image)) + tf.reduce_sum(tf.sin(37.0 * alpha))
        np.save(sys.argv[2], np.stack(tape.gradient(loss, (sigma, gamma))))
    """)
    files = [tmp_path / f"{i}.npy" for i in range(3)]
    for file, threads in zip(files, ("1", "2", "5"), strict=True):
        subprocess.run(
            [sys.executable, "-c", script, threads, str(file)], check=True, capture_output=True
        )
    runs = [np.load(file) for file in files]
    assert np.all(runs[0] != 0)
    for run in runs[1:]:
        assert runs[0].tobytes() == run.tobytes()
