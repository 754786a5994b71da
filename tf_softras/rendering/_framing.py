"""Cameras that show a mesh whole."""

import numpy as np

from tf_softras._shared.ranges import check_between
from tf_softras.geometry import Mesh
from tf_softras.geometry.cameras import N3MR_VIEWING_ANGLE, eye_from_angles
from tf_softras.geometry.mesh import check_mesh

# The share of a picture's shorter side that the mesh takes at most.
_FILLED = 0.95


def fitting_distance(
    mesh: Mesh, elevations, azimuths, *, viewing_angle: float = N3MR_VIEWING_ANGLE
) -> float:
    """Returns the least distance from which all cameras see the mesh whole, with a small margin.

    The mesh takes 95 % of a picture's shorter side in the view that shows it largest. N3MR's
    cameras, at 2.732, cut the corners of a cube of side 1 off.

    Formula: a vertex p, which the camera sees at x beside its axis and p . o towards it, is inside
    the frame if ``distance >= p . o + |x| / (0.95 tan(viewing_angle))``.

    Args:
        mesh: the mesh, world space; the cameras look at the origin.
        elevations: degrees above the x-z plane, a number or `[num_views]`.
        azimuths: degrees from +x towards +z, a number or `[num_views]`.
        viewing_angle: HALF of the angle of view across the shorter image side, degrees in (0, 90).

    Raises:
        TypeError: `mesh` is no `Mesh`.
        ValueError: The mesh has no faces, there are no views, their angles are not finite or of
            several numbers, or `viewing_angle` is not in (0, 90).
    """
    check_mesh(mesh)
    if not len(mesh.faces):
        raise ValueError("mesh: expected at least one face to fit into the frame; received none")
    _check_angles(elevations, azimuths)
    expected = "half the angle of view, in degrees, between 0 and 90 (exclusive)"
    check_between("viewing_angle", viewing_angle, 0.0, 90.0, expected)
    outward = np.asarray(eye_from_angles(1.0, elevations, azimuths), np.float64).reshape(-1, 3)
    points = mesh.vertices[np.unique(mesh.faces)].astype(np.float64)
    right = np.stack([outward[:, 2], np.zeros(len(outward)), -outward[:, 0]], axis=-1)
    lengths = np.linalg.norm(right, axis=-1, keepdims=True)
    # Straight from above or below any direction across will do.
    right = np.where(lengths > 1e-9, right / np.maximum(lengths, 1e-9), (0.0, 0.0, 1.0))
    up = np.cross(outward, right)
    slope = _FILLED * np.tan(np.radians(viewing_angle))
    distance = 0.0
    for one, across, above in zip(outward, right, up, strict=True):
        aside = np.maximum(np.abs(points @ across), np.abs(points @ above))
        distance = max(distance, float((points @ one + aside / slope).max()))
    return distance


def _check_angles(elevations, azimuths) -> None:
    shapes = []
    for name, angles in (("elevations", elevations), ("azimuths", azimuths)):
        angles = np.asarray(angles, np.float64)
        if not angles.size:
            raise ValueError(f"{name}: expected degrees of at least one view; received none")
        if not np.isfinite(angles).all():
            received = angles[~np.isfinite(angles)].flat[0]
            raise ValueError(f"{name}: expected finite degrees; received {received}")
        shapes.append(angles.shape)
    try:
        np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise ValueError(
            "elevations and azimuths: expected one number for all views, or one a view; received "
            f"shapes {list(shapes[0])} and {list(shapes[1])}"
        ) from error
