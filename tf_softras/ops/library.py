"""Loads the custom-op library, once and from one place."""

import functools
import pathlib

import tensorflow as tf

from tf_softras.version import TENSORFLOW_MINOR

LIBRARY_PATH = pathlib.Path(__file__).with_name("_softras_ops.so")


@functools.cache
def library():
    """The module of generated op wrappers.

    Raises:
        ImportError: the library is not built, or TensorFlow's minor version is not the one that
            it was built for (the op's symbols bind to it).
    """
    minor = ".".join(tf.__version__.split(".")[:2])
    if minor != TENSORFLOW_MINOR:
        raise ImportError(
            f"tf_softras's op library is built for TensorFlow {TENSORFLOW_MINOR}, but TensorFlow "
            f"{tf.__version__} is installed: pip install 'tensorflow=={TENSORFLOW_MINOR}.*'."
        )
    if not LIBRARY_PATH.is_file():
        raise ImportError(
            f"tf_softras's op library is not built: expected {LIBRARY_PATH.name} beside "
            f"{__name__}; run `make build` in the source tree, or `pip install .`."
        )
    return tf.load_op_library(str(LIBRARY_PATH))
