"""Meshes in TensorBoard while a model trains."""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.mesh import summary_v2 as mesh_plugin

from tf_softras.training.predictor import predictor

# The view that meshes are made of, of the views of each object: from the front right.
_VIEW = 2


class MeshSummary(keras.callbacks.Callback):
    """Writes the meshes of a few pictures, and the pictures once, for TensorBoard's mesh tab.

    Each object is a tag of its own, `meshes/MODEL_ID`, so that its epochs can be stepped through.

    Args:
        dataset: Examples of `shapenet_views`, not batched: few, an epoch adds 23 kB for each.
        log_dir: Folder of the event files; they come beside those of other writers.
        first_step: Of the optimizer; 0 in a run that goes on from nothing.
    """

    def __init__(self, dataset: tf.data.Dataset, log_dir, *, first_step: int = 0):
        super().__init__()
        examples = list(dataset.as_numpy_iterator())
        self.names = [example["model_id"].decode() for example in examples]
        views = [example["images"][min(_VIEW, len(example["images"]) - 1)] for example in examples]
        self.images = np.stack(views).astype(np.float32) / 255.0
        self.log_dir = pathlib.Path(log_dir)
        self.first_step = first_step

    def on_train_begin(self, logs=None):
        """Opens the file, and writes the pictures of a new run."""
        self._writer = tf.summary.create_file_writer(str(self.log_dir))
        self._predict = predictor(self.model.reconstructor)
        if not self.first_step:
            with self._writer.as_default():
                for name, image in zip(self.names, self.images, strict=True):
                    tf.summary.image(f"pictures/{name}", image[None], step=0)

    def on_epoch_end(self, epoch, logs=None):
        """Writes the meshes, at the optimizer's step."""
        vertices = self._predict(self.images)
        faces = np.asarray(self.model.reconstructor.faces)[None]
        step = int(self.model.optimizer.iterations)
        with self._writer.as_default():
            for name, mesh in zip(self.names, vertices, strict=True):
                mesh_plugin.mesh(f"meshes/{name}", mesh[None], faces=faces, step=step)
        self._writer.flush()

    def on_train_end(self, logs=None):
        """Closes the file."""
        self._writer.close()
