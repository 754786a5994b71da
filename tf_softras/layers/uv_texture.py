"""Textures as a Keras layer."""

import keras

from tf_softras.layers.call_inputs import split_inputs
from tf_softras.layers.geometry_dtype import geometry_dtype
from tf_softras.shading.texture import WRAPS, sample_texture


@keras.saving.register_keras_serializable(package="Softras")
class UVTexture(keras.layers.Layer):
    """Colours of textures at texture coordinates; see `tf_softras.shading.sample_texture`.

    u goes right and v up over the picture, whose row 0 is its top, as in OBJ files. The layer
    converts no colours: textures from files are sRGB and want `geometry.linear_from_srgb` before
    light is added.

    Args:
        wrap: beyond [0, 1] the texture is repeated ("repeat"), or its border goes on ("clamp").

    Call arguments:
        inputs: textures, float `[batch, texture_height, texture_width, channels]`, and uv, float
            `[batch, ..., 2]`.

    Returns:
        float `[batch, ..., channels]`, interpolated in at least float32 under every policy, of the
        policy's compute type.

    Raises:
        ValueError: `wrap` or a shape is not as above.
    """

    input_names = ("textures", "uv")

    def __init__(self, *, wrap="repeat", **kwargs):
        super().__init__(**kwargs)
        if wrap not in WRAPS:
            raise ValueError(f"Invalid wrap. Expected one of {WRAPS}. Received: wrap={wrap!r}")
        self.wrap = wrap
        self.autocast = False
        self.built = True

    def call(self, inputs):
        """Samples a batch of textures; see the class."""
        textures, uv = (
            keras.ops.cast(value, geometry_dtype(self))
            for value in split_inputs(self, inputs, self.input_names)
        )
        colors = sample_texture(textures, uv, wrap=self.wrap)
        return keras.ops.cast(colors, self.compute_dtype)

    def compute_output_spec(self, inputs):
        """The symbolic colours."""
        textures, uv = split_inputs(self, inputs, self.input_names)
        return keras.KerasTensor((*uv.shape[:-1], textures.shape[-1]), self.compute_dtype)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "wrap": self.wrap}
