"""Writes a trained network as a SavedModel for TensorFlow Serving."""

import pathlib

import keras

from tf_softras._shared.files import replaced_whole
from tf_softras.config import ReconstructionConfig
from tf_softras.export._picture_graph import MAX_PICTURE_PIXELS
from tf_softras.export._server_files import write_batching_parameters, write_warmup_requests
from tf_softras.export._signatures import signatures
from tf_softras.export.versions import free_version
from tf_softras.models import MeshReconstructor, RetrievalReconstructor, VoxelReconstructor
from tf_softras.reconstruction import ReconstructorError, SavedModelError


def export_saved_model(
    reconstructor: MeshReconstructor,
    base,
    *,
    version: int | None = None,
    sigma: float = ReconstructionConfig.sigma,
    implementation: str = "reference",
    max_pixels: int = MAX_PICTURE_PIXELS,
) -> pathlib.Path:
    """Writes the SavedModel `base`/VERSION for TensorFlow Serving, and returns its path.

    The tag is `serve`. `batch`, 1 to 64, is the first dimension of every input and output; other
    sizes are those of the reconstructor's configuration. The signatures:

    * `serving_default`: `images` float32 `[batch, 64, 64, 4]` in [0, 1] (straight colours, 0 where
      alpha is 0) to `vertices` float32 `[batch, 642, 3]` in object units and `faces` int32
      `[batch, 1280, 3]`; of a network with colours, `colors` float32 `[batch, 642, 3]` too, sRGB.
    * `encoded`: `image_bytes` and `mask_bytes`, string `[batch]`, to the same. They are PNG or JPEG
      files, turned upright by their EXIF orientation; a mask is empty where the picture's own
      alpha channel tells.
    * `glb`: as `encoded`, to `glb_bytes` string `[batch]`, binary glTF files.
    * `silhouettes`: `vertices` float32 `[batch, 642, 3]` and `eyes` float32 `[batch, 3]`, which
      look at the origin, in world space, to `silhouettes` float32 `[batch, 64, 64]` in [0, 1].

    Any other input is an INVALID_ARGUMENT; docs/serving.md lists the limits. Beside the model lie
    one warm-up request for each signature and batching parameters. The folder appears whole or not
    at all: it is written beside and renamed.

    Args:
        reconstructor: The network, with the weights to export.
        base: The folder of versions; made, with those above it, if need be.
        version: At least 1; by default the next behind the newest.
        sigma: The sharpness of silhouettes.
        implementation: "op", or "reference": silhouettes by TensorFlow's own operations, so that
            any TensorFlow runs it; "op" needs the op library, or a server that is linked with it.
        max_pixels: The most pixels of a picture or a mask. Each call in work takes about 20 bytes
            a pixel of the server's memory.

    Raises:
        ReconstructorError: The network gives voxels.
        SavedModelError: The version is there already (a server may have it open), or `base` is no
            folder of versions.
        ValueError: `max_pixels` is out of range.
        OSError: The folder cannot be written.
    """
    if isinstance(reconstructor, VoxelReconstructor | RetrievalReconstructor):
        raise ReconstructorError(
            "reconstructor: expected a network that gives meshes (methods softras, n3mr); received "
            f"a {type(reconstructor).__name__}"
        )
    if not isinstance(max_pixels, int) or not 1 <= max_pixels <= MAX_PICTURE_PIXELS:
        raise ValueError(
            f"max_pixels: expected an integer in [1, {MAX_PICTURE_PIXELS}]; received {max_pixels!r}"
        )
    base = pathlib.Path(base)
    path = base / str(free_version(base, version))
    with replaced_whole(path) as beside:
        _write(
            reconstructor,
            beside,
            base.name,
            sigma=sigma,
            implementation=implementation,
            max_pixels=max_pixels,
        )
        # Another export may have taken the number meanwhile.
        if path.exists():
            raise SavedModelError(
                f"'{path}': expected a version that is free; received one that another export has "
                "just made"
            )
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
