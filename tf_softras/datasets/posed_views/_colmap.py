"""COLMAP's models, text and binary, by pycolmap."""

import pathlib

import numpy as np

from tf_softras._shared.extras import needs
from tf_softras.datasets.posed_views._views import PosedView, PosedViewsError

# COLMAP's tools put a model and its pictures into one of these.
MODEL_FOLDERS = (".", "sparse/0", "sparse", "colmap/sparse/0", "dense/sparse")
_PICTURE_FOLDERS = ("images", "../images", "../../images", ".")
# Model -> the indices of fx, fy, cx, cy and of OpenCV's k1, k2, p1, p2, ... among its parameters.
_PARAMETERS = {
    "SIMPLE_PINHOLE": ((0, 0, 1, 2), ()),
    "PINHOLE": ((0, 1, 2, 3), ()),
    "SIMPLE_RADIAL": ((0, 0, 1, 2), (3,)),
    "RADIAL": ((0, 0, 1, 2), (3, 4)),
    "OPENCV": ((0, 1, 2, 3), (4, 5, 6, 7)),
    "FULL_OPENCV": ((0, 1, 2, 3), (4, 5, 6, 7, 8, 9, 10, 11)),
}


def colmap_model(folder: pathlib.Path) -> pathlib.Path | None:
    """Returns the folder of the COLMAP model in a folder of pictures, or None."""
    for name in MODEL_FOLDERS:
        for suffix in (".bin", ".txt"):
            if all((folder / name / f"{file}{suffix}").is_file() for file in ("cameras", "images")):
                return folder / name
    return None


def read_colmap(model: pathlib.Path, folder: pathlib.Path) -> list[PosedView]:
    """Returns the registered views of a COLMAP model, in the order of their names.

    Raises:
        PosedViewsError: The model is damaged, a lens is not one of OpenCV's, a picture is missing.
        ImportError: pycolmap is not installed.
    """
    with needs("colmap", "A COLMAP model"):
        import pycolmap
    try:
        reconstruction = pycolmap.Reconstruction(str(model))
    except Exception as error:  # pycolmap raises what its C++ throws.
        raise PosedViewsError(f"'{model}': expected a COLMAP model; received: {error}") from error
    images = [image for image in reconstruction.images.values() if image.has_pose]
    return [
        _view(model, folder, image, reconstruction.cameras[image.camera_id])
        for image in sorted(images, key=lambda image: image.name)
    ]


def _view(model, folder, image, camera):
    kind = camera.model.name
    if kind not in _PARAMETERS:
        raise PosedViewsError(
            f"'{model}': expected a camera model of {sorted(_PARAMETERS)}; received {kind}. "
            "Undistort with `colmap image_undistorter` first"
        )
    lens, distortion = _PARAMETERS[kind]
    fx, fy, cx, cy = (camera.params[index] for index in lens)
    coefficients = [camera.params[index] for index in distortion]
    pose = image.cam_from_world() if callable(image.cam_from_world) else image.cam_from_world
    return PosedView(
        name=image.name,
        picture=_picture(model, folder, image.name),
        rotation=np.array(pose.rotation.matrix()),
        translation=np.array(pose.translation),
        intrinsics=np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]),
        distortion=tuple(coefficients + [0.0] * (4 - len(coefficients)))
        if any(coefficients)
        else None,
    )


def _picture(model, folder, name):
    for base in (folder / "images", *(model / place for place in _PICTURE_FOLDERS), folder):
        base = base.resolve()
        file = (base / name).resolve()
        if file.is_file() and file.is_relative_to(base):
            return file
    raise PosedViewsError(
        f"'{model}': expected the picture '{name}' in '{folder / 'images'}'; received none"
    )
