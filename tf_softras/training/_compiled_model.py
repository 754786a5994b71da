"""The model that `train` trains, with its optimizer, loss and metrics."""

import keras
import tensorflow as tf

from tf_softras.config import ReconstructionConfig
from tf_softras.losses import SilhouetteIoULoss
from tf_softras.metrics import SilhouetteIoU
from tf_softras.models import MeshReconstructor, VoxelReconstructor
from tf_softras.training.distributed import synchronize_batch_statistics
from tf_softras.training.view_pair_model import ViewPairModel


def compiled_model(config: ReconstructionConfig) -> ViewPairModel:
    """Returns an untrained `ViewPairModel`, compiled as `train` trains it.

    Its weights and the optimizer's are there, before a batch is, so that a backup can be loaded
    into them.
    """
    kind = VoxelReconstructor if config.method == "voxel" else MeshReconstructor
    model = ViewPairModel(kind(config.model), config)
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        synchronize_batch_statistics(model.reconstructor)
    model.compile(
        optimizer=keras.optimizers.Adam(
            decayed(config.learning_rate, config),
            beta_1=config.beta_1,
            beta_2=config.beta_2,
            epsilon=config.epsilon,
        ),
        loss={"silhouettes": SilhouetteIoULoss()},
        metrics={"silhouettes": [SilhouetteIoU()]},
    )
    size = config.model.image_size
    model({"images": keras.ops.zeros((1, 2, size, size, 4)), "eyes": keras.ops.ones((1, 2, 3))})
    model.optimizer.build(model.trainable_variables)
    return model


def decayed(value: float, config: ReconstructionConfig):
    """Returns the schedule of `value`: times the decay factor once `decay_steps` steps are done."""
    # A boundary is the last step (counted from 0) of what comes before it. A run without a decay
    # ends before its boundary.
    boundary = config.steps if config.decay_steps is None else config.decay_steps - 1
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [boundary], [value, value * config.decay_factor]
    )
