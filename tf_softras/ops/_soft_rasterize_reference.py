"""Eqs. 1 and 2 in plain TensorFlow: the definition that the kernels are tested against."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_softras.geometry._vectors import roll


def soft_rasterize_reference(vertices, faces, *, image_size, sigma, near=0.0):
    """Returns soft silhouettes, straight from eqs. 1 and 2: every pixel against every face.

    Slow and large (`batch * height * width * num_faces` several times over), of any floating dtype,
    made of TensorFlow's own operations alone: XLA compiles it, and a stock server runs it.
    Arguments and result are those of `tf_softras.ops.soft_rasterize`, which checks them. An item
    with a vertex that is not finite is NaN.
    """
    height, width = image_size
    silhouettes = _silhouettes_at(pixel_centres(height, width), vertices, faces, sigma, near)
    silhouettes = nan_where_vertices_are_not_finite(silhouettes, vertices)
    return tf.reshape(silhouettes, [-1, height, width])


def soft_rasterize_by_rows(vertices, faces, *, image_size, sigma, near=0.0):
    """Computes `soft_rasterize_reference` by rows of a mesh: for servers, forward only.

    A mesh of 1280 faces at 64 x 64 pixels takes tens of megabytes; at once it takes a gigabyte.
    """
    height, width = image_size
    vertices = tf.convert_to_tensor(vertices)
    pixels = tf.constant(pixel_centres(height, width).reshape(height, width, 2), vertices.dtype)

    def one_mesh(mesh):
        def one_row(row):
            seen = _silhouettes_at(row, mesh[None], faces, sigma, near)
            return nan_where_vertices_are_not_finite(seen, mesh[None])[0]

        return tf.map_fn(one_row, pixels)

    return tf.map_fn(one_mesh, vertices, parallel_iterations=1)


def nan_where_vertices_are_not_finite(values, vertices):
    """Returns the values `[batch, ...]`, NaN in the items whose vertices are not all finite.

    A graph without the op cannot raise; without this, faces whose depth is NaN would be left out
    like those behind the near plane.
    """
    vertices = tf.convert_to_tensor(vertices)
    is_finite = tf.reduce_all(tf.math.is_finite(vertices), axis=(1, 2))
    is_finite = tf.reshape(is_finite, [-1] + [1] * (values.shape.rank - 1))
    return tf.where(is_finite, values, tf.constant(float("nan"), values.dtype))


def _silhouettes_at(pixels, vertices, faces, sigma, near):
    """Silhouettes `[batch, num_pixels]` at pixel centres `[num_pixels, 2]`."""
    vertices = tf.convert_to_tensor(vertices)
    dtype = vertices.dtype
    faces = tf.convert_to_tensor(faces, tf.int32)
    sigma = tf.cast(sigma, dtype)
    corners = tf.gather(vertices, faces, axis=1)  # [batch, faces, 3 corners, xyz]
    in_front = tf.reduce_all(corners[..., 2] > tf.cast(near, dtype), axis=-1)
    pixels = tf.cast(pixels, dtype)
    # Faces behind the near plane keep finite coordinates, so that their gradient is 0 and not NaN.
    seen = boundary_seen_from(pixels, corners)
    x = seen.signed_squared_distance / sigma
    # log(1 - D) = -softplus(x): no division, and nothing overflows.
    log_transparency = -tf.where(in_front[:, None, :], tf.nn.softplus(x), tf.zeros((), dtype))
    return -tf.math.expm1(tf.reduce_sum(log_transparency, axis=-1))


def pixel_centres(height, width):
    """Returns float64 `[height * width, 2]`, row by row from the top."""
    shorter = min(height, width)
    x = (2 * np.arange(width) + 1 - width) / shorter
    y = (height - 1 - 2 * np.arange(height)) / shorter
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


class Boundary(NamedTuple):
    """Faces' boundaries as pixels see them; tensors are `[batch, pixels, faces, ...]` or broadcast.

    Edge k runs from corner k to corner k + 1.
    """

    squared_distance: tf.Tensor  # to the nearest edge
    inside: tf.Tensor
    nearest_edge: tf.Tensor  # [..., 3 edges]: True for one
    fraction: tf.Tensor  # [..., 3 edges]: how far along each edge its closest point lies
    across: tf.Tensor  # [..., 3 edges]: twice the signed area of edge and pixel
    area: tf.Tensor  # twice the signed one

    @property
    def signed_squared_distance(self):
        """Positive inside."""
        return tf.where(self.inside, self.squared_distance, -self.squared_distance)


def boundary_seen_from(pixels, corners):
    """Returns the `Boundary` of faces `[batch, faces, 3, xy...]` seen from pixels `[pixels, 2]`."""
    a = corners[:, None, :, :, :2]
    edge = roll(a, -1, axis=-2) - a
    from_a = pixels[None, :, None, None, :] - a
    square = tf.reduce_sum(edge * edge, axis=-1)
    has_length = square > 0
    safe_square = tf.where(has_length, square, tf.ones_like(square))
    # An edge of length zero is its end.
    fraction = tf.where(has_length, tf.reduce_sum(from_a * edge, axis=-1) / safe_square, 0.0)
    fraction = tf.clip_by_value(fraction, 0.0, 1.0)
    from_closest = from_a - fraction[..., None] * edge
    squared_distance = tf.reduce_sum(from_closest * from_closest, axis=-1)

    # From the two edges at corner 0.
    area = edge[..., 2, 0] * edge[..., 0, 1] - edge[..., 2, 1] * edge[..., 0, 0]
    # Without area a face is its longest edge alone, the first of equals: the segment or point that
    # it collapses to.
    longest = tf.one_hot(tf.argmax(square, axis=-1), 3, on_value=True, off_value=False)
    is_boundary = (area != 0)[..., None] | longest
    squared_distance = tf.where(is_boundary, squared_distance, squared_distance.dtype.max)
    nearest = tf.reduce_min(squared_distance, axis=-1)

    # Inside, the nearest boundary point is a foot on an edge's line, so the distance is `depth`:
    # asking for it keeps rounded signs from claiming points beyond the tip of a sliver.
    across = edge[..., 0] * from_a[..., 1] - edge[..., 1] * from_a[..., 0]
    depth = tf.reduce_min(across * tf.sign(area)[..., None] / tf.sqrt(safe_square), axis=-1)
    return Boundary(
        squared_distance=nearest,
        inside=(depth > 0) & (nearest <= 2 * depth * depth),
        nearest_edge=tf.one_hot(
            tf.argmin(squared_distance, axis=-1), 3, on_value=True, off_value=False
        ),
        fraction=fraction,
        across=across,
        area=area,
    )
