"""Calls a model of TensorFlow Serving, over gRPC or REST, by one method."""

import base64
import dataclasses
import re
import urllib.parse

import grpc
import numpy as np
import requests
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tf_softras._shared.errors import SoftrasError
from tf_softras.serving import messages
from tf_softras.serving._example_inputs import InputSpec

_SERVICE = "/tensorflow.serving.PredictionService"
# Answers may be large: a batch of meshes as JSON.
_MAX_MESSAGE_BYTES = 256 * 2**20
_REST_PATH = re.compile(r"/v1/models/(?P<model>[^/:]+)(/versions/(?P<version>[0-9]+))?/?")
_GRPC_PATH = re.compile(r"/(?P<model>[^/:]+)(/versions/(?P<version>[0-9]+))?/?")


class PredictError(SoftrasError):
    """The server refused a call, no server answered, or the call cannot be sent.

    Attributes:
        code: gRPC's code, such as "INVALID_ARGUMENT"; for REST, which tells no more, "HTTP 400" and
            the like; or "UNREACHABLE" or "DEADLINE_EXCEEDED".
    """

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """The parts of a served model's URL.

    Attributes:
        url: The whole URL.
        scheme: "grpc", "http" or "https".
        address: HOST:PORT.
        host: The host of the address.
        model: The model's name.
        version: The model's version, or None for the newest.
    """

    url: str
    scheme: str
    address: str
    host: str
    model: str
    version: int | None

    @classmethod
    def parse(cls, url: str) -> "Endpoint":
        """Returns the parts of grpc://HOST:PORT/MODEL or http://HOST:PORT/v1/models/MODEL.

        Either may end in /versions/VERSION.

        Raises:
            ValueError: The URL has neither form.
        """
        try:
            parts = urllib.parse.urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        patterns = {"grpc": _GRPC_PATH, "http": _REST_PATH, "https": _REST_PATH}
        pattern = patterns.get(parts.scheme) if host and port else None
        path = pattern and pattern.fullmatch(parts.path)
        if not host or not path or parts.query or parts.fragment or parts.username:
            raise ValueError(
                "URL of a model: expected grpc://HOST:PORT/MODEL or "
                f"http://HOST:PORT/v1/models/MODEL; received {url!r}"
            )
        version = path["version"]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        version = None if version is None else int(version)
        return cls(url, parts.scheme, address, host, path["model"], version)


def connect(url: str, *, timeout: float = 10.0):
    """Returns a client of the model at `url`. Use it in a `with` statement, in one thread.

    The client has `predict(inputs, signature)` and `inputs_of(signature)`; see `GrpcClient`. It
    sends nothing before the first call.

    Args:
        url: grpc://HOST:PORT/MODEL or http://HOST:PORT/v1/models/MODEL; either may end in
            /versions/VERSION. TensorFlow Serving's image uses the ports 8500 and 8501.
        timeout: Time limit of a call, seconds.

    Raises:
        ValueError: The URL has neither form.
    """
    endpoint = Endpoint.parse(url)
    kind = GrpcClient if endpoint.scheme == "grpc" else RestClient
    return kind(endpoint, timeout=timeout)


class GrpcClient:
    """A model behind gRPC. See `connect`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._endpoint = endpoint
        self._timeout = timeout
        sizes = ("grpc.max_receive_message_length", "grpc.max_send_message_length")
        self._channel = grpc.insecure_channel(
            endpoint.address, options=[(size, _MAX_MESSAGE_BYTES) for size in sizes]
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._channel.close()

    def predict(self, inputs: dict, signature: str = "serving_default") -> dict:
        """Returns the outputs, NumPy arrays by name.

        Args:
            inputs: Name -> array `[batch, ...]`; files are arrays of bytes objects.
            signature: The signature's name.

        Raises:
            PredictError: The server refuses or does not answer; or a batch is empty. Empty batches
                are not sent, because a batching server may not answer them, or crash.
        """
        _check_batches(inputs)
        request = messages.PredictRequest(model_spec=self._model_spec())
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name] = tf.make_tensor_proto(value).SerializeToString()
        response = self._call("Predict", request, messages.PredictResponse)
        return {name: _array(content) for name, content in response.outputs.items()}

    def inputs_of(self, signature: str) -> list[InputSpec]:
        """Returns the inputs of a signature.

        Raises:
            PredictError: The server refuses, does not answer, or has no such signature.
        """
        request = messages.GetModelMetadataRequest(
            model_spec=self._model_spec(), metadata_field=["signature_def"]
        )
        response = self._call("GetModelMetadata", request, messages.GetModelMetadataResponse)
        packed = messages.Any.FromString(response.metadata["signature_def"])
        content = messages.SignatureDefMap.FromString(packed.value).signature_def
        if signature not in content:
            raise _no_signature(signature, content)
        inputs = meta_graph_pb2.SignatureDef.FromString(content[signature]).inputs
        return [
            InputSpec(name, tuple(dimension.size for dimension in info.tensor_shape.dim[1:]))
            for name, info in inputs.items()
        ]

    def _model_spec(self):
        spec = messages.ModelSpec(name=self._endpoint.model)
        if self._endpoint.version is not None:
            spec.version.value = self._endpoint.version
        return spec

    def _call(self, method: str, request, response_class):
        call = self._channel.unary_unary(
            f"{_SERVICE}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response_class.FromString,
        )
        try:
            return call(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise PredictError(error.code().name, error.details()) from None


class RestClient:
    """A model behind REST, called in the columnar format. See `connect` and `GrpcClient`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        version = "" if endpoint.version is None else f"/versions/{endpoint.version}"
        model = f"v1/models/{endpoint.model}{version}"
        self._url = f"{endpoint.scheme}://{endpoint.address}/{model}"
        self._timeout = timeout
        self._session = requests.Session()
        # Ignore proxies of the environment and credentials in ~/.netrc.
        self._session.trust_env = False
        self._signatures: dict | None = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._session.close()

    def predict(self, inputs: dict, signature: str = "serving_default") -> dict:
        """Returns the outputs, NumPy arrays by name; see `GrpcClient.predict`."""
        _check_batches(inputs)
        columns = {name: _to_json(np.asarray(value)) for name, value in inputs.items()}
        body = {"signature_name": signature, "inputs": columns}
        outputs = self._call("POST", ":predict", json=body)["outputs"]
        if not isinstance(outputs, dict):  # The server leaves out the name of a single output.
            (name,) = self._signature(signature)["outputs"]
            outputs = {name: outputs}
        return {name: _from_json(value) for name, value in outputs.items()}

    def inputs_of(self, signature: str) -> list[InputSpec]:
        """Returns the inputs of a signature; see `GrpcClient.inputs_of`."""
        return [
            InputSpec(name, tuple(int(d["size"]) for d in info["tensor_shape"].get("dim", [])[1:]))
            for name, info in self._signature(signature)["inputs"].items()
        ]

    def _signature(self, name: str) -> dict:
        signatures = self._signatures
        if signatures is None:
            metadata = self._call("GET", "/metadata")["metadata"]
            signatures = self._signatures = metadata["signature_def"]["signature_def"]
        if name not in signatures:
            raise _no_signature(name, signatures)
        return signatures[name]

    def _call(self, verb: str, suffix: str, **options) -> dict:
        try:
            response = self._session.request(
                verb, self._url + suffix, timeout=self._timeout, allow_redirects=False, **options
            )
            content = response.json()
        except requests.Timeout as error:
            raise PredictError("DEADLINE_EXCEEDED", str(error)) from None
        except ValueError:
            raise PredictError(
                f"HTTP {response.status_code}", "answer: expected JSON; received other content"
            ) from None
        except requests.RequestException as error:
            raise PredictError("UNREACHABLE", str(error)) from None
        if response.status_code != requests.codes.ok:
            raise PredictError(f"HTTP {response.status_code}", str(content.get("error", content)))
        return content


def _check_batches(inputs: dict) -> None:
    for name, value in inputs.items():
        shape = np.shape(value)
        if shape and not shape[0]:
            raise PredictError(
                "INVALID_ARGUMENT",
                f"{name}: expected a batch of at least 1; received shape {list(shape)}. The call "
                "was not sent",
            )


def _array(content: bytes) -> np.ndarray:
    return tf.make_ndarray(tensor_pb2.TensorProto.FromString(content))


def _no_signature(signature: str, content) -> PredictError:
    names = ", ".join(sorted(name for name in content if not name.startswith("__")))
    return PredictError("NOT_FOUND", f"signature: expected one of {names}; received {signature!r}")


def _to_json(array: np.ndarray):
    if array.dtype != object:
        return array.tolist()
    return [{"b64": base64.b64encode(content).decode()} for content in array]


def _from_json(value) -> np.ndarray:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return np.array([base64.b64decode(item["b64"]) for item in value], object)
    return np.array(value)
