"""Networks that make a mesh out of one picture."""

from tf_softras.models.color_decoder import ColorDecoder
from tf_softras.models.image_encoder import ImageEncoder
from tf_softras.models.mesh_decoder import MeshDecoder
from tf_softras.models.mesh_reconstructor import MeshReconstructor
from tf_softras.models.mesh_regularization import MeshRegularization

__all__ = ["ColorDecoder", "ImageEncoder", "MeshDecoder", "MeshReconstructor", "MeshRegularization"]
