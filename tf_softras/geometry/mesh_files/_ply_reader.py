"""Reads PLY files: faces or triangle strips, with colours, texture coordinates and a texture."""

import numpy as np

from tf_softras.geometry.material import Material
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.mesh_files._ply_document import Element, read_elements
from tf_softras.geometry.mesh_files._polygons import triangulate_polygons
from tf_softras.geometry.mesh_files._reading import Reading, unit_colors

_COLORS = (
    ("red", "green", "blue"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
    ("r", "g", "b"),
)
_OPACITIES = ("alpha", "diffuse_alpha", "a")
_UVS = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))


def read_ply(reading: Reading) -> Mesh:
    """Returns the mesh of a PLY file; see `load_mesh`.

    Raises:
        ValueError: It is no such file, is cut off or has more than it says, or has no or too many
            faces.
    """
    elements, comments = read_elements(reading.bytes_of(reading.path))
    vertex = elements.get("vertex")
    points = None if vertex is None else vertex.scalars("xyz")
    if vertex is None or points is None:
        raise ValueError("expected an element vertex with x, y and z; received none")
    counts, corners, face = _polygons(elements, reading)
    if corners.min() < 0 or corners.max() >= len(points):
        raise ValueError(
            f"expected vertex indices in [0, {len(points)}); received {corners.min()} to "
            f"{corners.max()}"
        )
    triangles, polygon = triangulate_polygons(points, corners, counts)
    vertex_colors = _colors(vertex)
    face_colors = None if face is None else _colors(face)
    if vertex_colors is not None and face_colors is not None:
        reading.warn("Vertices and faces have colours; those of the vertices are taken.")
        face_colors = None
    uvs = _face_uvs(vertex, face, corners, counts, triangles)
    texture = _texture(comments, reading) if uvs is not None else None
    return Mesh(
        points,
        corners[triangles],
        face_colors=None if face_colors is None else face_colors[polygon],
        vertex_colors=vertex_colors,
        materials=() if texture is None else (Material(texture=texture),),
        uvs=uvs,
    )


def _polygons(elements: dict[str, Element], reading: Reading):
    """Returns the corner counts, the corners, and the element whose rows they are, or None."""
    face = elements.get("face")
    if face is not None and face.count:
        name = next((n for n in ("vertex_indices", "vertex_index") if n in face.columns), None)
        if name is None or not isinstance(face.columns[name], tuple):
            raise ValueError("expected faces with a list vertex_indices; received none")
        counts, corners = face.columns[name]
        if counts.min() < 3:
            raise ValueError(
                f"expected faces of three or more corners; received one of {counts.min()}"
            )
        reading.check_faces(int((counts - 2).sum()))
        return counts, _whole(corners), face
    strips = elements.get("tristrips")
    if strips is not None and isinstance(strips.columns.get("vertex_indices"), tuple):
        corners = _triangles_of_strips(*strips.columns["vertex_indices"])
        reading.check_faces(len(corners))
        return np.full(len(corners), 3), corners.reshape(-1), None
    raise ValueError("expected at least one face; received a PLY file with 0 faces")


def _whole(corners: np.ndarray) -> np.ndarray:
    whole = corners.astype(np.int64)
    if (whole != corners).any():
        raise ValueError("expected whole numbers as vertex indices; received others")
    return whole


def _triangles_of_strips(lengths: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns int64 `[num_faces, 3]` of strips, which -1 and the ends of lists divide."""
    values = _whole(values)
    # A strip begins where a list begins, and after each -1.
    is_begin = np.zeros(len(values) + 1, bool)
    is_begin[np.cumsum(lengths) - lengths] = True
    is_begin[1:] |= values == -1
    begin = np.maximum.accumulate(np.where(is_begin[:-1], np.arange(len(values)), 0))
    nth = np.arange(max(0, len(values) - 2))
    a, b, c = values[nth], values[nth + 1], values[nth + 2]
    whole = (begin[nth] == begin[nth + 2]) & (a != -1) & (b != -1) & (c != -1)
    # Every second triangle of a strip runs the other way round.
    odd = (nth - begin[nth]) % 2 == 1
    triangles = np.stack([np.where(odd, b, a), np.where(odd, a, b), c], axis=-1)[whole]
    # Repeated corners move a strip on without a triangle.
    first, second, third = triangles.T
    return triangles[(first != second) & (second != third) & (first != third)]


def _colors(element: Element) -> np.ndarray | None:
    """Returns the colours of an element's rows, float64 `[count, 3 or 4]`, or None."""
    for names in _COLORS:
        colors = element.scalars(names)
        if colors is None:
            continue
        opacity = next((name for name in _OPACITIES if name in element.columns), None)
        if opacity is not None and element.dtype_of(opacity) == element.dtype_of(names[0]):
            colors = np.concatenate([colors, element.scalars([opacity])], axis=-1)
        return unit_colors(colors, dtype=element.dtype_of(names[0]))
    return None


def _face_uvs(vertex: Element, face: Element | None, corners, counts, triangles):
    """Returns float64 `[num_faces, 3, 2]`, v up: of each corner, or of its vertex; or None."""
    if face is not None and isinstance(face.columns.get("texcoord"), tuple):
        lengths, values = face.columns["texcoord"]
        if (lengths == 2 * counts).all():
            return np.nan_to_num(values.astype(np.float64).reshape(-1, 2)[triangles])
    for names in _UVS:
        uvs = vertex.scalars(names)
        if uvs is not None:
            return np.nan_to_num(uvs)[corners[triangles]]
    return None


def _texture(comments: list[str], reading: Reading) -> np.ndarray | None:
    """Returns the texture that a comment `TextureFile NAME` names, as MeshLab writes it."""
    names = [text[12:].strip() for text in comments if text.startswith("TextureFile ")]
    if not names:
        return None
    if len(names) > 1:
        reading.warn("Only the first of several textures is read.")
    return reading.texture_beside(names[0])
