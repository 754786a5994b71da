"""Makes before_storeys.tar.xz, in a checkout of d50e033: the last commit before the storeys."""

import pathlib
import shutil

import keras
import numpy as np
from tests.training.shapes import tiny_config

from tf_softras import geometry, layers, losses
from tf_softras.export import export_saved_model
from tf_softras.models import MeshReconstructor
from tf_softras.training import RunFolder

folder = pathlib.Path("oldfix")
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir()
keras.utils.set_random_seed(3)
config = tiny_config()
run = RunFolder.create(folder / "run", config)
network = MeshReconstructor(config.model)
path = run.checkpoint_path("best")
path.parent.mkdir()
network.save(path)
side = config.model.image_size
images = np.random.default_rng(0).random((2, side, side, 4)).astype("float32")
export_saved_model(network, folder / "exported", sigma=1e-4)

mesh = geometry.icosphere(0)
vertices, eyes = keras.Input((12, 3)), keras.Input((3,))
seen = layers.Perspective()(layers.LookAt()([vertices, eyes]))
silhouettes = layers.SoftRasterize(mesh.faces, image_size=8, sigma=1e-3)(seen)
model = keras.Model([vertices, eyes], silhouettes)
model.compile("adam", loss=losses.SilhouetteIoULoss())
model.save(folder / "rendering.keras")
eye = np.array([[0.0, 1.0, 2.0]], "float32")
np.savez(
    folder / "expected.npz",
    vertices=np.asarray(network(images)),
    silhouettes=model.predict([0.4 * mesh.vertices[None], eye], verbose=0),
)
shutil.make_archive("before_storeys", "xztar", base_dir=folder)
