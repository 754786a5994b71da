"""The triangle mesh that every room of the package hands on."""

import dataclasses

import numpy as np

from tf_softras.geometry.material import Material


@dataclasses.dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in the world frame (right-handed, +y up), with their surfaces.

    A surface may have materials, and beside them a colour for each face or each vertex. If a face
    has both, their product counts; a face with neither is grey (0.7, sRGB).
    `tf_softras.geometry.surfaces` has the formula.

    The arrays are checked, converted and copied, and the copies are read-only.

    Attributes:
        vertices: float32 `[num_vertices, 3]`, finite.
        faces: int32 `[num_faces, 3]`, indices into `vertices`, counter-clockwise seen from outside.
        face_colors: float32 `[num_faces, 3]` in [0, 1], sRGB as mesh files store it, or None. A
            fourth column is opacity.
        vertex_colors: float32 `[num_vertices, 3]` in [0, 1], sRGB, or None; a fourth column is
            opacity. A mesh has colours of faces or of vertices, not of both.
        materials: a tuple of `Material`, empty without any.
        face_materials: int32 `[num_faces]`, each face's index into `materials`, -1 for none. If it
            is left out and there is one material, every face has it.
        uvs: float32 `[num_faces, 3, 2]`, finite: the texture coordinates (u, v) of each corner of
            each face, v up; or None. A textured material needs them.

    Raises:
        ValueError: A shape, a type, an index or a value is not as above, or both have colours.

    Example:
    >>> import numpy as np
    >>> from tf_softras.geometry import Material, Mesh
    >>> wood = Material(texture=np.full((8, 8, 3), 200, np.uint8), name="wood")
    >>> square = Mesh(
    ...     [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]],
    ...     [[0, 1, 2], [0, 2, 3]],
    ...     materials=[wood],
    ...     uvs=[[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]],
    ... )
    >>> square.face_materials
    array([0, 0], dtype=int32)
    """

    vertices: np.ndarray
    faces: np.ndarray
    face_colors: np.ndarray | None = None
    vertex_colors: np.ndarray | None = None
    materials: tuple[Material, ...] = ()
    face_materials: np.ndarray | None = None
    uvs: np.ndarray | None = None

    def __post_init__(self):
        """Checks the arrays and freezes copies of them."""
        vertices = _checked_vertices(self.vertices)
        faces = _checked_faces(self.faces, num_vertices=len(vertices))
        self._freeze("vertices", vertices)
        self._freeze("faces", faces)
        if self.face_colors is not None and self.vertex_colors is not None:
            raise ValueError(
                "vertex_colors: expected colours of faces or of vertices; received both"
            )
        for name, kind, count in (
            ("face_colors", "face", len(faces)),
            ("vertex_colors", "vertex", len(vertices)),
        ):
            if getattr(self, name) is not None:
                self._freeze(name, _checked_colors(getattr(self, name), name, kind, count))
        self._check_surfaces()

    def _check_surfaces(self):
        object.__setattr__(self, "materials", tuple(self.materials))
        if not all(isinstance(material, Material) for material in self.materials):
            kinds = sorted({type(material).__name__ for material in self.materials})
            raise ValueError(f"materials: expected Material objects; received {kinds}")
        if self.uvs is not None:
            self._freeze("uvs", _checked_uvs(self.uvs, len(self.faces)))
        chosen = self.face_materials
        if chosen is None:
            if len(self.materials) > 1:
                raise ValueError(
                    f"face_materials: expected the material of each face, as there are "
                    f"{len(self.materials)}; received None"
                )
            if self.materials:
                chosen = np.zeros(len(self.faces), np.int32)
        if chosen is None:
            return
        chosen = _checked_face_materials(chosen, len(self.faces), len(self.materials))
        self._freeze("face_materials", chosen)
        if self.uvs is None:
            used = np.unique(chosen)
            for index in used[used >= 0]:
                if self.materials[index].texture is not None:
                    raise ValueError(
                        f"uvs: expected texture coordinates, as material {index} "
                        f"({self.materials[index].name!r}) has a texture; received None"
                    )

    def _freeze(self, name: str, array: np.ndarray):
        array.setflags(write=False)
        object.__setattr__(self, name, array)

    def normalized(self) -> "Mesh":
        """Returns the mesh moved and scaled: bounding box centred at the origin, longest side 1.

        Only vertices that faces use count for the box; stray vertices do not.

        Raises:
            ValueError: The mesh has no faces, or all of them lie in one point.
        """
        used = np.unique(self.faces)
        if not used.size:
            raise ValueError(
                "faces: expected at least one face, as a mesh without faces has no size; received "
                f"{list(self.faces.shape)}"
            )
        # float64: the sides of a box far from the origin, or a huge one, survive the subtraction.
        vertices = self.vertices.astype(np.float64)
        low, high = vertices[used].min(axis=0), vertices[used].max(axis=0)
        longest_side = (high - low).max()
        if longest_side == 0.0:
            raise ValueError(
                "vertices: expected faces that span a box, as a mesh without extent cannot be "
                f"scaled; received {len(self.faces)} faces in the point {low.tolist()}"
            )
        centred = (vertices - (low + high) / 2.0) / longest_side
        return dataclasses.replace(self, vertices=centred)


def check_mesh(mesh, *, name: str = "mesh") -> None:
    """Checks that an argument is a `Mesh`.

    Raises:
        TypeError: It is something else, such as the array of its vertices.
    """
    if isinstance(mesh, Mesh):
        return
    received = type(mesh).__name__
    if hasattr(mesh, "shape") and hasattr(mesh, "dtype"):
        received += f" {list(mesh.shape)}. Make a mesh of vertices and faces: Mesh(vertices, faces)"
    raise TypeError(f"{name}: expected a tf_softras.geometry.Mesh; received {received}")


def _checked_vertices(vertices) -> np.ndarray:
    """Returns a float32 copy `[num_vertices, 3]`, all finite."""
    converted = _as_floats(vertices, "vertices", "[num_vertices, 3]")
    if converted.ndim != 2 or converted.shape[1] != 3:
        raise ValueError(f"vertices: expected [num_vertices, 3]; received {list(converted.shape)}")
    finite = np.isfinite(converted).all(axis=1)
    if not finite.all():
        first = int(np.argmin(finite))
        raise ValueError(
            "vertices: expected finite float32 coordinates; "
            f"received {converted[first].tolist()} at vertex {first}"
        )
    return converted


def _checked_faces(faces, *, num_vertices: int) -> np.ndarray:
    """Returns an int32 copy `[num_faces, 3]`, all indices in [0, num_vertices)."""
    try:
        given = np.asarray(faces)
    except ValueError as error:
        raise ValueError(
            f"faces: expected integers [num_faces, 3]; received something else: {error}"
        ) from None
    if given.ndim != 2 or given.shape[1] != 3:
        raise ValueError(
            f"faces: expected [num_faces, 3]; received {given.dtype} {list(given.shape)}"
        )
    if not np.issubdtype(given.dtype, np.integer) and given.size:
        raise ValueError(
            f"faces: expected integers [num_faces, 3]; received {given.dtype} {list(given.shape)}"
        )
    in_range = ((given >= 0) & (given < num_vertices)).all(axis=1)
    if not in_range.all():
        first = int(np.argmin(in_range))
        raise ValueError(
            f"faces: expected vertex indices in [0, {num_vertices}); "
            f"received {given[first].tolist()} at face {first}"
        )
    return given.astype(np.int32)


def _checked_colors(colors, name: str, kind: str, count: int) -> np.ndarray:
    """Returns a float32 copy `[count, 3 or 4]` in [0, 1]; `kind` is what has a colour."""
    converted = _as_floats(colors, name, f"[{count}, 3]")
    if converted.shape not in ((count, 3), (count, 4)):
        raise ValueError(
            f"{name}: expected [{count}, 3] (one colour a {kind}; with opacity [{count}, 4]); "
            f"received {list(converted.shape)}"
        )
    valid = ((converted >= 0.0) & (converted <= 1.0)).all(axis=1)
    if not valid.all():
        first = int(np.argmin(valid))
        raise ValueError(
            f"{name}: expected values in [0, 1]; "
            f"received {converted[first].tolist()} at {kind} {first}"
        )
    return converted


def _checked_uvs(uvs, num_faces: int) -> np.ndarray:
    converted = _as_floats(uvs, "uvs", f"[{num_faces}, 3, 2]")
    if converted.shape != (num_faces, 3, 2):
        raise ValueError(
            f"uvs: expected [{num_faces}, 3, 2], (u, v) of each corner of each face; received "
            f"{list(converted.shape)}"
        )
    if not np.isfinite(converted).all():
        first = int(np.argmin(np.isfinite(converted).all(axis=(1, 2))))
        raise ValueError(
            f"uvs: expected finite numbers; received {converted[first].tolist()} at face {first}"
        )
    return converted


def _checked_face_materials(chosen, num_faces: int, num_materials: int) -> np.ndarray:
    given = np.asarray(chosen)
    if given.shape != (num_faces,) or (not np.issubdtype(given.dtype, np.integer) and given.size):
        raise ValueError(
            f"face_materials: expected integers [{num_faces}]; received {given.dtype} "
            f"{list(given.shape)}"
        )
    if given.size and not (-1 <= given.min() and given.max() < num_materials):
        raise ValueError(
            f"face_materials: expected indices into {num_materials} materials, or -1; received "
            f"{given.min()} to {given.max()}"
        )
    return given.astype(np.int32)


def _as_floats(values, name: str, shape: str) -> np.ndarray:
    """Returns a float32 copy."""
    try:
        # A value too large for float32 becomes inf here and is reported by the caller.
        with np.errstate(over="ignore"):
            return np.array(values, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: expected numbers {shape}; received something else: {error}"
        ) from None
