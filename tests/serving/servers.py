"""Servers to test against: the double, and a real tensorflow_model_server where one is named."""

import contextlib
import dataclasses
import os
import pathlib
import socket
import subprocess
import sys
import time

import pytest
import requests

# Names the binary of a real one.
VARIABLE = "TF_SOFTRAS_MODEL_SERVER"
DOUBLE = pathlib.Path(__file__).with_name("prediction_service_double.py")


@dataclasses.dataclass
class Server:
    """A process that serves the model "chair".

    Attributes:
        base: Its folder of versions.
        rest: The URL of the model over REST.
        grpc: The same over gRPC.
        address: HOST:PORT of gRPC.
        process: The process.
    """

    base: pathlib.Path
    rest: str
    grpc: str
    address: str
    process: subprocess.Popen

    def wait_for(self, version, seconds=180):
        """Returns when the version is offered; fails the test if the server ends before."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the server has ended"
            with contextlib.suppress(requests.ConnectionError, KeyError):
                url = f"{self.rest}/versions/{version}"
                status = requests.get(url, timeout=10).json()["model_version_status"][0]
                if status["state"] == "AVAILABLE":
                    return
            time.sleep(0.1)
        pytest.fail(f"version {version} is not offered after {seconds} s")


def command(kind):
    """The command of "double" or "tensorflow_model_server"; skips the test without a real one."""
    if kind == "double":
        return [sys.executable, "-I", str(DOUBLE)]
    binary = os.environ.get(VARIABLE)
    if not binary:
        pytest.skip(f"{VARIABLE} names no tensorflow_model_server")
    return [binary]


@contextlib.contextmanager
def serving(kind, base, log, *options):
    """Runs a server of the folder of versions `base` while the body runs; options are its flags."""
    ports = free_ports(2)
    arguments = [
        f"--port={ports[0]}",
        f"--rest_api_port={ports[1]}",
        "--model_name=chair",
        f"--model_base_path={base}",
        "--file_system_poll_wait_seconds=1",
        "--grpc_max_threads=32",
        *options,
    ]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command(kind), *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "1"},
        )
    address = f"127.0.0.1:{ports[0]}"
    rest = f"http://127.0.0.1:{ports[1]}/v1/models/chair"
    try:
        yield Server(base, rest, f"grpc://{address}/chair", address, process)
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens to now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
