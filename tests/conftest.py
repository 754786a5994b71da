"""Fixtures that several folders of tests share because they are slow to make."""

import os

import pytest
import tensorflow as tf

from tests.export.networks import network
from tests.shapes import ellipsoids

SIGMA = 1e-4


@pytest.fixture(autouse=True)
def process_as_found():
    """Commands set variables for their own process, such as the level of TensorFlow's log.

    Without this, what a later test or its child process finds depends on the order of the tests.
    """
    found = dict(os.environ)
    yield
    tf.random.set_seed(None)
    for name in os.environ.keys() - found.keys():
        del os.environ[name]
    os.environ.update(found)


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A network, and a folder with its SavedModel, version 1: to be read only."""
    from tf_softras.export import export_saved_model

    model = network()
    base = tmp_path_factory.mktemp("exported") / "chair"
    export_saved_model(model, base, sigma=SIGMA)
    return model, base


@pytest.fixture(scope="session")
def dataset():
    return ellipsoids().cache()
