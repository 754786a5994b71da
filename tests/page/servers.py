"""Servers for tests, each on a free port of 127.0.0.1 and in a thread of its own."""

import contextlib
import http.server
import json
import socket
import threading
import time

import numpy as np


@contextlib.contextmanager
def serving(app, **options):
    """The URL of an ASGI application under uvicorn."""
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", port=0, **options)
    server = uvicorn.Server(config)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def rest_api(answer):
    """The URL of a server that answers `answer(path, question)` -> (status, JSON or bytes).

    The question is None for GET.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self, question=None):
            status, content = answer(self.path, question)
            content = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self):
            length = int(self.headers["Content-Length"])
            self.do_GET(json.loads(self.rfile.read(length)))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def model_server(network, *, image_size=64, name="chair"):
    """Returns a function that answers like TensorFlow Serving's REST interface, by its manual.

    It is no ModelServer: paths, the form of questions and answers, and refusals are theirs.
    """
    dims = [{"size": str(size), "name": ""} for size in (-1, image_size, image_size, 4)]
    inputs = {"images": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": dims}, "name": "images:0"}}
    signature = {"inputs": inputs, "outputs": {}, "method_name": "tensorflow/serving/predict"}
    metadata = {"signature_def": {"signature_def": {"serving_default": signature}}}

    def answer(path, question):
        if path == f"/v1/models/{name}/metadata" and question is None:
            return 200, {"model_spec": {"name": name}, "metadata": metadata}
        if path != f"/v1/models/{name}:predict":
            return 404, {"error": f"Servable not found for request: Latest({path})"}
        if set(question) != {"signature_name", "inputs"}:
            return 400, {"error": "Request is neither row nor columnar"}
        images = np.asarray(question["inputs"]["images"], np.float32)
        if images.shape[1:] != (image_size, image_size, 4):
            return 400, {"error": "is not compatible with expected shape"}
        vertices = np.asarray(network(images)).tolist()
        faces = [network.faces.tolist()] * len(images)
        return 200, {"outputs": {"vertices": vertices, "faces": faces}}

    return answer
