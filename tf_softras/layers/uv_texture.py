"""Textures as a Keras layer."""

import keras

from tf_softras.layers._call_inputs import boolean
from tf_softras.layers._geometry_layer import GeometryLayer
from tf_softras.shading.texture import sample_texture, validate_wrap


@keras.saving.register_keras_serializable(package="Softras")
class UVTexture(GeometryLayer):
    """Returns colours of textures at texture coordinates; see `tf_softras.shading.sample_texture`.

    u goes right and v up over the picture, whose row 0 is its top, as in OBJ files. The layer
    converts no colours: textures from files are sRGB and want `geometry.linear_from_srgb` before
    light is added. A batch of 1 beside a batch of n broadcasts: one texture on many pictures.

    Args:
        wrap: Beyond [0, 1] the texture is repeated ("repeat"), or its border goes on ("clamp").
        mipmaps: Whether textures are averaged where a pixel covers many texels (trilinear).

    Call arguments:
        inputs: Textures, float `[batch, texture_height, texture_width, channels]`, and uv, float
            `[batch, ..., 2]`; with `mipmaps` also uv_derivatives, float `[batch, ..., 2, 2]`, of
            `tf_softras.shading.uv_derivatives`.

    Returns:
        Float `[batch, ..., channels]`, interpolated in at least float32 under every policy, of the
        policy's compute type.

    Raises:
        ValueError: An argument or a shape is not as above.

    Example:
    >>> texture = np.array([[[[0.0], [1.0]]]], np.float32)    # one row: black, white
    >>> uv = np.float32([[[0.25, 0.5], [0.5, 0.5], [0.75, 0.5]]])
    >>> np.asarray(layers.UVTexture()([texture, uv])).ravel()
    array([0. , 0.5, 1. ], dtype=float32)
    """

    def __init__(self, *, wrap="repeat", mipmaps=False, **kwargs):
        super().__init__(**kwargs)
        validate_wrap(wrap)
        self.wrap = wrap
        self.mipmaps = boolean("mipmaps", mipmaps)

    @property
    def input_names(self):
        """The names of the inputs, in their order."""
        return ("textures", "uv", "uv_derivatives") if self.mipmaps else ("textures", "uv")

    def call(self, inputs):
        """Returns the colours of a batch; see the class."""
        given = self.split(inputs)
        colors = sample_texture(*(given[name] for name in self.input_names), wrap=self.wrap)
        return keras.ops.cast(colors, self.compute_dtype)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "wrap": self.wrap, "mipmaps": self.mipmaps}

    def _output_shape(self, shapes, batch):
        return (batch, *shapes["uv"][1:-1], shapes["textures"][-1])

    def _output_dtype(self):
        return self.compute_dtype
