"""Gives eyes and up vectors of angles, and the views of the published renders."""

import math

import keras
import numpy as np

from tf_softras.geometry._shapes import check_shapes_broadcast, known_shape
from tf_softras.geometry.cameras._conventions import N3MR_DISTANCE, N3MR_ELEVATION, N3MR_NUM_VIEWS


def eye_from_angles(distance, elevation, azimuth):
    """Returns eye positions on a sphere about the origin.

    Formula: ``eye = distance * (cos e cos t, sin e, cos e sin t)``.

    Args:
        distance: float, any shape; world units.
        elevation: float, broadcastable to `distance`; degrees above the x-z plane.
        azimuth: float, broadcastable to `distance`; degrees from +x towards +z.

    Returns:
        float32 `[..., 3]`, world space.

    Raises:
        ValueError: the shapes do not broadcast.
    """
    distance, elevation, azimuth = _tensors(distance=distance, elevation=elevation, azimuth=azimuth)
    elevation = elevation * (math.pi / 180.0)
    azimuth = azimuth * (math.pi / 180.0)
    horizontal = distance * keras.ops.cos(elevation)
    x = horizontal * keras.ops.cos(azimuth)
    y = distance * keras.ops.sin(elevation) + keras.ops.zeros_like(x)
    z = horizontal * keras.ops.sin(azimuth)
    return keras.ops.stack([x, y, z], axis=-1)


def up_from_angles(elevation, azimuth):
    """Returns up vectors of cameras at `eye_from_angles`, also straight above and below the origin.

    At a pole the eye alone does not say which way is up, but the azimuth does. With these vectors a
    camera that climbs over the pole does not turn its picture. Everywhere else a camera that looks
    at the origin sees the same as with +y up.

    Formula: ``up = (-sin e cos t, cos e, -sin e sin t)``, negated where cos e < 0: beyond the pole
    +y stays up.

    Args:
        elevation: float, any shape; degrees above the x-z plane.
        azimuth: float, broadcastable to `elevation`; degrees from +x towards +z.

    Returns:
        float32 `[..., 3]`, unit vectors at right angles to the viewing direction.

    Raises:
        ValueError: the shapes do not broadcast.

    Example:
        >>> eye, up = geometry.eye_from_angles(2.0, 90.0, 30.0), geometry.up_from_angles(90.0, 30.0)
        >>> seen = geometry.look_at([[0.0, 0.0, 0.0]], eye, up=up)
    """
    elevation, azimuth = (
        angle * (math.pi / 180.0) for angle in _tensors(elevation=elevation, azimuth=azimuth)
    )
    # float32 puts cos 90 at -4e-8.
    horizontal = keras.ops.cos(elevation)
    sign = keras.ops.where(horizontal < -1e-6, -1.0, 1.0)
    x = -keras.ops.sin(elevation) * keras.ops.cos(azimuth)
    y = horizontal + keras.ops.zeros_like(x)
    z = -keras.ops.sin(elevation) * keras.ops.sin(azimuth)
    return sign[..., None] * keras.ops.stack([x, y, z], axis=-1)


def n3mr_views():
    """Returns the 24 cameras of the N3MR renders.

    Returns:
        dict of float32 `[24]` NumPy arrays: `distance` (world units), `elevation` and `azimuth`
        (degrees).
    """
    return {
        "distance": np.full(N3MR_NUM_VIEWS, N3MR_DISTANCE, np.float32),
        "elevation": np.full(N3MR_NUM_VIEWS, N3MR_ELEVATION, np.float32),
        "azimuth": np.arange(N3MR_NUM_VIEWS, dtype=np.float32) * (360.0 / N3MR_NUM_VIEWS),
    }


def _tensors(**values):
    """Returns the values as float32 tensors, after checking that their shapes broadcast."""
    tensors = {
        name: keras.ops.convert_to_tensor(value, "float32") for name, value in values.items()
    }
    check_shapes_broadcast({name: known_shape(tensor) for name, tensor in tensors.items()})
    return tuple(tensors.values())
