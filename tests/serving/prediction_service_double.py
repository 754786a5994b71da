"""A double of tensorflow_model_server for the tests. It is NOT TensorFlow Serving.

It takes the flags of the real one that the tests use, speaks the real protocol (the messages of
tensorflow-serving-api, over gRPC, and the REST API), runs SavedModels in a Session as the real one
does, watches the folder of versions, and replays warm-up requests before it offers a version. What
it has not: batching (--enable_batching is taken and does nothing), threads of its own, labels,
Classify, Regress and the health service. It listens on 127.0.0.1 alone.

    python prediction_service_double.py --port=N --rest_api_port=N --model_name=NAME \\
        --model_base_path=FOLDER [--file_system_poll_wait_seconds=1]
"""

import argparse
import base64
import concurrent.futures
import http.server
import json
import os
import pathlib
import re
import sys
import threading
import time

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "export"), os.path.join(sys.prefix, "serving_api")]

from as_a_server import Model  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    get_model_metadata_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

_NOT_FOUND = "Servable not found for request"
_PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/([0-9]+))?(:predict|/metadata)?")


class Versions:
    """The newest version of a folder, loaded and warm; the one before serves until it is."""

    def __init__(self, name, base):
        self.name, self._base = name, pathlib.Path(base)
        self._models = {}

    def poll(self):
        """Loads the newest version, if it is a new one, and drops the others."""
        numbers = [int(path.name) for path in self._base.iterdir() if path.name.isdigit()]
        newest = max(numbers, default=None)
        if newest is not None and newest not in self._models:
            model = Model(str(self._base / str(newest)))
            self._warm_up(model, self._base / str(newest))
            self._models = {newest: model}
            print(f"Successfully loaded servable version {self.name} {newest}", flush=True)

    def _warm_up(self, model, path):
        file = path / "assets.extra" / "tf_serving_warmup_requests"
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            log = prediction_log_pb2.PredictionLog.FromString(record)
            predict(model, log.predict_log.request)

    def find(self, name, version):
        """(version, model); KeyError if it is not there."""
        models = dict(self._models)
        number = version or max(models, default=0)
        if name != self.name or number not in models:
            raise KeyError(_NOT_FOUND)
        return number, models[number]


def predict(model, request):
    """{output: array} of a PredictRequest."""
    name = request.model_spec.signature_name or "serving_default"
    tensors = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
    outputs = model(name, tensors)
    return {key: outputs[key] for key in request.output_filter or outputs}


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """The service over gRPC."""

    def __init__(self, versions):
        self._versions = versions

    def Predict(self, request, context):
        """Answers, or ends the call with TensorFlow's own code and message."""
        number, model = self._find(request.model_spec, context)
        signature = request.model_spec.signature_name or "serving_default"
        if signature not in model.signatures:
            words = f"Serving signature key {signature!r} not found."
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, words)
        try:
            outputs = predict(model, request)
        except tf.errors.OpError as error:
            code = next(code for code in grpc.StatusCode if code.value[0] == error.error_code)
            context.abort(code, error.message)
        except KeyError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        response = predict_pb2.PredictResponse()
        response.model_spec.name = self._versions.name
        response.model_spec.version.value = number
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response

    def GetModelMetadata(self, request, context):
        """Answers with the signatures."""
        number, model = self._find(request.model_spec, context)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = self._versions.name
        response.model_spec.version.value = number
        response.metadata["signature_def"].Pack(signature_map(model))
        return response

    def _find(self, spec, context):
        try:
            version = spec.version.value if spec.HasField("version") else None
            return self._versions.find(spec.name, version)
        except KeyError as error:
            context.abort(grpc.StatusCode.NOT_FOUND, str(error))


def signature_map(model):
    """The message that tells of a model's signatures."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in model.signatures.items():
        signatures.signature_def[name].CopyFrom(signature)
    return signatures


class RestHandler(http.server.BaseHTTPRequestHandler):
    """The REST API: predict in both formats, status, metadata."""

    protocol_version = "HTTP/1.1"
    versions = None

    def do_GET(self):
        """Status and metadata."""
        found = self._find()
        if found is None:
            return
        verb, number, model = found
        if verb == "/metadata":
            signatures = json_format.MessageToDict(
                signature_map(model), preserving_proto_field_name=True
            )
            self._answer(200, {"metadata": {"signature_def": signatures}})
        else:
            status = {"version": str(number), "state": "AVAILABLE"}
            self._answer(200, {"model_version_status": [status]})

    def do_POST(self):
        """Predict."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = self._find()
        if found is None:
            return
        try:
            self._answer(200, predict_json(found[2], json.loads(body)))
        except (tf.errors.OpError, KeyError, ValueError, TypeError) as error:
            self._answer(400, {"error": getattr(error, "message", None) or str(error)})

    def _find(self):
        """(verb, version, model) that the path names; None if there is none, which is answered."""
        try:
            name, version, verb = _PATH.fullmatch(self.path).groups()
            return verb, *self.versions.find(name, version and int(version))
        except (AttributeError, KeyError):
            self._answer(404, {"error": _NOT_FOUND})
            return None

    def _answer(self, code, content):
        content = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Says nothing."""


def predict_json(model, body):
    """The answer to a request in row format (instances) or in columns (inputs)."""
    name = body.get("signature_name", "serving_default")
    dtypes = {key: info.dtype for key, info in model.signatures[name].inputs.items()}
    rows = "instances" in body
    if rows:
        items = body["instances"]
        if len(dtypes) == 1 and not (isinstance(items[0], dict) and set(items[0]) == set(dtypes)):
            items = [{next(iter(dtypes)): item} for item in items]
        columns = {key: [item[key] for item in items] for key in dtypes}
    else:
        columns = body["inputs"]
        if not (isinstance(columns, dict) and set(columns) == set(dtypes)):
            columns = {next(iter(dtypes)): columns}
    tensors = {key: _tensor(value, dtypes[key]) for key, value in columns.items()}
    outputs = {key: _json(key, value) for key, value in model(name, tensors).items()}
    if rows and {len(value) for value in outputs.values()} != {len(items)}:
        raise ValueError("outputs without the batch as their first dimension")
    if len(outputs) == 1:
        return {"predictions" if rows else "outputs": next(iter(outputs.values()))}
    if not rows:
        return {"outputs": outputs}
    return {
        "predictions": [
            {key: value[i] for key, value in outputs.items()} for i in range(len(items))
        ]
    }


def _tensor(value, dtype):
    if dtype != tf.string:
        return np.array(value, tf.dtypes.as_dtype(dtype).as_numpy_dtype)
    if isinstance(value, list):
        return np.array([_tensor(item, dtype) for item in value], object)
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()


def _json(name, value):
    if not name.endswith("_bytes"):
        return value.tolist()
    return [{"b64": base64.b64encode(item).decode()} for item in value]


def main():
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rest_api_port", type=int, required=True)
    parser.add_argument("--model_name", required=True)
    parser.add_argument("--model_base_path", required=True)
    parser.add_argument("--file_system_poll_wait_seconds", type=float, default=1)
    parser.add_argument("--grpc_max_threads", type=int, default=8)
    parser.add_argument("--enable_batching", action="store_true")
    parser.add_argument("--enable_grpc_healthcheck_service", action="store_true")
    parser.add_argument("--enable_per_model_batching_parameters", action="store_true")
    args = parser.parse_args()

    versions = Versions(args.model_name, args.model_base_path)
    versions.poll()
    grpc_server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(args.grpc_max_threads),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(versions), grpc_server
    )
    grpc_server.add_insecure_port(f"127.0.0.1:{args.port}")
    grpc_server.start()
    RestHandler.versions = versions
    rest_server = http.server.ThreadingHTTPServer(("127.0.0.1", args.rest_api_port), RestHandler)
    threading.Thread(target=rest_server.serve_forever, daemon=True).start()
    while True:
        time.sleep(args.file_system_poll_wait_seconds)
        versions.poll()


if __name__ == "__main__":
    main()
