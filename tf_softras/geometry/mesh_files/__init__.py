"""Mesh files: OBJ, glTF, PLY, OFF and STL in; OBJ and binary glTF out."""

from tf_softras.geometry.mesh_files._any_format import (
    MESH_SUFFIXES,
    MeshFileError,
    encode_mesh,
    load_mesh,
    save_mesh,
)

__all__ = ["MESH_SUFFIXES", "MeshFileError", "encode_mesh", "load_mesh", "save_mesh"]
