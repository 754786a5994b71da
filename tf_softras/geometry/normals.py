"""Normals of meshes, differentiable."""

import keras

from tf_softras.geometry._vectors import as_floating, cross, normalize
from tf_softras.geometry.corner_mesh import checked_faces


def vertex_normals(vertices, faces):
    """Unit normals of vertices: those of the faces around, each weighted by its area.

    Formula: ``n_i = normalize(sum over faces j at i of (b_j - a_j) x (c_j - a_j))``.

    They point out of a mesh whose faces are counter-clockwise seen from outside, in a right-handed
    frame: the world's. (The camera's frame, x right, y up, z forward, is left-handed: there they
    point inwards.)

    Args:
        vertices: float `[batch, num_vertices, 3]`.
        faces: int `[num_faces, 3]`, or `[batch, num_faces, 3]` padded with faces of -1.

    Returns:
        float `[batch, num_vertices, 3]`; 0, with gradient 0, at a vertex without faces, or whose
        faces have no area or cancel out.

    Raises:
        ValueError: `faces` are not integers of such a shape.
    """
    vertices = as_floating(vertices)
    faces = keras.ops.convert_to_tensor(checked_faces(faces), "int32")
    batch, num_vertices = keras.ops.shape(vertices)[0], keras.ops.shape(vertices)[1]
    exists = keras.ops.all(faces >= 0, axis=-1, keepdims=True)
    first = num_vertices * keras.ops.arange(batch, dtype="int32")[:, None, None]
    # Indices into the vertices of all items, [batch, num_faces, 3].
    rows = keras.ops.maximum(faces, 0) + first
    a, b, c = (
        keras.ops.take(keras.ops.reshape(vertices, (-1, 3)), rows[..., i], axis=0) for i in range(3)
    )
    doubled_area = cross(b - a, c - a) * keras.ops.cast(exists, vertices.dtype)
    at_corners = keras.ops.repeat(doubled_area[..., None, :], 3, axis=-2)
    sums = keras.ops.segment_sum(
        keras.ops.reshape(at_corners, (-1, 3)),
        keras.ops.reshape(rows, (-1,)),
        num_segments=batch * num_vertices,
    )
    return normalize(keras.ops.reshape(sums, keras.ops.shape(vertices)))
