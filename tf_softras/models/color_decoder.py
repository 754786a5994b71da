"""Turns a code and its picture into one colour per vertex."""

import keras
from keras import ops

from tf_softras.config import COLORS, ModelConfig
from tf_softras.geometry import icosphere
from tf_softras.models.image_encoder import IMAGE_CHANNELS

# Side of the squares of pixels that a palette samples: 256 of them in 64 x 64 pixels.
_CELL = 4
# A cell with a smaller alpha holds nothing of the object: one of 16 pixels has 8 bits of alpha.
_EMPTY = 1e-4
# This, added to a logit, makes its weight 0. It is finite, so that a picture without an object has
# weights too.
_NEVER = -1e9
# Keras 3.12, the last for Python 3.10: a functional model there neither takes a picture that no
# output needs nor trains the layers that are set on it afterwards. 3.15 does both.
_KERAS_WITHOUT_COLORS = (3, 12)


@keras.saving.register_keras_serializable(package="Softras")
class SampledPalette(keras.layers.Layer):
    """Mixes each vertex's colour from a palette that is sampled from the picture.

    The picture is averaged over squares of 4 x 4 pixels, by alpha. Colour k of the palette is the
    mean of these weighted by softmax_cells(sampling_k) times the cell's alpha, so that nothing but
    the object is sampled; a vertex's colour is the mean of the palette weighted by
    softmax_k(selection). Both are convex: no colour leaves the range of the picture's.

    Call arguments: images float [batch, height, width, 4], straight sRGB and alpha; sampling
    [batch, num_cells, palette_size] and selection [batch, num_vertices, palette_size], logits.

    Returns:
        Colours [batch, num_vertices, 3] in [0, 1], sRGB; 0 for a picture without an object.

    Source: Liu et al. 2019, arXiv 1904.01786, the colour generator.
    """

    def call(self, images, sampling, selection):
        """Returns the colours; see the class."""
        color, alpha = images[..., :3], images[..., 3:]
        cells = ops.average_pool(
            ops.concatenate([color * alpha, alpha], axis=-1), _CELL, padding="same"
        )
        cells = ops.reshape(cells, (-1, sampling.shape[1], IMAGE_CHANNELS))
        color, alpha = cells[..., :3], cells[..., 3:]
        color = color / ops.maximum(alpha, _EMPTY)
        logarithm = ops.where(alpha > _EMPTY, ops.log(ops.maximum(alpha, _EMPTY)), _NEVER)
        weights = ops.softmax(sampling + logarithm, axis=1)
        palette = ops.einsum("bcp,bcx->bpx", weights, color)
        return ops.einsum("bvp,bpx->bvx", ops.softmax(selection, axis=-1), palette)

    def compute_output_shape(self, images_shape, sampling_shape, selection_shape):
        """Returns the shape of the colours."""
        return (*selection_shape[:2], 3)


@keras.saving.register_keras_serializable(package="Softras")
class ColorDecoder(keras.Model):
    """Turns [codes [batch, code_size], images] into colours [batch, num_vertices, 3] in [0, 1].

    Colours are sRGB as in the pictures, light included. Dense layers with ReLU are followed by one
    that gives either three numbers a vertex, passed through a sigmoid, or the weights of a
    `SampledPalette`. The last layers compute in float32 under a mixed policy.

    Args:
        code_size: Length of the code.
        units: Units of each dense layer before the last.
        template_level: Subdivisions of the template sphere, whose vertices get the colours.
        image_size: Height and width of the pictures in pixels.
        color: `"direct"` or `"palette"`; see `tf_softras.config.ModelConfig`.
        palette_size: Colours of the palette.
        name: As in `keras.Model`.
        dtype: The policy of its layers; by default the global one.

    Raises:
        ValueError: `color` is neither.
        RuntimeError: Keras is not newer than 3.12.

    Source: "Soft Rasterizer", section 4.1, and Liu et al. 2019, arXiv 1904.01786.
    """

    def __init__(
        self,
        *,
        code_size,
        units,
        template_level,
        image_size,
        color,
        palette_size,
        name="color_decoder",
        dtype=None,
        **kwargs,
    ):
        if color not in COLORS:
            raise ValueError(f"color: expected one of {', '.join(COLORS)}; received {color!r}")
        if tuple(map(int, keras.__version__.split(".")[:2])) <= _KERAS_WITHOUT_COLORS:
            raise RuntimeError(
                "color: expected a Keras after 3.12, where colours can be trained, which needs "
                f"Python 3.11; received Keras {keras.__version__}"
            )
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        precise = policy if policy.compute_dtype == "float64" else "float32"
        code = keras.Input((code_size,), name="code")
        images = keras.Input((image_size, image_size, IMAGE_CHANNELS), name="images")
        hidden = code
        for index, size in enumerate(units, 1):
            hidden = keras.layers.Dense(
                size, activation="relu", dtype=policy, name=f"dense_{index}"
            )(hidden)
        num_vertices = len(icosphere(template_level).vertices)

        def numbers(rows, columns, activation, name):
            flat = keras.layers.Dense(
                rows * columns, activation=activation, dtype=precise, name=name
            )(hidden)
            return keras.layers.Reshape((rows, columns), dtype=precise, name=f"{name}_rows")(flat)

        if color == "direct":
            colors = numbers(num_vertices, 3, "sigmoid", "colors")
        else:
            colors = SampledPalette(dtype=precise, name="palette")(
                images,
                numbers((-(-image_size // _CELL)) ** 2, palette_size, None, "sampling"),
                numbers(num_vertices, palette_size, None, "selection"),
            )
        super().__init__(inputs=[code, images], outputs=colors, name=name, **kwargs)
        # Not `dtype_policy`: a functional model has that of its input, whatever its layers have.
        self.layer_policy = policy
        self.arguments = {
            "code_size": code_size,
            "units": tuple(units),
            "template_level": template_level,
            "image_size": image_size,
            "color": color,
            "palette_size": palette_size,
        }

    @classmethod
    def from_model_config(cls, config: ModelConfig, **kwargs):
        """Returns the colour decoder that `config` describes: the mesh decoder's first layer."""
        return cls(
            code_size=config.encoder_units[-1],
            units=config.decoder_units[:1],
            template_level=config.template_level,
            image_size=config.image_size,
            color=config.color,
            palette_size=config.palette_size,
            **kwargs,
        )

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **self.arguments,
            "units": list(self.arguments["units"]),
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.layer_policy),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the colour decoder that `get_config` described."""
        return cls(**config)
