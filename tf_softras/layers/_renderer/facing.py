"""Handles the two sides of faces: culling, closed meshes, normals of two-sided surfaces."""

import keras

from tf_softras.geometry._vectors import cross, dot
from tf_softras.geometry.corner_mesh import HIDDEN_CORNER, is_closed

# Mean normals shorter than this are those of faces that turn opposite sides to the camera.
_CANCELLED = 0.2


def turns_front(corners, interpolation):
    """Returns bool `[batch, num_corners, 1]`: whether a corner's face shows the camera its front.

    Args:
        corners: float `[batch, num_corners, 3]`, camera space, three for each face.
        interpolation: "perspective", or "linear" where all rays run along the viewing direction.
    """
    batch, num_corners = keras.ops.shape(corners)[0], corners.shape[1]
    faces = keras.ops.reshape(corners, (batch, num_corners // 3, 3, 3))
    a, b, c = (faces[:, :, i] for i in range(3))
    # Camera space is left-handed: seen from its front, a face's cross product points away.
    away = cross(b - a, c - a)
    along = away[..., 2:] if interpolation == "linear" else dot(away, a)
    return keras.ops.reshape(keras.ops.repeat(along >= 0.0, 3, axis=-1), (batch, num_corners, 1))


def hide_back_faces(corners, is_front):
    """Returns the corners with those of back faces behind the camera, where no op draws them."""
    is_back = keras.ops.logical_not(is_front)
    # Corners with NaN stay, so that the op sees and refuses them.
    is_finite = keras.ops.all(keras.ops.isfinite(corners), axis=-1, keepdims=True)
    behind = keras.ops.convert_to_tensor(HIDDEN_CORNER, corners.dtype)
    return keras.ops.where(keras.ops.logical_and(is_back, is_finite), behind, corners)


def side_shares(faces, is_front, dtype):
    """Returns float `[batch, num_corners, 2]`: which of two sums of coverage a face counts in.

    The front and the back of a closed mesh cover the same pixels, so they are added up apart. All
    faces of an open mesh count in the first sum.
    """
    of_closed = keras.ops.concatenate([is_front, keras.ops.logical_not(is_front)], axis=-1)
    of_open = keras.ops.convert_to_tensor([True, False])
    is_closed_mesh = keras.ops.reshape(is_closed(faces), (-1, 1, 1))
    return keras.ops.cast(keras.ops.where(is_closed_mesh, of_closed, of_open), dtype)


def normals_of_either_side(normals, to_eye):
    """Returns mean normals; where the sides of doubled faces cancel, the side that is seen.

    Args:
        normals: float `[..., 3]`, means of unit normals.
        to_eye: float `[..., 3]`, means of the same normals, each turned to the camera.
    """
    cancels = dot(normals, normals) < _CANCELLED**2
    return keras.ops.where(cancels, to_eye, normals)
