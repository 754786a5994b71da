"""The neighbours of a mesh's vertices and the faces that meet at its edges."""

import dataclasses

import numpy as np

from tf_softras._shared.faces import standardize_faces


@dataclasses.dataclass(frozen=True, eq=False)
class MeshTopology:
    """The neighbours of vertices and the faces at each edge: what the losses need to know of faces.

    Make it once with `MeshTopology.from_faces` and hand it to the losses in place of `faces`.

    Attributes:
        num_vertices_needed: The highest vertex index that a face uses, plus one.
        connected: int32 [num_connected], the vertices that have a neighbour, rising.
        neighbor_pairs: int32 [num_pairs, 2], each (vertex, neighbour) once and in both
            directions, rising; indices into `connected`.
        faces: int32 [num_faces, 3], those with three distinct vertices, which have a normal.
        hinges: int32 [2, num_hinges]: for each edge that has exactly two faces, those faces.
        hinge_signs: float32 [num_hinges], 1 where the two faces run along their edge in opposite
            directions, as in a consistently wound mesh, else -1.

    Example:
    >>> topology = losses.MeshTopology.from_faces([[0, 1, 2], [0, 2, 3]])
    >>> topology.hinges.shape                                 # two faces meet at one edge
    (2, 1)
    >>> vertices = np.zeros((1, 4, 3), np.float32)
    >>> np.asarray(losses.laplacian_loss(vertices, topology))
    array([0.], dtype=float32)
    """

    num_vertices_needed: int
    connected: np.ndarray
    neighbor_pairs: np.ndarray
    faces: np.ndarray
    hinges: np.ndarray
    hinge_signs: np.ndarray

    @classmethod
    def from_faces(cls, faces):
        """Returns the topology of a triangle mesh.

        An edge with one face (a border) or with more than two (where "the angle between its
        faces" has no single meaning) is no hinge. A face that repeats an index has no normal,
        so it makes no hinge either, but its distinct vertices are neighbours.

        Args:
            faces: Integers [num_faces, 3], NumPy or nested lists, wound either way; faces of three
                -1 are left out.

        Raises:
            ValueError: Not integers of that shape, or a negative index.
        """
        faces = standardize_faces(faces, is_padded=True).astype("int64")
        faces = faces[faces[:, 0] >= 0]
        sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        edges = np.unique(np.sort(sides[sides[:, 0] != sides[:, 1]], axis=1), axis=0)
        pairs = np.concatenate([edges, edges[:, ::-1]])
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        connected, pairs = np.unique(pairs, return_inverse=True)
        num_vertices_needed = int(faces.max(initial=-1)) + 1
        faces = faces[np.diff(np.sort(faces, axis=1), axis=1).all(axis=1)]
        hinges, hinge_signs = _hinges(faces)
        return cls(
            num_vertices_needed=num_vertices_needed,
            connected=connected.astype("int32"),
            neighbor_pairs=pairs.reshape(-1, 2).astype("int32"),
            faces=faces.astype("int32"),
            hinges=hinges.astype("int32"),
            hinge_signs=hinge_signs.astype("float32"),
        )


def _hinges(faces):
    """Returns `hinges` and `hinge_signs` of `MeshTopology`."""
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    rising = sides[:, 0] < sides[:, 1]
    side_faces = np.tile(np.arange(len(faces)), 3)
    _, edge_of_side, counts = np.unique(
        np.sort(sides, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    order = np.argsort(edge_of_side, kind="stable")
    pairs = order[counts[edge_of_side[order]] == 2].reshape(-1, 2).T
    return side_faces[pairs], np.where(rising[pairs[0]] != rising[pairs[1]], 1, -1)
