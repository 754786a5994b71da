"""Networks that make a mesh out of one picture, and the baselines that make voxels."""

from tf_softras.models._pretrained import pretrained_names
from tf_softras.models.color_decoder import ColorDecoder
from tf_softras.models.image_encoder import ImageEncoder
from tf_softras.models.mesh_decoder import MeshDecoder
from tf_softras.models.mesh_reconstructor import MeshReconstructor
from tf_softras.models.mesh_regularization import MeshRegularization
from tf_softras.models.retrieval import RetrievalReconstructor
from tf_softras.models.voxel_reconstructor import VoxelReconstructor

__all__ = [
    "ColorDecoder",
    "ImageEncoder",
    "MeshDecoder",
    "MeshReconstructor",
    "MeshRegularization",
    "RetrievalReconstructor",
    "VoxelReconstructor",
    "pretrained_names",
]
