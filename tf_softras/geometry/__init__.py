"""Meshes, cameras and voxels: the first room of the package, and its conventions."""

from tf_softras.geometry.cameras import eye_from_angles, look_at, n3mr_views, perspective
from tf_softras.geometry.icosphere import icosphere
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.mesh_files import MeshFileError, encode_mesh, load_mesh, save_mesh
from tf_softras.geometry.voxels import voxelize

__all__ = [
    "Mesh",
    "MeshFileError",
    "encode_mesh",
    "eye_from_angles",
    "icosphere",
    "load_mesh",
    "look_at",
    "n3mr_views",
    "perspective",
    "save_mesh",
    "voxelize",
]
