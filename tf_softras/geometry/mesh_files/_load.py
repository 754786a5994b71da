"""Reads a mesh file of any known format."""

import pathlib
from collections.abc import Callable

from tf_softras._shared.errors import SoftrasError
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.mesh_files._glb_reader import read_glb
from tf_softras.geometry.mesh_files._obj_reader import read_obj
from tf_softras.geometry.mesh_files._off_reader import read_off
from tf_softras.geometry.mesh_files._ply_reader import read_ply
from tf_softras.geometry.mesh_files._reading import Limits, Reading
from tf_softras.geometry.mesh_files._stl_reader import read_stl

_READERS = {
    ".obj": read_obj,
    ".glb": read_glb,
    ".off": read_off,
    ".ply": read_ply,
    ".stl": read_stl,
}
MESH_SUFFIXES = tuple(_READERS)
"""The suffixes of files that `load_mesh` reads."""


class MeshFileError(SoftrasError, ValueError):
    """A mesh file cannot be read. The message names it, what was expected and what was received."""


def load_mesh(
    path,
    *,
    max_bytes: int = 128 * 2**20,
    max_faces: int = 2_000_000,
    max_texture_pixels: int = 2**26,
    foreign_files: str = "warn",
    warn: Callable[[str], None] | None = None,
) -> Mesh:
    """Returns all parts of a mesh file as one mesh, in the file's coordinates.

    Colours are sRGB and combine as `Mesh` and `tf_softras.geometry.surfaces` say. A convex polygon
    becomes a fan about its first corner; earcut cuts a concave one. A file that is cut off, or
    whose counts are wrong, is refused. No memory is allocated for data that a header promises and
    the file does not hold.

    OBJ: vertices keep the file's order and number, also those that no face uses; faces keep its
    order. Colours behind coordinates (`v x y z r g b`) are those of the vertices. Materials are
    read from MTL files: `Kd` (0.8 where it is missing), `map_Kd` with its options -s, -o and
    -clamp, opacity `d` or `Tr`, and `map_d`; `Kd` multiplies the texture, unless it is black.

    Binary glTF (`.glb`): the scene's nodes put their meshes where they belong; without a scene all
    root nodes are shown. Lists, strips and fans of triangles; baseColorFactor, its texture and
    COLOR_0 with the alpha mode; KHR_texture_transform, KHR_mesh_quantization, sparse accessors.
    Morph targets and skins are left out, with a warning. A file that requires compression or
    another extension is refused.

    PLY: colours of vertices or faces in any type, also `diffuse_*`; texture coordinates of vertices
    or faces, with the texture that `comment TextureFile` names; triangle strips. OFF: colours of
    vertices or faces, free form. STL: binary, with 15-bit colours, or text; corners at the same
    place become one vertex.

    Only the mesh file is opened and, for OBJ and PLY, the material libraries and textures that it
    names. These have to be in or below its own folder, or in or below the folder `images` beside
    that one, links resolved. Textures are PNG, JPEG, BMP, GIF, TGA, TIFF or WebP. A missing or
    damaged texture is left out, with a warning; its material's colour counts then.

    Args:
        path: The file; its suffix, `.obj`, `.glb`, `.ply`, `.off` or `.stl`, says which format.
        max_bytes: The most bytes that the file, and each file beside it, may have.
        max_faces: The most triangles that the mesh may have.
        max_texture_pixels: The most pixels that all textures together may have.
        foreign_files: If the path of a material library or texture leads elsewhere: "warn" leaves
            it out with a warning, "error" raises.
        warn: Called with a sentence for each part that is left out, instead of the log.

    Raises:
        MeshFileError: The file is missing, too large, not one of its format with faces, or has
            invalid numbers or indices.
    """
    path = pathlib.Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise MeshFileError(
            f"'{path}': expected a file whose name ends in "
            f"{' or '.join(MESH_SUFFIXES)}; received {path.suffix or 'no suffix'!r}"
        )
    limits = Limits(max_bytes, max_faces, max_texture_pixels)
    try:
        return reader(Reading(path, limits, foreign_files=foreign_files, warn=warn))
    except OSError as error:
        raise MeshFileError(
            f"'{path}': expected a readable file; received: {error.strerror or error}"
        ) from error
    except ValueError as error:
        raise MeshFileError(f"'{path}': {error}") from error
    except MemoryError as error:
        raise MeshFileError(
            f"'{path}': expected a mesh that fits into memory; received a larger one"
        ) from error
