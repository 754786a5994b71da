"""Writes a mesh to a file: binary glTF, or OBJ with its materials."""

import pathlib

from tf_softras._shared.files import replaced_whole
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.mesh_files._glb_writer import encode_glb
from tf_softras.geometry.mesh_files._obj_writer import encode_obj


def save_mesh(path, mesh: Mesh) -> None:
    """Writes a mesh to a binary glTF file or an OBJ file, by the suffix `.glb` or `.obj`.

    Coordinates are the world's in both formats, right-handed and +y up, so nothing is mirrored.
    Each file appears whole or not at all: it is written beside its place and renamed.

    glTF: one mesh, with a primitive for each material, seen from both sides, not metallic. Textures
    are PNG pictures inside the file. `COLOR_0` holds the colours of faces or vertices as glTF wants
    them: linear, 8 bits. A vertex stands once for each pair of texture coordinates and face colour
    that meets in it; a mesh without either keeps the order of its vertices and faces. A mesh
    without materials and colours is grey (0.7, sRGB), as everywhere in this package.

    OBJ: vertices and faces in their order, float32 digit by digit. Materials, or one for each
    distinct face colour, go into a file of the same name with the suffix `.mtl`, and textures into
    PNG files NAME_0.png, NAME_1.png, ... beside it; the OBJ file appears last. `vertex_colors`
    follow each vertex's coordinates, as many programs read them. OBJ has no place for the opacity
    of vertices, nor for `alpha_cutoff`.

    Args:
        path: The file to write, in a folder that exists. A file of this name is replaced.
        mesh: A mesh with at least one face.

    Raises:
        ValueError: The suffix is neither, or the mesh has no faces.
        FileNotFoundError: The folder does not exist.
        OSError: The file cannot be written.
    """
    path = pathlib.Path(path)
    contents = encode_mesh(path, mesh)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"'{path}': expected a folder that exists; received '{path.parent}'"
        )
    for name, content in contents.items():
        with replaced_whole(path.with_name(name)) as written:
            written.write_bytes(content)


def encode_mesh(name, mesh: Mesh) -> dict[str, bytes]:
    """Returns the files that `save_mesh` writes, by name, in the order in which they must appear.

    Args:
        name: The name of the mesh file; its suffix, `.obj` or `.glb`, says which format.
        mesh: A mesh with at least one face.

    Raises:
        ValueError: The suffix is neither, or the mesh has no faces.
    """
    path = pathlib.Path(name)
    suffix = path.suffix.lower()
    if suffix not in (".obj", ".glb"):
        raise ValueError(
            f"'{path}': expected a name that ends in .obj or .glb; "
            f"received {path.suffix or 'no suffix'!r}"
        )
    if not len(mesh.faces):
        raise ValueError(f"'{path}': expected at least one face; received none")
    return {path.name: encode_glb(mesh)} if suffix == ".glb" else encode_obj(path, mesh)
