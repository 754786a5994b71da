"""Reads OBJ files and their material libraries. The number crunching is trimesh's."""

import io
import logging
import pathlib
from collections.abc import Iterator

import numpy as np
import trimesh
import trimesh.exchange.obj

from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.mesh_files._bytes import ClosedResolver, read_bytes
from tf_softras.geometry.mesh_files._polygons import triangulate

# The colour of a face without a material in a file that has materials: Blender's default.
DEFAULT_COLOR = (0.8, 0.8, 0.8)

_logger = logging.getLogger(__name__)


def read_obj(path: pathlib.Path, *, max_bytes: int, max_faces: int, foreign_materials: str) -> Mesh:
    """Returns the mesh of an OBJ file; see `load_mesh`.

    Raises:
        ValueError: If it is too large, not an OBJ file with faces, or has invalid numbers or
            indices.
        OSError: If it cannot be read.
    """
    obj = _ObjFile(read_bytes(path, max_bytes=max_bytes))
    vertices, faces, face_materials = obj.triangles(max_faces=max_faces)
    if foreign_materials == "error":
        _check_libraries(path, obj.libraries)
    colors = _material_colors(path, obj.libraries, max_bytes=max_bytes)
    return Mesh(
        vertices=vertices,
        faces=faces,
        face_colors=_face_colors(colors, obj.materials, face_materials),
    )


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
                resolver=ClosedResolver(),
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


def _material_colors(
    path: pathlib.Path, libraries: list[str], *, max_bytes: int
) -> dict[str, tuple[float, float, float]]:
    """Returns the diffuse colour of each material that has one, in [0, 1]."""
    colors = {}
    for library in _library_paths(path, libraries):
        text = read_bytes(library, max_bytes=max_bytes).decode("utf-8", errors="replace")
        try:
            materials = trimesh.exchange.obj.parse_mtl(text, resolver=ClosedResolver())
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


def _check_libraries(path: pathlib.Path, libraries: list[str]) -> None:
    """Refuses names that lead out of the OBJ file's folder, whether or not a file is there."""
    folder = path.parent.resolve()
    for line in libraries:
        for name in (line,) if _inside(folder, line) else line.split():
            try:
                inside = (folder / name).resolve().is_relative_to(folder)
            except (OSError, RuntimeError, ValueError):  # As below.
                inside = False
            if not inside:
                raise ValueError(
                    "Expected material libraries in or below the mesh's own folder, "
                    f"received '{name}'."
                )


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
