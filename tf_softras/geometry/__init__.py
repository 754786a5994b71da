"""Meshes, cameras and voxels: the ground of the package, and its conventions."""

import importlib
import typing

import tf_softras._shared.keras_backend  # noqa: F401
from tf_softras._shared.extras import needs
from tf_softras.geometry._icosphere import icosphere
from tf_softras.geometry.cameras import (
    convert_extrinsics,
    eye_from_angles,
    intrinsic_matrix,
    intrinsics_from_projection,
    look_at,
    look_at_extrinsics,
    n3mr_views,
    orthographic,
    perspective,
    pinhole,
    rotation_from_quaternion,
    up_from_angles,
    world_to_camera,
)
from tf_softras.geometry.colors import linear_from_srgb, srgb_from_linear
from tf_softras.geometry.corner_mesh import (
    CornerMesh,
    clip_to_near,
    cull_back_faces,
    face_corners,
    pad_meshes,
)
from tf_softras.geometry.material import Material
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.normals import corner_normals, vertex_normals
from tf_softras.geometry.preconditioning import LaplacianPreconditioner
from tf_softras.geometry.uv import spherical_uvs
from tf_softras.geometry.voxels import voxelize

if typing.TYPE_CHECKING:
    from tf_softras.geometry.mesh_files import MeshFileError, encode_mesh, load_mesh, save_mesh

__all__ = [
    "CornerMesh",
    "LaplacianPreconditioner",
    "Material",
    "Mesh",
    "MeshFileError",
    "encode_mesh",
    "clip_to_near",
    "convert_extrinsics",
    "corner_normals",
    "cull_back_faces",
    "eye_from_angles",
    "face_corners",
    "icosphere",
    "intrinsic_matrix",
    "intrinsics_from_projection",
    "linear_from_srgb",
    "load_mesh",
    "look_at",
    "look_at_extrinsics",
    "n3mr_views",
    "orthographic",
    "pad_meshes",
    "perspective",
    "pinhole",
    "rotation_from_quaternion",
    "save_mesh",
    "spherical_uvs",
    "srgb_from_linear",
    "up_from_angles",
    "vertex_normals",
    "voxelize",
    "world_to_camera",
]
# They load on first use: they need the extra `meshes`, and arrays do not.
_FROM_MESH_FILES = ("MeshFileError", "encode_mesh", "load_mesh", "save_mesh")


def __getattr__(name: str):
    if name not in _FROM_MESH_FILES:
        raise AttributeError(f"module 'tf_softras.geometry' has no attribute {name!r}")
    with needs("meshes", "Reading and writing mesh files"):
        return getattr(importlib.import_module("tf_softras.geometry.mesh_files"), name)
