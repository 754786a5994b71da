"""Pictures to try a network with: the embedded objects that no network was trained on."""

import pathlib
import tempfile

import numpy as np

from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
from tf_softras.datasets.shapenet_views.mesh_folder import scan_mesh_folder
from tf_softras.geometry import eye_from_angles, load_mesh, n3mr_views
from tf_softras.rendering import render_views

# The view from the front right, of N3MR's 24.
_VIEW = 2


def sample_pictures(*, image_size: int = 256) -> dict[str, np.ndarray]:
    """Returns a picture of each object in the sample's split `test`, by its class and a number.

    Args:
        image_size: Height and width, pixels.

    Returns:
        Name -> uint8 `[image_size, image_size, 4]`, straight colours, transparent background.
    """
    eyes = np.asarray(eye_from_angles(**n3mr_views()))[_VIEW][None]
    pictures: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        unpack_sample(folder)
        models, _ = scan_mesh_folder(pathlib.Path(folder))
        for model in models:
            if model.split == "test":
                class_name = model.label
                number = 1 + sum(name.startswith(class_name) for name in pictures)
                mesh = load_mesh(model.path).normalized()
                (picture,) = render_views(mesh, eyes, image_size=image_size)
                pictures[f"{class_name} {number}"] = picture
    return pictures
