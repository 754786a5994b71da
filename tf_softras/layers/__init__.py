"""Keras layers: cameras and the soft rasteriser."""

from tf_softras.layers.look_at import LookAt
from tf_softras.layers.perspective import Perspective
from tf_softras.layers.soft_rasterize import SoftRasterize

__all__ = ["LookAt", "Perspective", "SoftRasterize"]
