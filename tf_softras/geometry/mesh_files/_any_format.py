"""Meshes in files: OBJ, glTF, PLY, OFF and STL in, OBJ and binary glTF out."""

import math
import pathlib

import numpy as np
import trimesh
import trimesh.exchange.gltf
import trimesh.exchange.obj

from tf_softras._shared.errors import SoftrasError
from tf_softras._shared.files import replaced_whole
from tf_softras.geometry.colors import linear_from_srgb
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


def save_mesh(path, mesh: Mesh) -> None:
    """Writes a mesh to an OBJ file or a binary glTF file, by the suffix `.obj` or `.glb`.

    Coordinates are the world's in both formats, right-handed and +y up, so nothing is mirrored. A
    file appears whole or not at all: it is written beside and renamed.

    OBJ: vertices and faces in their order, coordinates rounded to a billionth of the mesh's size.
    `face_colors` become one material for each distinct colour, in a file of the same name with the
    suffix `.mtl` beside it, renamed into place before the OBJ file that refers to it.
    `vertex_colors` follow each vertex's coordinates, 8 bits, as many programs read them.

    glTF: one mesh of one primitive, seen from both sides, its material not metallic. With
    `face_colors` a vertex stands once for each colour that meets in it, `COLOR_0` holding the
    colour as glTF wants it: linear, 8 bits; otherwise vertices and faces keep their order, and
    `vertex_colors` are `COLOR_0` likewise.

    Args:
        path: The file to write, in a folder that exists. A file of this name is replaced.
        mesh: A mesh with at least one face.

    Raises:
        ValueError: If the suffix is neither, or the mesh has no faces.
        FileNotFoundError: If the folder does not exist.
        OSError: If the file cannot be written.
    """
    path = pathlib.Path(path)
    contents = encode_mesh(path, mesh)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot write a mesh to '{path}'. Expected a folder that exists, "
            f"received '{path.parent}'."
        )
    for name, content in contents.items():
        with replaced_whole(path.with_name(name)) as written:
            written.write_bytes(content)


def encode_mesh(name, mesh: Mesh) -> dict[str, bytes]:
    """Returns the files that `save_mesh` writes, by name, in the order in which they must appear.

    Args:
        name: What the mesh file is called; its suffix, `.obj` or `.glb`, says which format.
        mesh: A mesh with at least one face.

    Raises:
        ValueError: If the suffix is neither, or the mesh has no faces.
    """
    path = pathlib.Path(name)
    writers = {".obj": _obj_files, ".glb": _glb_files}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise ValueError(
            f"Cannot write a mesh to '{path}'. Expected a name that ends in .obj or .glb, "
            f"received {path.suffix or 'no suffix'!r}."
        )
    if not len(mesh.faces):
        raise ValueError(
            f"Cannot write a mesh to '{path}'. Expected at least one face, received none."
        )
    return {file_path.name: content for file_path, content in writer(path, mesh)}


def _obj_files(path: pathlib.Path, mesh: Mesh) -> list[tuple[pathlib.Path, bytes]]:
    """Returns the files of an OBJ in the order in which they must appear."""
    size = float(np.abs(mesh.vertices).max())
    # trimesh writes fixed point: as many digits as leave a billionth of the largest coordinate.
    digits = 9 + max(0, -math.floor(math.log10(size))) if size else 9
    colors, visual = mesh.vertex_colors, None
    if colors is not None:
        # As OBJ has no say about them, these stay sRGB.
        srgb = np.rint(255.0 * colors).astype(np.uint8)
        visual = trimesh.visual.ColorVisuals(vertex_colors=srgb)
    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False, visual=visual)
    text = trimesh.exchange.obj.export_obj(
        shape, include_normals=False, include_color=colors is not None, digits=digits, header=None
    )
    if mesh.face_colors is None:
        return [(path, text.encode())]
    colors, material = np.unique(mesh.face_colors, axis=0, return_inverse=True)
    material = material.reshape(-1)  # NumPy 2.0 alone hands back a column.
    library = path.with_suffix(".mtl")
    # trimesh can only write one material a mesh, which would tear the vertices apart.
    lines = [f"mtllib {library.name}"]
    faces_done, current = 0, None
    for line in text.splitlines():
        if line.startswith("f "):
            if material[faces_done] != current:
                current = material[faces_done]
                lines.append(f"usemtl color_{current}")
            faces_done += 1
        lines.append(line)
    # str() of a float32 has the digits that give the same float32 when read.
    materials = [
        f"newmtl color_{i}\nKd {' '.join(str(value) for value in color)}\n"
        for i, color in enumerate(colors)
    ]
    return [(library, "".join(materials).encode()), (path, ("\n".join(lines) + "\n").encode())]


def _glb_files(path: pathlib.Path, mesh: Mesh) -> list[tuple[pathlib.Path, bytes]]:
    vertices, faces, vertex_colors = mesh.vertices, mesh.faces, mesh.vertex_colors
    visual = None
    if mesh.face_colors is not None:
        vertices, faces, vertex_colors = _vertices_by_color(mesh, mesh.face_colors)
    if vertex_colors is not None:
        visual = trimesh.visual.ColorVisuals(vertex_colors=_linear_bytes(vertex_colors))
    scene = trimesh.Scene(trimesh.Trimesh(vertices, faces, process=False, visual=visual))
    content = trimesh.exchange.gltf.export_glb(
        scene, include_normals=False, tree_postprocessor=_add_matte_material
    )
    return [(path, content)]


def _vertices_by_color(
    mesh: Mesh, face_colors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns vertices, faces, vertex colours; a vertex once for each colour that meets in it."""
    colors, color = np.unique(face_colors, axis=0, return_inverse=True)
    corner_keys = mesh.faces.astype(np.int64) * len(colors) + color.reshape(-1, 1)
    keys, corners = np.unique(corner_keys, return_inverse=True)
    vertices = mesh.vertices[keys // len(colors)]
    return vertices, corners.reshape(-1, 3), colors[keys % len(colors)]


def _linear_bytes(srgb: np.ndarray) -> np.ndarray:
    """Returns sRGB values in [0, 1] as linear uint8 with alpha 255: `[..., 3]` to `[..., 4]`."""
    linear = np.asarray(linear_from_srgb(srgb.astype(np.float64)))
    rounded = np.round(linear * 255.0).astype(np.uint8)
    return np.concatenate([rounded, np.full_like(rounded[..., :1], 255)], axis=-1)


def _add_matte_material(tree) -> None:
    """Gives every primitive a material; viewers show the default one, metal, nearly black."""
    tree["materials"] = [
        {
            "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
            "doubleSided": True,
        }
    ]
    for mesh in tree["meshes"]:
        for primitive in mesh["primitives"]:
            primitive["material"] = 0
