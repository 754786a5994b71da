"""The custom ops as TensorFlow functions."""

from tf_softras.ops._library import register_ops
from tf_softras.ops._rasterize_faces import rasterize_faces
from tf_softras.ops._soft_rasterize import soft_rasterize
from tf_softras.ops._soft_shade import soft_shade

__all__ = ["rasterize_faces", "register_ops", "soft_rasterize", "soft_shade"]
