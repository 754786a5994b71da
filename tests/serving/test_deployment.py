"""The files in deploy/serving and what docs/serving.md prints, beside what they speak of."""

import pathlib
import re
import runpy

import pytest
import yaml

from tf_softras.cli import main
from tf_softras.export import _checks as checks
from tf_softras.export import _picture_graph as picture_graph
from tf_softras.export import _server_files as server_files
from tf_softras.pictures._decoding import MAX_JPEG_SCANS
from tf_softras.serving.client import Endpoint
from tf_softras.version import TENSORFLOW_MINOR

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs/serving.md").read_text()
# Flags of tensorflow_model_server, from tensorflow_serving/model_servers/main.cc.
FLAGS = {
    "--batching_parameters_file",
    "--enable_batching",
    "--enable_grpc_healthcheck_service",
    "--enable_per_model_batching_parameters",
    "--file_system_poll_wait_seconds",
    "--grpc_channel_arguments",
    "--grpc_max_threads",
    "--model_base_path",
    "--model_name",
    "--rest_api_timeout_in_ms",
    "--tensorflow_inter_op_parallelism",
    "--tensorflow_intra_op_parallelism",
}


@pytest.fixture(scope="module")
def compose():
    (service,) = yaml.safe_load((ROOT / "deploy/serving/compose.yaml").read_text())[
        "services"
    ].values()
    return service


@pytest.fixture(scope="module")
def kubernetes():
    documents = yaml.safe_load_all((ROOT / "deploy/serving/kubernetes.yaml").read_text())
    return {document["kind"]: document for document in documents}


@pytest.fixture(scope="module")
def container(kubernetes):
    (container,) = kubernetes["Deployment"]["spec"]["template"]["spec"]["containers"]
    return container


def test_both_start_the_same_server_with_flags_that_it_has(compose, container):
    assert compose["command"] == container["args"]
    flags = {argument.split("=")[0] for argument in compose["command"]}
    assert flags <= FLAGS
    # Both flags or none: with one alone a server merges more items than a graph takes.
    assert not any("batching" in flag for flag in flags)
    for image in (compose["image"], container["image"], DOCS):
        assert f"tensorflow/serving:{TENSORFLOW_MINOR}." in image


def test_flags_and_options_in_the_documentation_exist():
    named = set(re.findall(r"--[a-z][a-z_-]+", DOCS))
    bench = runpy.run_path(str(ROOT / "tools/bench_serving.py"))["bench_serving"]
    commands = [*main.commands.values(), bench]
    ours = {option for command in commands for p in command.params for option in p.opts}
    assert named - FLAGS - ours - {"--rm", "--network"} == set()


def test_containers_are_reached_where_the_clients_look(compose, kubernetes, container):
    assert compose["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    for port in kubernetes["Service"]["spec"]["ports"]:
        assert port["port"] == ports[port["targetPort"]]
    name = {item["name"]: item["value"] for item in container["env"]}["MODEL_NAME"]
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": f"/v1/models/{name}", "port": "rest"}
    assert container["livenessProbe"]["grpc"] == {"port": ports["grpc"]}
    assert "--enable_grpc_healthcheck_service" in container["args"]
    labels = kubernetes["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert kubernetes["Service"]["spec"]["selector"] == labels
    assert kubernetes["Deployment"]["spec"]["selector"]["matchLabels"] == labels


def test_models_cannot_be_written_by_the_server(compose, container):
    assert [volume.rsplit(":", 2)[1:] for volume in compose["volumes"]] == [["/models", "ro"]]
    (mount,) = container["volumeMounts"]
    assert mount["mountPath"] == "/models" and mount["readOnly"]


def test_the_limits_in_the_documentation_are_those_of_the_graph():
    for text in (
        f"| batch | 1 to {checks.MAX_BATCH_SIZE} |",
        f"at most {picture_graph.MAX_PICTURE_BYTES // 2**20} MiB",
        f"sides of 1 to {picture_graph.MAX_PICTURE_SIDE}",
        f"at most {round(picture_graph.MAX_PICTURE_PIXELS**0.5)}² pixels",
        f"at most {MAX_JPEG_SCANS} scans",
        f"within {checks.MAX_COORDINATE:g} of the origin",
        f"at most {server_files.MAX_ENQUEUED_BATCHES} batches",
        f"at most {server_files.BATCH_TIMEOUT_MICROSECONDS // 1000} ms",
    ):
        assert text in DOCS, text


def test_urls_in_the_documentation_are_ones_that_the_client_takes():
    urls = re.findall(r"(?:grpc|http)://127[^\s\")]*", DOCS)
    assert len(urls) > 4
    for url in urls:
        assert Endpoint.parse(url.removesuffix(":predict")).model == "chair"


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", DOCS):
        assert (ROOT / "docs" / target).exists(), target
