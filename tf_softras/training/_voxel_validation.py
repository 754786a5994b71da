"""Measures 3D IoU while a model trains."""

import keras
import tensorflow as tf

from tf_softras.datasets.shapenet_views.class_names import names_for
from tf_softras.evaluation._evaluate import evaluate
from tf_softras.reconstruction import as_reconstructor


class VoxelValidation(keras.callbacks.Callback):
    """Adds "val_voxel_iou", the mean over classes, to the logs of every epoch.

    Args:
        dataset: Examples of `shapenet_views`, not batched. Use few: a view takes about 10 ms.
    """

    def __init__(self, dataset: tf.data.Dataset):
        super().__init__()
        self.dataset = dataset
        # Names do not matter to the mean, but there must be one for each label.
        labels = dataset.map(lambda example: example["label"]).as_numpy_iterator()
        self._class_names = names_for(labels, None)

    def on_train_begin(self, logs=None):
        """Prepares `model.reconstructor`: its graph is traced once for all epochs."""
        self._reconstructor = as_reconstructor(self.model.reconstructor)

    def on_epoch_end(self, epoch, logs=None):
        """Evaluates `model.reconstructor`."""
        logs["val_voxel_iou"] = evaluate(
            self._reconstructor, self.dataset, class_names=self._class_names, progress=False
        ).mean
