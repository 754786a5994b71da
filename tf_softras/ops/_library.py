"""Loads the custom-op libraries, once and from one place."""

import functools
import pathlib

import tensorflow as tf

from tf_softras.version import TENSORFLOW_MINOR

# Written by setup.py: the TensorFlow minor version that the library was built for.
BUILT_FOR_PATH = pathlib.Path(__file__).with_name("_built_for.txt")
LIBRARY_PATH = pathlib.Path(__file__).with_name("_softras_ops.so")
# The ops' kernels under XLA, on a CPU. Loading them takes a millisecond.
XLA_LIBRARY_PATH = LIBRARY_PATH.with_name("_softras_xla.so")


def built_for() -> str:
    """Returns the TensorFlow minor version that the library was built for, as in "2.21"."""
    if not BUILT_FOR_PATH.is_file():
        return TENSORFLOW_MINOR
    return BUILT_FOR_PATH.read_text(encoding="utf-8").strip()


@functools.cache
def library():
    """Returns the module of generated op wrappers.

    Raises:
        ImportError: The library is not built, or was built for another minor version of
            TensorFlow, to which its symbols bind.
    """
    minor = built_for()
    if minor != ".".join(tf.__version__.split(".")[:2]):
        raise ImportError(
            f"tf_softras's op library is built for TensorFlow {minor}, but TensorFlow "
            f"{tf.__version__} is installed: pip install 'tensorflow=={minor}.*', or build "
            "tf_softras from source beside this one."
        )
    for path in (LIBRARY_PATH, XLA_LIBRARY_PATH):
        if not path.is_file():
            raise ImportError(
                f"tf_softras's op library is not built: expected {path.name} beside "
                f"{__name__}; run `make build` in the source tree, or `pip install .`."
            )
    module = tf.load_op_library(str(LIBRARY_PATH))
    tf.load_library(str(XLA_LIBRARY_PATH))
    return module


def register_ops() -> None:
    """Registers the package's ops with TensorFlow, once; `import tf_softras` does so by itself.

    A process that loads a SavedModel with the ops needs this, and nothing else of the package.

    Raises:
        ImportError: The library is not built, or was built for another TensorFlow.
    """
    library()


def xla_compiles():
    """Returns whether XLA has kernels of the ops for every device that it may compile for.

    XLA has them for CPUs alone. Where TensorFlow sees another device, XLA would choose that one.
    """
    return all(device.device_type == "CPU" for device in tf.config.get_visible_devices())
