"""`import tf_softras`: what it registers, what it loads, and its errors."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf

from tf_softras.ops._library import built_for


def _run(script, **environment):
    # A command that a test before this one called in this process has set the level of the log.
    inherited = {name: text for name, text in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**inherited, **environment},
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
import pytest
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
library.library.cache_clear()  # The import has loaded it.
library.LIBRARY_PATH = pathlib.Path("nowhere/_softras_ops.so")
library.library()
"""
    last = _run(script).stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: tf_softras's op library is not built")


def _python(script):
    result = _run(script)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


# The package takes this for pip's script `softras`.
_AS_THE_COMMAND = "import sys; sys.argv = ['/usr/bin/softras']\n"
_SAVE = """
import keras
from tf_softras import layers
vertices = keras.Input((3, 3))
model = keras.Model(vertices, layers.SoftRasterize([[0, 1, 2]], 8, sigma=1e-3)(vertices))
model.save({folder!r} + "/model.keras")
model.export({folder!r} + "/exported", verbose=False)
"""
_TRIANGLE = "tf.constant([[[-0.5, -0.5, 1.0], [0.5, -0.5, 1.0], [0.0, 0.5, 1.0]]])"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("saved"))
    _python(_SAVE.format(folder=folder))
    return folder


def test_importing_the_package_is_all_that_saved_models_need(saved):
    """Their gradients too: tf.saved_model.load alone imports neither Keras nor a layer."""
    script = f"""
import tf_softras, tensorflow as tf
vertices = {_TRIANGLE}
loaded = tf.saved_model.load({saved!r} + "/exported")
with tf.GradientTape() as tape:
    tape.watch(vertices)
    image = loaded.serve(vertices)
print(bool(tf.reduce_any(tape.gradient(image, vertices) != 0)))
import keras
print(keras.layers.TFSMLayer({saved!r} + "/exported", call_endpoint="serve")(vertices).shape[-1])
print(keras.models.load_model({saved!r} + "/model.keras")(vertices).shape[-1])
"""
    assert _python(script) == ["True", "8", "8"]


def test_importing_the_package_needs_tensorflow_keras_and_numpy_alone():
    """TensorFlow and Keras themselves import SciPy, Pillow and Matplotlib, where they are."""
    script = """
import sys

class Blocked:
    names = {"trimesh", "tensorflow_datasets", "mapbox_earcut", "tqdm", "scipy", "PIL", "click",
             "tensorboard", "filelock", "imageio"}

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
import tf_softras
print(tf_softras.geometry.icosphere(1).faces.shape[0])
"""
    assert _python(script) == ["80"]


def test_help_and_usage_errors_load_no_tensorflow():
    script = """
import contextlib, io, sys
from tf_softras.cli import main
for line, code in (("--help", 0), ("--version", 0), ("train --help", 0), ("train --nope", 2)):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main(line.split())
        except SystemExit as end:
            assert end.code == code, line
print(*{"tensorflow", "keras", "trimesh"} & set(sys.modules))
"""
    assert _python(_AS_THE_COMMAND + script) == []


def test_a_command_prints_no_log_of_tensorflow_unless_asked(tmp_path):
    mesh = tmp_path / "a.obj"
    mesh.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    for flags, quiet in (([], True), (["--verbose"], False)):
        arguments = ["render", str(mesh), "-o", str(tmp_path / "a.png"), "--size", "16", *flags]
        result = _run(_AS_THE_COMMAND + f"from tf_softras.cli import main\nmain({arguments!r})")
        assert result.returncode == 0
        assert (result.stderr == "") == quiet
