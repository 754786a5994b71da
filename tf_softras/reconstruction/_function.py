"""Functions of the user as reconstructors."""

from collections.abc import Callable

import keras
import numpy as np

from tf_softras.reconstruction._answers import Meshes, Voxels
from tf_softras.reconstruction._images import standardize_images
from tf_softras.reconstruction._inference import in_inference
from tf_softras.reconstruction._protocol import Gives, ReconstructorError

# The side of the training renders.
_IMAGE_SIZE = 64


class MeshFunction:
    """A function from images to vertices as a `Reconstructor`.

    Args:
        function: From images float32 `[batch, height, width, 4]` in [0, 1] to vertices
            `[batch, num_vertices, 3]`, world space. A Keras model is called in inference mode.
        faces: int32 `[num_faces, 3]` of its meshes.
        image_size: Height and width that pictures are framed to for it.
    """

    gives: Gives = "meshes"

    def __init__(self, function: Callable, faces, *, image_size: int = _IMAGE_SIZE):
        self.faces = np.asarray(faces)
        self.image_size = image_size
        self._answer = _called(function)

    def reconstruct(self, images) -> Meshes:
        """Returns one mesh for each image; see `Reconstructor`.

        Raises:
            ValueError: The images are not as described there, but for their height and width.
            ReconstructorError: The function returned something other than vertices.
        """
        standardize_images(images, image_size=None)
        vertices = np.asarray(self._answer(images))
        if vertices.ndim != 3 or vertices.shape[0] != len(images) or vertices.shape[2] != 3:
            raise ReconstructorError(
                f"function: expected vertices [{len(images)}, num_vertices, 3]; received "
                f"{vertices.dtype} {list(vertices.shape)}. A function that gives voxels is wrapped "
                "in VoxelFunction"
            )
        return Meshes(vertices=vertices, faces=self.faces)


class VoxelFunction:
    """A function from images to voxels as a `Reconstructor`.

    Args:
        function: From images float32 `[batch, height, width, 4]` in [0, 1] to `[batch, r, r, r]`,
            in [0, 1] or bool. A Keras model is called in inference mode.
        image_size: Height and width that pictures are framed to for it.
    """

    gives: Gives = "voxels"

    def __init__(self, function: Callable, *, image_size: int = _IMAGE_SIZE):
        self.image_size = image_size
        self._answer = _called(function)

    def reconstruct(self, images) -> Voxels:
        """Returns one voxel grid for each image; see `Reconstructor`.

        Raises:
            ValueError: The images are not as described there, but for their height and width.
            ReconstructorError: The function returned something other than voxels.
        """
        standardize_images(images, image_size=None)
        voxels = np.asarray(self._answer(images))
        if voxels.ndim != 4 or len(voxels) != len(images) or len(set(voxels.shape[1:])) != 1:
            raise ReconstructorError(
                f"function: expected voxels [{len(images)}, r, r, r]; received "
                f"{voxels.dtype} {list(voxels.shape)}"
            )
        return Voxels(voxels)


def _called(function: Callable) -> Callable:
    """Returns a function as it is, and a Keras model in inference mode."""
    if not isinstance(function, keras.Model):
        return function
    # A model that is not functional may not know its shape.
    shape = getattr(function, "input_shape", None)
    return in_inference(function, shape and tuple(shape[1:]))
