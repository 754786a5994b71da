"""The shader's promises again, on a GPU: the same tests as for the CPU, with the op on /GPU:0."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from tests.ops import test_soft_shade as promises
from tf_softras.ops import soft_shade
from tf_softras.ops.library import library


def _why_not():
    """Why these tests cannot run here; empty if they can."""
    if not tf.config.list_physical_devices("GPU"):
        return "no GPU"
    library()
    registered = kernels.get_registered_kernels_for_op("Softras>SoftShade").kernel
    if not any(kernel.device_type == "GPU" for kernel in registered):
        return "the op library was built without GPU kernels: make build TF_SOFTRAS_CUDA=1"
    return ""


if _why_not():
    pytest.skip(_why_not(), allow_module_level=True)


@pytest.fixture(autouse=True)
def on_gpu():
    with tf.device("/GPU:0"):
        yield


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
def test_the_op_runs_on_the_gpu_with_the_same_bits_on_every_run(aggregation):
    scene = promises._scene("small faces", (70, 150))
    results = []
    for _ in range(5):
        inputs = [tf.constant(array) for array in scene.arrays(np.float32)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            vertices, attributes, background = inputs
            image, alpha = soft_shade(
                vertices,
                scene.faces,
                attributes,
                image_size=(70, 150),
                background=background,
                sigma=1e-3,
                gamma=1e-4,
                aggregation=aggregation,
            )
            loss = tf.reduce_sum(image * scene.upstream) + tf.reduce_sum(alpha)
        outputs = [image, alpha, *tape.gradient(loss, inputs)]
        assert all("GPU:0" in output.device for output in outputs)
        results.append([output.numpy().tobytes() for output in outputs])
    assert all(result == results[0] for result in results)


class TestAccuracy(promises.TestAccuracy):
    pass


class TestFormula(promises.TestFormula):
    pass


class TestGradient(promises.TestGradient):
    pass


class TestFinite(promises.TestFinite):
    pass


class TestBadInput(promises.TestBadInput):
    pass


class TestEmpty(promises.TestEmpty):
    pass


class TestPicture(promises.TestPicture):
    pass
