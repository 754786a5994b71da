"""The losses of meshes alone: Laplacian and flattening."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tf_softras._shared.array_text import array_to_text
from tf_softras._shared.faces import standardize_faces
from tf_softras.losses._batches import ItemLoss, at_least_float32, mean_of_middle_axes
from tf_softras.losses._item_topology import (
    differ_by_item,
    hinges,
    item_meshes,
    neighbors,
    sums_by_item,
)
from tf_softras.losses._topology import MeshTopology

# A face whose normal (the cross product of two sides) is shorter than this share of its squared
# sides is treated as vanishing. Below it, rounding of the vertices alone turns the normal by 1e-3.
_RELATIVE_NORMAL_FLOOR = 1e-3
# The same for faces that shrink to a point: sides of 1e-6 in object units are lost to rounding.
_ABSOLUTE_NORMAL_FLOOR = 1e-12


def laplacian_loss(vertices, faces):
    """Returns how far vertices are from the middle of their neighbours, one value a batch item.

    Formula:

    ```python
    loss = sum_over_vertices(|v_i - mean(v_j for j in neighbours(i))| ** 2)
    ```

    Neighbours are the distinct vertices that share a face's side with i, all of the same weight,
    on a border too. A vertex with no neighbour adds nothing.

    Args:
        vertices: [batch, ..., num_vertices, 3], object units; middle axes are averaged.
        faces: Integers [num_faces, 3], or a `MeshTopology` to work them out only once; or
            [batch, num_faces, 3] for meshes whose faces differ, as `geometry.pad_meshes` makes
            them. Faces of three -1 are padding. May be a tensor of a graph.

    Returns:
        Tensor [batch], squared object units, float32 (float64 for float64 input).

    Raises:
        ValueError: A wrong shape, or a face that names a vertex there is not.
        tf.errors.InvalidArgumentError: A face of a tensor that does so.

    Example:
    >>> corners = [[[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 3.0, 0.0]]]
    >>> np.asarray(losses.laplacian_loss(corners, [[0, 1, 2]]))   # 4.5 + 11.25 + 11.25
    array([27.], dtype=float32)

    Source: "Soft Rasterizer", eq. 4.
    """
    if differ_by_item(faces):
        return _laplacian_of_items(item_meshes(vertices, faces))
    topology = _topology(faces)
    rows, middle_shape = _vertex_rows(vertices, topology)
    if topology.connected.size < rows.shape[0]:
        rows = ops.take(rows, topology.connected, axis=0)
    coordinates = ops.reshape(rows, (topology.connected.size, -1))
    degrees = np.bincount(topology.neighbor_pairs[:, 0], minlength=topology.connected.size)
    inverse_degrees = ops.cast((1 / degrees)[:, None], rows.dtype)
    # With 642 vertices and a batch of 128, forward and backward take 5 ms on 2 cores. A dense
    # 642 x 642 matrix takes as long in this layout (22 ms by broadcasting over the batch) and grows
    # with the square of the vertices; sorted segments would take 3 ms, but XLA does not have them.
    vertex, neighbor = topology.neighbor_pairs.T
    sums = ops.segment_sum(ops.take(coordinates, neighbor, axis=0), vertex, degrees.size)
    means = inverse_degrees * sums
    squares = ops.reshape(ops.square(coordinates - means), ops.shape(rows))
    return mean_of_middle_axes(ops.reshape(ops.sum(squares, axis=(0, 1)), middle_shape))


def flattening_loss(vertices, faces):
    """Returns how far neighbouring faces are from lying flat, one value a batch item.

    Formula:

    ```python
    loss = sum_over_edges((cos(theta) + 1) ** 2)
    ```

    theta is the angle between the two faces about the edge that they share, seen from the edge:
    pi where they lie flat (a loss of 0), 0 where one is folded onto the other (4). Its cosine is
    that of the perpendiculars from the edge to the two opposite vertices, which is minus that of
    the faces' normals, so nothing is divided by an edge's length. Winding plays no part. Edges
    that have one face, or more than two, are left out.

    Away from degenerate faces the cosine is the true one, to rounding. A face is degenerate if its
    normal (the cross product of two sides) is shorter than 1e-3 of the sum of its squared sides, or
    than 1e-12 squared object units. Its normal is divided by that bound and not by its own length.
    So the cosine fades to 0 and the edge's loss to 1 as the face vanishes, and the gradient stays
    finite, which would otherwise grow without end.

    Args:
        vertices: [batch, ..., num_vertices, 3], object units; middle axes are averaged.
        faces: Integers [num_faces, 3], or a `MeshTopology` to work them out only once; or
            [batch, num_faces, 3] for meshes whose faces differ, as `geometry.pad_meshes` makes
            them. Faces of three -1 are padding. May be a tensor of a graph.

    Returns:
        Tensor [batch], at least 0, float32 (float64 for float64 input).

    Raises:
        ValueError: A wrong shape, or a face that names a vertex there is not.
        tf.errors.InvalidArgumentError: A face of a tensor that does so.

    Example:
    >>> edge = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    >>> folded = [[*edge, [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]  # two faces at a right angle
    >>> np.asarray(losses.flattening_loss(folded, [[0, 1, 2], [1, 0, 3]]))
    array([1.], dtype=float32)

    Source: "Soft Rasterizer", eq. 5.
    """
    if differ_by_item(faces):
        return _flattening_of_items(item_meshes(vertices, faces))
    topology = _topology(faces)
    rows, middle_shape = _vertex_rows(vertices, topology)
    normals = _bounded_normals(rows, topology.faces.T)
    signs = ops.cast(topology.hinge_signs[:, None], rows.dtype)
    normal_1, normal_2 = (ops.take(normals, face, axis=0) for face in topology.hinges)
    cosine = -signs * ops.sum(normal_1 * normal_2, axis=1)
    loss = ops.sum(ops.square(cosine + 1), axis=0)
    return mean_of_middle_axes(ops.reshape(loss, middle_shape))


def _laplacian_of_items(meshes):
    num_rows, width = tf.shape(meshes.rows)[0], tf.reduce_prod(tf.shape(meshes.rows)[1:])
    rows = tf.reshape(meshes.rows, [num_rows, width])
    vertex, neighbor, counts = neighbors(meshes)
    counts = tf.cast(counts, rows.dtype)[:, None]
    sums = ops.segment_sum(counts * tf.gather(rows, neighbor), vertex, num_rows)
    degrees = ops.segment_sum(counts, vertex, num_rows)
    squares = tf.square(rows - sums / tf.maximum(degrees, 1))
    squares = tf.where(degrees > 0, squares, tf.zeros_like(squares))
    of_items = tf.reshape(squares, [meshes.batch, -1, tf.shape(meshes.rows)[2]])
    return tf.reduce_mean(tf.reduce_sum(of_items, axis=1), axis=1)


def _flattening_of_items(meshes):
    normals = _bounded_normals(meshes.rows, tf.unstack(meshes.faces, axis=1))
    first, second, sign, counts = hinges(meshes)
    product = tf.gather(normals, first) * tf.gather(normals, second)
    cosine = -tf.cast(sign, normals.dtype)[:, None] * tf.reduce_sum(product, axis=1)
    squares = tf.square(cosine + 1)
    squares = tf.where(counts[:, None], squares, tf.zeros_like(squares))
    return tf.reduce_mean(sums_by_item(squares, first, meshes), axis=1)


def _topology(faces):
    return faces if isinstance(faces, MeshTopology) else MeshTopology.from_faces(faces)


def _vertex_rows(vertices, topology):
    """Returns [num_vertices, 3, meshes] and the shape [batch, ...] that meshes came from.

    Vertices first makes gathers copies of whole rows; it is most of the speed of both losses.
    """
    vertices = at_least_float32(vertices)
    shape = vertices.shape
    if len(shape) < 3 or shape[-1] != 3 or shape[-2] is None:
        raise ValueError(
            "vertices: expected the shape [batch, ..., num_vertices, 3] with a known "
            f"num_vertices; received {list(shape)}"
        )
    if topology.num_vertices_needed > shape[-2]:
        raise ValueError(
            f"faces: expected vertex indices below {shape[-2]}, the number of vertices; "
            f"received {topology.num_vertices_needed - 1}"
        )
    middle_shape = ops.shape(vertices)[:-2]
    meshes = ops.reshape(vertices, (-1, shape[-2], 3))
    return ops.transpose(meshes, (1, 2, 0)), middle_shape


def _difference(ends, starts):
    return [end - start for end, start in zip(ends, starts, strict=True)]


def _dot(u, v):
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]


def _cross(u, v):
    return [
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ]


def _bounded_normals(rows, corners):
    """Returns the faces' normals [num_faces, 3, meshes], of unit length but for vanishing faces.

    `corners` are the rows of the faces' first, second and third corners.
    """
    # Coordinates apart: with 642 vertices and a batch of 128 the loss takes 15 ms, forward and
    # backward on 2 cores, against 30 ms with gathers and cross products along [..., 3].
    a, b, c = (ops.unstack(ops.take(rows, corner, axis=0), axis=1) for corner in corners)
    ab, bc, ca = _difference(b, a), _difference(c, b), _difference(a, c)
    normal = _cross(ab, bc)
    extent = _dot(ab, ab) + _dot(bc, bc) + _dot(ca, ca)
    floor = ops.square(_RELATIVE_NORMAL_FLOOR * extent) + _ABSOLUTE_NORMAL_FLOOR**2
    scale = ops.rsqrt(ops.maximum(_dot(normal, normal), floor))
    return ops.stack([coordinate * scale for coordinate in normal], axis=1)


class _MeshLoss(ItemLoss):
    """A loss of predicted vertices alone: `y_true` is not looked at."""

    def __init__(self, faces, **kwargs):
        super().__init__(**kwargs)
        self.faces = standardize_faces(faces, is_padded=True, is_batched=True)
        # If all items share their faces, their topology is worked out once.
        self.topology = MeshTopology.from_faces(self.faces) if self.faces.ndim == 2 else self.faces

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "faces": array_to_text(self.faces)}


@keras.saving.register_keras_serializable(package="Softras")
class LaplacianLoss(_MeshLoss):
    """Penalises the distance of vertices from the middle of their neighbours; `laplacian_loss`.

    `y_pred` is the vertices, [batch, ..., num_vertices, 3]; `y_true` may be anything, None too.

    Args:
        faces: Integers [num_faces, 3], or [batch, num_faces, 3] padded with faces of three -1.
        reduction: As in `keras.losses.Loss`: how the batch's values become one.
        name: As in `keras.losses.Loss`.
        dtype: The type to compute in, float32 or float64; by default that of `y_pred`.

    Raises:
        ValueError: `faces` are not such integers.

    Example:
    >>> sphere = geometry.icosphere(1)
    >>> loss = losses.LaplacianLoss(sphere.faces)
    >>> smaller = loss(None, 0.5 * sphere.vertices[None])
    >>> round(float(loss(None, sphere.vertices[None]) / smaller), 3)  # squared units
    4.0
    """

    def __init__(self, faces, *, reduction="sum_over_batch_size", name="laplacian_loss", **kwargs):
        super().__init__(faces, reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Returns one value a batch item; see `laplacian_loss`."""
        return laplacian_loss(y_pred, self.topology)


@keras.saving.register_keras_serializable(package="Softras")
class FlatteningLoss(_MeshLoss):
    """Penalises the angle between neighbouring faces; see `flattening_loss`.

    `y_pred` is the vertices, [batch, ..., num_vertices, 3]; `y_true` may be anything, None too.

    Args:
        faces: Integers [num_faces, 3], or [batch, num_faces, 3] padded with faces of three -1.
        reduction: As in `keras.losses.Loss`: how the batch's values become one.
        name: As in `keras.losses.Loss`.
        dtype: The type to compute in, float32 or float64; by default that of `y_pred`.

    Raises:
        ValueError: `faces` are not such integers.

    Example:
    >>> sphere = geometry.icosphere(1)
    >>> loss = losses.FlatteningLoss(sphere.faces)
    >>> smaller = loss(None, 0.5 * sphere.vertices[None])
    >>> round(float(loss(None, sphere.vertices[None]) / smaller), 3)  # angles know no size
    1.0
    """

    def __init__(self, faces, *, reduction="sum_over_batch_size", name="flattening_loss", **kwargs):
        super().__init__(faces, reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Returns one value a batch item; see `flattening_loss`."""
        return flattening_loss(y_pred, self.topology)
