"""Textures and light, which give surfaces their colours, as functions of `keras.ops`.

Everything here is linear: colours add up as light does. Colours of files are sRGB-encoded and go
through `geometry.linear_from_srgb` first; only `layers.Renderer` does that by itself.
"""

from tf_softras.shading.lighting import DirectionalLight, PointLight, lambert_light
from tf_softras.shading.mipmaps import (
    footprint_attributes,
    level_of_detail,
    mip_levels,
    uv_derivatives,
)
from tf_softras.shading.texture import sample_texture

__all__ = [
    "DirectionalLight",
    "PointLight",
    "footprint_attributes",
    "lambert_light",
    "level_of_detail",
    "mip_levels",
    "sample_texture",
    "uv_derivatives",
]
