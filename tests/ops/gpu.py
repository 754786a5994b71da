"""Skips tests where there is no GPU or no kernel for it."""

import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from tf_softras.ops._library import library


def skip_without_gpu_kernels(op: str) -> None:
    """Skips a test module that wants an op's GPU kernels, and says what is missing."""
    if not tf.config.list_physical_devices("GPU"):
        pytest.skip("no GPU", allow_module_level=True)
    library()
    registered = kernels.get_registered_kernels_for_op(op).kernel
    if not any(kernel.device_type == "GPU" for kernel in registered):
        pytest.skip(
            "the op library was built without GPU kernels: make build TF_SOFTRAS_CUDA=1",
            allow_module_level=True,
        )


@pytest.fixture(autouse=True)
def on_gpu():
    """Imported by a module, it places all its tests on the GPU."""
    with tf.device("/GPU:0"):
        yield
