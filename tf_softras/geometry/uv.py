"""Texture coordinates for meshes that come without."""

import numpy as np

from tf_softras.geometry.mesh import Mesh, check_mesh


def spherical_uvs(mesh: Mesh) -> np.ndarray:
    """Returns texture coordinates by longitude and latitude, seen from the origin.

    u goes once around +y, from +x towards +z as azimuths do; v rises from 0 at the bottom to 1 at
    the top. Faces across the seam go on beyond u = 1: sample with `wrap="repeat"`. A corner on the
    axis takes the u of the middle of its face.

    Args:
        mesh: a mesh around the origin, such as an icosphere or a fit that began with one.

    Returns:
        float32 `[num_faces, 3, 2]`: (u, v) of each corner of each face.

    Raises:
        TypeError: `mesh` is no `Mesh`.
    """
    check_mesh(mesh)
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    x, y, z = np.moveaxis(corners, -1, 0)
    across = np.hypot(x, z)
    v = 0.5 + np.arctan2(y, across) / np.pi
    u = np.arctan2(z, x) / (2 * np.pi)
    # Turns are counted from the middle of the face, so that its corners lie within half a turn.
    middle = corners.mean(axis=1)
    middle_u = np.arctan2(middle[:, 2], middle[:, 0])[:, None] / (2 * np.pi)
    u = middle_u + (u - middle_u + 0.5) % 1.0 - 0.5
    u = np.where(across > 1e-6 * np.linalg.norm(corners, axis=-1), u, middle_u)
    # From 0 up: a face's turns are its middle's.
    return np.stack([u - np.floor(middle_u), v], axis=-1).astype(np.float32)
