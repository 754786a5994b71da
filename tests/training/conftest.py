import pytest

from tests.training.shapes import ellipsoids


@pytest.fixture(scope="session")
def dataset():
    return ellipsoids().cache()
