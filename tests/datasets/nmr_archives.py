"""Archives in the format of the Neural 3D Mesh Renderer's, made from meshes of our own."""

import zipfile

import numpy as np

from tf_softras.datasets.shapenet_views.mesh_folder import scan_mesh_folder
from tf_softras.datasets.shapenet_views.object_views import Rendering, object_views
from tf_softras.geometry import load_mesh


def sample_features(folder):
    """Features of three objects of an unpacked sample, two of one class: [(synset, features)]."""
    models, _ = scan_mesh_folder(folder)
    return [
        (model.synset, object_views(load_mesh(model.path), Rendering()))
        for model in (models[0], models[1], models[-1])
    ]


def stored(features):
    """Pictures and voxels as the archive stores them: the opposite of what the builder undoes."""
    images = features["images"].astype(np.float64)
    alpha = images[..., 3:] / 255
    on_white = images[..., :3] * alpha + 255 * (1 - alpha)
    pictures = np.concatenate([255 - on_white, images[..., 3:]], axis=-1)
    voxels = np.zeros((32, 32, 32), bool)
    for x, y, z in np.argwhere(features["voxels"]):
        voxels[y, 31 - z, x] = True  # Axes (+y, -z, +x).
    return np.rint(pictures).astype(np.uint8).transpose(0, 3, 1, 2), voxels


def write_archive(folder, objects, split="train"):
    """Writes the pairs of files of some objects [(synset, features)] into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for synset in {synset for synset, _ in objects}:
        pairs = [stored(features) for name, features in objects if name == synset]
        images, voxels = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
        np.savez_compressed(folder / f"{synset}_{split}_images.npz", images)
        np.savez_compressed(folder / f"{synset}_{split}_voxels.npz", voxels)


def zipped(folder, path):
    """Packs a folder as the published archive is, below `mesh_reconstruction/`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"mesh_reconstruction/{file.name}")
    return path
