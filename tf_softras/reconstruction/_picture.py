"""The whole way from a picture to its mesh."""

import os

import numpy as np

from tf_softras.geometry import Mesh
from tf_softras.pictures import frame_object, read_picture
from tf_softras.reconstruction._protocol import (
    MESHES,
    Reconstructor,
    meshes_of,
    require_answers,
)


def mesh_from_picture(
    reconstructor: Reconstructor, picture: np.ndarray | bytes | str | os.PathLike, **options
) -> tuple[Mesh, np.ndarray]:
    """Returns the mesh of the object in a picture, and the framed picture that the network saw.

    Args:
        reconstructor: What `open_reconstructor` or `as_reconstructor` returns. It gives meshes.
        picture: A file, its bytes, or uint8 `[height, width, 4]` as `read_picture` returns it.
        **options: For `read_picture`: `mask_path`, `box`, `max_pixels`. An array takes none.

    Returns:
        The `Mesh`, with vertex colours if the reconstructor gives colours; and uint8
        `[image_size, image_size, 4]`.

    Raises:
        TypeError: `read_picture` has no such option, or there is one beside an array.
        PictureError: The picture cannot be used.
        ReconstructorError: The reconstructor gives voxels.
    """
    require_answers(reconstructor, *MESHES)
    if not isinstance(picture, np.ndarray):
        picture = read_picture(picture, **options)
    elif given := sorted(name for name, value in options.items() if value is not None):
        raise TypeError(
            "options: expected none beside a picture that is an array, as they are for reading a "
            f"file; received {', '.join(given)}"
        )
    framed = frame_object(picture, image_size=reconstructor.image_size)
    return meshes_of(reconstructor, np.float32(framed[None]) / 255.0)[0], framed
