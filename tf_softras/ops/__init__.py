"""The custom ops as TensorFlow functions."""

from tf_softras.ops.rasterize_faces import rasterize_faces
from tf_softras.ops.soft_rasterize import soft_rasterize
from tf_softras.ops.soft_shade import soft_shade

__all__ = ["rasterize_faces", "soft_rasterize", "soft_shade"]
