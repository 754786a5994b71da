"""A server and its clients, end to end: a double always, a real tensorflow_model_server if named.

TF_SOFTRAS_MODEL_SERVER=/path/to/tensorflow_model_server runs the same tests against the real one.
"""

import base64
import concurrent.futures
import io
import json
import os
import pathlib
import re
import runpy
import shutil
import subprocess
import sys
import threading

import click.testing
import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
import trimesh
import yaml

from tests.export import hostile_pictures
from tests.export.networks import network
from tests.serving.apis import predict_pb2, prediction_service_pb2_grpc
from tests.serving.servers import serving
from tf_softras.export import export_saved_model
from tf_softras.geometry import load_mesh
from tf_softras.pictures import frame_object
from tf_softras.serving import InputSpec, PredictError, connect, example_inputs, run_load

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
# The graph's words, and those of a server that batches.
TOO_MANY = r"expected a batch of 1 to 64|Task size 65 is larger"
PNG, JPEG, MASK = hostile_pictures.PNG, hostile_pictures.JPEG, hostile_pictures.MASK
PICTURES = {
    "image_bytes": np.array([PNG, JPEG], object),
    "mask_bytes": np.array([b"", MASK], object),
}
MESHES = example_inputs([InputSpec("vertices", (642, 3)), InputSpec("eyes", (3,))], batch_size=2)


@pytest.fixture(scope="module", params=["double", "tensorflow_model_server"])
def server(request, exported, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(exported[1], folder / "chair")
    with serving(request.param, folder / "chair", folder / "server.log") as running:
        running.wait_for(1)
        yield running


@pytest.fixture(params=["grpc", "rest"])
def client(request, server):
    with connect(getattr(server, request.param), timeout=60) as connected:
        yield connected


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).random((16, 64, 64, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def framed_mesh(exported):
    """The network's mesh of the PNG file."""
    seen = frame_object(hostile_pictures.CUT_OUT)[None] / np.float32(255.0)
    return exported[0](seen)[0].numpy()


# The protocol, by the messages and the stub of tensorflow-serving-api


def predict(server, signature, **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "chair", signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    with grpc.insecure_channel(server.address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(request, timeout=60)
    return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}


def test_the_service_answers_each_signature(server, exported, images, framed_mesh):
    model, _ = exported
    meshes = predict(server, "serving_default", images=images[:3])
    np.testing.assert_allclose(meshes["vertices"], model(images[:3]), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(meshes["faces"], [model.faces] * 3)
    meshes = predict(server, "encoded", **PICTURES)
    np.testing.assert_allclose(meshes["vertices"][0], framed_mesh, rtol=1e-5, atol=1e-6)
    files = predict(server, "glb", **PICTURES)["glb_bytes"]
    for content, vertices in zip(files, meshes["vertices"], strict=True):
        mesh = trimesh.load_mesh(io.BytesIO(content), file_type="glb", process=False)
        np.testing.assert_allclose(mesh.vertices, vertices, atol=1e-6)
    silhouettes = predict(server, "silhouettes", **MESHES)["silhouettes"]
    assert silhouettes.shape == (2, 64, 64) and silhouettes[:, 32, 32].min() > 0.99


@pytest.mark.parametrize(
    "signature, inputs",
    [
        ("serving_default", {"images": np.zeros((64, 64, 4), np.float32)}),
        ("serving_default", {"images": np.full((1, 64, 64, 4), np.nan, np.float32)}),
        ("serving_default", {"images": np.zeros((1, 64, 64, 4), np.int32)}),
        ("encoded", {**PICTURES, "image_bytes": np.array([b"", PNG[:50]], object)}),
        ("glb", {"image_bytes": [hostile_pictures.BOMB], "mask_bytes": [b""]}),
        ("silhouettes", {**MESHES, "eyes": 0 * MESHES["eyes"]}),
        ("silhouettes", {"vertices": MESHES["vertices"]}),
    ],
)
def test_malformed_calls_are_invalid_arguments_and_good_ones_go_on(server, signature, inputs):
    with pytest.raises(grpc.RpcError) as caught:
        predict(server, signature, **inputs)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT, caught.value
    assert predict(server, "glb", **PICTURES)["glb_bytes"].shape == (2,)


def test_an_unknown_signature_is_a_failed_precondition(server):
    with pytest.raises(grpc.RpcError) as caught:
        predict(server, "nothing", images=np.zeros((1, 64, 64, 4), np.float32))
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_an_empty_batch_is_refused_by_the_graph_where_calls_are_not_merged(server):
    with pytest.raises(grpc.RpcError) as caught:
        predict(server, "serving_default", images=np.zeros((0, 64, 64, 4), np.float32))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_rest_answers_rows_and_columns_with_base64_for_files(server, framed_mesh):
    b64 = [{"b64": base64.b64encode(content).decode()} for content in (PNG, JPEG, MASK, b"")]
    png, jpeg, mask, none = b64
    rows = [{"image_bytes": png, "mask_bytes": none}, {"image_bytes": jpeg, "mask_bytes": mask}]
    columns = {"image_bytes": [png, jpeg], "mask_bytes": [none, mask]}

    def post(code=200, **body):
        response = requests.post(f"{server.rest}:predict", json=body, timeout=60)
        assert response.status_code == code, response.text
        return response.json()

    rows_of_meshes = post(signature_name="encoded", instances=rows)["predictions"]
    meshes = post(signature_name="encoded", inputs=columns)["outputs"]
    np.testing.assert_allclose(meshes["vertices"][0], framed_mesh, atol=1e-5)
    for index, row in enumerate(rows_of_meshes):
        np.testing.assert_allclose(row["vertices"], meshes["vertices"][index], atol=1e-5)
        assert row["faces"] == meshes["faces"][index]
    files = [
        *post(signature_name="glb", instances=rows)["predictions"],
        *post(signature_name="glb", inputs=columns)["outputs"],
    ]
    for file in files:
        assert base64.b64decode(file["b64"]).startswith(b"glTF")
    # A photo without its mask.
    error = post(400, signature_name="glb", inputs={"image_bytes": [jpeg], "mask_bytes": [none]})
    assert "opaque everywhere" in error["error"]


# The client


def test_the_client_reads_what_a_signature_takes(client):
    assert client.inputs_of("serving_default") == [InputSpec("images", (64, 64, 4))]
    assert {spec.name: spec.shape for spec in client.inputs_of("silhouettes")} == {
        "vertices": (642, 3),
        "eyes": (3,),
    }
    with pytest.raises(
        PredictError, match="signature: expected one of encoded, glb.*; received 'nothing'"
    ):
        client.inputs_of("nothing")


def test_the_client_gets_the_networks_meshes(client, exported, images, framed_mesh):
    meshes = client.predict({"images": images[:2]})
    # REST's text has fewer digits.
    np.testing.assert_allclose(meshes["vertices"], exported[0](images[:2]), atol=1e-5)
    vertices = client.predict(PICTURES, "encoded")["vertices"]
    np.testing.assert_allclose(vertices[0], framed_mesh, atol=1e-5)
    files = client.predict(PICTURES, "glb")
    assert list(files) == ["glb_bytes"]
    assert [content[:4] for content in files["glb_bytes"]] == [b"glTF"] * 2


def test_the_client_tells_what_is_wrong(server, images):
    for url, code in ((server.grpc, "INVALID_ARGUMENT"), (server.rest, "HTTP 400")):
        with connect(url, timeout=60) as client:
            with pytest.raises(PredictError, match="images: expected finite values") as caught:
                client.predict({"images": 255 * images[:1]})
            assert caught.value.code == code
    for url, code in (
        (server.grpc + "/versions/9", "NOT_FOUND"),
        (server.rest + "/versions/9", "HTTP 404"),
        ("grpc://127.0.0.1:1/chair", "UNAVAILABLE"),
        ("http://127.0.0.1:1/v1/models/chair", "UNREACHABLE"),
    ):
        with connect(url, timeout=5) as client, pytest.raises(PredictError) as caught:
            client.predict({"images": images[:1]})
        assert caught.value.code == code


@pytest.mark.parametrize("url", ["grpc://127.0.0.1:1/chair", "http://127.0.0.1:1/v1/models/chair"])
@pytest.mark.parametrize(
    "inputs",
    [
        {"images": np.zeros((0, 64, 64, 4), np.float32)},
        {"image_bytes": np.array([], object), "mask_bytes": np.array([], object)},
        {"image_bytes": [], "mask_bytes": []},
    ],
)
def test_an_empty_batch_is_not_sent(url, inputs):
    """Nobody listens there: a call that was sent would be UNAVAILABLE or UNREACHABLE."""
    with connect(url, timeout=5) as client:
        with pytest.raises(PredictError, match="expected a batch of at least 1") as caught:
            client.predict(inputs)
        assert caught.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8500/chair",
        "grpc://127.0.0.1/chair",
        "grpc://127.0.0.1:8500",
        "grpc://127.0.0.1:99999/chair",
        "http://127.0.0.1:8501/chair",
        "http://127.0.0.1:8501/v1/models/chair:predict",
        "http://127.0.0.1:8501/v1/models/chair/versions/new",
        "http://user@127.0.0.1:8501/v1/models/chair",
        "file:///v1/models/chair",
    ],
)
def test_urls_of_something_else_are_refused(url):
    with pytest.raises(ValueError, match="URL of a model: expected grpc://HOST:PORT"):
        connect(url)


# Many calls


def test_calls_at_the_same_time_get_their_own_meshes(server, exported, images):
    expected = exported[0](images).numpy()
    together = threading.Barrier(len(images))

    def call(image):
        with connect(server.grpc, timeout=60) as client:
            together.wait(timeout=60)
            return [client.predict({"images": image[None]})["vertices"][0] for _ in range(5)]

    with concurrent.futures.ThreadPoolExecutor(len(images)) as executor:
        answers = list(executor.map(call, images))
    for answer, vertices in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, [vertices] * 5, rtol=1e-5, atol=1e-6)


def test_a_load_is_bounded_and_counted(server, images):
    inputs = {"images": images[:2]}
    report = run_load(server.grpc, inputs, calls=21, concurrency=4, time_limit=60)
    assert report.answered == 21 and not report.errors and report.batch_size == 2
    assert 0 < report.latency(50) <= report.latency(99) <= report.latency(100) < 60
    bad = run_load(server.rest, {"images": 9 * images[:1]}, calls=3, concurrency=2, time_limit=60)
    assert bad.answered == 0 and bad.errors == {"HTTP 400": 3}
    assert "expected finite values" in bad.first_error
    assert bad.to_dict()["latency_milliseconds"]["p50"] is None
    short = run_load(server.grpc, inputs, calls=10**9, concurrency=2, time_limit=0.3)
    assert 0 < short.answered < 10**5 and short.seconds < 30


def test_the_health_check_of_the_compose_file_tells_a_server_from_none(server):
    compose = yaml.safe_load((ROOT / "deploy/serving/compose.yaml").read_text())
    command, *bash, script = compose["services"]["serving"]["healthcheck"]["test"]
    assert (command, bash) == ("CMD", ["bash", "-c"])
    rest_port = server.rest.split(":")[2].split("/")[0]
    for port, model, expected in ((rest_port, "chair", 0), (rest_port, "none", 1), ("1", "x", 1)):
        run = script.replace("$$", "$").replace("/8501", f"/{port}")
        environment = {**os.environ, "MODEL_NAME": model}
        assert subprocess.run([*bash, run], env=environment, timeout=30).returncode == expected


def bench(*arguments):
    tool = runpy.run_path(str(ROOT / "tools/bench_serving.py"))["bench_serving"]
    return click.testing.CliRunner().invoke(tool, [str(argument) for argument in arguments])


@pytest.mark.parametrize("signature", ["serving_default", "encoded", "glb", "silhouettes"])
def test_bench_serving_prints_and_writes_figures(server, tmp_path, signature):
    calls = 2 if signature == "silhouettes" else 6  # The definition is slow.
    options = ("--signature", signature, "--calls", calls, "--concurrency", 2, "--batch-size", 2)
    for url in (server.grpc, server.rest):
        result = bench(url, *options, "-o", tmp_path / "figures.json")
        assert result.exit_code == 0, result.output + repr(result.exception)
        figures = json.loads((tmp_path / "figures.json").read_text())
        assert figures["answered"] == calls and figures["errors"] == {}
        milliseconds = figures["latency_milliseconds"]
        assert f"p50 {milliseconds['p50']:.1f} ms" in result.stdout
        assert f"p99 {milliseconds['p99']:.1f} ms" in result.stdout
        assert "errors     none" in result.stdout


def test_bench_serving_sends_a_picture_and_refuses_in_one_sentence(server, tmp_path):
    (tmp_path / "good.png").write_bytes(PNG)
    (tmp_path / "bad.png").write_bytes(PNG[:60])
    glb = (server.grpc, "--signature", "glb", "--calls", 2)
    assert bench(*glb, "--picture", tmp_path / "good.png").exit_code == 0
    for arguments, words in (
        ((*glb, "--picture", tmp_path / "bad.png"), "INVALID_ARGUMENT"),
        ((*glb, "--picture", tmp_path / "none.png"), "No such file"),
        ((*glb, "--batch-size", 65), TOO_MANY),
        ((server.grpc, "--signature", "x"), "received 'x'"),
        ((server.grpc + "s",), "NOT_FOUND"),
        (("127.0.0.1:8500",), r"expected grpc://HOST:PORT/MODEL"),
        (("grpc://serving.test:8500/chair",), "Others need --remote"),
        (("grpc://127.0.0.1:1/chair",), "UNAVAILABLE"),
    ):
        result = bench(*arguments)
        assert result.exit_code == 2, result.output
        assert re.search(words, result.stderr) and len(result.stderr.splitlines()) == 1


# The examples


def test_the_example_clients_write_meshes(server, tmp_path, monkeypatch, framed_mesh):
    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")

    picture, photo, mask = (tmp_path / name for name in ("a.png", "b.jpg", "mask.png"))
    for path, content in ((picture, PNG), (photo, JPEG), (mask, MASK)):
        path.write_bytes(content)
    run("serving_client.py", server.rest, picture, tmp_path / "a.glb")
    run("serving_client.py", server.rest, photo, tmp_path / "b.glb", mask)
    mesh = trimesh.load_mesh(tmp_path / "a.glb", process=False)
    np.testing.assert_allclose(mesh.vertices, framed_mesh, atol=1e-5)
    assert len(trimesh.load_mesh(tmp_path / "b.glb").faces) == 1280
    run("serving_client_grpc.py", server.grpc, picture)
    np.testing.assert_allclose(load_mesh(tmp_path / "a.obj").vertices, framed_mesh, atol=1e-5)
    with pytest.raises(SystemExit, match="opaque everywhere"):
        run("serving_client.py", server.rest, photo, tmp_path / "none.glb")
    with pytest.raises(SystemExit, match="opaque everywhere"):
        run("serving_client_grpc.py", server.grpc, photo)


# A new version; last, for the server goes on with it


def test_a_new_version_takes_over_under_load_without_an_error(server, exported, images):
    newer = network(1)
    old, new = (model(images[:1]).numpy()[0] for model in (exported[0], newer))
    assert np.abs(old - new).max() > 0.01
    stop = threading.Event()

    def call():
        answers = []
        with connect(server.grpc, timeout=60) as client:
            while not stop.is_set():
                answers.append(client.predict({"images": images[:1]})["vertices"][0])
        return answers

    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        calls = [executor.submit(call) for _ in range(4)]
        try:
            assert export_saved_model(newer, server.base) == server.base / "2"
            server.wait_for(2)
        finally:
            # After the new version is offered, calls go on for a while.
            stop.wait(1.0)
            stop.set()
        for answers in (future.result() for future in calls):
            is_new = [np.abs(answer - new).max() < np.abs(answer - old).max() for answer in answers]
            for answer, from_new in zip(answers, is_new, strict=True):
                np.testing.assert_allclose(answer, new if from_new else old, atol=1e-5)
            # Never back to the old one.
            assert is_new == sorted(is_new) and is_new[-1] and not is_new[0]
