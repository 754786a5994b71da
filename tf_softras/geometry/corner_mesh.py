"""Meshes whose faces share no vertex: for faces that differ by item, and for faces that are cut."""

from typing import Any, NamedTuple

import keras
import numpy as np

from tf_softras.geometry._shapes import check_shape, known_shape
from tf_softras.geometry._vectors import as_floating, roll
from tf_softras.geometry.mesh import Mesh

# The place of a corner that does not exist: an op leaves its face out for any near of 0 or more.
HIDDEN_CORNER = (0.0, 0.0, -1.0)

# The corners of what remains of a cut face, in the face's order, as indices into (corner 0, cut
# 0-1, corner 1, cut 1-2, corner 2, cut 2-0, none). The row is the sum of 1 if corner 0 is kept, 2
# if corner 1 is and 4 if corner 2 is.
_REMAINING = np.array(
    [
        [6, 6, 6, 6],
        [0, 1, 5, 6],
        [1, 2, 3, 6],
        [0, 2, 3, 5],
        [3, 4, 5, 6],
        [0, 1, 3, 4],
        [1, 2, 4, 5],
        [0, 2, 4, 6],
    ],
    np.int32,
)


class CornerMesh(NamedTuple):
    """A batch of meshes with a vertex for each corner of each face, and one table of faces.

    Attributes:
        vertices: float `[batch, num_corners, 3]`, camera space. A corner that does not exist lies
            at (0, 0, -1), behind the camera, and has gradient 0.
        faces: int32 NumPy array `[num_faces, 3]`, the same for every item.
        attributes: float `[batch, num_corners, channels]`, 0 at a corner that does not exist; or
            None.
    """

    vertices: Any
    faces: np.ndarray
    attributes: Any = None


def face_corners(vertices, faces, attributes=None):
    """Returns the corner mesh of meshes whose faces may differ by item, as ops take it.

    A padded face is left out by every op with `near` of 0 or more, forward and backward. Do it in
    camera space or later: a world-to-camera transform would move the corners that do not exist.

    Args:
        vertices: float `[batch, num_vertices, 3]`, camera space or image plane with depth in z.
        faces: int `[num_faces, 3]`, or `[batch, num_faces, 3]` padded with faces of -1 (as
            `pad_meshes` does).
        attributes: None, or float `[batch, num_vertices, channels]`.

    Returns:
        A `CornerMesh` of 3 corners and 1 face for each face.

    Raises:
        ValueError: `vertices` or `attributes` have another shape; `faces` are not integers of such
            a shape, or known and half padded.
        tf.errors.InvalidArgumentError: a vertex index out of range.
    """
    faces = checked_faces(faces)
    corners, corner_attributes, exists = _gathered(vertices, faces, attributes)
    corners = keras.ops.where(exists[..., None], corners, _hidden(corners.dtype))
    num_faces = faces.shape[-2]
    return CornerMesh(
        _flat(corners, 3 * num_faces),
        np.arange(3 * num_faces, dtype=np.int32).reshape(-1, 3),
        None if attributes is None else _flat(corner_attributes, 3 * num_faces),
    )


def clip_to_near(vertices, faces, attributes=None, *, near):
    """Cuts meshes at the near plane, so that a face which crosses it keeps its part beyond.

    A cut triangle has 0, 3 or 4 corners, so it is two triangles at most. Corners of missing
    triangles are hidden (see `CornerMesh`), so that all shapes are fixed. Cut edges carry gradients
    to both of their ends, in all three coordinates and the attributes. The front of a face stays
    its front. Corners that are not finite are never hidden, so that the op refuses them.

    Project the result, and give the op a `near` that is less than this one (0 does), or it leaves
    out the faces that end at the plane.

    Args:
        vertices: float `[batch, num_vertices, 3]`, camera space: z is the depth.
        faces: int `[num_faces, 3]`, or `[batch, num_faces, 3]` padded with faces of -1.
        attributes: None, or float `[batch, num_vertices, channels]`, linear over a face in space.
        near: positive float: the depth of the plane. Points on it are kept.

    Returns:
        A `CornerMesh` of 4 corners and 2 faces for each face.

    Raises:
        ValueError: `near` is not positive and finite; the others as in `face_corners`.
        tf.errors.InvalidArgumentError: a vertex index out of range.
    """
    if not 0.0 < near < float("inf"):
        raise ValueError(f"near: expected a positive depth to cut at; received {near}")
    faces = checked_faces(faces)
    corners, corner_attributes, exists = _gathered(vertices, faces, attributes)
    depth = corners[..., 2]
    is_finite = keras.ops.all(keras.ops.isfinite(corners), axis=-1)
    beyond = keras.ops.logical_or(depth >= near, keras.ops.logical_not(is_finite))
    kept = keras.ops.logical_and(beyond, exists)
    case = keras.ops.sum(keras.ops.cast(kept, "int32") * np.array([1, 2, 4], np.int32), axis=-1)
    remaining = keras.ops.take(_REMAINING, case, axis=0)  # [batch, faces, 4]
    fraction = _cut_fraction(depth, kept, near)
    # A cut corner's depth is `near` itself, not what rounding makes of it.
    cut = keras.ops.concatenate(
        [_between(corners[..., :2], fraction), keras.ops.full_like(fraction, near)], axis=-1
    )
    num_faces = faces.shape[-2]
    chosen = _chosen(corners, cut, _hidden(corners.dtype), remaining)
    if attributes is not None:
        cut = _between(corner_attributes, fraction)
        attributes = _chosen(corner_attributes, cut, 0.0, remaining)
        attributes = _flat(attributes, 4 * num_faces)
    first = 4 * np.arange(num_faces, dtype=np.int32)[:, None, None]
    triangles = (first + np.array([[0, 1, 2], [0, 2, 3]], np.int32)).reshape(-1, 3)
    return CornerMesh(_flat(chosen, 4 * num_faces), triangles, attributes)


def cull_back_faces(vertices, faces, attributes=None):
    """Returns the corner mesh without the faces that turn their back to the camera.

    A face shows its front where its corners run counter-clockwise in the picture; faces of a closed
    mesh that is counter-clockwise seen from outside are then its near side. A back face is left out
    by every op with `near` of 0 or more, forward and backward. A face seen edge-on is kept.

    Args:
        vertices: Float `[batch, num_vertices, 3]`, image plane with depth in z: after the
            projection, and after `clip_to_near`, which keeps the order of corners.
        faces: Int `[num_faces, 3]`, or `[batch, num_faces, 3]` padded with faces of -1.
        attributes: None, or float `[batch, num_vertices, channels]`.

    Returns:
        A `CornerMesh` of 3 corners and 1 face for each face.

    Raises:
        ValueError: As in `face_corners`.
        tf.errors.InvalidArgumentError: A vertex index out of range.

    Example:
    >>> corners = np.array([[[0, 0, 1], [1, 0, 1], [0, 1, 1]]], np.float32)
    >>> mesh = geometry.cull_back_faces(corners, [[0, 1, 2], [0, 2, 1]])
    >>> np.asarray(mesh.vertices)[0, :, 2]                    # the second face is behind the camera
    array([ 1.,  1.,  1., -1., -1., -1.], dtype=float32)
    """
    mesh = face_corners(vertices, faces, attributes)
    batch = keras.ops.shape(mesh.vertices)[0]
    corners = keras.ops.reshape(mesh.vertices, (batch, len(mesh.faces), 3, 3))
    x, y = corners[..., 0], corners[..., 1]
    ahead = (x[..., 1] - x[..., 0]) * (y[..., 2] - y[..., 0])
    behind = (y[..., 1] - y[..., 0]) * (x[..., 2] - x[..., 0])
    # NaN is no back face: the op, which refuses it, sees it.
    is_back = (ahead < behind)[..., None, None]
    corners = keras.ops.where(is_back, _hidden(corners.dtype), corners)
    return mesh._replace(vertices=_flat(corners, 3 * len(mesh.faces)))


def pad_meshes(meshes):
    """Returns one vertex and one face array for meshes of different size.

    Args:
        meshes: `Mesh`es, at least one.

    Returns:
        vertices: float32 NumPy array `[batch, most_vertices, 3]`, padded with 0.
        faces: int32 NumPy array `[batch, most_faces, 3]`, padded with faces of -1: what
            `face_corners` and `clip_to_near` take.

    Raises:
        ValueError: there is no mesh.
    """
    meshes = list(meshes)
    if not meshes or not all(isinstance(mesh, Mesh) for mesh in meshes):
        kinds = sorted({type(mesh).__name__ for mesh in meshes})
        raise ValueError(f"meshes: expected at least one Mesh, and nothing else; received {kinds}")
    most_vertices = max(len(mesh.vertices) for mesh in meshes)
    most_faces = max(len(mesh.faces) for mesh in meshes)
    vertices = np.zeros((len(meshes), most_vertices, 3), np.float32)
    faces = np.full((len(meshes), most_faces, 3), -1, np.int32)
    for item, mesh in enumerate(meshes):
        vertices[item, : len(mesh.vertices)] = mesh.vertices
        faces[item, : len(mesh.faces)] = mesh.faces
    return vertices, faces


def is_closed(faces):
    """Returns whether meshes are closed and wound alike: two faces run each edge oppositely.

    Args:
        faces: int `[num_faces, 3]` or `[batch, num_faces, 3]`; faces of -1 are padding.

    Returns:
        bool `[]` or `[batch]`.
    """
    faces = keras.ops.cast(faces, "int64")
    first, second = faces, keras.ops.take(faces, np.array([1, 2, 0], np.int32), axis=-1)
    shape = (*keras.ops.shape(faces)[:-2], 3 * faces.shape[-2])
    forward, backward = (
        keras.ops.sort(keras.ops.reshape(a * 2**32 + b, shape), axis=-1)
        for a, b in ((first, second), (second, first))
    )
    is_repeated = (forward[..., 1:] == forward[..., :-1]) & (forward[..., 1:] >= 0)
    has_opposites = keras.ops.all(forward == backward, axis=-1)
    return has_opposites & keras.ops.logical_not(keras.ops.any(is_repeated, axis=-1))


def checked_faces(faces):
    """Faces with a known number of faces; values are checked where they are known."""
    known = not keras.ops.is_tensor(faces)
    if known:
        faces = np.asarray(faces)
    shape, dtype = tuple(faces.shape), keras.backend.standardize_dtype(faces.dtype)
    if len(shape) not in (2, 3) or shape[-1] != 3 or shape[-2] is None or "int" not in dtype:
        raise ValueError(
            "faces: expected integers of shape [num_faces, 3] or [batch, num_faces, 3]; "
            f"received {dtype} of shape {list(shape)}"
        )
    if known:
        padded = faces < 0
        if (padded.any(axis=-1) != padded.all(axis=-1)).any() or faces.min(initial=0) < -1:
            raise ValueError(
                "faces: expected vertex indices from 0, or all three of them -1 in a "
                f"padded face; received a face with the index {faces.min()}"
            )
    return faces


def _gathered(vertices, faces, attributes):
    """Returns corners, attributes `[batch, faces, 3, channels]`, existence `[..., faces, 1]`."""
    vertices = as_floating(vertices)
    check_shape("vertices", known_shape(vertices), ("batch", "num_vertices", 3))
    faces = keras.ops.cast(faces, "int32")
    exists = keras.ops.all(faces >= 0, axis=-1, keepdims=True)
    faces = keras.ops.maximum(faces, 0)

    def gathered(values):
        if len(faces.shape) == 2:
            return keras.ops.take(values, faces, axis=1)
        width = values.shape[-1]
        batch, num_faces = keras.ops.shape(faces)[0], faces.shape[1]
        index = keras.ops.reshape(faces, (batch, 3 * num_faces, 1))
        index = keras.ops.repeat(index, width, axis=-1)
        rows = keras.ops.take_along_axis(values, index, axis=1)
        return keras.ops.reshape(rows, (batch, num_faces, 3, width))

    corners = gathered(vertices)
    if attributes is None:
        return corners, None, exists
    attributes = keras.ops.convert_to_tensor(attributes, vertices.dtype)
    check_shape("attributes", known_shape(attributes), ("batch", "num_vertices", "channels"))
    values = gathered(attributes)
    return corners, keras.ops.where(exists[..., None], values, keras.ops.zeros_like(values)), exists


def _hidden(dtype):
    return keras.ops.convert_to_tensor(HIDDEN_CORNER, dtype)


def _cut_fraction(depth, kept, near):
    """Returns where the plane cuts each edge, from a corner to the next `[batch, faces, 3, 1]`.

    The fraction is 0 if the edge does not cross the plane. If it does, one end is at the plane or
    beyond and the other before it, so their depths differ.
    """
    following = roll(depth, -1, axis=-1)
    crosses = kept != roll(kept, -1, axis=-1)
    length = keras.ops.where(crosses, following - depth, keras.ops.ones_like(depth))
    fraction = keras.ops.where(crosses, (near - depth) / length, keras.ops.zeros_like(depth))
    return fraction[..., None]


def _between(corners, fraction):
    """Points of the edges from each corner to the next."""
    return corners + fraction * (roll(corners, -1, axis=-2) - corners)


def _chosen(corners, cut, hidden, remaining):
    """Returns the four corners of what remains of each face `[batch, faces, 4, channels]`."""
    hidden = hidden + keras.ops.zeros_like(cut[..., :1, :])
    interleaved = [
        part[..., i : i + 1, :] for i in range(3) for part in (corners, cut)
    ]  # corner 0, cut 0-1, corner 1, ...
    slots = keras.ops.concatenate([*interleaved, hidden], axis=-2)
    index = keras.ops.repeat(remaining[..., None], slots.shape[-1], axis=-1)
    return keras.ops.take_along_axis(slots, index, axis=-2)


def _flat(corners, num_corners):
    """Reshapes `[batch, faces, n, channels]` to `[batch, faces * n, channels]`."""
    return keras.ops.reshape(corners, (keras.ops.shape(corners)[0], num_corners, corners.shape[-1]))
