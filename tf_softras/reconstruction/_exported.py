"""A network in a SavedModel, run by TensorFlow in this process."""

import pathlib
import re

import numpy as np
import tensorflow as tf

from tf_softras._shared.errors import SoftrasError
from tf_softras.reconstruction._answers import Meshes
from tf_softras.reconstruction._images import standardize_images
from tf_softras.reconstruction._protocol import Gives

MODEL_FILE = "saved_model.pb"
_SIGNATURE = "serving_default"


class SavedModelError(SoftrasError, ValueError):
    """The folder holds no reconstructor's SavedModel, or blocks writing one."""


def saved_model_folder(path) -> pathlib.Path | None:
    """Returns the SavedModel that `path` is, or the newest of the versions in it, or None."""
    path = pathlib.Path(path)
    if (path / MODEL_FILE).is_file():
        return path
    versions = [entry for entry in versions_in(path) if (entry[1] / MODEL_FILE).is_file()]
    return max(versions)[1] if versions else None


def versions_in(base: pathlib.Path) -> list[tuple[int, pathlib.Path]]:
    """Returns (version, folder) of the entries whose names are whole numbers.

    Numbers are read as TensorFlow Serving reads them: 007 is 7.
    """
    if not base.is_dir():
        return []
    entries = [path for path in base.iterdir() if re.fullmatch(r"[0-9]{1,18}", path.name)]
    return [(int(path.name), path) for path in entries]


class ExportedReconstructor:
    """A reconstructor from a SavedModel that `export.export_saved_model` wrote.

    Args:
        path: The SavedModel, or a folder of versions, of which the newest is taken.

    Attributes:
        faces: int32 `[num_faces, 3]`, those of every mesh.
        image_size: Height and width of the pictures.
        gives: "meshes" or "colored meshes".

    Raises:
        SavedModelError: The folder holds no SavedModel, or one of something else.
    """

    def __init__(self, path):
        folder = saved_model_folder(path) or path
        try:
            # Kept: the signature alone does not keep its variables.
            self._loaded = tf.saved_model.load(str(folder))
            self._signature = self._loaded.signatures[_SIGNATURE]
            (images,) = self._signature.structured_input_signature[1].values()
            _, image_size, _, _ = images.shape
            self.image_size: int = image_size
            outputs = self._outputs(np.zeros([1, *images.shape[1:]]))
            self.faces: np.ndarray = outputs["faces"].numpy()[0]
            self.gives: Gives = "colored meshes" if "colors" in outputs else "meshes"
        except (OSError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
            raise SavedModelError(
                f"'{folder}': expected a SavedModel of a reconstructor, as `softras export` writes "
                f"it; received something else: {error}"
            ) from error

    def __call__(self, images):
        """Returns the vertices, world space."""
        return self._outputs(images)["vertices"]

    def reconstruct(self, images) -> Meshes:
        """Returns one mesh for each image; see `Reconstructor`."""
        images = standardize_images(images, image_size=self.image_size)
        outputs = {name: value.numpy() for name, value in self._outputs(images).items()}
        return Meshes(vertices=outputs["vertices"], faces=self.faces, colors=outputs.get("colors"))

    def _outputs(self, images) -> dict:
        return self._signature(images=tf.cast(images, tf.float32))
