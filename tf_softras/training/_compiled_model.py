"""Makes the model that `train` trains, with its optimizer."""

import keras
import tensorflow as tf

from tf_softras.config import ReconstructionConfig
from tf_softras.models import MeshReconstructor, VoxelReconstructor
from tf_softras.training._schedules import learning_rate_schedule
from tf_softras.training.distributed import synchronize_batch_statistics
from tf_softras.training.view_pair_model import ViewPairModel


def compiled_model(config: ReconstructionConfig) -> ViewPairModel:
    """Returns an untrained `ViewPairModel`, compiled as `train` trains it.

    Its weights and the optimizer's exist before the first batch, so that a backup can be loaded
    into them.
    """
    kind = VoxelReconstructor if config.method == "voxel" else MeshReconstructor
    model = ViewPairModel(kind(config.model), config)
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        synchronize_batch_statistics(model.reconstructor)
    averaging = {}
    if config.weight_averaging:
        averaging = {"use_ema": True, "ema_momentum": config.weight_averaging}
    model.compile(
        keras.optimizers.Adam(
            learning_rate_schedule(config),
            beta_1=config.beta_1,
            beta_2=config.beta_2,
            epsilon=config.epsilon,
            **averaging,
        )
    )
    size = config.model.image_size
    pictures, views = config.pictures_per_object, config.views_per_mesh
    model(
        {
            "images": keras.ops.zeros((1, pictures, size, size, 4)),
            "eyes": keras.ops.ones((1, views, 3)),
        }
    )
    model.optimizer.build(model.trainable_variables)
    return model
