"""Turns a picture into a grid of occupancies: the voxel baseline."""

import keras

from tf_softras.config import VOXEL_FILTERS, ModelConfig
from tf_softras.models.image_encoder import (
    BATCH_NORMALIZATION_EPSILON,
    BATCH_NORMALIZATION_MOMENTUM,
    ImageEncoder,
)

# Cells along each side of the grid before the first doubling.
_FIRST_SIDE = 4


@keras.saving.register_keras_serializable(package="Softras")
class VoxelReconstructor(keras.Model):
    """Turns pictures into occupancies float32 [batch, r, r, r] in [0, 1].

    The encoder is that of `MeshReconstructor`. A dense layer gives a grid of 4 cells a side; each
    transposed convolution (4 x 4 x 4, stride 2), after batch normalisation and ReLU, doubles the
    side, and the last one gives the occupancies by a sigmoid: r is 32 with three numbers of
    filters. Index order [x, y, z], over [-0.5, 0.5]^3.

    Without the normalisation all pictures pull the same way at first, the activations grow to some
    hundreds, and the sigmoids saturate at one mean shape, whose gradient is zero.

    Args:
        config: A `ModelConfig` or its `to_dict()`; the encoder and the pictures' size are used.
        filters: Filters of the dense layer's grid and of each transposed convolution but the last.
        name: As in `keras.Model`.

    Attributes:
        config: The `ModelConfig`.
        resolution: r.

    Source: Yan et al. 2016, "Perspective Transformer Nets": a volume decoder on a picture's code.
    """

    def __init__(self, config, filters=VOXEL_FILTERS, *, name="voxel_reconstructor", **kwargs):
        config = ModelConfig.from_dict(config) if isinstance(config, dict) else config
        encoder = ImageEncoder.from_model_config(config)
        images = keras.Input(encoder.input_shape[1:], name="images")
        first = (*[_FIRST_SIDE] * 3, filters[0])
        grid = keras.layers.Dense(_FIRST_SIDE**3 * filters[0], name="grid")(encoder(images))
        grid = keras.layers.Reshape(first, name="cells")(grid)
        for index, count in enumerate((*filters[1:], 1), 1):
            grid = keras.layers.BatchNormalization(
                momentum=BATCH_NORMALIZATION_MOMENTUM,
                epsilon=BATCH_NORMALIZATION_EPSILON,
                name=f"batch_normalization_{index}",
            )(grid)
            grid = keras.layers.ReLU(name=f"relu_{index}")(grid)
            grid = keras.layers.Conv3DTranspose(
                count,
                4,
                strides=2,
                padding="same",
                activation="sigmoid" if index == len(filters) else None,
                name=f"doubling_{index}",
            )(grid)
        voxels = keras.layers.Reshape(grid.shape[1:4], name="voxels")(grid)
        super().__init__(inputs=images, outputs=voxels, name=name, **kwargs)
        self.config = config
        self.filters = tuple(filters)
        self.encoder = encoder
        self.resolution = voxels.shape[-1]

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            "config": self.config.to_dict(),
            "filters": list(self.filters),
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the network that `get_config` described, untrained."""
        return cls(**config)
