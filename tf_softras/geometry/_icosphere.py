"""The template sphere: an icosahedron, subdivided."""

import operator

import numpy as np

from tf_softras.geometry.mesh import Mesh

# 2,621,442 vertices; the next level would need gigabytes while it is built.
MAX_LEVEL = 9


def icosphere(level: int) -> Mesh:
    """Returns a unit sphere of 10 * 4^level + 2 vertices and 20 * 4^level faces.

    Each level splits every triangle of an icosahedron into four and pushes the new vertices out to
    radius 1. The vertices of a level open the list of vertices of the next. The faces look outward:
    counter-clockwise seen from outside in the right-handed world frame. Level 3 has 642 vertices
    and 1280 faces, the paper's template.

    Args:
        level: How often the icosahedron is subdivided, 0 to 9.

    Raises:
        TypeError: If `level` is not an integer.
        ValueError: If `level` is out of range.
    """
    if isinstance(level, bool):
        raise TypeError(f"level of an icosphere: expected an integer; received {level!r}")
    try:
        level = operator.index(level)
    except TypeError:
        raise TypeError(f"level of an icosphere: expected an integer; received {level!r}") from None
    if not 0 <= level <= MAX_LEVEL:
        raise ValueError(f"level of an icosphere: expected 0 to {MAX_LEVEL}; received {level}")
    vertices, faces = _icosahedron()
    for _ in range(level):
        vertices, faces = _subdivide(vertices, faces)
    return Mesh(vertices=vertices, faces=faces)


def _icosahedron() -> tuple[np.ndarray, np.ndarray]:
    """Returns the 12 vertices (float64, radius 1) and 20 outward faces of an icosahedron."""
    # The cyclic permutations of (+-1, +-golden ratio, 0).
    golden = (1.0 + 5.0**0.5) / 2.0
    vertices = np.array(
        [
            [-1, golden, 0], [1, golden, 0], [-1, -golden, 0], [1, -golden, 0],
            [0, -1, golden], [0, 1, golden], [0, -1, -golden], [0, 1, -golden],
            [golden, 0, -1], [golden, 0, 1], [-golden, 0, -1], [-golden, 0, 1],
        ]
    )  # fmt: skip
    faces = np.array(
        [
            [0, 11, 5], [0, 5, 1], [0, 1, 7], [0, 7, 10], [0, 10, 11],
            [1, 5, 9], [5, 11, 4], [11, 10, 2], [10, 7, 6], [7, 1, 8],
            [3, 9, 4], [3, 4, 2], [3, 2, 6], [3, 6, 8], [3, 8, 9],
            [4, 9, 5], [2, 4, 11], [6, 2, 10], [8, 6, 7], [9, 8, 1],
        ]
    )  # fmt: skip
    return vertices / np.linalg.norm(vertices, axis=1, keepdims=True), faces


def _subdivide(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the sphere with each face split into four at the middles of its edges."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    # Both faces of an edge must get the same middle. One integer an edge sorts faster than rows.
    keys, middle_of_edge = np.unique(edges[:, 0] * len(vertices) + edges[:, 1], return_inverse=True)
    middles = vertices[keys // len(vertices)] + vertices[keys % len(vertices)]
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    ab, bc, ca = (middle_of_edge.reshape(-1, 3) + len(vertices)).T
    a, b, c = faces.T
    corners = [[a, ab, ca], [b, bc, ab], [c, ca, bc], [ab, bc, ca]]
    # Axes [4, 3, num_faces] -> the four children of a face stay together.
    split = np.array(corners).transpose(2, 0, 1).reshape(-1, 3)
    return np.concatenate([vertices, middles]), split
