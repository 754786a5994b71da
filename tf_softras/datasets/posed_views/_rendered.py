"""Posed pictures of a mesh, rendered by the package: data to try a fit on."""

import numpy as np

from tf_softras.datasets.posed_views._views import PosedViews
from tf_softras.geometry import (
    Mesh,
    eye_from_angles,
    intrinsic_matrix,
    look_at_extrinsics,
)
from tf_softras.geometry.cameras import N3MR_DISTANCE, N3MR_VIEWING_ANGLE
from tf_softras.rendering import render_views

# Degrees above the ground of the lowest and of the highest ring of cameras, and by how much each
# ring is turned against the one below, so that no two views look along the same line.
_LOWEST, _HIGHEST, _TURN = -30.0, 55.0, 11.0


def angles_around(num_views: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns elevations and azimuths of cameras on rings, from below to above, degrees.

    Args:
        num_views: At least 1; 32 make 4 rings of 8.

    Example:
        >>> elevation, azimuth = angles_around(32)
        >>> elevation[[0, 31]], azimuth[[0, 1, 8]]
        (array([-30.,  55.]), array([ 0., 45., 11.]))
    """
    rings = max(1, round(np.sqrt(num_views / 2.0)))
    ring = np.arange(num_views) * rings // num_views
    first = np.searchsorted(ring, ring)
    count = np.bincount(ring, minlength=rings)[ring]
    azimuth = 360.0 * (np.arange(num_views) - first) / count + _TURN * ring
    share = ring / (rings - 1.0) if rings > 1 else np.full(num_views, 0.6)
    return _LOWEST + (_HIGHEST - _LOWEST) * share, azimuth


def eyes_around(num_views: int, *, distance: float = N3MR_DISTANCE) -> np.ndarray:
    """Returns cameras on rings around the origin, float32 `[num_views, 3]`; see `angles_around`.

    Args:
        num_views: At least 1.
        distance: World units from the origin.
    """
    return np.asarray(eye_from_angles(distance, *angles_around(num_views)))


def rendered_views(mesh: Mesh, eyes, *, image_size, hold_out=()) -> PosedViews:
    """Returns pictures of a mesh, shaded as `rendering.render_views` does it, with their cameras.

    Args:
        mesh: A `Mesh` about the origin, of size 1 (`Mesh.normalized`).
        eyes: float `[num_views, 3]`: cameras that look at the origin, +y up.
        image_size: int, or (height, width) in pixels.
        hold_out: Indices of the views that are kept apart.
    """
    eyes = np.asarray(eyes, np.float32)
    return views_from_eyes(render_views(mesh, eyes, image_size=image_size), eyes, hold_out=hold_out)


def views_from_eyes(pictures, eyes, *, hold_out=()) -> PosedViews:
    """Returns pictures with the cameras that `rendering.render_views` and the data sets have.

    Args:
        pictures: uint8 `[num_views, height, width, 4]`, straight sRGB and alpha.
        eyes: float `[num_views, 3]`: cameras that look at the origin, +y up.
        hold_out: Indices of the views that are kept apart.
    """
    eyes = np.asarray(eyes, np.float64)
    rotations, translations = look_at_extrinsics(eyes, convention="opencv")
    lens = intrinsic_matrix(
        np.shape(pictures)[1:3],
        field_of_view=2.0 * N3MR_VIEWING_ANGLE,
        across="shorter",
        pixel_center=0.5,
    )
    return PosedViews.from_arrays(
        pictures,
        np.asarray(rotations),
        np.asarray(translations),
        np.asarray(lens),
        held_out=hold_out,
    )
