"""Reads STL files, binary and text, with the colours that binary ones may have."""

import struct

import numpy as np

from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.mesh_files._glb_writer import unique_rows
from tf_softras.geometry.mesh_files._reading import Reading, numbers

_HEADER_SIZE = 84
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def read_stl(reading: Reading) -> Mesh:
    """Returns the mesh of an STL file; see `load_mesh`.

    Corners at the same place become one vertex, as the format has no indices.

    Raises:
        ValueError: It is no such file, is cut off, or has no or too many faces.
    """
    data = reading.bytes_of(reading.path)
    colors = None
    count = struct.unpack_from("<I", data, 80)[0] if len(data) >= _HEADER_SIZE else None
    if count is not None and len(data) == _HEADER_SIZE + count * _TRIANGLE.itemsize:
        reading.check_faces(count)
        triangles = np.frombuffer(data, _TRIANGLE, count, _HEADER_SIZE)
        corners = triangles["corners"].reshape(-1, 3)
        colors = _colors(data[:80], triangles["attribute"])
    elif data.lstrip()[:5].lower() == b"solid" and b"\0" not in data:
        corners = _corners_of_text(data)
        reading.check_faces(len(corners) // 3)
    elif count is None:
        raise ValueError(f"expected an STL file; received {len(data)} bytes of another kind")
    else:
        room = (len(data) - _HEADER_SIZE) / _TRIANGLE.itemsize
        raise ValueError(
            f"expected a binary STL file of the {count} triangles that its header says; received "
            f"{len(data)} bytes, room for {room:.5g}"
        )
    # + 0: -0 and 0 are one place.
    corners = np.ascontiguousarray(corners, np.float32) + np.float32(0.0)
    first, index = unique_rows(corners.view(np.int32))
    return Mesh(corners[first], index.reshape(-1, 3), face_colors=colors)


def _colors(header: bytes, attributes: np.ndarray) -> np.ndarray | None:
    """Returns the colours of faces, 5 bits a channel, or None.

    Materialise Magics marks its files with COLOR= in the header; a face's own colour has bit 15
    unset there, red lowest. VisCAM and SolidView set bit 15, blue lowest, and mark nothing.
    """
    mark = header.find(b"COLOR=")
    channels = np.stack([attributes & 31, (attributes >> 5) & 31, (attributes >> 10) & 31], axis=-1)
    colors = channels / 31.0
    if mark >= 0 and len(header) >= mark + 10:
        whole = np.frombuffer(header, np.uint8, 3, mark + 6) / 255.0
        return np.where((attributes >> 15 == 0)[:, None], colors, whole)
    if (attributes >> 15 == 1).all():
        return colors[:, ::-1]
    return None


def _corners_of_text(data: bytes) -> np.ndarray:
    """Returns float64 `[3 * num_faces, 3]` of an STL text."""
    rows, facets, ends, is_closed = [], 0, 0, False
    for line in data.splitlines():
        fields = line.split(None, 1)
        keyword = fields[0].lower() if fields else b""
        if keyword == b"vertex":
            rows.append(fields[1] if len(fields) == 2 else b"")
        elif keyword == b"facet":
            facets += 1
        elif keyword == b"endfacet":
            ends += 1
        is_closed = keyword == b"endsolid" or (is_closed and not keyword)
    if len(rows) != 3 * facets or ends != facets or (facets and not is_closed):
        raise ValueError(
            "expected a whole STL text: three vertices a facet, and endsolid; received "
            f"{facets} facets, {len(rows)} vertices and {ends} ends"
        )
    values = numbers(b"\n".join(rows))
    if values is None or len(values) != 3 * len(rows):
        raise ValueError(
            "expected three numbers behind each vertex of the STL text; received others"
        )
    return values.reshape(-1, 3)
