"""What `import tf_softras` says on machines that it does not fit."""

import subprocess
import sys

import tensorflow as tf

from tf_softras.ops._library import built_for


def _run(script, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_another_keras_backend_is_one_clear_sentence():
    script = """
import sys, types
import keras
keras.backend.backend = lambda: "jax"
import tf_softras
"""
    result = _run(script)
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: tf_softras's layers run on Keras's TensorFlow backend")
    assert "'jax'" in last and "KERAS_BACKEND=tensorflow" in last


def test_another_tensorflow_minor_is_one_clear_sentence():
    script = """
import tensorflow as tf
tf.__version__ = "2.99.1"
from tf_softras.ops._library import library
library()
"""
    last = _run(script).stderr.strip().splitlines()[-1]
    minor = built_for()
    assert last.startswith(f"ImportError: tf_softras's op library is built for TensorFlow {minor},")
    assert "2.99.1" in last


def test_the_library_works_with_the_tensorflow_that_it_was_built_for():
    """Whatever that is: built beside 2.20, it is for 2.20."""
    assert tf.__version__.startswith(f"{built_for()}.")


def test_a_missing_library_is_one_clear_sentence():
    script = """
import pathlib
import tf_softras.ops._library as library
library.LIBRARY_PATH = pathlib.Path("nowhere/_softras_ops.so")
library.library()
"""
    last = _run(script).stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: tf_softras's op library is not built")
