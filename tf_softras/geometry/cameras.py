"""Cameras, and the conventions that hold everywhere in the package.

World
    Right-handed, +y up: the frame of ShapeNet's OBJ files, of OBJ and of glTF. Objects have their
    bounding box's centre at the origin and its longest side 1.
Camera
    ``look_at``: forward = at - eye, right = forward x up. Camera coordinates are x right, y up and
    z = depth along forward, positive in front of the camera.
    ``world_to_camera`` and ``convert_extrinsics`` know the frames of others by name: "opencv" (x
    right, y down, z forward) and "opengl" (x right, y up, z backward); this one is "softras".
Image plane
    ``perspective``: x' = x / (z tan(angle)) with the HALF angle of view; depth stays in z. The
    shorter image side spans [-1, 1], pixels are square. Row 0 is the top: in an image of H x W
    pixels whose shorter side is S the centre of pixel (row r, column c) is x = (2c + 1 - W) / S,
    y = (H - 1 - 2r) / S. ``pinhole`` (an intrinsic matrix) and ``orthographic`` land there too.
Views
    eye = d (cos e cos t, sin e, cos e sin t) for distance d, elevation e and azimuth t in degrees.
    The N3MR renders use d = 2.732, e = 30 and t = 15 i for view i = 0..23.

The functions take NumPy arrays as well as (symbolic) tensors and return tensors.
"""

import math

import keras
import numpy as np

from tf_softras._shared.ranges import check_between
from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry._vectors import as_floating, cross, dot, normalize

# The signs of (right, up, forward) along the axes of each frame of cameras.
CAMERA_AXES = {"softras": (1.0, 1.0, 1.0), "opencv": (1.0, -1.0, 1.0), "opengl": (1.0, 1.0, -1.0)}

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


def up_from_angles(elevation, azimuth):
    """Up vectors of the cameras at `eye_from_angles`, also straight above and below the origin.

    There the eye alone does not say which way up is; the azimuth still does, so that a camera which
    climbs over the pole does not turn its picture. Everywhere else a camera that looks at the
    origin with this vector sees what it sees with +y up.

    Formula: ``up = (-sin e cos t, cos e, -sin e sin t)``, negated where cos e < 0: beyond the pole
    +y stays up.

    Args:
        elevation: float, any shape; degrees above the x-z plane.
        azimuth: float, broadcastable to `elevation`; degrees from +x towards +z.

    Returns:
        float32 `[..., 3]`, unit vectors at right angles to the viewing direction.

    Example:
        >>> eye = eye_from_angles(2.0, 90.0, 30.0)
        >>> seen = look_at([[0.0, 0.0, 0.0]], eye, up=up_from_angles(90.0, 30.0))
    """
    elevation, azimuth = (
        keras.ops.convert_to_tensor(value, "float32") * (math.pi / 180.0)
        for value in (elevation, azimuth)
    )
    # float32 puts cos 90 at -4e-8.
    horizontal = keras.ops.cos(elevation)
    sign = keras.ops.where(horizontal < -1e-6, -1.0, 1.0)
    x = -keras.ops.sin(elevation) * keras.ops.cos(azimuth)
    y = horizontal + keras.ops.zeros_like(x)
    z = -keras.ops.sin(elevation) * keras.ops.sin(azimuth)
    return sign[..., None] * keras.ops.stack([x, y, z], axis=-1)


def look_at(vertices, eye, *, at=(0.0, 0.0, 0.0), up=(0.0, 1.0, 0.0)):
    """Camera coordinates of world-space vertices, for a camera at `eye` that looks at `at`.

    An up vector parallel to the viewing direction is replaced by the world axis that is farthest
    from it (z, or x when looking along z), so that straight-down views are finite. Give
    `up_from_angles` where the azimuth is to be kept there.

    Args:
        vertices: float `[..., num_vertices, 3]`, world space.
        eye: float `[..., 3]`, world space; its leading dimensions broadcast against those of
            `vertices`.
        at: float `[..., 3]`, the point looked at; one for all, or one a camera.
        up: float `[..., 3]`, the direction that is up in the picture; one for all, or one a camera.

    Returns:
        float `[..., num_vertices, 3]`: x right, y up, z depth along the viewing direction.
    """
    vertices = as_floating(vertices)
    eye = keras.ops.convert_to_tensor(eye, vertices.dtype)
    axes = _look_at_axes(eye, at, up)
    rotation = keras.ops.swapaxes(axes, -1, -2)
    return keras.ops.matmul(vertices - keras.ops.expand_dims(eye, -2), rotation)


def look_at_extrinsics(eye, *, at=(0.0, 0.0, 0.0), up=(0.0, 1.0, 0.0), convention="softras"):
    """Rotation and translation of the camera of `look_at`, in the frame of `convention`.

    Args:
        eye: float `[..., 3]`, world space.
        at: float `[..., 3]`, the point looked at.
        up: float `[..., 3]`, the direction that is up in the picture.
        convention: "softras", "opencv" or "opengl".

    Returns:
        rotation: float `[..., 3, 3]`, its rows the camera's axes in the world. Its determinant is
            -1 for "softras", a left-handed frame, else 1.
        translation: float `[..., 3]`; camera coordinates are `rotation @ vertex + translation`.

    Raises:
        ValueError: `convention` is none of these.
    """
    eye = as_floating(eye)
    rotation = _look_at_axes(eye, at, up)
    translation = -keras.ops.squeeze(keras.ops.matmul(rotation, eye[..., None]), axis=-1)
    return convert_extrinsics(rotation, translation, source="softras", target=convention)


def world_to_camera(vertices, rotation, translation, *, convention="opencv"):
    """Camera coordinates of world-space vertices, for a camera of given extrinsics.

    Formula: ``rotation @ vertex + translation``, then from the convention's axes to ours.

    Args:
        vertices: float `[..., num_vertices, 3]`, world space.
        rotation: float `[..., 3, 3]`, from the world to the camera's frame; its leading dimensions
            broadcast against those of `vertices`. Not checked to be a rotation, so that it may be
            learned.
        translation: float `[..., 3]`, the world's origin in the camera's frame.
        convention: the frame that rotation and translation lead to: "opencv" (x right, y down, z
            forward), "opengl" (x right, y up, z backward) or "softras" (ours).

    Returns:
        float `[..., num_vertices, 3]`: x right, y up, z depth along the viewing direction.

    Raises:
        ValueError: `convention` is none of these.
    """
    vertices = as_floating(vertices)
    rotation, translation = convert_extrinsics(
        keras.ops.convert_to_tensor(rotation, vertices.dtype),
        keras.ops.convert_to_tensor(translation, vertices.dtype),
        source=convention,
        target="softras",
    )
    turned = keras.ops.matmul(vertices, keras.ops.swapaxes(rotation, -1, -2))
    return turned + keras.ops.expand_dims(translation, -2)


def convert_extrinsics(rotation, translation, *, source, target):
    """The same camera's rotation and translation in the frame of another convention.

    Args:
        rotation: float `[..., 3, 3]`, from the world to the camera's frame.
        translation: float `[..., 3]`.
        source: the convention that they are in: "softras", "opencv" or "opengl".
        target: the convention wanted.

    Returns:
        rotation, translation: of the same shapes.

    Raises:
        ValueError: `source` or `target` is none of these.
    """
    rotation, translation = as_floating(rotation), as_floating(translation)
    signs = np.array(_axes("source", source)) * np.array(_axes("target", target))
    return (
        rotation * keras.ops.convert_to_tensor(signs[:, None], rotation.dtype),
        translation * keras.ops.convert_to_tensor(signs, translation.dtype),
    )


def perspective(vertices, *, viewing_angle=N3MR_VIEWING_ANGLE):
    """Image-plane coordinates of camera-space vertices; depth is kept in z.

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
        ValueError: `viewing_angle` is known and not in (0, 90). The values of tensors are not
            known under `tf.function`, and not looked at there.
    """
    vertices = as_floating(vertices)
    depth = vertices[..., 2:3]
    on_plane = vertices[..., :2] * _cotangent(viewing_angle, vertices.dtype) / _divisor(depth)
    # Of the same leading dimensions, where those of the angle were broadcast.
    depth = depth + keras.ops.zeros_like(on_plane[..., :1])
    return keras.ops.concatenate([on_plane, depth], axis=-1)


def pinhole(vertices, intrinsics, *, image_size, pixel_center=0.0):
    """Image-plane coordinates of camera-space vertices, for a camera of given intrinsics.

    Formula: with K the intrinsic matrix, y' down as pictures have it and S the shorter side,
    ``(u z, v z, z) = K (x, -y, z)``, ``x' = (2 (u - pixel_center) + 1 - width) / S``,
    ``y' = (height - 1 - 2 (v - pixel_center)) / S``.

    Neither the principal point need be the image's middle, nor pixels square, nor the axes
    perpendicular (skew). Lens distortion has no place in K: undistort the picture.

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
        ValueError: `image_size` is not one of the above.
    """
    height, width = standardize_image_size(image_size)
    vertices = as_floating(vertices)
    intrinsics = keras.ops.convert_to_tensor(intrinsics, vertices.dtype)
    depth = vertices[..., 2:3]
    divisor = _divisor(depth)
    x, y = vertices[..., 0:1] / divisor, -vertices[..., 1:2] / divisor
    # [..., 1, 1]: one number a camera, for all vertices.
    fx, skew, cx = (intrinsics[..., None, 0, i : i + 1] for i in range(3))
    fy, cy = (intrinsics[..., None, 1, i : i + 1] for i in (1, 2))
    column = fx * x + skew * y + cx - pixel_center
    row = fy * y + cy - pixel_center
    shorter = min(height, width)
    on_plane = [(2.0 * column + (1 - width)) / shorter, ((height - 1) - 2.0 * row) / shorter]
    return keras.ops.concatenate([*on_plane, depth + keras.ops.zeros_like(column)], axis=-1)


def orthographic(vertices, *, view_size=2.0, center=(0.0, 0.0)):
    """Image-plane coordinates of camera-space vertices under parallel projection.

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
        ValueError: `view_size` is known and not positive and finite.
    """
    check_between("view_size", view_size, 0.0, math.inf, "a positive length in world units")
    vertices = as_floating(vertices)
    view_size = keras.ops.convert_to_tensor(view_size, vertices.dtype)[..., None, None]
    center = keras.ops.expand_dims(keras.ops.convert_to_tensor(center, vertices.dtype), -2)
    on_plane = 2.0 * (vertices[..., :2] - center) / view_size
    depth = vertices[..., 2:3] + keras.ops.zeros_like(on_plane[..., :1])
    return keras.ops.concatenate([on_plane, depth], axis=-1)


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


def _look_at_axes(eye, at, up):
    """The rows right, up and forward `[..., 3, 3]` of a camera at `eye`."""
    at, up = (keras.ops.convert_to_tensor(value, eye.dtype) for value in (at, up))
    forward = normalize(at - eye)
    right = cross(forward, up + keras.ops.zeros_like(forward))
    parallel = dot(right, right) <= _PARALLEL**2 * dot(up, up)
    along_z = keras.ops.abs(forward[..., 2:3]) > 0.5
    x_axis, z_axis = (
        keras.ops.convert_to_tensor(axis, eye.dtype) for axis in ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    )
    spare_up = keras.ops.where(along_z, x_axis, z_axis)
    right = normalize(keras.ops.where(parallel, cross(forward, spare_up), right))
    forward = forward + keras.ops.zeros_like(right)  # one eye, several up vectors
    return keras.ops.stack([right, cross(right, forward), forward], axis=-2)


def _cotangent(viewing_angle, dtype):
    """1 / tan(angle) of an angle in degrees: a number, or `[..., 1, 1]` of `dtype`."""
    expected = "half the angle of view, in degrees, between 0 and 90 (exclusive)"
    check_between("viewing_angle", viewing_angle, 0.0, 90.0, expected)
    if isinstance(viewing_angle, (int, float)):
        # In double: a float32 tangent differs in its last digit.
        return 1.0 / math.tan(math.radians(viewing_angle))
    angle = keras.ops.cast(keras.ops.convert_to_tensor(viewing_angle), dtype)
    return (1.0 / keras.ops.tan(angle * (math.pi / 180.0)))[..., None, None]


def _axes(name, convention):
    if convention not in CAMERA_AXES:
        raise ValueError(f"{name}: expected one of {tuple(CAMERA_AXES)}; received {convention!r}")
    return CAMERA_AXES[convention]


def _divisor(depth):
    """Depth, or 1e-6 where it is nearer to 0 than that."""
    nearest = keras.ops.full_like(depth, 1e-6)
    return keras.ops.where(keras.ops.abs(depth) < nearest, nearest, depth)
