"""Meshes, and silhouettes beside the true ones, in TensorBoard while a model trains."""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.mesh import summary_v2 as mesh_plugin

from tf_softras.geometry.cameras import eye_from_angles, look_at, perspective
from tf_softras.ops import soft_rasterize
from tf_softras.reconstruction import as_reconstructor, meshes_of

# The view that meshes are made of, of the views of each object: from the front right.
_VIEW = 2
# Views whose silhouettes are shown.
_SILHOUETTES = 6


def _all_around(num_views: int) -> np.ndarray:
    """Returns the indices of the views whose silhouettes are shown."""
    return np.unique(np.linspace(0, num_views, _SILHOUETTES, endpoint=False).astype(int))


class MeshSummary(keras.callbacks.Callback):
    """Writes the meshes of a few pictures and their silhouettes, and the pictures once.

    Each object has tags of its own, so that its epochs can be stepped through: `meshes/MODEL_ID`
    for the mesh tab; `silhouettes/MODEL_ID`, a picture whose columns are views all around, the true
    silhouettes above, those of the mesh below, white where the object is.

    Args:
        dataset: Examples of `shapenet_views`, not batched. Use few: an epoch adds 30 kB for each.
        log_dir: Folder of the event files; they come beside those of other writers.
        first_step: The optimizer's step at the start; 0 in a new run.
    """

    def __init__(self, dataset: tf.data.Dataset, log_dir, *, first_step: int = 0):
        super().__init__()
        examples = list(dataset.as_numpy_iterator())
        self.names = [example["model_id"].decode() for example in examples]
        views = [example["images"][min(_VIEW, len(example["images"]) - 1)] for example in examples]
        self.images = np.stack(views).astype(np.float32) / 255.0
        around = [_all_around(len(example["images"])) for example in examples]
        self.true = [
            example["images"][seen, ..., 3].astype(np.float32) / 255.0
            for example, seen in zip(examples, around, strict=True)
        ]
        self.eyes = [
            eye_from_angles(**{name: angle[seen] for name, angle in example["cameras"].items()})
            for example, seen in zip(examples, around, strict=True)
        ]
        self.log_dir = pathlib.Path(log_dir)
        self.first_step = first_step

    def on_train_begin(self, logs=None):
        """Opens the file, and writes the pictures of a new run."""
        self._writer = tf.summary.create_file_writer(str(self.log_dir))
        self._reconstructor = as_reconstructor(self.model.reconstructor)
        if not self.first_step:
            with self._writer.as_default():
                for name, image in zip(self.names, self.images, strict=True):
                    tf.summary.image(f"pictures/{name}", image[None], step=0)

    def on_epoch_end(self, epoch, logs=None):
        """Writes the meshes and silhouettes, at the optimizer's step."""
        meshes = meshes_of(self._reconstructor, self.images)
        step = int(self.model.optimizer.iterations.numpy())
        with self._writer.as_default():
            for name, mesh, true, eyes in zip(
                self.names, meshes.vertices, self.true, self.eyes, strict=True
            ):
                mesh_plugin.mesh(f"meshes/{name}", mesh[None], faces=meshes.faces[None], step=step)
                drawn = self._silhouettes(mesh, eyes)
                rows = [np.concatenate(list(row), axis=1) for row in (true, drawn)]
                sheet = np.concatenate(rows, axis=0)[None, ..., None]
                tf.summary.image(f"silhouettes/{name}", sheet, step=step)
        self._writer.flush()

    def _silhouettes(self, mesh, eyes) -> np.ndarray:
        """Returns [num_views, height, width]: as the model in training sees the mesh."""
        layer = self.model.rasterize
        plane = perspective(look_at(tf.repeat(mesh[None], len(eyes), axis=0), eyes))
        silhouettes = soft_rasterize(
            plane,
            layer.faces,
            image_size=layer.image_size,
            sigma=layer.sigma,
            near=layer.near,
            implementation=layer.implementation,
        )
        return silhouettes.numpy()

    def on_train_end(self, logs=None):
        """Closes the file."""
        self._writer.close()
