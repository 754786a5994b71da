"""A picture becomes a mesh: one way to call every kind of reconstructor.

`open_reconstructor` opens a run, a SavedModel, a model server or the network that comes with
tf_softras; `as_reconstructor` takes a Keras network or a function of yours; `mesh_from_picture`
reads a picture, frames it and returns its mesh.
"""

from tf_softras.reconstruction._answers import Meshes, Voxels
from tf_softras.reconstruction._any_network import as_reconstructor
from tf_softras.reconstruction._exported import (
    ExportedReconstructor,
    SavedModelError,
    saved_model_folder,
)
from tf_softras.reconstruction._function import MeshFunction, VoxelFunction
from tf_softras.reconstruction._mesh_network import MeshNetwork
from tf_softras.reconstruction._open import open_reconstructor
from tf_softras.reconstruction._picture import mesh_from_picture
from tf_softras.reconstruction._protocol import (
    MESHES,
    Gives,
    Reconstructor,
    ReconstructorError,
    meshes_of,
    require_answers,
)
from tf_softras.reconstruction._refined_network import RefinedNetwork
from tf_softras.reconstruction._served import ServedReconstructor, ServingError
from tf_softras.reconstruction._shipped import SHIPPED_NETWORK, shipped_network
from tf_softras.reconstruction._template import TemplateBaseline
from tf_softras.reconstruction._voxel_network import VoxelNetwork

__all__ = [
    "MESHES",
    "SHIPPED_NETWORK",
    "ExportedReconstructor",
    "Gives",
    "MeshFunction",
    "MeshNetwork",
    "Meshes",
    "Reconstructor",
    "ReconstructorError",
    "RefinedNetwork",
    "SavedModelError",
    "ServedReconstructor",
    "ServingError",
    "TemplateBaseline",
    "VoxelFunction",
    "VoxelNetwork",
    "Voxels",
    "as_reconstructor",
    "mesh_from_picture",
    "meshes_of",
    "open_reconstructor",
    "require_answers",
    "saved_model_folder",
    "shipped_network",
]
