"""From the world to a camera's frame: by its eye, or by rotation and translation."""

import keras
import numpy as np

from tf_softras._shared.ranges import known_array
from tf_softras.geometry._shapes import check_shape, known_shape
from tf_softras.geometry._vectors import SHORTEST_SQUARE, as_floating, cross, dot, normalize
from tf_softras.geometry.cameras._conventions import CAMERA_AXES

# Below this ratio, forward and up are parallel for float32 and no right-hand direction exists.
_PARALLEL = 1e-6
_POINTS, _VECTOR = ("...", "num_vertices", 3), ("...", 3)


def look_at(vertices, eye, *, at=(0.0, 0.0, 0.0), up=(0.0, 1.0, 0.0)):
    """Returns camera coordinates of world-space vertices, for a camera at `eye`, looking at `at`.

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

    Raises:
        ValueError: another shape; or an eye and a point looked at that are known and the same.
    """
    vertices = as_floating(vertices)
    check_shape("vertices", known_shape(vertices), _POINTS)
    eye = keras.ops.convert_to_tensor(eye, vertices.dtype)
    axes = _look_at_axes(eye, at, up)
    rotation = keras.ops.swapaxes(axes, -1, -2)
    return keras.ops.matmul(vertices - keras.ops.expand_dims(eye, -2), rotation)


def look_at_extrinsics(eye, *, at=(0.0, 0.0, 0.0), up=(0.0, 1.0, 0.0), convention="softras"):
    """Returns rotation and translation of the camera of `look_at`, in the frame of `convention`.

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
        ValueError: `convention` is none of these; or shapes and points as in `look_at`.
    """
    eye = as_floating(eye)
    rotation = _look_at_axes(eye, at, up)
    translation = -keras.ops.squeeze(keras.ops.matmul(rotation, eye[..., None]), axis=-1)
    return convert_extrinsics(rotation, translation, source="softras", target=convention)


def world_to_camera(vertices, rotation, translation, *, convention="opencv"):
    """Returns camera coordinates of world-space vertices, for a camera of given extrinsics.

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
        ValueError: `convention` is none of these, or another shape.
    """
    vertices = as_floating(vertices)
    check_shape("vertices", known_shape(vertices), _POINTS)
    rotation, translation = convert_extrinsics(
        keras.ops.convert_to_tensor(rotation, vertices.dtype),
        keras.ops.convert_to_tensor(translation, vertices.dtype),
        source=convention,
        target="softras",
    )
    turned = keras.ops.matmul(vertices, keras.ops.swapaxes(rotation, -1, -2))
    return turned + keras.ops.expand_dims(translation, -2)


def convert_extrinsics(rotation, translation, *, source, target):
    """Returns the same camera's rotation and translation in another convention's frame.

    Args:
        rotation: float `[..., 3, 3]`, from the world to the camera's frame.
        translation: float `[..., 3]`.
        source: the convention that they are in: "softras", "opencv" or "opengl".
        target: the convention wanted.

    Returns:
        rotation, translation: of the same shapes.

    Raises:
        ValueError: `source` or `target` is none of these, or another shape.
    """
    rotation, translation = as_floating(rotation), as_floating(translation)
    check_shape("rotation", known_shape(rotation), ("...", 3, 3))
    check_shape("translation", known_shape(translation), _VECTOR)
    signs = np.array(_axes("source", source)) * np.array(_axes("target", target))
    return (
        rotation * keras.ops.convert_to_tensor(signs[:, None], rotation.dtype),
        translation * keras.ops.convert_to_tensor(signs, translation.dtype),
    )


def check_eye_is_apart(name, eye, at):
    """Checks that eyes are not where they look at, if both are known: such a camera sees nothing.

    Args:
        name: the name of the argument that eyes came from, for the error.
        eye: float `[..., 3]`.
        at: float `[..., 3]`.

    Raises:
        ValueError: an eye has no direction to its point `at`, as `normalize` sees it.
    """
    eye, at = known_array(eye), known_array(at)
    if eye is None or at is None:
        return
    if eye.dtype not in (np.float32, np.float64):
        eye = eye.astype(np.float32)
    try:
        forward = at.astype(eye.dtype) - eye
    except ValueError:
        return  # TensorFlow says which shapes do not broadcast.
    is_there = np.sum(forward * forward, axis=-1) <= SHORTEST_SQUARE
    if is_there.any():
        there = np.broadcast_to(eye, forward.shape)[is_there][0].tolist()
        raise ValueError(
            f"{name}: expected an eye apart from at, the point that the camera looks at; "
            f"received {there} for both"
        )


def _look_at_axes(eye, at, up):
    """Returns the rows right, up and forward `[..., 3, 3]` of a camera at `eye`."""
    at, up = (keras.ops.convert_to_tensor(value, eye.dtype) for value in (at, up))
    for name, vector in (("eye", eye), ("at", at), ("up", up)):
        check_shape(name, known_shape(vector), _VECTOR)
    check_eye_is_apart("eye", eye, at)
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


def _axes(name, convention):
    if convention not in CAMERA_AXES:
        raise ValueError(f"{name}: expected one of {tuple(CAMERA_AXES)}; received {convention!r}")
    return CAMERA_AXES[convention]
