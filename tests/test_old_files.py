"""Files that were written before the package was laid out in storeys still load, and give the same.

tests/old_files/make.py made them.
"""

import pathlib
import tarfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry
from tf_softras.run_folder import RunFolder

ARCHIVE = pathlib.Path(__file__).parent / "old_files" / "before_storeys.tar.xz"


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "oldfix"


@pytest.fixture(scope="module")
def expected(old):
    return np.load(old / "expected.npz", allow_pickle=False)


def _images(side=16):
    return np.random.default_rng(0).random((2, side, side, 4)).astype("float32")


def test_a_functional_model_with_layers_and_a_loss(old, expected):
    model = keras.models.load_model(old / "rendering.keras")
    vertices, eyes = 0.4 * geometry.icosphere(0).vertices[None], np.float32([[0.0, 1.0, 2.0]])
    silhouettes = model.predict([vertices, eyes], verbose=0)
    np.testing.assert_allclose(silhouettes, expected["silhouettes"], atol=1e-6)
    assert silhouettes.max() > 0.9


def test_a_run_folder(old, expected):
    network = RunFolder.open(old / "run").load_reconstructor("best")
    images = _images(network.config.image_size)
    np.testing.assert_allclose(np.asarray(network(images)), expected["vertices"], atol=1e-5)


def test_a_saved_model_without_custom_ops(old, expected):
    loaded = tf.saved_model.load(str(old / "exported" / "1"))
    signature = loaded.signatures["serving_default"]
    (name, spec) = next(iter(signature.structured_input_signature[1].items()))
    (vertices,) = [
        value
        for key, value in signature(**{name: tf.constant(_images(spec.shape[1]))}).items()
        if key == "vertices"
    ]
    np.testing.assert_allclose(vertices, expected["vertices"], atol=1e-5)
