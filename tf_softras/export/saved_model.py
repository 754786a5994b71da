"""The trained network as a SavedModel: written for TensorFlow Serving, and read back."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from tf_softras._shared.files import replaced_whole
from tf_softras.config import ReconstructionConfig
from tf_softras.export._server_files import write_batching_parameters, write_warmup_requests
from tf_softras.export._signatures import DEFAULT, signatures
from tf_softras.export.versions import SavedModelError, free_version, saved_model_folder
from tf_softras.models import MeshReconstructor


def export_saved_model(
    reconstructor: MeshReconstructor,
    base,
    *,
    version: int | None = None,
    sigma: float = ReconstructionConfig.sigma,
    implementation: str = "reference",
) -> pathlib.Path:
    """Writes the SavedModel `base`/VERSION, which TensorFlow Serving offers as it is; returns it.

    The tag is `serve`. Its signatures, with sizes as the reconstructor's configuration has them;
    `batch`, 1 to 64, is the first dimension of every input and output:

    * `serving_default`: `images` float32 `[batch, 64, 64, 4]` in [0, 1] (straight colours, 0 where
      alpha is 0) to `vertices` float32 `[batch, 642, 3]` in object units and `faces` int32
      `[batch, 1280, 3]`; of a network with colours, `colors` float32 `[batch, 642, 3]` too, sRGB.
    * `encoded`: `image_bytes` and `mask_bytes`, string `[batch]`, to the same. They are PNG or JPEG
      files of any size; a mask is empty where the picture's own alpha channel tells.
    * `glb`: as `encoded`, to `glb_bytes` string `[batch]`, binary glTF files.
    * `silhouettes`: `vertices` float32 `[batch, 642, 3]` and `eyes` float32 `[batch, 3]`, which
      look at the origin, in world space, to `silhouettes` float32 `[batch, 64, 64]` in [0, 1].

    What is not so is an INVALID_ARGUMENT; the limits are in `checks.py` and `picture_graph.py`.
    Beside the model lie one warm-up request for each signature and batching parameters.

    The folder appears whole or not at all: it is written beside and renamed.

    Args:
        reconstructor: The network, with the weights to export.
        base: The folder of versions; made, with those above it, if need be.
        version: At least 1; by default the next behind the newest.
        sigma: Of the silhouettes.
        implementation: Of the silhouettes. "reference" is of TensorFlow's own operations, so that
            any TensorFlow runs it; "op" needs the op library, or a server that is linked with it.

    Raises:
        SavedModelError: The version is there already (a server may have it open), or `base` is no
            folder of versions.
        OSError: The folder cannot be written.
    """
    base = pathlib.Path(base)
    path = base / str(free_version(base, version))
    with replaced_whole(path) as beside:
        _write(reconstructor, beside, base.name, sigma=sigma, implementation=implementation)
        # Another export may have taken the number meanwhile.
        if path.exists():
            raise SavedModelError(f"Cannot export to '{path}': another export has just made it.")
    return path


def _write(reconstructor, path: pathlib.Path, model_name: str, **options) -> None:
    archive = keras.export.ExportArchive()
    archive.track(reconstructor)
    endpoints = signatures(reconstructor, **options)
    for name, (function, specs) in endpoints.items():
        archive.add_endpoint(name, function, specs)
    archive.write_out(str(path), verbose=False)
    specs = {name: specs for name, (_, specs) in endpoints.items()}
    write_warmup_requests(path, model_name, specs)
    write_batching_parameters(path)


class ExportedReconstructor:
    """A reconstructor from a SavedModel that `export_saved_model` wrote.

    It is called as a `MeshReconstructor` is: images float32 `[batch, image_size, image_size, 4]` in
    [0, 1] to vertices float32 `[batch, num_vertices, 3]`.

    Args:
        path: The SavedModel, or a folder of versions, of which the newest is taken.

    Attributes:
        faces: int32 `[num_faces, 3]`, those of every mesh.
        image_size: Height and width of the pictures.
        gives_colors: Whether there is `colored`.

    Raises:
        SavedModelError: The folder is no SavedModel, or one of something else.
    """

    def __init__(self, path):
        folder = saved_model_folder(path) or path
        try:
            # Kept: the signature alone does not keep its variables.
            self._loaded = tf.saved_model.load(str(folder))
            self._signature = self._loaded.signatures[DEFAULT]
            (images,) = self._signature.structured_input_signature[1].values()
            _, self.image_size, _, _ = images.shape
            outputs = self._outputs(np.zeros([1, *images.shape[1:]]))
            self.faces = outputs["faces"].numpy()[0]
            self.gives_colors = "colors" in outputs
        except (OSError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
            raise SavedModelError(
                f"Cannot use '{folder}'. Expected a SavedModel of a reconstructor, as "
                f"`softras export` writes it; received something else: {error}"
            ) from error

    def __call__(self, images):
        """Returns the vertices, world space."""
        return self._outputs(images)["vertices"]

    def colored(self, images):
        """Returns the vertices and their colours, sRGB."""
        outputs = self._outputs(images)
        return outputs["vertices"], outputs["colors"]

    def _outputs(self, images) -> dict:
        return self._signature(images=tf.cast(images, tf.float32))
