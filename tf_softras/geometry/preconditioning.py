"""Smooth coordinates of a mesh: gradient steps in them move a surface as a whole.

With L the combinatorial Laplacian of the mesh (`L[i, i]` is the number of neighbours of vertex i,
`L[i, j]` is -1 for neighbours), the coordinates of vertices v are ``u = (I + smoothness L) v``. A
gradient step in u is a step in v that was smoothed twice by ``(I + smoothness L)^-1``: noise in the
gradient is damped, and no regulariser is needed. The coordinates lose nothing: every v has its u.

Source: Nicolet, Jacobson and Jakob 2021, "Large Steps in Inverse Rendering of Geometry", section 3.
"""

import functools

import numpy as np

from tf_softras.geometry.corner_mesh import checked_faces

# A dense inverse of more vertices would need more than 800 MB.
_MOST_DENSE = 10_000


class LaplacianPreconditioner:
    """Converts vertices to smooth coordinates and back, for one topology.

    The matrix ``I + smoothness L`` is symmetric and positive definite. It is factored once (sparse
    LU, SciPy), when it is first needed. A vertex without neighbours keeps its coordinates.

    Args:
        faces: int `[num_faces, 3]`, vertex indices.
        num_vertices: int; by default the highest index plus 1.
        smoothness: float, at least 0: lambda of the paper. About 10 to 20 for meshes of 1,000 to
            10,000 vertices; finer meshes want more.

    Raises:
        ValueError: an argument is not as above.

    Example:
        >>> from tf_softras.geometry import icosphere
        >>> ball = icosphere(1)
        >>> smooth = LaplacianPreconditioner(ball.faces, smoothness=10.0)
        >>> u = smooth.precondition(ball.vertices)
        >>> bool(np.allclose(smooth.restore(u), ball.vertices, atol=1e-6))
        True
    """

    def __init__(self, faces, num_vertices=None, *, smoothness):
        faces = np.asarray(checked_faces(faces))
        if faces.ndim != 2 or faces.min(initial=0) < 0:
            raise ValueError(
                "faces: expected vertex indices from 0, [num_faces, 3]; received "
                f"{list(faces.shape)} from {faces.min(initial=0)}"
            )
        needed = int(faces.max(initial=-1)) + 1
        self.num_vertices = needed if num_vertices is None else int(num_vertices)
        if self.num_vertices < max(needed, 1):
            raise ValueError(
                f"num_vertices: expected at least {max(needed, 1)}, the highest index of a face "
                f"plus 1; received {num_vertices}"
            )
        self.smoothness = float(smoothness)
        if not 0.0 <= self.smoothness < np.inf:
            raise ValueError(f"smoothness: expected a number of at least 0; received {smoothness}")
        self._edges = _edges(faces)

    def precondition(self, vertices):
        """Returns the smooth coordinates ``(I + smoothness L) v``.

        Args:
            vertices: float `[..., num_vertices, channels]`, NumPy or TensorFlow.

        Returns:
            The same kind, shape and dtype. Differentiable, any number of times.

        Raises:
            ValueError: another number of vertices.
        """
        return self._apply(lambda columns: self._matrix @ columns, vertices)

    def restore(self, coordinates):
        """Returns the vertices of smooth coordinates, ``(I + smoothness L)^-1 u``.

        The gradient goes through the same matrix, which is symmetric. In a graph the solve is a
        Python function: such a graph cannot be saved. Use `dense_inverse` there.

        Args:
            coordinates: float `[..., num_vertices, channels]`, NumPy or TensorFlow.

        Returns:
            The same kind, shape and dtype. Differentiable, any number of times.

        Raises:
            ValueError: another number of vertices.
        """
        return self._apply(self._factor.solve, coordinates)

    def dense_inverse(self):
        """Returns ``(I + smoothness L)^-1`` as a matrix, for small templates of networks.

        Returns:
            float64 NumPy array `[num_vertices, num_vertices]`, symmetric; its rows sum to 1.

        Raises:
            ValueError: more than 10,000 vertices.
        """
        if self.num_vertices > _MOST_DENSE:
            raise ValueError(
                f"dense_inverse: expected at most {_MOST_DENSE:,} vertices; received "
                f"{self.num_vertices:,}: use restore"
            )
        inverse = self._factor.solve(np.eye(self.num_vertices))
        return 0.5 * (inverse + inverse.T)

    @functools.cached_property
    def _matrix(self):
        from scipy import sparse

        first, second = self._edges
        ones = np.ones(len(first))
        shape = (self.num_vertices, self.num_vertices)
        adjacent = sparse.coo_matrix((ones, (first, second)), shape=shape)
        adjacent = (adjacent + adjacent.T).tocsc()
        degree = sparse.diags(np.asarray(adjacent.sum(axis=1)).ravel())
        return (sparse.eye(self.num_vertices) + self.smoothness * (degree - adjacent)).tocsc()

    @functools.cached_property
    def _factor(self):
        from scipy.sparse import linalg

        # The ordering and the pivots of symmetric matrices: half the fill of the default.
        options = {"SymmetricMode": True}
        return linalg.splu(
            self._matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options
        )

    def _apply(self, function, values):
        """Applies a symmetric linear function of float64 columns `[num_vertices, columns]`."""
        shape = tuple(values.shape)
        if len(shape) < 2 or shape[-2] not in (self.num_vertices, None):
            raise ValueError(
                f"vertices: expected shape [..., {self.num_vertices}, channels]; received "
                f"{list(shape)}"
            )

        def of_array(array):
            columns = np.moveaxis(array, -2, 0)
            flat = columns.reshape(self.num_vertices, -1).astype(np.float64)
            result = np.asarray(function(flat)).reshape(columns.shape)
            return np.moveaxis(result, 0, -2).astype(array.dtype)

        if isinstance(values, np.ndarray):
            return of_array(values)
        return _symmetric(of_array, values)


def _edges(faces):
    """Returns the ends of every edge once, int `[num_edges]` each, the lower index first."""
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    sides = np.sort(sides[sides[:, 0] != sides[:, 1]], axis=1)
    return np.unique(sides, axis=0).T


def _symmetric(function, values):
    """Returns a tensor: a NumPy function that is linear and symmetric, and so its own gradient."""
    import tensorflow as tf

    @tf.custom_gradient
    def applied(tensor):
        result = tf.numpy_function(function, [tensor], tensor.dtype)
        result.set_shape(tensor.shape)
        return result, applied

    return applied(tf.convert_to_tensor(values))
