"""Reads OBJ files, block by block, with NumPy instead of a loop over lines.

A block is a few megabytes of whole lines. Its lines are sorted by keyword; the numbers of all lines
of one keyword are parsed in one call. If that fails, the lines are parsed one by one, to name the
line that is wrong.
"""

import re
from collections.abc import Iterator

import numpy as np

from tf_softras.geometry.material import Material
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.mesh_files._mtl_reader import MtlMaterial, named, read_mtl
from tf_softras.geometry.mesh_files._polygons import triangulate_polygons
from tf_softras.geometry.mesh_files._reading import Reading, numbers, unit_colors

_BLOCK_SIZE = 4 << 20
_JOINED_LINE = re.compile(rb"\\[ \t]*\n")
_IS_SPACE = np.isin(np.arange(256), np.frombuffer(b" \t\v\f\n", np.uint8))
_IN_A_FACE = np.isin(np.arange(256), np.frombuffer(b"0123456789+-/ \t\v\f\n", np.uint8))
# Vertex indices beyond this are not parsed: no file that is read has as many.
_LARGEST_INDEX = 2**31 - 1


def read_obj(reading: Reading) -> Mesh:
    """Returns the mesh of an OBJ file; see `load_mesh`.

    Raises:
        ValueError: It is too large, no OBJ file with faces, or has invalid numbers or indices.
        OSError: It cannot be read.
    """
    obj = _ObjFile(reading.bytes_of(reading.path), reading)
    return obj.mesh()


class _ObjFile:
    """The vertices, texture coordinates and polygons of an OBJ file, while they are read."""

    def __init__(self, data: bytes, reading: Reading):
        if b"\0" in data:
            raise ValueError("expected the text of an OBJ file; received binary data")
        self._reading = reading
        self._num_vertices = self._num_uvs = self._num_faces = 0
        self._vertices: list[np.ndarray] = []
        self._colors: list[np.ndarray] = []
        self._uvs: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []
        self._corners: list[np.ndarray] = []
        self._corner_uvs: list[np.ndarray] = []
        self._lines_of_polygons: list[np.ndarray] = []
        self._num_polygons = 0
        self._materials: dict[str, int] = {}
        # (first polygon, material) of each usemtl, in order.
        self._changes: list[tuple[int, int]] = [(0, -1)]
        self._libraries: list[str] = []
        line = 1
        for block in _blocks(_plain(data)):
            line += _Block(block, line).read_into(self)

    def add_vertices(self, rows: np.ndarray, colors: np.ndarray):
        """Adds float64 `[n, 3]` and their colours `[n, 3]`, NaN where there are none."""
        self._num_vertices += len(rows)
        self._vertices.append(rows)
        self._colors.append(colors)

    def add_uvs(self, rows: np.ndarray):
        """Adds float64 `[n, 2]`."""
        self._num_uvs += len(rows)
        self._uvs.append(rows)

    def add_polygons(self, counts, corners, corner_uvs, lines):
        """Adds polygons: their numbers of corners, indices from 0, -1 for no uv, their lines."""
        self._num_polygons += len(counts)
        self._num_faces += int((counts - 2).sum())
        if self._num_faces > self._reading.limits.max_faces:
            self._reading.check_faces(self._num_faces)
        self._counts.append(counts.astype(np.int32))
        self._corners.append(corners.astype(np.int32))
        self._corner_uvs.append(corner_uvs.astype(np.int32))
        self._lines_of_polygons.append(lines.astype(np.int32))

    def add_named(self, keyword: bytes, name: str, polygons_before: int):
        """Adds a line `usemtl` or `mtllib`."""
        if keyword == b"mtllib":
            self._libraries.append(name)
        else:
            index = self._materials.setdefault(name, len(self._materials))
            self._changes.append((self._num_polygons + polygons_before, index))

    @property
    def counts(self) -> tuple[int, int]:
        """The vertices and texture coordinates so far."""
        return self._num_vertices, self._num_uvs

    def mesh(self) -> Mesh:
        """Returns what was read as one mesh."""
        if not self._num_faces:
            raise ValueError(
                "expected an OBJ file with vertices (v) and faces (f); "
                f"received {self._num_vertices} vertices and no face"
            )
        vertices = np.concatenate(self._vertices or [np.zeros((0, 3))])
        counts, corners = np.concatenate(self._counts), np.concatenate(self._corners)
        corner_uvs = np.concatenate(self._corner_uvs)
        uvs = np.concatenate(self._uvs) if self._uvs else np.zeros((0, 2))
        self._check_range(counts, corners, len(vertices), "vertex indices", "vertices")
        self._check_range(counts, corner_uvs, len(uvs), "indices of texture coordinates", "vt")
        triangles, polygon = triangulate_polygons(vertices, corners, counts)
        self._reading.check_faces(len(triangles))
        materials, used, table = self._surfaces()
        chosen = None
        if materials:
            change_at = np.array([first for first, _ in self._changes])
            change = np.searchsorted(change_at, polygon, side="right") - 1
            chosen = table[np.array([index for _, index in self._changes])[change]]
        face_uvs = _face_uvs(uvs, corner_uvs[triangles])
        if face_uvs is not None and chosen is not None:
            _transform_uvs(face_uvs, chosen, used)
        textured = any(one.texture is not None for one in materials)
        if textured and face_uvs is None:
            self._reading.warn("A material has a texture, but no face has texture coordinates.")
            face_uvs = np.zeros((len(triangles), 3, 2), np.float32)
        return Mesh(
            vertices,
            corners[triangles],
            vertex_colors=self._vertex_colors(),
            materials=tuple(materials),
            face_materials=chosen,
            uvs=face_uvs,
        )

    def _check_range(self, counts, indices, available: int, what: str, named: str):
        if indices.size and indices.max() >= available:
            place = int(np.argmax(indices >= available))
            polygon = int(np.searchsorted(np.cumsum(counts), place, side="right"))
            line = int(np.concatenate(self._lines_of_polygons)[polygon])
            raise ValueError(
                f"expected {what} up to {available}, the number of {named}; "
                f"received {indices[place] + 1} in line {line}"
            )

    def _vertex_colors(self) -> np.ndarray | None:
        colors = np.concatenate(self._colors)
        given = ~np.isnan(colors).any(axis=1)
        if not given.any():
            return None
        # 1 is the factor that changes nothing.
        result = np.ones(colors.shape)
        result[given] = unit_colors(colors[given])
        return result

    def _surfaces(self) -> tuple[list[Material], list[MtlMaterial | None], np.ndarray]:
        """Returns the materials, their statements, and usemtl's index -> index of a material.

        Without a library that was read there are no materials. With one, a face without a material
        in it has the format's default.
        """
        libraries: dict[str, MtlMaterial] = {}
        has_library = False
        for path in self._library_paths():
            has_library = True
            libraries |= read_mtl(self._reading.bytes_of(path))
        if not any(named(libraries, name) for name in self._materials):
            if has_library and self._materials:
                self._reading.warn("The material libraries hold none of the materials in use.")
            return [], [], np.zeros(0, np.int64)
        names = [(name, named(libraries, name)) for name in self._materials]
        for name, found in names:
            if found is None:
                self._reading.warn(f"The material '{name}' is in no library; it is light grey.")
        described = [found for _, found in names] + [None]
        materials = [
            (found or MtlMaterial()).as_material(name, self._reading)
            for name, found in [*names, ("", None)]
        ]
        # The last is that of faces before any usemtl, index -1.
        table = np.arange(len(materials))
        has_bare_faces = len(self._changes) < 2 or self._changes[1][0] > 0
        if not has_bare_faces:
            materials, described = materials[:-1], described[:-1]
        return materials, described, table

    def _library_paths(self) -> Iterator:
        for line in dict.fromkeys(self._libraries):
            # The rest of a line is one name with spaces, or several names.
            one_name = self._reading.has_file(line) or not all(
                self._reading.has_file(name) for name in line.split()
            )
            names = [line] if one_name else line.split()
            for name in names if line else []:
                path = self._reading.file_beside(name, kind="material library")
                if path is not None:
                    yield path


def _face_uvs(uvs: np.ndarray, corner_uvs: np.ndarray) -> np.ndarray | None:
    """Returns float32 `[num_faces, 3, 2]`, 0 at corners without; None if no corner has any."""
    if not (corner_uvs >= 0).any():
        return None
    # A row behind the others, which index -1 takes.
    table = np.concatenate([uvs, np.zeros((1, 2))]).astype(np.float32)
    return np.nan_to_num(table[corner_uvs], posinf=0.0, neginf=0.0)


def _transform_uvs(face_uvs, chosen, described: list[MtlMaterial | None]):
    """Applies the options -s and -o of each material's texture, in place."""
    for index, one in enumerate(described):
        if one is not None and (one.scale, one.offset) != ((1.0, 1.0), (0.0, 0.0)):
            face_uvs[chosen == index] *= np.array(one.scale, np.float32)
            face_uvs[chosen == index] += np.array(one.offset, np.float32)


def _plain(data: bytes) -> bytes:
    """Returns a text of plain lines: one line end for all, and none that goes on in the next.

    Lines keep their numbers.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not data.endswith(b"\n"):
        data += b"\n"
    if not _JOINED_LINE.search(data):
        return data
    lines, joined, taken = [], b"", 0
    for line in data.split(b"\n"):
        line = line.strip()
        if not line.startswith(b"#"):
            # In names of materials and files a # is a letter.
            if line.startswith((b"v", b"f")):
                line = line.split(b"#", 1)[0].rstrip()
            if line.endswith(b"\\"):
                joined, taken = joined + line[:-1] + b" ", taken + 1
                continue
        elif joined:
            taken += 1
            continue
        lines.append(joined + line + b"\n" * taken)
        joined, taken = b"", 0
    return b"\n".join([*lines, joined]) + b"\n"


def _blocks(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + _BLOCK_SIZE) + 1 or len(data)
        yield data[start:end]
        start = end


class _Block:
    """Whole lines of an OBJ file."""

    def __init__(self, text: bytes, first_line: int):
        self._text = _without_comments(text)
        self._first_line = first_line
        codes = np.frombuffer(self._text, np.uint8)
        self._codes = codes
        self._line_ends = np.flatnonzero(codes == ord("\n"))
        space = _IS_SPACE[codes]
        begins = _begins(~space)
        line = np.searchsorted(self._line_ends, begins)
        # The number of words of each line, and the place where its first word begins.
        self._words = np.bincount(line, minlength=len(self._line_ends))
        first_word = np.cumsum(self._words) - self._words
        self._filled = np.flatnonzero(self._words)
        self._keyword_at = begins[first_word[self._filled]]
        padded = np.concatenate([codes, np.full(2, ord("\n"), np.uint8)])
        one, two, three = (padded[self._keyword_at + i] for i in range(3))
        self._is_vertex = (one == ord("v")) & _IS_SPACE[two]
        self._is_uv = (one == ord("v")) & (two == ord("t")) & _IS_SPACE[three]
        self._is_face = (one == ord("f")) & _IS_SPACE[two]
        self._is_named = ((one == ord("u")) & (two == ord("s"))) | (
            (one == ord("m")) & (two == ord("t"))
        )

    def read_into(self, obj: _ObjFile) -> int:
        """Hands on what the lines say; returns how many lines there are."""
        vertices_before, uvs_before = obj.counts
        polygons = np.cumsum(self._is_face)
        for place in np.flatnonzero(self._is_named).tolist():
            keyword, *fields = self._line_text(place).split()
            if keyword in (b"usemtl", b"mtllib"):
                name = b" ".join(fields).decode("utf-8", errors="replace")
                obj.add_named(keyword, name, int(polygons[place]))
        if self._is_vertex.any():
            obj.add_vertices(*self._vertices())
        if self._is_uv.any():
            obj.add_uvs(self._rows(self._is_uv, 2, least=1, what="one number or more as vt"))
        if self._is_face.any():
            before = np.cumsum(self._is_vertex)[self._is_face] + vertices_before
            uvs = np.cumsum(self._is_uv)[self._is_face] + uvs_before
            obj.add_polygons(*self._polygons(before, uvs))
        return len(self._line_ends)

    def _vertices(self) -> tuple[np.ndarray, np.ndarray]:
        rows = self._rows(self._is_vertex, 6, least=3, what="three numbers as coordinates")
        return rows[:, :3], rows[:, 3:]

    def _rows(self, chosen: np.ndarray, width: int, *, least: int, what: str) -> np.ndarray:
        """Returns the first `width` numbers of the chosen lines, NaN where a line has fewer.

        A fourth and a fifth number of a vertex are no colour: then there is none.
        """
        counts = self._words[self._filled[chosen]] - 1
        values = numbers(self._gathered(chosen))
        if values is None or len(values) != counts.sum() or counts.min() < least:
            values = self._carefully(chosen, counts, least, what)
        if width == 6:
            has_colors = counts >= 6
        if (counts == counts[0]).all():
            rows = values.reshape(len(counts), -1)
        else:
            most = min(int(counts.max()), width)
            place = (np.cumsum(counts) - counts)[:, None] + np.arange(most)
            rows = values[np.minimum(place, len(values) - 1)]
            rows[np.arange(most) >= counts[:, None]] = np.nan
        full = np.full((len(counts), width), np.nan if width == 6 else 0.0)
        taken = min(width, rows.shape[1])
        full[:, :taken] = rows[:, :taken]
        if width == 6:
            full[~has_colors, 3:] = np.nan
        else:
            full = np.nan_to_num(full)
        return full

    def _carefully(self, chosen, counts, least: int, what: str) -> np.ndarray:
        """Returns the numbers of lines one by one, or says which line is wrong."""
        values: list[float] = []
        for place, count in zip(np.flatnonzero(chosen).tolist(), counts, strict=True):
            fields = self._line_text(place).split()[1:]
            try:
                if count < least:
                    raise ValueError
                values += [float(field) for field in fields]
            except ValueError:
                raise ValueError(
                    f"expected {what} in line {self._number(place)}; received {_shown(fields)}"
                ) from None
        return np.array(values)

    def _polygons(self, vertices_before, uvs_before):
        """Returns what `_ObjFile.add_polygons` takes.

        Args:
            vertices_before: for each face line, the vertices that stand above it.
            uvs_before: the texture coordinates that do.
        """
        counts = self._words[self._filled[self._is_face]] - 1
        text = self._gathered(self._is_face)
        codes = np.frombuffer(text, np.uint8)
        slash = codes == ord("/")
        solid = ~_IS_SPACE[codes]
        corner_at = _begins(solid)
        number_at = _begins(solid & ~slash)
        values = numbers(text.replace(b"/", b" "), np.int64) if _IN_A_FACE[codes].all() else None
        if (
            values is None
            or len(values) != len(number_at)
            or len(corner_at) != counts.sum()
            or counts.min() < 3
            or np.abs(values).max(initial=0) > _LARGEST_INDEX
        ):
            raise self._bad_face(vertices_before)
        # The corner that each number belongs to, and the number of slashes before it there.
        corner = np.searchsorted(corner_at, number_at, side="right") - 1
        slashes = np.cumsum(slash, dtype=np.int32)
        ordinal = slashes[number_at] - (slashes - slash)[corner_at][corner]
        is_vertex = ordinal == 0
        if is_vertex.sum() != len(corner_at):
            raise self._bad_face(vertices_before)
        corners = values[is_vertex]
        corner_uvs = np.zeros(len(corner_at), np.int64)
        corner_uvs[corner[ordinal == 1]] = values[ordinal == 1]
        # A negative index counts back from the line it stands in: -1 is the vertex read last.
        available = np.repeat(vertices_before, counts)
        corners = np.where(corners > 0, corners - 1, np.where(corners < 0, available + corners, -1))
        if corners.min() < 0:
            raise self._bad_face(vertices_before)
        available = np.repeat(uvs_before, counts)
        corner_uvs = np.where(
            corner_uvs > 0, corner_uvs - 1, np.where(corner_uvs < 0, available + corner_uvs, -1)
        )
        places = self._filled[self._is_face]
        return counts, corners, np.maximum(corner_uvs, -1), self._first_line + places

    def _bad_face(self, vertices_before) -> ValueError:
        """Returns the error of the first face line that is wrong."""
        for place, count in zip(
            np.flatnonzero(self._is_face).tolist(), vertices_before, strict=True
        ):
            fields = self._line_text(place).split()[1:]
            where = f"in line {self._number(place)}; received {_shown(fields)}"
            try:
                corners = [int(field.split(b"/", 1)[0]) for field in fields]
                [int(part) for field in fields for part in field.split(b"/") if part]
            except ValueError:
                return ValueError(f"expected whole vertex indices {where}")
            if len(corners) < 3:
                return ValueError(f"expected a face of three or more corners {where}")
            if any(c == 0 or c < -count for c in corners):
                return ValueError(
                    f"expected vertex indices from 1, or from -1 down to -{count} (the vertices so "
                    f"far) {where}"
                )
            if max(corners) > _LARGEST_INDEX:
                return ValueError(
                    f"expected vertex indices up to {_LARGEST_INDEX}; received {max(corners)} in "
                    f"line {self._number(place)}"
                )
        return ValueError("expected whole vertex indices in all faces; received others")

    def _gathered(self, chosen: np.ndarray) -> bytes:
        """Returns the chosen lines without their keywords, as one text."""
        lines = self._filled[chosen]
        wanted = np.zeros(len(self._line_ends), bool)
        wanted[lines] = True
        lengths = np.diff(self._line_ends, prepend=-1)
        codes = self._codes[: self._line_ends[-1] + 1].copy()
        at = self._keyword_at[chosen]
        codes[at] = ord(" ")
        is_two = codes[at + 1] == ord("t")
        codes[at[is_two] + 1] = ord(" ")
        if wanted.all():
            return codes.tobytes()
        return codes[np.repeat(wanted, lengths)].tobytes()

    def _line_text(self, place: int) -> bytes:
        """Returns the line of a place in `_filled`."""
        line = self._filled[place]
        start = self._line_ends[line - 1] + 1 if line else 0
        return self._text[start : self._line_ends[line]]

    def _number(self, place: int) -> int:
        return self._first_line + int(self._filled[place])


def _begins(solid: np.ndarray) -> np.ndarray:
    """Returns where runs of True begin."""
    before = np.concatenate([[False], solid[:-1]])
    return np.flatnonzero(solid & ~before)


def _without_comments(text: bytes) -> bytes:
    """Returns the text with comments behind vertices and faces blanked."""
    if b"#" not in text:
        return text
    return re.sub(rb"(?m)^([ \t]*[vf][^#\n]*)#[^\n]*$", lambda found: found[1], text)


def _shown(fields: list[bytes]) -> str:
    """Returns the fields of a line as text, cut short, for an error message."""
    return repr(b" ".join(fields)[:60].decode("ascii", errors="backslashreplace"))
