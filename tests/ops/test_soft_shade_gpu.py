"""The shader's promises again, on a GPU: the same tests as for the CPU, with the op on /GPU:0."""

import numpy as np
import pytest
import tensorflow as tf

from tests.ops import test_soft_shade as promises
from tests.ops.gpu import on_gpu, skip_without_gpu_kernels  # noqa: F401
from tf_softras.ops import soft_shade

skip_without_gpu_kernels("Softras>SoftShade")


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
