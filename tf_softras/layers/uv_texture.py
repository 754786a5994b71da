"""Textures as a Keras layer."""

import keras

from tf_softras.layers._call_inputs import boolean, split_inputs
from tf_softras.layers._geometry_dtype import geometry_dtype
from tf_softras.shading.texture import WRAPS, sample_texture


@keras.saving.register_keras_serializable(package="Softras")
class UVTexture(keras.layers.Layer):
    """Colours of textures at texture coordinates; see `tf_softras.shading.sample_texture`.

    u goes right and v up over the picture, whose row 0 is its top, as in OBJ files. The layer
    converts no colours: textures from files are sRGB and want `geometry.linear_from_srgb` before
    light is added.

    Args:
        wrap: beyond [0, 1] the texture is repeated ("repeat"), or its border goes on ("clamp").
        mipmaps: whether textures are averaged where a pixel covers many texels (trilinear).

    Call arguments:
        inputs: textures, float `[batch, texture_height, texture_width, channels]`, and uv, float
            `[batch, ..., 2]`; with `mipmaps` also uv_derivatives, float `[batch, ..., 2, 2]`, of
            `tf_softras.shading.uv_derivatives`.

    Returns:
        float `[batch, ..., channels]`, interpolated in at least float32 under every policy, of the
        policy's compute type.

    Raises:
        ValueError: an argument or a shape is not as above.
    """

    def __init__(self, *, wrap="repeat", mipmaps=False, **kwargs):
        super().__init__(**kwargs)
        if wrap not in WRAPS:
            raise ValueError(f"Invalid wrap. Expected one of {WRAPS}. Received: wrap={wrap!r}")
        self.wrap = wrap
        self.mipmaps = boolean("mipmaps", mipmaps)
        self.autocast = False
        self.built = True

    @property
    def input_names(self):
        """What the layer is called with."""
        return ("textures", "uv", "uv_derivatives") if self.mipmaps else ("textures", "uv")

    def call(self, inputs):
        """Samples a batch of textures; see the class."""
        inputs = [keras.ops.cast(value, geometry_dtype(self)) for value in self._split(inputs)]
        colors = sample_texture(*inputs, wrap=self.wrap)
        return keras.ops.cast(colors, self.compute_dtype)

    def compute_output_spec(self, inputs):
        """The symbolic colours."""
        textures, uv, *_ = self._split(inputs)
        return keras.KerasTensor((*uv.shape[:-1], textures.shape[-1]), self.compute_dtype)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "wrap": self.wrap, "mipmaps": self.mipmaps}

    def _split(self, inputs):
        return split_inputs(self, inputs, self.input_names)
