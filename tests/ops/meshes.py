"""Scenes of the rasteriser's tests: (vertices [batch, V, 3] float32, faces [F, 3] int32)."""

import numpy as np

from tf_softras.geometry import eye_from_angles, icosphere, look_at, perspective


def _soup(corners):
    """Triangles `[faces, 3, 2]` that share no vertex, at depth 1."""
    corners = np.asarray(corners, np.float64)
    vertices = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], axis=-1)
    faces = np.arange(3 * len(corners)).reshape(-1, 3)
    return vertices.reshape(1, -1, 3).astype(np.float32), faces.astype(np.int32)


def random_mesh(rng):
    """30 large faces over 40 shared vertices, some of them with a repeated index, two items."""
    vertices = rng.uniform(-2, 2, (2, 40, 3))
    vertices[..., 2] = rng.uniform(1, 2, (2, 40))
    return vertices.astype(np.float32), rng.integers(0, 40, (30, 3)).astype(np.int32)


def small_faces(rng):
    """60 faces of a tenth of the image."""
    centres = rng.uniform(-1, 1, (60, 1, 2))
    return _soup(centres + rng.normal(0, 0.1, (60, 3, 2)))


def sphere(rng, level=2):
    """An icosphere as an N3MR camera sees it; the odd azimuth keeps pixels off ties of edges."""
    mesh = icosphere(level)
    eye = eye_from_angles(2.732, 30.0, rng.uniform(0, 360, 2).astype(np.float32))
    return perspective(look_at(0.5 * mesh.vertices, eye)).numpy(), mesh.faces


def slivers(rng):
    """30 faces a ten-millionth as wide as they are long."""
    a = rng.uniform(-1, 1, (30, 2))
    along = rng.normal(0, 0.5, (30, 2))
    middle = a + 0.5 * along + rng.normal(0, 1e-7, (30, 2))
    return _soup(np.stack([a, a + along, middle], axis=1))


def zero_area_faces(rng):
    """Faces that collapse to a segment (repeated vertex, collinear vertices) or to a point."""
    a = rng.uniform(-1, 1, (8, 2)).round(2)
    b = a + rng.normal(0, 0.5, (8, 2)).round(2)
    collinear = np.linspace(-1, 1, 9)[:, None] * np.array([1.0, 0.5])
    return _soup(
        np.concatenate(
            [
                np.stack([a, b, b], axis=1),
                np.stack([a, a, a], axis=1),
                collinear.reshape(3, 3, 2) + 0.125,
            ]
        )
    )


def faces_through_pixel_centres(rng):
    """Vertices and edges exactly on the pixel centres of a 16 x 16 image.

    Skew, since from a pixel on an axis of symmetry two edges are equally near and the image has no
    derivative.
    """
    del rng
    # In pixels from the centre of the pixel right above the image's middle.
    corners = np.array(
        [
            [[0, 0], [5, 1], [2, 4]],
            [[-6, -2], [-2, 0], [-5, 5]],
            [[-3, -7], [6, -4], [0, -5]],
        ]
    )
    return _soup((2 * corners + 1) / 16)


SCENES = {
    "random mesh": random_mesh,
    "small faces": small_faces,
    "sphere": sphere,
    "slivers": slivers,
    "zero-area faces": zero_area_faces,
    "faces through pixel centres": faces_through_pixel_centres,
}


def with_depths(vertices, rng):
    """The vertices at depths of their own, from 1 to 4, where they all had the same."""
    if np.ptp(vertices[..., 2]) == 0:
        vertices = vertices.copy()
        vertices[..., 2] = rng.uniform(1, 4, vertices.shape[:2])
    return vertices
