"""The five promises again, on a GPU: the same tests as for the CPU, with the op on /GPU:0."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from tests.ops import test_soft_rasterize as promises
from tests.ops.gpu import on_gpu, skip_without_gpu_kernels  # noqa: F401
from tests.ops.meshes import SCENES
from tf_softras.ops import soft_rasterize

skip_without_gpu_kernels("Softras>SoftRasterize")


def test_the_op_runs_on_the_gpu():
    vertices, faces = SCENES["sphere"](np.random.default_rng(0))
    vertices = tf.constant(vertices)
    with tf.GradientTape() as tape:
        tape.watch(vertices)
        image = soft_rasterize(vertices, faces, image_size=8, sigma=1e-2)
    gradient = tape.gradient(image, vertices)
    assert "GPU:0" in image.device and "GPU:0" in gradient.device


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_the_cpu(dtype):
    vertices, faces = SCENES["sphere"](np.random.default_rng(0))
    images = []
    for device in ("/CPU:0", "/GPU:0"):
        with tf.device(device):
            image = soft_rasterize(vertices.astype(dtype), faces, image_size=64, sigma=3e-5)
            images.append(image.numpy())
    bound = 2 * (5e-6 + 4e-8 / np.sqrt(3e-5)) if dtype == np.float32 else 2e-10
    np.testing.assert_allclose(*images, rtol=0, atol=bound)


def test_works_in_a_graph_with_faces_and_sigma_from_the_host():
    vertices, faces = SCENES["sphere"](np.random.default_rng(0))

    @tf.function
    def render(v, f, sigma):
        return soft_rasterize(v, f, image_size=16, sigma=sigma)

    inputs = tf.constant(vertices), tf.constant(faces), tf.constant(1e-2)
    eager = soft_rasterize(vertices, faces, image_size=16, sigma=1e-2)
    np.testing.assert_array_equal(render(*inputs), eager)


class TestAccuracy(promises.TestAccuracy):
    pass


class TestGradient(promises.TestGradient):
    pass


class TestFinite(promises.TestFinite):
    pass


class TestBadInput(promises.TestBadInput):
    pass


class TestEmpty(promises.TestEmpty):
    pass


class TestGraph(promises.TestGraph):
    pass


class TestDeterminism:
    """Promise 4 on a GPU: run after run, process after process."""

    def test_bits_are_the_same_on_every_run_with_op_determinism_enabled(self, tmp_path):
        script = textwrap.dedent("""
            import sys
            import numpy as np, tensorflow as tf
            tf.config.experimental.enable_op_determinism()
            from tests.ops.meshes import random_mesh, sphere
            from tf_softras.ops import soft_rasterize
            results = []
            with tf.device("/GPU:0"):
                for scene, size in 5 * ((sphere, 64), (sphere, 150), (random_mesh, 200)):
                    vertices, faces = scene(np.random.default_rng(0))
                    vertices = tf.constant(vertices)
                    with tf.GradientTape() as tape:
                        tape.watch(vertices)
                        image = soft_rasterize(vertices, faces, image_size=size, sigma=1e-3)
                        loss = tf.reduce_sum(image * np.linspace(-1, 1, size, dtype=np.float32))
                    results += [image.numpy(), tape.gradient(loss, vertices).numpy()]
            np.savez(sys.argv[1], *results)
        """)
        files = [tmp_path / f"{i}.npz" for i in range(2)]
        for file in files:
            subprocess.run([sys.executable, "-c", script, str(file)], check=True)
        first, second = (np.load(file) for file in files)
        for i, key in enumerate(first.files):
            assert first[key].tobytes() == second[key].tobytes()
            assert first[key].tobytes() == first[first.files[i % 6]].tobytes()
