"""A network that runs elsewhere: a model under TensorFlow Serving, asked by REST."""

import json
import urllib.error
import urllib.request

import numpy as np

from tf_softras.geometry import Mesh

SIGNATURE = "serving_default"
_TIMEOUT = 60.0
# A mesh of 642 vertices takes 40 kB as JSON.
_MAX_BYTES = 64 * 2**20


class ServingError(RuntimeError):
    """A model server cannot be reached, or answers something else than a reconstructor's meshes."""


class ServedReconstructor:
    """A reconstructor behind TensorFlow Serving, called as a `MeshReconstructor` is.

    Images float32 `[batch, image_size, image_size, 4]` in [0, 1] become vertices float32
    `[batch, num_vertices, 3]`, world space. It may be called from several threads.

    Args:
        url: Of the model, as in http://127.0.0.1:8501/v1/models/chair, or of one of its versions:
            .../chair/versions/3.
        timeout: Seconds to wait for an answer.

    Attributes:
        faces: int32 `[num_faces, 3]`, those of every mesh.
        image_size: Height and width of the pictures.

    Raises:
        ServingError: The server cannot be reached, or serves something else there.
    """

    def __init__(self, url: str, *, timeout: float = _TIMEOUT):
        self.url = url.rstrip("/")
        self.timeout = timeout
        try:
            signatures = self._asked("/metadata")["metadata"]["signature_def"]["signature_def"]
            shape = signatures[SIGNATURE]["inputs"]["images"]["tensor_shape"]["dim"]
            self.image_size = int(shape[1]["size"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise self._unexpected(f"no signature {SIGNATURE} with an input images") from error
        size = self.image_size
        self.faces, _ = self._mesh(np.zeros([1, size, size, 4], np.float32))

    def __call__(self, images) -> np.ndarray:
        """Returns the vertices, world space.

        Raises:
            ServingError: The server fails, or answers something else.
        """
        return self._mesh(np.asarray(images, np.float32))[1]

    def _mesh(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns faces and vertices."""
        # The columns of a batch: faces are the same for all of it, so there are no rows.
        question = {"signature_name": SIGNATURE, "inputs": {"images": images.tolist()}}
        try:
            outputs = self._asked(":predict", question)["outputs"]
            faces = np.asarray(outputs["faces"], np.int32)
            vertices = np.asarray(outputs["vertices"], np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise self._unexpected("no vertices and faces") from error
        if vertices.ndim != 3 or len(vertices) != len(images):
            raise self._unexpected(f"vertices of shape {list(vertices.shape)}")
        try:
            for mesh in vertices:
                Mesh(vertices=mesh, faces=faces)
        except ValueError as error:
            raise self._unexpected(f"a mesh that is none: {error}") from error
        return faces, vertices

    def _asked(self, path: str, question: dict | None = None) -> dict:
        data = None if question is None else json.dumps(question).encode()
        request = urllib.request.Request(self.url + path, data=data)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                text = answer.read(_MAX_BYTES + 1)
        except urllib.error.HTTPError as error:
            raise ServingError(
                f"The model server at {self.url} refused: HTTP {error.code}, {_reason(error)}"
            ) from error
        except OSError as error:  # URLError and timeouts among them.
            reason = getattr(error, "reason", error)
            raise ServingError(f"No model server answers at {self.url}: {reason}") from error
        if len(text) > _MAX_BYTES:
            raise self._unexpected(f"more than {_MAX_BYTES} bytes")
        return json.loads(text)

    def _unexpected(self, received: str) -> ServingError:
        return ServingError(
            f"Cannot use the model at {self.url}. Expected a reconstructor, as `softras export` "
            f"writes it, under TensorFlow Serving; received {received}."
        )


def _reason(error: urllib.error.HTTPError) -> str:
    """Returns what the server says, cut short, or the words of the status."""
    try:
        return str(json.loads(error.read(10_000))["error"])[:500]
    except (OSError, ValueError, KeyError, TypeError):
        return error.reason
