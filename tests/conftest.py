"""Fixtures that several folders of tests share because they are slow to make."""

import pytest

from tests.export.networks import network
from tests.shapes import ellipsoids

SIGMA = 1e-4


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
