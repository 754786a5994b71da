"""Remeshes a surface to triangles of even size."""

import numpy as np

from tf_softras._shared.extras import needs
from tf_softras.geometry import Mesh


def remesh(mesh: Mesh, edge_length: float, *, rounds: int = 5) -> Mesh:
    """Returns the surface with triangles of even size, with edges of about `edge_length`.

    Args:
        mesh: A mesh. Faces without area and doubled faces are dropped.
        edge_length: Positive float, world units.
        rounds: Rounds of splitting, collapsing and flipping edges and of spreading vertices.

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
