"""The trained network as a SavedModel that needs TensorFlow alone."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from tf_softras.models import MeshReconstructor
from tf_softras.training.files import replaced_whole

SIGNATURE = "serving_default"


class SavedModelError(ValueError):
    """A folder is no SavedModel of a reconstructor, or stands where one is to be written."""


def export_saved_model(reconstructor: MeshReconstructor, path) -> None:
    """Writes a SavedModel folder whose graph holds no custom op: TensorFlow alone loads it.

    The tag is `serve`, the signature `serving_default`: images float32 `[None, 64, 64, 4]` in
    [0, 1] (straight colours, 0 where alpha is 0) to `vertices` float32 `[None, 642, 3]` in object
    units and `faces` int32 `[1280, 3]`; sizes as the reconstructor's configuration has them. Images
    of another shape are an INVALID_ARGUMENT.

    The folder appears whole or not at all: it is written beside and renamed.

    Args:
        reconstructor: The network, with the weights to export.
        path: The folder to make; folders above it are made if need be.

    Raises:
        SavedModelError: Something is there already: a server may have it open.
        OSError: The folder cannot be written.
    """
    path = pathlib.Path(path)
    if path.exists():
        raise SavedModelError(
            f"Cannot export to '{path}'. Expected a name that is free, received one that exists."
        )
    with replaced_whole(path) as beside:
        _write(reconstructor, beside)


def _write(reconstructor: MeshReconstructor, path: pathlib.Path) -> None:
    size = reconstructor.config.image_size
    shape = [None, size, size, 4]
    faces = np.asarray(reconstructor.faces, np.int32)

    def serve(images):
        # A server does not compare what it is fed with the signature: a convolution given another
        # rank would end the process.
        images = tf.ensure_shape(images, shape)
        return {"vertices": reconstructor(images, training=False), "faces": tf.constant(faces)}

    archive = keras.export.ExportArchive()
    archive.track(reconstructor)
    archive.add_endpoint(SIGNATURE, serve, [tf.TensorSpec(shape, tf.float32, name="images")])
    archive.write_out(str(path), verbose=False)


class ExportedReconstructor:
    """A reconstructor from a SavedModel folder that `export_saved_model` wrote.

    It is called as a `MeshReconstructor` is: images float32 `[batch, image_size, image_size, 4]` in
    [0, 1] to vertices float32 `[batch, num_vertices, 3]`.

    Args:
        path: The folder.

    Attributes:
        faces: int32 `[num_faces, 3]`, those of every mesh.
        image_size: Height and width of the pictures.

    Raises:
        SavedModelError: The folder is no SavedModel, or one of something else.
    """

    def __init__(self, path):
        try:
            # Kept: the signature alone does not keep its variables.
            self._loaded = tf.saved_model.load(str(path))
            self._signature = self._loaded.signatures[SIGNATURE]
            (images,) = self._signature.structured_input_signature[1].values()
            _, self.image_size, _, _ = images.shape
            self.faces = self._outputs(np.zeros([1, *images.shape[1:]]))["faces"].numpy()
        except (OSError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
            raise SavedModelError(
                f"Cannot use '{path}'. Expected a SavedModel of a reconstructor, as "
                f"`softras export` writes it; received something else: {error}"
            ) from error

    def __call__(self, images):
        """Returns the vertices, world space."""
        return self._outputs(images)["vertices"]

    def _outputs(self, images) -> dict:
        return self._signature(images=tf.cast(images, tf.float32))
