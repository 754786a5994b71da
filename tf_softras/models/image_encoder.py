"""Turns a picture into a code."""

import keras

from tf_softras.config import ModelConfig

# PyTorch's defaults, which the released code trains with; Keras's own are 0.99 and 1e-3.
BATCH_NORMALIZATION_MOMENTUM = 0.9  # PyTorch's 0.1 is the share of the new batch.
BATCH_NORMALIZATION_EPSILON = 1e-5

IMAGE_CHANNELS = 4


@keras.saving.register_keras_serializable(package="Softras")
class ImageEncoder(keras.Model):
    """Turns pictures float32 [batch, image_size, image_size, 4] into codes [batch, code_size].

    Each convolution is 5x5 with stride 2, two zeros added on every side, then batch normalisation
    and ReLU; each dense layer is followed by ReLU. The last dense layer gives the code.

    Args:
        convolution_filters: Filters of each convolution.
        units: Units of each dense layer.
        image_size: Height and width of the pictures in pixels.
        name: As in `keras.Model`.
        dtype: The policy of its layers; by default the global one.

    Source: "Soft Rasterizer", section 5.1; padding and batch normalisation as in the released code.
    """

    def __init__(
        self, *, convolution_filters, units, image_size, name="image_encoder", dtype=None, **kwargs
    ):
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        images = keras.Input((image_size, image_size, IMAGE_CHANNELS), name="images")
        outputs = images
        for index, filters in enumerate(convolution_filters, 1):
            # Padding "same" would add 1 before and 2 after where an even size is halved.
            outputs = keras.layers.ZeroPadding2D(2, dtype=policy, name=f"padding_{index}")(outputs)
            outputs = keras.layers.Conv2D(
                filters, 5, strides=2, dtype=policy, name=f"convolution_{index}"
            )(outputs)
            outputs = keras.layers.BatchNormalization(
                momentum=BATCH_NORMALIZATION_MOMENTUM,
                epsilon=BATCH_NORMALIZATION_EPSILON,
                dtype=policy,
                name=f"batch_normalization_{index}",
            )(outputs)
            outputs = keras.layers.ReLU(dtype=policy, name=f"relu_{index}")(outputs)
        outputs = keras.layers.Flatten(dtype=policy, name="flatten")(outputs)
        for index, size in enumerate(units, 1):
            outputs = keras.layers.Dense(
                size, activation="relu", dtype=policy, name=f"dense_{index}"
            )(outputs)
        super().__init__(inputs=images, outputs=outputs, name=name, **kwargs)
        # Not `dtype_policy`: a functional model has that of its input, whatever its layers have.
        self.layer_policy = policy
        self.convolution_filters = tuple(convolution_filters)
        self.units = tuple(units)
        self.image_size = image_size

    @classmethod
    def from_model_config(cls, config: ModelConfig, **kwargs):
        """Returns the encoder that `config` describes."""
        return cls(
            convolution_filters=config.convolution_filters,
            units=config.encoder_units,
            image_size=config.image_size,
            **kwargs,
        )

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            "convolution_filters": list(self.convolution_filters),
            "units": list(self.units),
            "image_size": self.image_size,
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.layer_policy),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the encoder that `get_config` described."""
        return cls(**config)
