"""Triangles of even size: Botsch and Kobbelt's remeshing, by gpytoolbox."""

import numpy as np

from tf_softras._shared.extras import needs
from tf_softras.geometry import Mesh


def remesh(mesh: Mesh, edge_length: float, *, rounds: int = 5) -> Mesh:
    """Returns the surface with edges of about `edge_length`, as even as edge flips make it.

    Args:
        mesh: A mesh; faces without area and doubled faces are left out.
        edge_length: Positive float, world units.
        rounds: How often edges are split, collapsed, flipped and vertices spread.

    Raises:
        ImportError: gpytoolbox is not installed.

    Source: Botsch and Kobbelt 2004, "A Remeshing Approach to Multiresolution Modeling"; gpytoolbox
    (its part under the MIT licence).
    """
    with needs("fit", "Remeshing"):
        import gpytoolbox
    vertices, faces = gpytoolbox.remesh_botsch(
        mesh.vertices.astype(np.float64), mesh.faces.astype(np.int32), rounds, edge_length
    )
    used, faces = np.unique(faces, return_inverse=True)
    return Mesh(vertices[used], faces.reshape(-1, 3))
