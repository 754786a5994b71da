"""The topology of meshes whose faces differ by item, worked out in the graph."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_softras._shared.faces import standardize_faces
from tf_softras.losses._batches import at_least_float32

# Sorts behind every pair of vertices.
_NO_PAIR = np.int64(2**63 - 1)


class ItemMeshes(NamedTuple):
    """A batch of meshes as one mesh of `batch * num_vertices` vertices.

    Attributes:
        rows: Float [batch * num_vertices, 3, meshes of an item].
        faces: int32 [batch * num_faces, 3], rows; those of a padded face are all one vertex.
        exists: bool [batch * num_faces], False for a padded face.
        batch: The batch size, int or scalar tensor.
    """

    rows: Any
    faces: Any
    exists: Any
    batch: Any


def differ_by_item(faces):
    """Returns whether faces are one array an item, or a tensor that is known only in the graph."""
    is_symbolic = tf.is_tensor(faces) and not hasattr(faces, "numpy")
    return is_symbolic or np.ndim(faces) == 3


def item_meshes(vertices, faces):
    """Returns the `ItemMeshes` of vertices [batch, ..., num_vertices, 3] and their faces.

    Raises:
        ValueError: Other shapes; known faces that name a vertex there is not.
        tf.errors.InvalidArgumentError: Faces of a graph that do so.
    """
    vertices = at_least_float32(vertices)
    if len(vertices.shape) < 3 or vertices.shape[-1] != 3 or vertices.shape[-2] is None:
        raise ValueError(
            "vertices: expected the shape [batch, ..., num_vertices, 3] with a known "
            f"num_vertices; received {list(vertices.shape)}"
        )
    num_vertices = vertices.shape[-2]
    faces = _known_faces(faces, num_vertices) if not tf.is_tensor(faces) else faces
    if len(faces.shape) not in (2, 3) or faces.shape[-1] != 3 or not faces.dtype.is_integer:
        raise ValueError(
            "faces: expected integers [num_faces, 3] or [batch, num_faces, 3]; received "
            f"{faces.dtype.name} {list(faces.shape)}"
        )
    faces = tf.cast(faces if len(faces.shape) == 3 else faces[None], tf.int32)
    tf.debugging.assert_less(
        faces, num_vertices, f"faces: expected vertex indices below {num_vertices}"
    )
    batch = tf.broadcast_dynamic_shape(tf.shape(vertices)[:1], tf.shape(faces)[:1])
    vertices, faces = (
        tf.broadcast_to(tensor, tf.concat([batch, tf.shape(tensor)[1:]], axis=0))
        for tensor in (vertices, faces)
    )
    batch = batch[0]
    meshes = tf.reshape(vertices, [batch, -1, num_vertices, 3])
    rows = tf.transpose(meshes, [0, 2, 3, 1])
    first = num_vertices * tf.range(batch)[:, None, None]
    return ItemMeshes(
        tf.reshape(rows, [batch * num_vertices, 3, tf.shape(rows)[3]]),
        tf.reshape(tf.maximum(faces, 0) + first, [-1, 3]),
        tf.reshape(tf.reduce_all(faces >= 0, axis=-1), [-1]),
        batch,
    )


def _known_faces(faces, num_vertices):
    faces = standardize_faces(faces, is_padded=True, is_batched=True)
    if faces.max(initial=0) >= num_vertices:
        raise ValueError(
            f"faces: expected vertex indices below {num_vertices}, the number of vertices; "
            f"received {faces.max()}"
        )
    return tf.constant(faces)


def neighbors(meshes):
    """Returns (vertex, neighbour, counts): rows [pairs], and 1 where the pair counts, else 0.

    Every pair of neighbours counts once in each direction, however many faces share its side.
    """
    corners = tf.unstack(meshes.faces, axis=1)
    ways = [(0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)]
    start = tf.concat([corners[i] for i, _ in ways], axis=0)
    end = tf.concat([corners[j] for _, j in ways], axis=0)
    is_side = (start != end) & tf.tile(meshes.exists, [6])
    num_rows = tf.cast(tf.shape(meshes.rows)[0], tf.int64)
    pair = tf.cast(start, tf.int64) * num_rows + tf.cast(end, tf.int64)
    pair = tf.sort(tf.where(is_side, pair, _NO_PAIR))
    counts = (pair != _NO_PAIR) & (pair != _before(pair, 1))
    pair = tf.where(counts, pair, 0)
    return tf.cast(pair // num_rows, tf.int32), tf.cast(pair % num_rows, tf.int32), counts


def hinges(meshes):
    """Returns (first face, second face, sign, counts), each [sides], of edges with two faces.

    The sign is 1 where the two faces run along their edge in opposite directions, else -1. Where
    a side is no hinge's first, `counts` is False and both faces are the same.
    """
    a, b, c = tf.unstack(meshes.faces, axis=1)
    has_normal = meshes.exists & (a != b) & (b != c) & (c != a)
    start, end = tf.concat([a, b, c], axis=0), tf.concat([b, c, a], axis=0)
    num_rows = tf.cast(tf.shape(meshes.rows)[0], tf.int64)
    low, high = (tf.cast(f(start, end), tf.int64) for f in (tf.minimum, tf.maximum))
    edge = tf.where(tf.tile(has_normal, [3]), low * num_rows + high, _NO_PAIR)
    order = tf.argsort(edge, stable=True)
    edge, rises = tf.gather(edge, order), tf.gather(start < end, order)
    face = order % tf.maximum(tf.shape(meshes.faces)[0], 1)
    counts = (
        (edge != _NO_PAIR)
        & (edge != _before(edge, 1))
        & (edge == _after(edge, 1))
        & (edge != _after(edge, 2))
    )
    second = tf.where(counts, _after(face, 1), face)
    sign = tf.where(rises != _after(rises, 1), 1, -1)
    return face, second, sign, counts


def sums_by_item(values, faces, meshes):
    """Returns [batch, meshes of an item], sums of values [sides, meshes] of faces [sides]."""
    num_faces = tf.maximum(tf.shape(meshes.faces)[0] // tf.maximum(meshes.batch, 1), 1)
    return keras.ops.segment_sum(values, faces // num_faces, meshes.batch)


def _before(values, steps):
    """Returns the values `steps` places before each; -1 where there is none."""
    return tf.concat([-tf.ones_like(values[:steps]), values[:-steps]], axis=0)


def _after(values, steps):
    """Returns the values `steps` places after each; -1 (or False) where there is none."""
    missing = values[:steps] if values.dtype == tf.bool else -tf.ones_like(values[:steps])
    return tf.concat([values[steps:], missing], axis=0)
