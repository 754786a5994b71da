"""A network behind TensorFlow Serving's REST interface, played by tests/page/servers.py."""

import numpy as np
import pytest

from tests.page.networks import Ball
from tests.page.servers import model_server, rest_api
from tf_softras.reconstruction import ServedReconstructor, ServingError


def test_meshes_are_those_of_the_served_network():
    network = Ball()
    with rest_api(model_server(network)) as url:
        served = ServedReconstructor(f"{url}/v1/models/chair/")
        images = np.random.default_rng(0).random((3, 64, 64, 4), np.float32)
        np.testing.assert_array_equal(served(images), network(images))
        np.testing.assert_array_equal(served.faces, network.faces)
        assert served.image_size == 64 and served.faces.dtype == np.int32


def test_no_server_is_one_clear_error():
    with rest_api(model_server(Ball())) as url:
        pass
    with pytest.raises(ServingError, match="UNREACHABLE"):
        ServedReconstructor(f"{url}/v1/models/chair")


def test_what_the_server_says_is_handed_on():
    with rest_api(model_server(Ball())) as url:
        with pytest.raises(ServingError, match="HTTP 404: Servable not found"):
            ServedReconstructor(f"{url}/v1/models/table")
        served = ServedReconstructor(f"{url}/v1/models/chair")
        with pytest.raises(ValueError, match=r"images: .*64, 64, 4\]; received .*32, 64, 4\]"):
            served(np.zeros([1, 32, 64, 4]))
        served.image_size = 32  # As if the server went over to a version with larger images.
        with pytest.raises(ServingError, match="HTTP 400: is not compatible"):
            served(np.zeros([1, 32, 32, 4]))


WRONG = {
    "no JSON": (b"<html>", "answer: expected JSON"),
    "other metadata": ({"metadata": {}}, "expected a reconstructor"),
    "a list": ([], "expected a reconstructor"),
}


@pytest.mark.parametrize("content, words", WRONG.values(), ids=WRONG)
def test_another_service_is_refused(content, words):
    with (
        rest_api(lambda *_: (200, content)) as url,
        pytest.raises(ServingError, match=words),
    ):
        ServedReconstructor(f"{url}/v1/models/chair")


MESHES = {
    "NaN": ([[[float("nan"), 0, 0]] * 3], [[[0, 1, 2]]], "finite"),
    "no such vertex": ([[[0, 0, 0]] * 3], [[[0, 1, 3]]], "vertex indices"),
    "flat": ([[0, 0, 0]] * 3, [[[0, 1, 2]]], "vertices and faces of"),
    "words": ("words", [[[0, 1, 2]]], "no meshes"),
}


@pytest.mark.parametrize("vertices, faces, words", MESHES.values(), ids=MESHES)
def test_meshes_that_are_none_are_refused(vertices, faces, words):
    usual = model_server(Ball())

    def answer(path, question):
        if question is None:
            return usual(path, question)
        return 200, {"outputs": {"vertices": vertices, "faces": faces}}

    with rest_api(answer) as url, pytest.raises(ServingError, match=words):
        ServedReconstructor(f"{url}/v1/models/chair")
