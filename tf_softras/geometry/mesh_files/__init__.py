"""Mesh files: OBJ, glTF, PLY, OFF and STL in; OBJ and binary glTF out."""

from tf_softras.geometry.mesh_files._load import MESH_SUFFIXES, MeshFileError, load_mesh
from tf_softras.geometry.mesh_files._save import encode_mesh, save_mesh

__all__ = ["MESH_SUFFIXES", "MeshFileError", "encode_mesh", "load_mesh", "save_mesh"]
