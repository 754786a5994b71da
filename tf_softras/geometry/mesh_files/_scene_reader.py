"""Reads binary glTF, PLY, OFF and STL files, by trimesh, as the one mesh that they make."""

import io
import json
import pathlib
import struct

import numpy as np
import trimesh

from tf_softras.geometry.colors import srgb_from_linear
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.mesh_files._bytes import ClosedResolver, read_bytes

SUFFIXES = (".glb", ".off", ".ply", ".stl")

_GLB_HEADER = struct.Struct("<4sIIII")  # Magic, version, length; length and kind of the first chunk
_GLB_JSON = 0x4E4F534A
# glTF's modes of a primitive that make faces, of three indices or of one more each.
_TRIANGLES, _STRIP, _FAN = 4, 5, 6


def read_scene(path: pathlib.Path, *, max_bytes: int, max_faces: int) -> Mesh:
    """Returns the mesh of a file with one of `SUFFIXES`; see `load_mesh`.

    Raises:
        ValueError: If it is too large, or not such a file with faces.
        OSError: If it cannot be read.
    """
    data = read_bytes(path, max_bytes=max_bytes)
    kind = path.suffix.lower().removeprefix(".")
    if kind == "glb":
        _check_glb(data, max_faces=max_faces)
    elif kind == "ply":
        _check_ply(data)
    try:
        scene = trimesh.load_scene(
            io.BytesIO(data),
            file_type=kind,
            resolver=ClosedResolver(),
            process=False,
            skip_materials=True,
        )
        mesh = scene.to_mesh()
        faces = np.asarray(mesh.faces)
    except Exception as error:  # What trimesh raises is nowhere promised.
        raise ValueError(
            f"Expected a {kind.upper()} file that trimesh {trimesh.__version__} can read, "
            f"received one at which it says {type(error).__name__}: {error}"
        ) from error
    if not 0 < len(faces) <= max_faces:
        raise ValueError(
            f"Expected at least one face and at most {max_faces} (max_faces), "
            f"received {len(faces)}."
        )
    vertices = np.asarray(mesh.vertices)
    if kind == "stl":
        # The format has no indices: each face brings three corners of its own.
        vertices, index = np.unique(vertices, axis=0, return_inverse=True)
        faces = index.reshape(-1)[faces]
    return Mesh(vertices=vertices, faces=faces, **_colors(mesh.visual, linear=kind == "glb"))


def _colors(visual, *, linear: bool) -> dict:
    """Returns the colours of vertices or faces that a file gives, as arguments of `Mesh`."""
    if visual.kind not in ("vertex", "face"):
        return {}
    name = f"{visual.kind}_colors"
    colors = getattr(visual, name)[:, :3] / np.float64(255.0)
    if linear:
        colors = np.clip(srgb_from_linear(colors), 0.0, 1.0)
    return {name: colors}


def _check_ply(data: bytes) -> None:
    """Refuses a text that is cut off, of which trimesh takes the faces that are left."""
    header, end, body = data.partition(b"end_header")
    lines = [line.split() for line in header.splitlines()]
    if not end or [b"format", b"ascii", b"1.0"] not in lines:
        return
    announced = sum(
        int(line[2])
        for line in lines
        if line[:1] == [b"element"] and len(line) == 3 and line[2].isdigit()
    )
    found = sum(bool(line.strip()) for line in body.splitlines())
    if found < announced:
        raise ValueError(
            f"Expected {announced} vertices, faces and other elements, as the header says, "
            f"received {found}."
        )


def _check_glb(data: bytes, *, max_faces: int) -> None:
    """Refuses what would make trimesh allocate more than the file holds.

    An accessor without a buffer is a promise of zeros, and a tree of nodes that is none, or many
    nodes with one mesh, are few bytes for many faces.
    """
    header = _glb_header(data)
    try:
        accessors = header.get("accessors", [])
        if any("bufferView" not in accessor for accessor in accessors):
            raise ValueError(
                "Expected accessors with a bufferView, not compressed, received one without."
            )
        if not all(isinstance(a["count"], int) and a["count"] > 0 for a in accessors):
            raise ValueError("Expected accessors of one element or more, received another count.")
        nodes = header.get("nodes", [])
        children = [child for node in nodes for child in node.get("children", ())]
        if len(set(children)) < len(children):
            raise ValueError("Expected a tree of nodes, received a node with two parents.")
        meshes = [_num_faces(mesh, accessors) for mesh in header.get("meshes", [])]
        placed = sum(meshes[node["mesh"]] for node in nodes if "mesh" in node)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"Expected the JSON of a glTF file, received one in which {type(error).__name__}: "
            f"{error}"
        ) from error
    num_faces = max(placed, sum(meshes))
    if num_faces > max_faces:
        raise ValueError(f"Expected at most {max_faces} faces (max_faces), received {num_faces}.")


def _glb_header(data: bytes) -> dict:
    """Returns the JSON of a binary glTF file."""
    if len(data) < _GLB_HEADER.size:
        raise ValueError(f"Expected a binary glTF file, received {len(data)} bytes.")
    magic, version, _, length, kind = _GLB_HEADER.unpack_from(data)
    if (magic, version, kind) != (b"glTF", 2, _GLB_JSON):
        raise ValueError("Expected a binary glTF 2 file that begins with JSON, received another.")
    try:
        header = json.loads(data[_GLB_HEADER.size : _GLB_HEADER.size + length])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected the JSON of a glTF file, received: {error}") from error
    if not isinstance(header, dict):
        raise ValueError("Expected the JSON of a glTF file, received no object.")
    return header


def _num_faces(mesh: dict, accessors: list[dict]) -> int:
    """Returns how many faces a glTF mesh has, or would have if its vertices were as many."""
    count = 0
    for primitive in mesh["primitives"]:
        vertices = accessors[primitive["attributes"]["POSITION"]]["count"]
        indices = accessors[primitive["indices"]]["count"] if "indices" in primitive else vertices
        mode = primitive.get("mode", _TRIANGLES)
        if mode == _FAN:
            # trimesh would leave them out.
            raise ValueError("Expected triangles or strips of triangles, received a fan.")
        count += max(indices, vertices) // (1 if mode == _STRIP else 3)
    return count
