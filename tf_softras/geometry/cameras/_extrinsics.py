"""From the world to a camera's frame: by its eye, or by rotation and translation."""

import keras
import numpy as np

from tf_softras.geometry._vectors import as_floating, cross, dot, normalize
from tf_softras.geometry.cameras._conventions import CAMERA_AXES

# Below this ratio, forward and up are parallel for float32 and no right-hand direction exists.
_PARALLEL = 1e-6


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
    """
    vertices = as_floating(vertices)
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
        ValueError: `convention` is none of these.
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
    """Returns the same camera's rotation and translation in another convention's frame.

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


def _look_at_axes(eye, at, up):
    """Returns the rows right, up and forward `[..., 3, 3]` of a camera at `eye`."""
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


def _axes(name, convention):
    if convention not in CAMERA_AXES:
        raise ValueError(f"{name}: expected one of {tuple(CAMERA_AXES)}; received {convention!r}")
    return CAMERA_AXES[convention]
