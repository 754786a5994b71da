"""Meshes in files: OBJ in, OBJ and binary glTF out. The number crunching is trimesh's."""

import contextlib
import io
import logging
import math
import pathlib
import uuid
from collections.abc import Iterator

import numpy as np
import trimesh
import trimesh.exchange.gltf
import trimesh.exchange.obj

from tf_softras.geometry.colors import linear_from_srgb
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.polygons import triangulate

# The colour of a face without a material in a file that has materials: Blender's default.
DEFAULT_COLOR = (0.8, 0.8, 0.8)

_logger = logging.getLogger(__name__)


class MeshFileError(ValueError):
    """A mesh file cannot be read: the message names it, what was expected and what came."""


def load_mesh(path, *, max_bytes: int = 128 * 2**20, max_faces: int = 2_000_000) -> Mesh:
    """Returns the one mesh that all objects and groups of an OBJ file make together.

    Vertices keep the file's order and number, also those that no face uses; faces keep its order, a
    polygon becoming the triangles it is made of. Nothing is merged or dropped. If a material
    library gives at least one diffuse colour (`Kd`), each face carries its material's, or light
    grey if it has none; otherwise `face_colors` is None.

    Only the OBJ file and the material libraries in or below its own folder are opened, links
    resolved. A library elsewhere or missing is a warning in the log. Textures are never opened;
    normals, texture coordinates and vertex colours are passed over.

    Args:
        path: The OBJ file, its name ending in `.obj`.
        max_bytes: The most bytes that the file, and each material library, may have.
        max_faces: The most triangles that the mesh may have.

    Raises:
        MeshFileError: If the file is missing, too large, not an OBJ file with faces, or has invalid
            numbers or indices.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() != ".obj":
        raise MeshFileError(
            f"Cannot read '{path}'. Expected a file whose name ends in .obj, "
            f"received {path.suffix or 'no suffix'!r}."
        )
    try:
        data = _read_bytes(path, max_bytes=max_bytes)
        obj = _ObjFile(data)
        vertices, faces, face_materials = obj.triangles(max_faces=max_faces)
        colors = _material_colors(path, obj.libraries, max_bytes=max_bytes)
        return Mesh(
            vertices=vertices,
            faces=faces,
            face_colors=_face_colors(colors, obj.materials, face_materials),
        )
    except OSError as error:
        raise MeshFileError(
            f"Cannot read '{path}'. Expected a readable file, received: {error.strerror or error}."
        ) from error
    except ValueError as error:
        raise MeshFileError(f"Cannot read '{path}'. {error}") from error


def _read_bytes(path: pathlib.Path, *, max_bytes: int) -> bytes:
    """Returns the content of a file of at most `max_bytes` bytes."""
    if path.exists() and not path.is_file():
        raise ValueError("Expected a file, received a folder or a device.")
    with path.open("rb") as file:
        # One byte more than allowed tells a file that is too large, also one that grows meanwhile.
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"Expected at most {max_bytes} bytes (max_bytes), received more.")
    return data


class _ObjFile:
    """The statements of an OBJ file that matter here, made plain enough for trimesh to read right.

    trimesh 5.2 on its own counts negative indices from the end of the file instead of the current
    line, takes index 0 for 1, drops indented lines, lines with tabs and faces of two corners, fails
    on comments behind numbers and on lone carriage returns, splits vertices by texture coordinates,
    and hands back an empty mesh for an empty or binary file. So it gets plain `v` and `f` lines,
    which it reads fast and well, and the rest is done here.
    """

    def __init__(self, data: bytes):
        if b"\0" in data:
            raise ValueError("Expected the text of an OBJ file, received binary data.")
        self.libraries: list[str] = []
        self.materials: list[str | None] = [None]
        self._vertices: list[list[bytes]] = []
        self._polygons: list[list[int]] = []
        self._polygon_materials: list[int] = []
        self._polygon_lines: list[int] = []
        self._index_of_material: dict[str | None, int] = {None: 0}
        self._current_material = 0
        readers = {
            b"v": self._read_vertex,
            b"f": self._read_face,
            b"usemtl": self._read_material,
            b"mtllib": self._read_library,
        }
        for number, line in _lines(data):
            fields = line.split()
            reader = readers.get(fields[0]) if fields else None
            if reader is not None:
                reader(number, fields[1:])

    def _read_vertex(self, number, fields):
        try:
            x, y, z = fields[:3]
            float(x), float(y), float(z)
        except ValueError:
            raise ValueError(
                f"Expected three numbers as coordinates in line {number}, "
                f"received {_shown(fields)}."
            ) from None
        self._vertices.append(fields[:3])

    def _read_face(self, number, fields):
        try:
            corners = [int(field.split(b"/", 1)[0]) for field in fields]
        except ValueError:
            raise ValueError(
                f"Expected whole vertex indices in line {number}, received {_shown(fields)}."
            ) from None
        if len(corners) < 3:
            raise ValueError(
                f"Expected a face of three or more corners in line {number}, "
                f"received {_shown(fields)}."
            )
        # A negative index counts back from the vertex read last: -1 is that vertex.
        count = len(self._vertices)
        corners = [c - 1 if c > 0 else count + c if -count <= c < 0 else -1 for c in corners]
        if min(corners) < 0:
            raise ValueError(
                "Expected vertex indices from 1, or from -1 down to "
                f"-{count} (the vertices so far), in line {number}, received {_shown(fields)}."
            )
        self._polygons.append(corners)
        self._polygon_materials.append(self._current_material)
        self._polygon_lines.append(number)

    def _read_material(self, number, fields):
        del number
        name = _name(fields)
        if name not in self._index_of_material:
            self._index_of_material[name] = len(self.materials)
            self.materials.append(name)
        self._current_material = self._index_of_material[name]

    def _read_library(self, number, fields):
        del number
        self.libraries.append(_name(fields))

    def triangles(self, *, max_faces: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns float64 vertices, faces, and for each face its index in `materials`."""
        corners = np.array([len(polygon) for polygon in self._polygons], dtype=np.int64)
        num_faces = int((corners - 2).sum())
        if not num_faces:
            raise ValueError(
                "Expected an OBJ file with vertices (v) and faces (f), "
                f"received {len(self._vertices)} vertices and no face."
            )
        if num_faces > max_faces:
            raise ValueError(
                f"Expected at most {max_faces} faces (max_faces), received {num_faces}."
            )
        self._check_range()
        triangles = [triangle for polygon in self._polygons for triangle in self._cut(polygon)]
        vertices, faces = self._read_with_trimesh(triangles)
        return vertices, faces, np.repeat(self._polygon_materials, corners - 2)

    def _check_range(self):
        for polygon, number in zip(self._polygons, self._polygon_lines, strict=True):
            if max(polygon) >= len(self._vertices):
                raise ValueError(
                    f"Expected vertex indices up to {len(self._vertices)}, the number of vertices, "
                    f"received {max(polygon) + 1} in line {number}."
                )

    def _cut(self, polygon: list[int]) -> list[list[int]]:
        if len(polygon) == 3:
            return [polygon]
        points = np.array([self._vertices[corner] for corner in polygon]).astype(np.float64)
        return [[polygon[i] for i in triangle] for triangle in triangulate(points)]

    def _read_with_trimesh(self, triangles) -> tuple[np.ndarray, np.ndarray]:
        lines = [b"v " + b" ".join(vertex) for vertex in self._vertices]
        lines += [b"f %d %d %d" % (a + 1, b + 1, c + 1) for a, b, c in triangles]
        try:
            mesh = trimesh.load_mesh(
                io.BytesIO(b"\n".join(lines)),
                file_type="obj",
                resolver=_ClosedResolver(),
                process=False,
                maintain_order=True,
                skip_materials=True,
            )
        except Exception as error:  # What trimesh raises is nowhere promised.
            raise ValueError(f"Expected numbers as coordinates, received: {error}") from error
        vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
        if vertices.shape != (len(self._vertices), 3) or faces.shape != (len(triangles), 3):
            raise ValueError(
                f"Expected {len(self._vertices)} vertices and {len(triangles)} triangles "
                f"from trimesh {trimesh.__version__}, received {len(vertices)} and {len(faces)}."
            )
        return vertices, faces


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields (number, line) without comments, lines that end in a backslash joined to the next."""
    joined, first = b"", 0
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        line = line.strip()
        if line.startswith(b"#"):
            continue
        # Inside names of materials and files a # is a letter.
        if line.startswith((b"v", b"f")):
            line = line.split(b"#", 1)[0].rstrip()
        first = first or number
        if line.endswith(b"\\"):
            joined += line[:-1] + b" "
            continue
        yield first, joined + line
        joined, first = b"", 0
    if joined:
        yield first, joined


def _shown(fields: list[bytes]) -> str:
    """Returns the fields of a line as text, cut short, for an error message."""
    return repr(b" ".join(fields)[:60].decode("ascii", errors="backslashreplace"))


def _name(fields: list[bytes]) -> str:
    return b" ".join(fields).decode("utf-8", errors="replace")


class _ClosedResolver(trimesh.resolvers.Resolver):
    """What trimesh asks for further files: it has none, so no texture is ever opened."""

    def __init__(self):
        pass

    def get(self, key):
        raise FileNotFoundError(key)

    def keys(self):
        return []

    def write(self, name, data):
        raise PermissionError(name)

    def namespaced(self, namespace):
        return self


def _material_colors(
    path: pathlib.Path, libraries: list[str], *, max_bytes: int
) -> dict[str, tuple[float, float, float]]:
    """Returns the diffuse colour of each material that has one, in [0, 1]."""
    colors = {}
    for library in _library_paths(path, libraries):
        text = _read_bytes(library, max_bytes=max_bytes).decode("utf-8", errors="replace")
        try:
            materials = trimesh.exchange.obj.parse_mtl(text, resolver=_ClosedResolver())
        except Exception as error:
            raise ValueError(
                f"Expected materials in '{library.name}', received text that trimesh cannot read: "
                f"{error}"
            ) from error
        for name, material in materials.items():
            color = _diffuse_color(material)
            if color is not None:
                colors[name] = color
    return colors


def _diffuse_color(material: dict) -> tuple[float, float, float] | None:
    """Returns a material's `Kd` in [0, 1], or None if it has none that makes sense."""
    values = np.ravel(material.get("diffuse", ()))
    if values.size not in (1, 3) or not np.isfinite(values).all():
        return None
    # A single value stands for all three.
    return tuple(np.broadcast_to(np.clip(values, 0.0, 1.0), (3,)).tolist())


def _library_paths(path: pathlib.Path, libraries: list[str]) -> list[pathlib.Path]:
    """Returns the files that `mtllib` lines name, those inside the OBJ file's folder."""
    folder = path.parent.resolve()
    found = []
    # The rest of a line is one name with spaces, or several names.
    for line in dict.fromkeys(libraries):
        names = [line] if _inside(folder, line) else line.split()
        for name in names:
            library = _inside(folder, name)
            if library is None:
                _logger.warning(
                    "'%s': no colours from the material library '%s', "
                    "which is not a file in or below the mesh's own folder.",
                    path,
                    name,
                )
            else:
                found.append(library)
    return list(dict.fromkeys(found))


def _inside(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """Returns the file `name` of `folder`, links resolved, or None if it is not one inside."""
    try:
        candidate = (folder / name).resolve()
        inside = candidate.is_relative_to(folder) and candidate.is_file()
    except (OSError, RuntimeError, ValueError):  # A name too long, a loop of links, a NUL.
        return None
    return candidate if inside else None


def _face_colors(colors, materials, face_materials) -> np.ndarray | None:
    """Returns float32 `[num_faces, 3]`, or None if no face has a material with a colour."""
    if not any(name in colors for name in materials):
        return None
    table = np.array([colors.get(name, DEFAULT_COLOR) for name in materials], dtype=np.float32)
    return table[face_materials]


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
        _write_atomically(path.with_name(name), content)


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


def _write_atomically(path: pathlib.Path, content: bytes) -> None:
    beside = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _obj_files(path: pathlib.Path, mesh: Mesh) -> list[tuple[pathlib.Path, bytes]]:
    """Returns the files of an OBJ in the order in which they must appear."""
    size = float(np.abs(mesh.vertices).max())
    # trimesh writes fixed point: as many digits as leave a billionth of the largest coordinate.
    digits = 9 + max(0, -math.floor(math.log10(size))) if size else 9
    colored = mesh.vertex_colors is not None
    visual = None
    if mesh.vertex_colors is not None:
        # As OBJ has no say about them, these stay sRGB.
        srgb = np.rint(255.0 * mesh.vertex_colors).astype(np.uint8)
        visual = trimesh.visual.ColorVisuals(vertex_colors=srgb)
    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False, visual=visual)
    text = trimesh.exchange.obj.export_obj(
        shape, include_normals=False, include_color=colored, digits=digits, header=None
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
