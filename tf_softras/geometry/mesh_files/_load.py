"""Reads a mesh file of any known format."""

import pathlib

from tf_softras._shared.errors import SoftrasError
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.mesh_files import _scene_reader as scene_reader
from tf_softras.geometry.mesh_files._obj_reader import read_obj

# Of the files that `load_mesh` reads.
MESH_SUFFIXES = (".obj", *scene_reader.SUFFIXES)


class MeshFileError(SoftrasError, ValueError):
    """A mesh file cannot be read: the message names it, what was expected and what came."""


def load_mesh(
    path,
    *,
    max_bytes: int = 128 * 2**20,
    max_faces: int = 2_000_000,
    foreign_materials: str = "warn",
) -> Mesh:
    """Returns the one mesh that all parts of a mesh file make together, in its coordinates.

    OBJ: vertices keep the file's order and number, also those that no face uses; faces keep its
    order, a polygon becoming the triangles it is made of. Nothing is merged or dropped. If a
    material library gives at least one diffuse colour (`Kd`), each face carries its material's, or
    light grey if it has none; otherwise `face_colors` is None. Normals, texture coordinates and
    vertex colours are passed over. Only the OBJ file and the material libraries in or below its own
    folder are opened, links resolved. A library elsewhere or missing is a warning in the log.

    Binary glTF (`.glb`), PLY, OFF and STL: as trimesh reads them, glTF's nodes where their
    transformations put them. Colours of vertices or faces are kept (glTF's turned from linear to
    sRGB), those of materials are not. Corners of an STL file at the same place become one vertex.
    No further file is opened; compressed glTF, and a node of two parents, are refused.

    Textures are never opened.

    Args:
        path: The file; its suffix, `.obj`, `.glb`, `.ply`, `.off` or `.stl`, says which format.
        max_bytes: The most bytes that the file, and each material library, may have.
        max_faces: The most triangles that the mesh may have.
        foreign_materials: What a name of a material library is that leads out of the folder:
            "warn", a warning, or "error"; missing libraries are a warning.

    Raises:
        MeshFileError: If the file is missing, too large, not one of its format with faces, or has
            invalid numbers or indices.
    """
    path = pathlib.Path(path)
    suffix = path.suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise MeshFileError(
            f"Cannot read '{path}'. Expected a file whose name ends in "
            f"{' or '.join(MESH_SUFFIXES)}, received {path.suffix or 'no suffix'!r}."
        )
    try:
        if suffix != ".obj":
            return scene_reader.read_scene(path, max_bytes=max_bytes, max_faces=max_faces)
        return read_obj(
            path,
            max_bytes=max_bytes,
            max_faces=max_faces,
            foreign_materials=foreign_materials,
        )
    except OSError as error:
        raise MeshFileError(
            f"Cannot read '{path}'. Expected a readable file, received: {error.strerror or error}."
        ) from error
    except ValueError as error:
        raise MeshFileError(f"Cannot read '{path}'. {error}") from error
