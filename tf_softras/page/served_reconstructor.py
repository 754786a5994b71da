"""A network that runs elsewhere, under TensorFlow Serving, called as one that runs here."""

import numpy as np

from tf_softras._shared.errors import SoftrasError
from tf_softras.geometry import Mesh
from tf_softras.serving import PredictError, connect

_SIGNATURE = "serving_default"


class ServingError(SoftrasError, RuntimeError):
    """A model server cannot be reached, or answers something else than a reconstructor's meshes."""


class ServedReconstructor:
    """A reconstructor behind TensorFlow Serving, called as a `MeshReconstructor` is.

    Images float32 `[batch, image_size, image_size, 4]` in [0, 1] become vertices float32
    `[batch, num_vertices, 3]`, world space. It may be called from several threads.

    Args:
        url: Of the model, as `serving.connect` takes it: http://127.0.0.1:8501/v1/models/chair or
            grpc://127.0.0.1:8500/chair, and /versions/3 behind either.
        timeout: Seconds to wait for an answer.

    Attributes:
        faces: int32 `[num_faces, 3]`, those of every mesh.
        image_size: Height and width of the pictures.

    Raises:
        ServingError: The server cannot be reached, or serves something else there.
        ValueError: The URL is neither.
    """

    def __init__(self, url: str, *, timeout: float = 60.0):
        self.url = url
        self.timeout = timeout
        with connect(url, timeout=timeout) as client:
            inputs = self._answer(client.inputs_of, _SIGNATURE)
        shapes = {spec.name: spec.shape for spec in inputs}
        if len(shapes.get("images", ())) != 3:
            raise self._unexpected(f"a signature {_SIGNATURE} of {shapes}")
        self.image_size = shapes["images"][0]
        self.faces, _ = self._meshes(np.zeros([1, *shapes["images"]], np.float32))

    def __call__(self, images) -> np.ndarray:
        """Returns the vertices, world space.

        Raises:
            ServingError: The server fails, or answers something else.
        """
        return self._meshes(np.asarray(images, np.float32))[1]

    def _meshes(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the faces, which all meshes share, and the vertices of each."""
        # A connection for each call: a client is for one thread.
        with connect(self.url, timeout=self.timeout) as client:
            outputs = self._answer(client.predict, {"images": images}, _SIGNATURE)
        try:
            vertices = np.asarray(outputs["vertices"], np.float32)
            faces = np.asarray(outputs["faces"], np.int32)
            if vertices.ndim != 3 or faces.ndim != 3 or len(vertices) != len(images):
                raise ValueError(f"vertices and faces of {vertices.shape} and {faces.shape}")
            for mesh, of_mesh in zip(vertices, faces, strict=True):
                Mesh(vertices=mesh, faces=of_mesh)
        except (KeyError, TypeError, ValueError) as error:
            raise self._unexpected(f"no meshes: {error}") from error
        return faces[0], vertices

    def _answer(self, call, *arguments):
        try:
            return call(*arguments)
        except PredictError as error:
            raise ServingError(f"The model server at {self.url} gives no mesh. {error}") from error
        # What the client finds where it looks for a server's words.
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise self._unexpected(f"an answer without {error}") from error

    def _unexpected(self, received: str) -> ServingError:
        return ServingError(
            f"Cannot use the model at {self.url}. Expected a reconstructor, as `softras export` "
            f"writes it, under TensorFlow Serving; received {received}."
        )
