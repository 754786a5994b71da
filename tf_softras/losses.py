"""Losses of mesh reconstruction: silhouettes, colours, Laplacian, flattening; one value an item.

All compute in float32 (float64 where that is what they are given), whatever the policy.

Source: Liu et al., "Soft Rasterizer", eqs. 3 to 6.
"""

import dataclasses

import keras
import numpy as np
from keras import ops

# A face whose normal (the cross product of two sides) is shorter than this share of its squared
# sides is treated as vanishing. Below it, rounding of the vertices alone turns the normal by 1e-3.
_RELATIVE_NORMAL_FLOOR = 1e-3
# The same for faces that shrink to a point: sides of 1e-6 in object units are lost to rounding.
_ABSOLUTE_NORMAL_FLOOR = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class MeshTopology:
    """Which vertices are neighbours and which faces meet at an edge: all that the losses need.

    Make it once with `MeshTopology.from_faces` and hand it to the losses in place of `faces`.

    Attributes:
        num_vertices_needed: The highest vertex index that a face uses, plus one.
        connected: int32 [num_connected], the vertices that have a neighbour, rising.
        neighbor_pairs: int32 [num_pairs, 2], each (vertex, neighbour) once and in both
            directions, rising; indices into `connected`.
        faces: int32 [num_faces, 3], those with three distinct vertices, which have a normal.
        hinges: int32 [2, num_hinges]: for each edge that has exactly two faces, those faces.
        hinge_signs: float32 [num_hinges], 1 where the two faces run along their edge in opposite
            directions, as in a consistently wound mesh, else -1.
    """

    num_vertices_needed: int
    connected: np.ndarray
    neighbor_pairs: np.ndarray
    faces: np.ndarray
    hinges: np.ndarray
    hinge_signs: np.ndarray

    @classmethod
    def from_faces(cls, faces):
        """Returns the topology of a triangle mesh.

        An edge with one face (a border) or with more than two (where "the angle between its
        faces" has no single meaning) is no hinge. A face that repeats an index has no normal,
        so it makes no hinge either, but its distinct vertices are neighbours.

        Args:
            faces: Integers [num_faces, 3], NumPy or nested lists, wound either way.

        Raises:
            ValueError: Not integers of that shape, or a negative index.
        """
        faces = _checked_faces(faces)
        sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        edges = np.unique(np.sort(sides[sides[:, 0] != sides[:, 1]], axis=1), axis=0)
        pairs = np.concatenate([edges, edges[:, ::-1]])
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        connected, pairs = np.unique(pairs, return_inverse=True)
        num_vertices_needed = int(faces.max(initial=-1)) + 1
        faces = faces[np.diff(np.sort(faces, axis=1), axis=1).all(axis=1)]
        hinges, hinge_signs = _hinges(faces)
        return cls(
            num_vertices_needed=num_vertices_needed,
            connected=connected.astype("int32"),
            neighbor_pairs=pairs.reshape(-1, 2).astype("int32"),
            faces=faces.astype("int32"),
            hinges=hinges.astype("int32"),
            hinge_signs=hinge_signs.astype("float32"),
        )


def _checked_faces(faces):
    array = np.asarray(faces)
    if array.size == 0 and array.shape in ((0,), (0, 3)):
        return np.zeros((0, 3), "int64")
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "iu":
        raise ValueError(
            "Invalid faces. Expected: integers of shape [num_faces, 3]. "
            f"Received: {array.dtype} of shape {list(array.shape)}"
        )
    array = array.astype("int64")
    if array.min() < 0:
        raise ValueError(
            f"Invalid faces. Expected: vertex indices of at least 0. Received: {array.min()}"
        )
    return array


def _hinges(faces):
    """Returns `hinges` and `hinge_signs` of `MeshTopology`."""
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    rising = sides[:, 0] < sides[:, 1]
    side_faces = np.tile(np.arange(len(faces)), 3)
    _, edge_of_side, counts = np.unique(
        np.sort(sides, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    order = np.argsort(edge_of_side, kind="stable")
    pairs = order[counts[edge_of_side[order]] == 2].reshape(-1, 2).T
    return side_faces[pairs], np.where(rising[pairs[0]] != rising[pairs[1]], 1, -1)


def silhouette_iou_loss(y_true, y_pred):
    """Returns one minus the intersection over union of silhouettes, one value a batch item.

    Formula:

    ```python
    loss = mean_over_views(1 - sum(y_true * y_pred) / sum(y_true + y_pred - y_true * y_pred))
    ```

    The sums go over the pixels of one image, so every view weighs the same however large the
    object is in it. Two empty images agree: their loss and its gradient are 0.

    Args:
        y_true: [batch, ..., height, width] in [0, 1]; anti-aliased edges are welcome.
        y_pred: Soft silhouettes in [0, 1], of the same shape.

    Returns:
        Tensor [batch] in [0, 1], float32 (float64 for float64 input).

    Raises:
        ValueError: The shapes differ or have fewer than three axes.

    Source: "Soft Rasterizer", eq. 3.
    """
    y_pred = _at_least_float32(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    check_grid_shapes(y_true, y_pred, grid_rank=2)
    product = y_true * y_pred
    intersection = ops.sum(product, axis=(-2, -1))
    union = ops.sum(y_true + y_pred - product, axis=(-2, -1))
    # `where` on both sides: a gradient through 0 / 0 would be NaN even where it is not taken.
    shown = union > 0
    iou = intersection / ops.where(shown, union, ops.ones_like(union))
    return _mean_of_middle_axes(ops.where(shown, 1 - iou, ops.zeros_like(iou)))


def color_loss(y_true, y_pred):
    """Returns the mean squared difference of colours inside the true mask, one value a batch item.

    Formula:

    ```python
    loss = mean_over_views(sum(alpha * (y_true - y_pred) ** 2) / (3 * sum(alpha)))
    ```

    A picture with an empty mask has a loss of 0.

    Args:
        y_true: [batch, ..., height, width, 4] in [0, 1]: straight colours and alpha.
        y_pred: Colours [batch, ..., height, width, 3].

    Returns:
        Tensor [batch], at least 0, float32 (float64 for float64 input).

    Raises:
        ValueError: The shapes are not as above.

    Source: "Soft Rasterizer", section 4.1, the l2 loss of colours.
    """
    y_pred = _at_least_float32(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    if y_true.shape[-1] != 4 or y_pred.shape[-1] != 3:
        raise ValueError(
            "Invalid y_true and y_pred. Expected: 4 channels (RGB and alpha) and 3. "
            f"Received: shapes {tuple(y_true.shape)} and {tuple(y_pred.shape)}"
        )
    check_grid_shapes(y_true[..., :3], y_pred, grid_rank=3)
    alpha = y_true[..., 3]
    errors = ops.sum(alpha * ops.mean(ops.square(y_true[..., :3] - y_pred), axis=-1), axis=(-2, -1))
    area = ops.sum(alpha, axis=(-2, -1))
    # Where the mask is empty the errors are 0.
    return _mean_of_middle_axes(errors / ops.where(area > 0, area, ops.ones_like(area)))


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
        faces: Integers [num_faces, 3], or a `MeshTopology` to work them out only once.

    Returns:
        Tensor [batch], squared object units, float32 (float64 for float64 input).

    Raises:
        ValueError: A wrong shape, or a face that names a vertex there is not.

    Source: "Soft Rasterizer", eq. 4.
    """
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
    return _mean_of_middle_axes(ops.reshape(ops.sum(squares, axis=(0, 1)), middle_shape))


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

    Away from degenerate faces the cosine is the true one, to rounding. Of a face whose normal
    (the cross product of two sides) is shorter than 1e-3 of the sum of its squared sides, or than
    1e-12 squared object units, the normal is divided by that bound and not by its own length. So
    the cosine fades to 0 and the edge's loss to 1 as the face vanishes, and the gradient, which
    would grow without end, stays finite.

    Args:
        vertices: [batch, ..., num_vertices, 3], object units; middle axes are averaged.
        faces: Integers [num_faces, 3], or a `MeshTopology` to work them out only once.

    Returns:
        Tensor [batch], at least 0, float32 (float64 for float64 input).

    Raises:
        ValueError: A wrong shape, or a face that names a vertex there is not.

    Source: "Soft Rasterizer", eq. 5.
    """
    topology = _topology(faces)
    rows, middle_shape = _vertex_rows(vertices, topology)
    normals = _bounded_normals(rows, topology.faces)
    signs = ops.cast(topology.hinge_signs[:, None], rows.dtype)
    normal_1, normal_2 = (ops.take(normals, face, axis=0) for face in topology.hinges)
    cosine = -signs * ops.sum(normal_1 * normal_2, axis=1)
    loss = ops.sum(ops.square(cosine + 1), axis=0)
    return _mean_of_middle_axes(ops.reshape(loss, middle_shape))


def _topology(faces):
    return faces if isinstance(faces, MeshTopology) else MeshTopology.from_faces(faces)


def _at_least_float32(tensor):
    tensor = ops.convert_to_tensor(tensor)
    if keras.backend.standardize_dtype(tensor.dtype) == "float64":
        return tensor
    return ops.cast(tensor, "float32")


def check_grid_shapes(y_true, y_pred, *, grid_rank):
    """Raises ValueError unless both are [batch, ..., grid axes] of one shape."""
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    agree = len(shapes[0]) == len(shapes[1]) and all(
        a == b or a is None or b is None for a, b in zip(*shapes, strict=True)
    )
    if not agree or len(shapes[1]) < grid_rank + 1:
        raise ValueError(
            f"Invalid y_true and y_pred. Expected: one shape, [batch, ..., {grid_rank} axes of the "
            f"grid]. Received: {shapes[0]} and {shapes[1]}"
        )


def _mean_of_middle_axes(values):
    rank = len(values.shape)
    return ops.mean(values, axis=tuple(range(1, rank))) if rank > 1 else values


def _vertex_rows(vertices, topology):
    """Returns [num_vertices, 3, meshes] and the shape [batch, ...] that meshes came from.

    Vertices first makes gathers copies of whole rows; it is most of the speed of both losses.
    """
    vertices = _at_least_float32(vertices)
    shape = vertices.shape
    if len(shape) < 3 or shape[-1] != 3 or shape[-2] is None:
        raise ValueError(
            "Invalid vertices. Expected: shape [batch, ..., num_vertices, 3] with a known "
            f"num_vertices. Received: {tuple(shape)}"
        )
    if topology.num_vertices_needed > shape[-2]:
        raise ValueError(
            f"Invalid faces. Expected: vertex indices below {shape[-2]}, the number of vertices. "
            f"Received: {topology.num_vertices_needed - 1}"
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


def _bounded_normals(rows, faces):
    """Returns the faces' normals [num_faces, 3, meshes], of unit length but for vanishing faces."""
    # Coordinates apart: with 642 vertices and a batch of 128 the loss takes 15 ms, forward and
    # backward on 2 cores, against 30 ms with gathers and cross products along [..., 3].
    a, b, c = (ops.unstack(ops.take(rows, corner, axis=0), axis=1) for corner in faces.T)
    ab, bc, ca = _difference(b, a), _difference(c, b), _difference(a, c)
    normal = _cross(ab, bc)
    extent = _dot(ab, ab) + _dot(bc, bc) + _dot(ca, ca)
    floor = ops.square(_RELATIVE_NORMAL_FLOOR * extent) + _ABSOLUTE_NORMAL_FLOOR**2
    scale = ops.rsqrt(ops.maximum(_dot(normal, normal), floor))
    return ops.stack([coordinate * scale for coordinate in normal], axis=1)


@keras.saving.register_keras_serializable(package="Softras")
class SilhouetteIoULoss(keras.losses.Loss):
    """One minus the intersection over union of silhouettes; see `silhouette_iou_loss`.

    Args:
        reduction: As in `keras.losses.Loss`: how the batch's values become one.
        name: As in `keras.losses.Loss`.
        **kwargs: For `keras.losses.Loss`.
    """

    def __init__(self, *, reduction="sum_over_batch_size", name="silhouette_iou_loss", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Returns one value a batch item; see `silhouette_iou_loss`."""
        return silhouette_iou_loss(y_true, y_pred)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "dtype": self.dtype}


class _MeshLoss(keras.losses.Loss):
    """A loss of predicted vertices alone: topology worked out once, `y_true` not looked at."""

    def __init__(self, faces, **kwargs):
        super().__init__(**kwargs)
        self.faces = _checked_faces(faces).astype("int32")
        self.topology = MeshTopology.from_faces(self.faces)

    def __call__(self, y_true, y_pred, sample_weight=None):
        # Keras would convert `y_true`, which may be None here.
        return super().__call__(ops.zeros(()), y_pred, sample_weight)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "faces": self.faces.tolist(), "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="Softras")
class LaplacianLoss(_MeshLoss):
    """How far vertices are from the middle of their neighbours; see `laplacian_loss`.

    `y_pred` is the vertices, [batch, ..., num_vertices, 3]; `y_true` may be anything, None too.

    Args:
        faces: Integers [num_faces, 3].
        reduction: As in `keras.losses.Loss`: how the batch's values become one.
        name: As in `keras.losses.Loss`.
        **kwargs: For `keras.losses.Loss`.

    Raises:
        ValueError: `faces` are not such integers.
    """

    def __init__(self, faces, *, reduction="sum_over_batch_size", name="laplacian_loss", **kwargs):
        super().__init__(faces, reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Returns one value a batch item; see `laplacian_loss`."""
        return laplacian_loss(y_pred, self.topology)


@keras.saving.register_keras_serializable(package="Softras")
class FlatteningLoss(_MeshLoss):
    """How far neighbouring faces are from lying flat; see `flattening_loss`.

    `y_pred` is the vertices, [batch, ..., num_vertices, 3]; `y_true` may be anything, None too.

    Args:
        faces: Integers [num_faces, 3].
        reduction: As in `keras.losses.Loss`: how the batch's values become one.
        name: As in `keras.losses.Loss`.
        **kwargs: For `keras.losses.Loss`.

    Raises:
        ValueError: `faces` are not such integers.
    """

    def __init__(self, faces, *, reduction="sum_over_batch_size", name="flattening_loss", **kwargs):
        super().__init__(faces, reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Returns one value a batch item; see `flattening_loss`."""
        return flattening_loss(y_pred, self.topology)
