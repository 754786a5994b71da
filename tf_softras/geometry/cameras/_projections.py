"""From a camera's frame to the image plane: perspective, pinhole, orthographic."""

import math

import keras

from tf_softras._shared.ranges import check_between
from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry._shapes import check_shape, known_shape
from tf_softras.geometry._vectors import as_floating
from tf_softras.geometry.cameras._conventions import N3MR_VIEWING_ANGLE
from tf_softras.geometry.cameras._intrinsics import check_intrinsics

_POINTS = ("...", "num_vertices", 3)


def perspective(vertices, *, viewing_angle=N3MR_VIEWING_ANGLE):
    """Returns image-plane coordinates of camera-space vertices; depth is kept in z.

    Formula: ``x' = x / (z tan(angle))``, ``y' = y / (z tan(angle))``.

    A vertex in the camera's plane (|z| < 1e-6) is projected as if at depth 1e-6, so that the result
    is finite; the rasteriser leaves out every face that has a vertex at z <= near.

    Args:
        vertices: float `[..., num_vertices, 3]`, camera space.
        viewing_angle: HALF of the angle of view across the shorter image side, degrees in (0, 90).
            A number, or a float array, tensor or variable `[...]`: one value an item, whose
            dimensions broadcast against the leading ones of `vertices`.

    Returns:
        float `[..., num_vertices, 3]`: x', y' on the image plane, where the shorter image side
        spans [-1, 1], and the camera depth z. Differentiable with respect to `vertices` and
        `viewing_angle`.

    Raises:
        ValueError: Vertices of another shape, or `viewing_angle` is known and not in (0, 90). The
            values of tensors are not known under `tf.function`, and not looked at there.
    """
    vertices = as_floating(vertices)
    x, y, depth = _coordinates(vertices)
    scale = _cotangent(viewing_angle, vertices.dtype) / _divisor(depth)
    return _points(x * scale, y * scale, depth)


def pinhole(vertices, intrinsics, *, image_size, pixel_center=0.0):
    """Returns image-plane coordinates of camera-space vertices, for a camera of given intrinsics.

    Formula: with K the intrinsic matrix, y' down as pictures have it and S the shorter side,
    ``(u z, v z, z) = K (x, -y, z)``, ``x' = (2 (u - pixel_center) + 1 - width) / S``,
    ``y' = (height - 1 - 2 (v - pixel_center)) / S``.

    The principal point may lie anywhere, pixels need not be square, and the axes may be skewed. K
    describes no lens distortion: undistort pictures first.

    Args:
        vertices: float `[..., num_vertices, 3]`, camera space (x right, y up, z depth).
        intrinsics: float `[..., 3, 3]`, in pixels: rows (fx, skew, cx), (0, fy, cy), (0, 0, 1);
            `intrinsic_matrix` makes it from a lens. Leading dimensions broadcast.
        image_size: int, or (height, width) in pixels.
        pixel_center: where (u, v) has the middle of the top left pixel: 0 in OpenCV, 0.5 where the
            picture's corner is (0, 0), as in COLMAP and on OpenGL's viewport.

    Returns:
        float `[..., num_vertices, 3]`: x', y' on the image plane, and the camera depth z. A vertex
        in the camera's plane is finite, as in `perspective`.

    Raises:
        ValueError: Vertices or intrinsics of another shape; intrinsics that are known and have a
            last row other than (0, 0, 1), or a focal length that is not positive; or `image_size`
            is not one of the above.
    """
    height, width = standardize_image_size(image_size)
    vertices = as_floating(vertices)
    intrinsics = keras.ops.convert_to_tensor(intrinsics, vertices.dtype)
    check_intrinsics("intrinsics", intrinsics)
    x, y, depth = _coordinates(vertices)
    divisor = _divisor(depth)
    x, y = x / divisor, -y / divisor
    # [..., 1]: one number a camera, for all vertices.
    fx, skew, cx = (intrinsics[..., 0, i : i + 1] for i in range(3))
    fy, cy = (intrinsics[..., 1, i : i + 1] for i in (1, 2))
    column = fx * x + skew * y + cx - pixel_center
    row = fy * y + cy - pixel_center
    shorter = min(height, width)
    return _points(
        (2.0 * column + (1 - width)) / shorter, ((height - 1) - 2.0 * row) / shorter, depth
    )


def orthographic(vertices, *, view_size=2.0, center=(0.0, 0.0)):
    """Returns image-plane coordinates of camera-space vertices under parallel projection.

    Formula: ``x' = 2 (x - center_x) / view_size``, ``y' = 2 (y - center_y) / view_size``.

    Depth is kept in z. Give ``interpolation="linear"`` to `soft_shade`, `rasterize_faces` and the
    layer `SoftShade`, which interpolate with perspective by default; `Renderer` knows its lens.

    Args:
        vertices: float `[..., num_vertices, 3]`, camera space.
        view_size: float, or a float tensor `[...]`: what the shorter image side spans, in world
            units.
        center: float `[..., 2]`: the point (x, y) of camera space in the image's middle.

    Returns:
        float `[..., num_vertices, 3]`: x', y' on the image plane, and the camera depth z.

    Raises:
        ValueError: Vertices or a centre of another shape, or `view_size` is known and not positive
            and finite.
    """
    check_between("view_size", view_size, 0.0, math.inf, "a positive length in world units")
    vertices = as_floating(vertices)
    check_shape("vertices", known_shape(vertices), _POINTS)
    view_size = keras.ops.convert_to_tensor(view_size, vertices.dtype)[..., None, None]
    center = keras.ops.convert_to_tensor(center, vertices.dtype)
    check_shape("center", known_shape(center), ("...", 2))
    center = keras.ops.expand_dims(center, -2)
    on_plane = 2.0 * (vertices[..., :2] - center) / view_size
    depth = vertices[..., 2:3] + keras.ops.zeros_like(on_plane[..., :1])
    return keras.ops.concatenate([on_plane, depth], axis=-1)


def _coordinates(vertices):
    """Returns x, y and z of vertices `[..., num_vertices, 3]`, each `[..., num_vertices]`.

    They are rows of their own, because TensorFlow takes a third of the time for them as for
    columns of three, most of it in the gradient of a slice.

    Raises:
        ValueError: The last dimension is known and not 3.
    """
    check_shape("vertices", known_shape(vertices), _POINTS)
    rank = _rank(vertices)
    if rank is None or rank < 2:
        return vertices[..., 0], vertices[..., 1], vertices[..., 2]
    # The axis is counted from the front: see `roll` for what vectorised maps make of negative ones.
    return keras.ops.unstack(_last_axes_swapped(vertices, rank), num=3, axis=rank - 2)


def _points(x, y, z):
    """Returns points `[..., num_vertices, 3]` of coordinates `[..., num_vertices]`.

    Leading dimensions of x and y, which a camera may have broadcast, are those of the points.
    """
    coordinates = [x, y, z + keras.ops.zeros_like(x)]
    rank = _rank(x)
    if not rank:
        return keras.ops.stack(coordinates, axis=-1)
    return _last_axes_swapped(keras.ops.stack(coordinates, axis=rank - 1), rank + 1)


def _rank(values):
    """Returns the number of dimensions, or None where a graph does not know it."""
    shape = known_shape(values)
    return None if shape is None else len(shape)


def _last_axes_swapped(values, rank):
    # Not `keras.ops.swapaxes`, which does not take variables.
    *leading, last_but_one, last = range(rank)
    return keras.ops.transpose(values, (*leading, last, last_but_one))


def _cotangent(viewing_angle, dtype):
    """Returns 1 / tan(angle) of an angle in degrees: a number, or `[..., 1]` of `dtype`."""
    expected = "half the angle of view, in degrees, between 0 and 90 (exclusive)"
    check_between("viewing_angle", viewing_angle, 0.0, 90.0, expected)
    if isinstance(viewing_angle, (int, float)):
        # In double: a float32 tangent differs in its last digit.
        return 1.0 / math.tan(math.radians(viewing_angle))
    angle = keras.ops.cast(keras.ops.convert_to_tensor(viewing_angle), dtype)
    return (1.0 / keras.ops.tan(angle * (math.pi / 180.0)))[..., None]


def _divisor(depth):
    """Returns depth, or 1e-6 where it is nearer to 0 than that."""
    nearest = keras.ops.full_like(depth, 1e-6)
    return keras.ops.where(keras.ops.abs(depth) < nearest, nearest, depth)
