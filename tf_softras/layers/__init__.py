"""Keras layers: cameras, the soft rasteriser and the soft shader."""

from tf_softras.layers.look_at import LookAt
from tf_softras.layers.perspective import Perspective
from tf_softras.layers.soft_rasterize import SoftRasterize
from tf_softras.layers.soft_shade import SoftShade

__all__ = ["LookAt", "Perspective", "SoftRasterize", "SoftShade"]
