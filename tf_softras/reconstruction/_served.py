"""A network that runs elsewhere, under TensorFlow Serving."""

import numpy as np

from tf_softras._shared.errors import SoftrasError
from tf_softras.reconstruction._answers import Meshes
from tf_softras.reconstruction._images import standardize_images
from tf_softras.reconstruction._protocol import Gives, ReconstructorError
from tf_softras.serving import PredictError, connect

_SIGNATURE = "serving_default"


class ServingError(SoftrasError, RuntimeError):
    """A model server cannot be reached, or its answer is not a reconstructor's."""


class ServedReconstructor:
    """A reconstructor behind TensorFlow Serving. It may be called from several threads.

    Args:
        url: The model's URL, as in `serving.connect`: http://127.0.0.1:8501/v1/models/chair or
            grpc://127.0.0.1:8500/chair; either may end in /versions/3.
        timeout: Seconds to wait for an answer.

    Attributes:
        faces: int32 `[num_faces, 3]`, those of every mesh.
        image_size: Height and width of the pictures.
        gives: "meshes" or "colored meshes".

    Raises:
        ReconstructorError: The URL is not a model's.
        ServingError: The server cannot be reached, or serves something else there.
    """

    def __init__(self, url: str, *, timeout: float = 60.0):
        self.url = url
        self.timeout = timeout
        with self._connected() as client:
            inputs = self._answer(client.inputs_of, _SIGNATURE)
        shapes = {spec.name: spec.shape for spec in inputs}
        if len(shapes.get("images", ())) != 3:
            raise self._unexpected(f"a signature {_SIGNATURE} of {shapes}")
        self.image_size: int = shapes["images"][0]
        meshes = self._reconstructed(np.zeros([1, *shapes["images"]], np.float32))
        self.faces = meshes.faces
        self.gives: Gives = "meshes" if meshes.colors is None else "colored meshes"

    def __call__(self, images) -> np.ndarray:
        """Returns the vertices, world space."""
        return self.reconstruct(images).vertices

    def reconstruct(self, images) -> Meshes:
        """Returns one mesh for each image; see `Reconstructor`.

        Raises:
            ValueError: The images are not as described there.
            ServingError: The server fails, or its answer holds no meshes.
        """
        return self._reconstructed(standardize_images(images, image_size=self.image_size))

    def _reconstructed(self, images: np.ndarray) -> Meshes:
        # A connection for each call: a client is for one thread.
        with self._connected() as client:
            outputs = self._answer(client.predict, {"images": images}, _SIGNATURE)
        try:
            return _meshes(outputs, count=len(images))
        except (KeyError, TypeError, ValueError) as error:
            raise self._unexpected(f"no meshes: {error}") from error

    def _connected(self):
        try:
            return connect(self.url, timeout=self.timeout)
        except ValueError as error:
            raise ReconstructorError(str(error)) from error

    def _answer(self, call, *arguments):
        try:
            return call(*arguments)
        except PredictError as error:
            raise ServingError(
                f"'{self.url}': expected meshes from the server; received {error}"
            ) from error
        # Raised by the client when the answer lacks the expected fields.
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise self._unexpected(f"an answer without {error}") from error

    def _unexpected(self, received: str) -> ServingError:
        return ServingError(
            f"'{self.url}': expected a reconstructor, as `softras export` writes it, under "
            f"TensorFlow Serving; received {received}"
        )


def _meshes(outputs: dict, *, count: int) -> Meshes:
    """Returns a server's outputs as meshes, after checking each of them.

    Raises:
        KeyError, TypeError, ValueError: They are no meshes.
    """
    vertices = np.asarray(outputs["vertices"], np.float32)
    faces = np.asarray(outputs["faces"], np.int32)
    colors = outputs.get("colors")
    if vertices.ndim != 3 or faces.ndim != 3 or len(vertices) != count or len(faces) != count:
        raise ValueError(f"vertices and faces of {vertices.shape} and {faces.shape}")
    if (faces != faces[:1]).any():
        raise ValueError("faces that differ from mesh to mesh")
    if colors is not None:
        colors = np.asarray(colors, np.float32)
        if colors.shape != vertices.shape:
            raise ValueError(f"vertices and colors of {vertices.shape} and {colors.shape}")
    meshes = Meshes(vertices=vertices, faces=faces[0], colors=colors)
    for _ in meshes:
        pass  # The constructor of `Mesh` checks values and indices.
    return meshes
