"""The triangle mesh that every room of the package hands on."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in the world frame (right-handed, +y up), with a colour for each face or vertex.

    The arrays are checked, converted and copied, and the copies are read-only.

    Attributes:
        vertices: float32 `[num_vertices, 3]`, finite.
        faces: int32 `[num_faces, 3]`, indices into `vertices`, counter-clockwise seen from outside.
        face_colors: float32 `[num_faces, 3]` in [0, 1], sRGB as mesh files store it, or None.
        vertex_colors: float32 `[num_vertices, 3]` in [0, 1], sRGB, or None; not beside the faces'.

    Raises:
        ValueError: If a shape, a type, an index or a value is not as above, or both have colours.
    """

    vertices: np.ndarray
    faces: np.ndarray
    face_colors: np.ndarray | None = None
    vertex_colors: np.ndarray | None = None

    def __post_init__(self):
        """Checks the arrays and freezes copies of them."""
        vertices = _checked_vertices(self.vertices)
        faces = _checked_faces(self.faces, num_vertices=len(vertices))
        object.__setattr__(self, "vertices", _read_only(vertices))
        object.__setattr__(self, "faces", _read_only(faces))
        if self.face_colors is not None and self.vertex_colors is not None:
            raise ValueError(
                "Invalid vertex_colors. Expected colours of faces or of vertices, received both."
            )
        for name, kind, count in (
            ("face_colors", "face", len(faces)),
            ("vertex_colors", "vertex", len(vertices)),
        ):
            if getattr(self, name) is not None:
                colors = _checked_colors(getattr(self, name), name, kind, count)
                object.__setattr__(self, name, _read_only(colors))

    def normalized(self) -> "Mesh":
        """Returns the mesh moved and scaled: bounding box centred at the origin, longest side 1.

        The box is that of the vertices which faces use: a stray vertex, which nobody sees, has no
        say.

        Raises:
            ValueError: If the mesh has no faces, or all of them lie in one point.
        """
        used = np.unique(self.faces)
        if not used.size:
            raise ValueError(
                "Cannot normalize a mesh without faces. Expected at least one face, "
                f"received faces of shape {self.faces.shape}."
            )
        # float64: the sides of a box far from the origin, or a huge one, survive the subtraction.
        vertices = self.vertices.astype(np.float64)
        low, high = vertices[used].min(axis=0), vertices[used].max(axis=0)
        longest_side = (high - low).max()
        if longest_side == 0.0:
            raise ValueError(
                "Cannot normalize a mesh without extent. Expected faces that span a box, "
                f"received {len(self.faces)} faces that all lie in the point {low.tolist()}."
            )
        centred = (vertices - (low + high) / 2.0) / longest_side
        return dataclasses.replace(self, vertices=centred)


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def _checked_vertices(vertices) -> np.ndarray:
    """Returns a float32 copy `[num_vertices, 3]`, all finite."""
    try:
        # A value too large for float32 becomes inf here and is reported below.
        with np.errstate(over="ignore"):
            converted = np.array(vertices, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "Invalid vertices. Expected numbers of shape [num_vertices, 3], "
            f"received something else: {error}"
        ) from None
    if converted.ndim != 2 or converted.shape[1] != 3:
        raise ValueError(
            "Invalid shape of vertices. Expected [num_vertices, 3], "
            f"received {list(converted.shape)}."
        )
    finite = np.isfinite(converted).all(axis=1)
    if not finite.all():
        first = int(np.argmin(finite))
        raise ValueError(
            "Invalid vertices. Expected finite float32 coordinates, "
            f"received {converted[first].tolist()} at vertex {first}."
        )
    return converted


def _checked_faces(faces, *, num_vertices: int) -> np.ndarray:
    """Returns an int32 copy `[num_faces, 3]`, all indices in [0, num_vertices)."""
    try:
        given = np.asarray(faces)
    except ValueError as error:
        raise ValueError(
            "Invalid faces. Expected integers of shape [num_faces, 3], "
            f"received something else: {error}"
        ) from None
    if given.ndim != 2 or given.shape[1] != 3:
        raise ValueError(
            f"Invalid shape of faces. Expected [num_faces, 3], received {list(given.shape)}."
        )
    if not np.issubdtype(given.dtype, np.integer) and given.size:
        raise ValueError(f"Invalid type of faces. Expected integers, received {given.dtype}.")
    in_range = ((given >= 0) & (given < num_vertices)).all(axis=1)
    if not in_range.all():
        first = int(np.argmin(in_range))
        raise ValueError(
            f"Invalid faces. Expected vertex indices in [0, {num_vertices}), "
            f"received {given[first].tolist()} at face {first}."
        )
    return given.astype(np.int32)


def _checked_colors(colors, name: str, kind: str, count: int) -> np.ndarray:
    """Returns a float32 copy `[count, 3]`, all values in [0, 1]; `kind` is what has a colour."""
    try:
        converted = np.array(colors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Invalid {name}. Expected numbers of shape [{count}, 3], "
            f"received something else: {error}"
        ) from None
    if converted.shape != (count, 3):
        raise ValueError(
            f"Invalid shape of {name}. Expected [{count}, 3] (one colour a {kind}), "
            f"received {list(converted.shape)}."
        )
    valid = ((converted >= 0.0) & (converted <= 1.0)).all(axis=1)
    if not valid.all():
        first = int(np.argmin(valid))
        raise ValueError(
            f"Invalid {name}. Expected values in [0, 1], "
            f"received {converted[first].tolist()} at {kind} {first}."
        )
    return converted
