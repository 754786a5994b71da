"""Cameras, and the conventions that hold everywhere in the package.

World
    Right-handed, +y up: the frame of ShapeNet's OBJ files, of OBJ and of glTF. Objects have their
    bounding box's centre at the origin and its longest side 1.
Camera
    ``look_at``: forward = at - eye, right = forward x up. Camera coordinates are x right, y up and
    z = depth along forward, positive in front of the camera.
Image plane
    ``perspective``: x' = x / (z tan(angle)) with the HALF angle of view; depth stays in z. The
    shorter image side spans [-1, 1], pixels are square. Row 0 is the top: in a square image of side
    W the centre of pixel (row r, column c) is x = (2c + 1 - W) / W, y = (W - 1 - 2r) / W.
Views
    eye = d (cos e cos t, sin e, cos e sin t) for distance d, elevation e and azimuth t in degrees.
    The N3MR renders use d = 2.732, e = 30 and t = 15 i for view i = 0..23.

The functions take NumPy arrays as well as (symbolic) tensors and return tensors.
"""

import math

import keras
import numpy as np

N3MR_DISTANCE = 2.732
N3MR_ELEVATION = 30.0
N3MR_NUM_VIEWS = 24
N3MR_VIEWING_ANGLE = 15.0

# Below this ratio, forward and up are parallel for float32 and no right-hand direction exists.
_PARALLEL = 1e-6


def eye_from_angles(distance, elevation, azimuth):
    """Eye positions on a sphere about the origin.

    Formula: ``eye = distance * (cos e cos t, sin e, cos e sin t)``.

    Args:
        distance: float, any shape; world units.
        elevation: float, broadcastable to `distance`; degrees above the x-z plane.
        azimuth: float, broadcastable to `distance`; degrees from +x towards +z.

    Returns:
        float32 `[..., 3]`, world space.
    """
    distance, elevation, azimuth = (
        keras.ops.convert_to_tensor(value, "float32") for value in (distance, elevation, azimuth)
    )
    elevation = elevation * (math.pi / 180.0)
    azimuth = azimuth * (math.pi / 180.0)
    horizontal = distance * keras.ops.cos(elevation)
    x = horizontal * keras.ops.cos(azimuth)
    y = distance * keras.ops.sin(elevation) + keras.ops.zeros_like(x)
    z = horizontal * keras.ops.sin(azimuth)
    return keras.ops.stack([x, y, z], axis=-1)


def look_at(vertices, eye, *, at=(0.0, 0.0, 0.0), up=(0.0, 1.0, 0.0)):
    """Camera coordinates of world-space vertices, for a camera at `eye` that looks at `at`.

    An up vector parallel to the viewing direction is replaced by the world axis that is farthest
    from it (z, or x when looking along z), so that straight-down views are finite.

    Args:
        vertices: float `[..., num_vertices, 3]`, world space.
        eye: float `[..., 3]`, world space; its leading dimensions broadcast against those of
            `vertices`.
        at: float `[..., 3]`, the point looked at.
        up: float `[..., 3]`, the direction that is up in the picture.

    Returns:
        float `[..., num_vertices, 3]`: x right, y up, z depth along the viewing direction.
    """
    vertices = keras.ops.convert_to_tensor(vertices)
    if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(vertices.dtype)):
        vertices = keras.ops.cast(vertices, "float32")
    dtype = vertices.dtype
    eye, at, up = (keras.ops.convert_to_tensor(value, dtype) for value in (eye, at, up))
    forward = _normalize(at - eye)
    right = _cross(forward, up + keras.ops.zeros_like(forward))
    parallel = keras.ops.sum(right * right, -1, keepdims=True) <= _PARALLEL**2 * keras.ops.sum(
        up * up, -1, keepdims=True
    )
    along_z = keras.ops.abs(forward[..., 2:3]) > 0.5
    x_axis, z_axis = (
        keras.ops.convert_to_tensor(axis, dtype) for axis in ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    )
    spare_up = keras.ops.where(along_z, x_axis, z_axis)
    right = _normalize(keras.ops.where(parallel, _cross(forward, spare_up), right))
    true_up = _cross(right, forward)
    rotation = keras.ops.stack([right, true_up, forward], axis=-1)
    return keras.ops.matmul(vertices - keras.ops.expand_dims(eye, -2), rotation)


def perspective(vertices, *, viewing_angle=N3MR_VIEWING_ANGLE):
    """Image-plane coordinates of camera-space vertices; depth is kept in z.

    Formula: ``x' = x / (z tan(angle))``, ``y' = y / (z tan(angle))``.

    A vertex in the camera's plane (|z| < 1e-6) is projected as if at depth 1e-6, so that the result
    is finite; the rasteriser leaves out every face that has a vertex at z <= near.

    Args:
        vertices: float `[..., num_vertices, 3]`, camera space.
        viewing_angle: HALF of the angle of view across the shorter image side, degrees in (0, 90).

    Returns:
        float `[..., num_vertices, 3]`: x', y' on the image plane, where the shorter image side
        spans [-1, 1], and the camera depth z.

    Raises:
        ValueError: `viewing_angle` is not in (0, 90).
    """
    if not 0.0 < viewing_angle < 90.0:
        raise ValueError(
            "Invalid viewing_angle. Expected half the angle of view, in degrees, between 0 and 90 "
            f"(exclusive). Received: viewing_angle={viewing_angle}"
        )
    vertices = keras.ops.convert_to_tensor(vertices)
    depth = vertices[..., 2:3]
    nearest = keras.ops.full_like(depth, 1e-6)
    divisor = keras.ops.where(keras.ops.abs(depth) < nearest, nearest, depth)
    scale = 1.0 / math.tan(math.radians(viewing_angle))
    return keras.ops.concatenate([vertices[..., :2] * scale / divisor, depth], axis=-1)


def n3mr_views():
    """The 24 cameras of the N3MR renders.

    Returns:
        dict of float32 `[24]` NumPy arrays: `distance` (world units), `elevation` and `azimuth`
        (degrees).
    """
    return {
        "distance": np.full(N3MR_NUM_VIEWS, N3MR_DISTANCE, np.float32),
        "elevation": np.full(N3MR_NUM_VIEWS, N3MR_ELEVATION, np.float32),
        "azimuth": np.arange(N3MR_NUM_VIEWS, dtype=np.float32) * (360.0 / N3MR_NUM_VIEWS),
    }


def _cross(a, b):
    # keras.ops.cross has no static shape for inputs of unknown leading dimensions.
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return keras.ops.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def _normalize(vector):
    square = keras.ops.sum(vector * vector, axis=-1, keepdims=True)
    # An eye that coincides with what it looks at has no direction: the result is zero, not NaN.
    return vector * keras.ops.rsqrt(keras.ops.maximum(square, 1e-30))
