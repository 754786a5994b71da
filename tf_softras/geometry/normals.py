"""Normals of meshes, differentiable."""

import keras

from tf_softras.geometry._shapes import check_shape, known_shape
from tf_softras.geometry._vectors import as_floating, cross, dot, normalize
from tf_softras.geometry.corner_mesh import checked_faces

# The spacing of numbers near 1.
_SPACING = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
# A sum of area vectors below this many spacings of its terms is rounding: the terms cancel.
_ROUNDINGS = 8.0
# If less than this share of the areas around a vertex is left, its faces are not wound alike.
_WOUND_ALIKE = 0.5


def vertex_normals(vertices, faces):
    """Returns unit normals of vertices: those of the faces around, each weighted by its area.

    Formula: ``n_i = normalize(sum over faces j at i of (b_j - a_j) x (c_j - a_j))``.

    They point out of a mesh whose faces are counter-clockwise seen from outside, in a right-handed
    frame: the world's. (The camera's frame, x right, y up, z forward, is left-handed: there they
    point inwards.)

    Args:
        vertices: float `[batch, num_vertices, 3]`.
        faces: int `[num_faces, 3]`, or `[batch, num_faces, 3]` padded with faces of -1.

    Returns:
        float `[batch, num_vertices, 3]`; 0, with gradient 0, at a vertex without faces, or whose
        faces have no area or cancel out (to within rounding, whatever the size of the mesh).

    Raises:
        ValueError: `vertices` have another shape, or `faces` are not integers of such a shape.
    """
    vertices = as_floating(vertices)
    around = _FacesAround(vertices, faces)
    unit = _unit(around.sum(around.area), around.rounding)
    return keras.ops.reshape(unit, keras.ops.shape(vertices))


def corner_normals(vertices, faces):
    """Returns unit normals at faces' corners: those of the vertices, on the side of each face.

    They serve meshes whose faces are wound at random, or given twice, once in each direction. If
    the faces around a vertex cancel, or nearly, they are turned to the side of the largest one
    before they are added up. Each face sees the result on its own side. If all faces around a
    vertex are wound alike and lie within 90 degrees of its normal, this is `vertex_normals`.

    Args:
        vertices: float `[batch, num_vertices, 3]`.
        faces: int `[num_faces, 3]`, or `[batch, num_faces, 3]` padded with faces of -1.

    Returns:
        float `[batch, 3 * num_faces, 3]`, in the order of `face_corners`; 0, with gradient 0, at a
        padded face, or where neither the face nor those around have an area.

    Raises:
        ValueError: `vertices` have another shape, or `faces` are not integers of such a shape.
    """
    vertices = as_floating(vertices)
    around = _FacesAround(vertices, faces)
    size = dot(around.area, around.area)
    largest = around.at_corners(keras.ops.segment_max(size, around.rows, around.num_vertices))
    # The last of the largest: doubled faces are equally large.
    number = keras.ops.arange(keras.ops.shape(around.rows)[0], dtype="int32")
    number = keras.ops.where(size[..., 0] >= largest[..., 0], number, 0)
    reference = keras.ops.segment_max(number, around.rows, around.num_vertices)
    reference = keras.ops.take(around.area, around.at_corners(reference), axis=0)
    is_turned = dot(around.area, reference) < 0.0
    turned = around.sum(keras.ops.where(is_turned, -around.area, around.area))
    as_wound = around.sum(around.area)
    is_alike = dot(as_wound, as_wound) >= _WOUND_ALIKE**2 * dot(turned, turned)
    normals = _unit(keras.ops.where(is_alike, as_wound, turned), around.rounding)
    normals = around.at_corners(normals)
    own = _unit(around.area, around.corner_rounding)
    has_none = dot(normals, normals) == 0.0
    normals = keras.ops.where(dot(normals, own) < 0.0, -normals, normals)
    normals = keras.ops.where(has_none, own, normals) * around.exists
    return keras.ops.reshape(normals, (keras.ops.shape(vertices)[0], around.corners_an_item, 3))


class _FacesAround:
    """Sums values of faces over the faces around each vertex; see `sum`.

    Attributes:
        num_vertices: of all items together.
        corners_an_item: three for each face.
        rows: int `[corners]`, of the vertices of all items in one row.
        area: `[corners, 3]`, the doubled area vector of the corner's face; 0 if it is padding.
        exists: `[corners, 1]`, 0 at a padded face's corners, else 1.
        corner_rounding: `[corners, 1]`, how long a vector is that `area` cannot be told from.
        rounding: `[batch * num_vertices, 1]`, the same of their sums.
    """

    def __init__(self, vertices, faces):
        check_shape("vertices", known_shape(vertices), ("batch", "num_vertices", 3))
        faces = keras.ops.convert_to_tensor(checked_faces(faces), "int32")
        batch, num_vertices = keras.ops.shape(vertices)[0], keras.ops.shape(vertices)[1]
        self.num_vertices = batch * num_vertices
        self.corners_an_item = 3 * faces.shape[-2]
        first = num_vertices * keras.ops.arange(batch, dtype="int32")[:, None, None]
        # Indices into the vertices of all items, [batch, num_faces, 3].
        rows = keras.ops.maximum(faces, 0) + first
        a, b, c = (
            keras.ops.take(keras.ops.reshape(vertices, (-1, 3)), rows[..., i], axis=0)
            for i in range(3)
        )
        exists = keras.ops.all(faces >= 0, axis=-1, keepdims=True)
        exists = keras.ops.cast(exists, vertices.dtype) + keras.ops.zeros_like(a[..., :1])
        self.rows = keras.ops.reshape(rows, (-1,))
        self.exists = self._repeated(exists)
        self.area = self._repeated(cross(b - a, c - a) * exists)
        # The size of the products that a cross product is the difference of.
        products = keras.ops.sqrt(dot(b - a, b - a) * dot(c - a, c - a))
        spacing = _SPACING[keras.backend.standardize_dtype(vertices.dtype)]
        products = keras.ops.stop_gradient(products * exists)
        self.corner_rounding = self._repeated(_ROUNDINGS * spacing * products)
        self.rounding = self.sum(self.corner_rounding)

    def sum(self, at_corners):
        """Sums over the corners at each vertex."""
        return keras.ops.segment_sum(at_corners, self.rows, self.num_vertices)

    def at_corners(self, at_vertices):
        """Returns the values of each corner's vertex."""
        return keras.ops.take(at_vertices, self.rows, axis=0)

    @staticmethod
    def _repeated(of_faces):
        width = of_faces.shape[-1]
        return keras.ops.reshape(keras.ops.repeat(of_faces[..., None, :], 3, axis=-2), (-1, width))


def _unit(vectors, rounding):
    """Vectors `[..., 3]` at length 1; 0, with gradient 0, for those no longer than rounding."""
    # A unit of length for each, so that squares neither overflow nor underflow.
    scale = keras.ops.stop_gradient(keras.ops.max(keras.ops.abs(vectors), axis=-1, keepdims=True))
    is_known = keras.ops.logical_not(scale <= rounding)  # NaN stays NaN.
    scaled = vectors / keras.ops.where(is_known, scale, keras.ops.ones_like(scale))
    return normalize(keras.ops.where(is_known, scaled, keras.ops.zeros_like(vectors)))
