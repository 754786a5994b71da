"""Reads OFF files (Geomview's object file format), with colours of vertices or faces."""

import re

import numpy as np

from tf_softras.geometry.colors import DEFAULT_COLOR
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.mesh_files._polygons import triangulate_polygons
from tf_softras.geometry.mesh_files._reading import Reading, numbers, unit_colors

# [texture coordinates][colours][normals][4 coordinates][n dimensions]OFF
_KEYWORD = re.compile(rb"\s*(ST)?(C)?(N)?(4)?(n)?OFF(?=[\s\d]|$)", re.IGNORECASE)


def read_off(reading: Reading) -> Mesh:
    """Returns the mesh of an OFF file; see `load_mesh`.

    Raises:
        ValueError: It is no such text, is cut off or has more than it says, or has no or too many
            faces.
    """
    data = reading.bytes_of(reading.path)
    lines = [line.split(b"#", 1)[0].split() for line in _text(data).splitlines()]
    lines = [line for line in lines if line]
    prefix, counts, lines = _header(lines)
    num_vertices, num_faces = counts
    words = sum(map(len, lines))
    if 3 * num_vertices + 4 * num_faces > words:
        raise ValueError(
            f"expected the {num_vertices} vertices and {num_faces} faces that the header says; "
            f"received {words} numbers behind it; the OFF file is cut off, or its header is wrong"
        )
    reading.check_faces(num_faces)
    vertices, vertex_colors, rest = _vertices(lines, num_vertices, prefix)
    corner_counts, corners, face_colors = _faces(rest, num_faces)
    reading.check_faces(int((corner_counts - 2).sum()))
    if corners.min() < 0 or corners.max() >= num_vertices:
        raise ValueError(
            f"expected vertex indices in [0, {num_vertices}); received {corners.min()} to "
            f"{corners.max()}"
        )
    triangles, polygon = triangulate_polygons(vertices, corners, corner_counts)
    if face_colors is not None and vertex_colors is not None:
        face_colors = None
    return Mesh(
        vertices,
        corners[triangles],
        face_colors=None if face_colors is None else face_colors[polygon],
        vertex_colors=vertex_colors,
    )


def _text(data: bytes) -> bytes:
    if b"\0" in data:
        raise ValueError("expected the text of an OFF file; received binary data")
    found = _KEYWORD.match(data.removeprefix(b"\xef\xbb\xbf"))
    if found is None:
        raise ValueError("expected an OFF file; received a text that does not begin with OFF")
    if found[5] or found[4]:
        raise ValueError(f"expected three coordinates a vertex; received {found[0].decode()!r}")
    # Many files of ModelNet have the counts right behind the keyword.
    data = data.removeprefix(b"\xef\xbb\xbf")
    return found[0] + b" " + data[found.end() :]


def _header(lines) -> tuple[bytes, tuple[int, int], list]:
    """Returns the keyword, the numbers of vertices and faces, and the lines behind them."""
    keyword, *words = lines[0]
    rest = lines[1:]
    while len(words) < 2 and rest:
        words, rest = words + rest[0], rest[1:]
    try:
        num_vertices, num_faces = (int(word) for word in words[:2])
        if num_vertices < 0 or num_faces < 0:
            raise ValueError
    except ValueError:
        shown = b" ".join(words[:3])[:60].decode("ascii", errors="backslashreplace")
        raise ValueError(
            f"expected the numbers of vertices and faces behind OFF; received {shown!r}"
        ) from None
    # The third is that of edges, which nobody reads.
    more = words[3:]
    return keyword.upper(), (num_vertices, num_faces), [more, *rest] if more else rest


def _vertices(lines, num_vertices: int, prefix: bytes):
    """Returns float64 `[num_vertices, 3]`, their colours or None, and the lines behind them."""
    color_at = 6 if b"N" in prefix else 3
    widths = {len(line) for line in lines[:num_vertices]}
    if len(widths) == 1 and len(lines) >= num_vertices and min(widths) >= 3:
        (width,) = widths
        rest = lines[num_vertices:]
        words = [word for line in lines[:num_vertices] for word in line]
    else:
        # Free form: vertices go on over line ends, so each has what the keyword says.
        width = color_at + (4 if b"C" in prefix else 0) + (2 if prefix.startswith(b"ST") else 0)
        flat = [word for line in lines for word in line]
        words, rest = flat[: width * num_vertices], [flat[width * num_vertices :]]
    values = numbers(b" ".join(words))
    if values is None or len(values) != width * num_vertices:
        raise ValueError(
            f"expected {width} numbers for each of {num_vertices} vertices; received others"
        )
    rows = values.reshape(num_vertices, width)
    left = width - color_at - (2 if prefix.startswith(b"ST") else 0)
    colors = None
    if left in (3, 4) and b"N" not in prefix or (b"C" in prefix and left in (3, 4)):
        colors = unit_colors(rows[:, color_at : color_at + left])
    return rows[:, :3], colors, rest


def _faces(lines, num_faces: int):
    """Returns the corner counts, the corners, and colours of faces `[num_faces, 3]` or None."""
    counts: list[int] = []
    corners: list[int] = []
    colors: list[list[bytes]] = []
    try:
        if len(lines) == num_faces and all(len(line) > int(line[0]) for line in lines):
            for line in lines:
                count = int(line[0])
                counts.append(count)
                corners += map(int, line[1 : count + 1])
                colors.append(line[count + 1 :])
        else:
            words, place = [word for line in lines for word in line], 0
            for _ in range(num_faces):
                count = int(words[place])
                if count < 1 or place + count >= len(words):
                    raise IndexError
                counts.append(count)
                corners += map(int, words[place + 1 : place + 1 + count])
                place += count + 1
            if place != len(words):
                raise ValueError(
                    f"expected {num_faces} faces, as the header says; received "
                    f"{len(words) - place} numbers more"
                )
    except IndexError:
        raise ValueError(
            f"expected {num_faces} faces, as the header says; received {len(counts)}; the OFF file "
            "is cut off, or its header is wrong"
        ) from None
    except ValueError as error:
        if "expected" in str(error):
            raise
        raise ValueError(
            f"expected whole numbers in the face {len(counts)} of the OFF file; received others"
        ) from None
    if min(counts) < 3:
        raise ValueError(f"expected faces of three or more corners; received {min(counts)}")
    return np.array(counts), np.array(corners, np.int64), _face_colors(colors)


def _face_colors(fields: list[list[bytes]]) -> np.ndarray | None:
    """Returns the colours behind faces; a single number, an index into a table, is none."""
    widths = np.array([len(one) if len(one) in (3, 4) else 0 for one in fields] or [0])
    if not widths.any():
        return None
    values = numbers(
        b" ".join(word for one, w in zip(fields, widths, strict=True) if w for word in one)
    )
    if values is None or len(values) != widths.sum():
        raise ValueError("expected numbers as colours of the OFF file's faces; received others")
    colors = np.ones((len(fields), 4))
    colors[:, :3] = DEFAULT_COLOR
    scale = 255.0 if values.max() > 1.0 else 1.0
    starts = np.cumsum(widths) - widths
    for width in (3, 4):
        rows = np.flatnonzero(widths == width)
        if len(rows):
            own = values[starts[rows, None] + np.arange(width)] / scale
            colors[rows, :width] = np.clip(np.nan_to_num(own), 0.0, 1.0)
    return unit_colors(colors)
