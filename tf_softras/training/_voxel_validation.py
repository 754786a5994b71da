"""3D IoU while a model trains."""

import keras
import tensorflow as tf

from tf_softras.evaluation._evaluate import evaluate


class VoxelValidation(keras.callbacks.Callback):
    """Adds "val_voxel_iou", the mean over classes, to the logs of every epoch.

    Args:
        dataset: Examples of `shapenet_views`, not batched: few, a view takes about 10 ms.
    """

    def __init__(self, dataset: tf.data.Dataset):
        super().__init__()
        self.dataset = dataset

    def on_epoch_end(self, epoch, logs=None):
        """Evaluates `model.reconstructor`."""
        logs["val_voxel_iou"] = evaluate(
            self.model.reconstructor, self.dataset, progress=False
        ).mean
