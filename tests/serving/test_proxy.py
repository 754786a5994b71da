"""deploy/serving/nginx.conf under a real nginx, in front of a model server that is played here."""

import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import time

import pytest
import requests

from tests.page.servers import rest_api
from tests.serving.servers import free_ports

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "deploy/serving"
NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
MODULES = pathlib.Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
pytestmark = pytest.mark.skipif(
    not NGINX or not MODULES.exists(), reason="needs nginx-light and libnginx-mod-http-js"
)


def configuration(folder, port, upstream):
    """Writes the files with other ports and temporary files; returns the configuration's path."""
    text = (FOLDER / "nginx.conf").read_text()
    text = text.replace("modules/ngx_http_js_module.so", str(MODULES))
    text = text.replace("/tmp/softras_nginx", str(folder / "nginx"))
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    text = text.replace("127.0.0.1:8501", f"127.0.0.1:{upstream}")
    # The rate is a matter of the clock: not tried here.
    text = re.sub("rate=20r/s", "rate=1000r/s", text)
    (folder / "nginx.conf").write_text(text)
    shutil.copy(FOLDER / "request_filter.js", folder)
    return folder / "nginx.conf"


@pytest.fixture(scope="module")
def asked():
    """The bodies that came through."""
    return []


@pytest.fixture(scope="module")
def url(tmp_path_factory, asked):
    folder = tmp_path_factory.mktemp("nginx")

    def answer(path, question):
        asked.append((path, question))
        return 200, {"outputs": "answered"}

    with rest_api(answer) as upstream, contextlib.ExitStack() as stack:
        (port,) = free_ports(1)
        path = configuration(folder, port, upstream.rsplit(":", 1)[1])
        subprocess.run([NGINX, "-t", "-c", path], check=True, capture_output=True)
        process = subprocess.Popen([NGINX, "-c", path], stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        model = f"http://127.0.0.1:{port}/v1/models/chair"
        for _ in range(100):
            with contextlib.suppress(requests.ConnectionError):
                requests.get(model, timeout=5)
                break
            time.sleep(0.05)
        yield model


GOOD = [
    {"signature_name": "glb", "instances": [{"image_bytes": {"b64": "A" * 2_000_000}}]},
    {"inputs": {"images": [[[[0.5, 0, 0, 1]] * 64] * 64]}},
    {"inputs": {"image_bytes": [{"b64": 'a "quoted\\" [[[[[[[[[[ text'}], "mask_bytes": [""]}},
]


@pytest.mark.parametrize("body", GOOD, ids=["file", "numbers", "text"])
def test_good_requests_come_through_as_they_are(url, asked, body):
    answer = requests.post(f"{url}:predict", json=body, timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"outputs": "answered"})
    assert asked[-1] == ("/v1/models/chair:predict", body)


REFUSED = {
    "deep": ("[" * 20_000 + "]" * 20_000, 400, "at most 8 levels"),
    "deep between others": ('{"a":[1,' * 9 + "0" + "]}" * 9, 400, "at most 8 levels"),
    "deep behind a string": ('{"a":"\\\\",' + '"b":[' * 9, 400, "at most 8 levels"),
    "empty batch": ('{"instances": [ ]}', 400, "received an empty one"),
    "empty column": ('{"inputs": {"images": []}}', 400, "received an empty one"),
    "no end": ('{"a": "b', 400, "without an end"),
    "no body": ("", 400, "received none"),
    "many numbers": ("[" + "0," * 1_000_001 + "0]", 400, "at most 2000000 characters"),
    "too large": (b"0" * (44 * 2**20 + 1), 413, ""),
}


@pytest.mark.parametrize("body, status, words", REFUSED.values(), ids=REFUSED)
def test_what_the_servers_parser_must_not_see_is_refused(url, asked, body, status, words):
    before = len(asked)
    answer = requests.post(f"{url}:predict", data=body, timeout=30)
    assert answer.status_code == status
    assert words in (answer.json()["error"] if words else "")
    assert len(asked) == before


def test_nothing_but_the_models_paths_is_open(url, asked):
    assert requests.get(url, timeout=5).status_code == 200
    before = len(asked)
    base = url.removesuffix("/v1/models/chair")
    for path in ("/", "/v1/models/other", "/monitoring/prometheus/metrics", "/@checked"):
        assert requests.get(base + path, timeout=5).status_code == 404
    assert requests.delete(url, timeout=5).status_code == 403
    assert requests.get(f"{url}:predict", timeout=5).status_code == 403
    assert json.dumps(asked[before:]) == "[]"
