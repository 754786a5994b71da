"""Distances between surfaces whose distance is known, and collisions against brute force."""

import numpy as np
import pytest

from tf_softras.evaluation._surface_metrics import (
    distances_to_mesh,
    mesh_of_voxels,
    self_intersection,
    surface_metrics,
)
from tf_softras.geometry import Mesh, icosphere, voxelize

pytest.importorskip("fcl", reason="needs the extra metrics")
SPHERE = icosphere(4)


def sphere(radius, shift=(0.0, 0.0, 0.0)):
    return Mesh(
        vertices=SPHERE.vertices * np.float32(radius) + np.float32(shift), faces=SPHERE.faces
    )


def test_concentric_spheres_are_their_radii_apart():
    metrics = surface_metrics(sphere(0.5), sphere(0.4))
    # Facets lie within 0.4 % of the radius; the nearest of 30,000 points is 0.005 aside.
    assert metrics.scan_to_mesh_distance == pytest.approx(0.1, abs=1e-3)
    assert metrics.chamfer_distance == pytest.approx(0.2, abs=3e-3)
    assert metrics.f_score == 0.0 and metrics.self_intersection == 0.0
    assert metrics.normal_consistency == pytest.approx(1.0, abs=2e-3)


def test_same_surface_differs_by_its_points_alone():
    metrics = surface_metrics(sphere(0.5), sphere(0.5))
    assert metrics.f_score > 0.999 and metrics.normal_consistency > 0.999
    # Half the spacing sqrt(pi / 30,000) of points on an area of pi is 0.005, each way.
    assert 0.005 < metrics.chamfer_distance < 0.015
    assert metrics.scan_to_mesh_distance < 1e-6


def test_half_a_surface_has_no_more_than_half_the_recall():
    vertices = SPHERE.vertices * np.float32(0.5)
    upper = SPHERE.faces[(vertices[SPHERE.faces, 1] >= -1e-6).all(axis=1)]
    metrics = surface_metrics(sphere(0.5), Mesh(vertices=vertices, faces=upper))
    # Precision 1; recall is 1/2 and a rim of 0.02: 0.52, which gives 2 * 0.52 / 1.52.
    assert metrics.f_score == pytest.approx(0.684, abs=0.02)


def test_only_points_nearer_than_the_named_distance_are_found():
    inner = sphere(0.47)
    shells = Mesh(
        vertices=np.concatenate([SPHERE.vertices * np.float32(0.5), inner.vertices]),
        faces=np.concatenate([SPHERE.faces, SPHERE.faces + len(SPHERE.vertices)]),
    )
    # The inner shell is 0.03 away. Of the area the outer one has 0.5^2 / (0.5^2 + 0.47^2) = 0.531,
    # which is the recall, or the precision, where the other is 1: 2 * 0.531 / 1.531.
    for true, predicted in ((shells, sphere(0.5)), (sphere(0.5), shells)):
        assert surface_metrics(true, predicted).f_score == pytest.approx(0.694, abs=0.01)


def test_distance_to_a_mesh_is_that_to_its_faces():
    box = Mesh(vertices=np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), faces=np.int32([[0, 1, 2]]))
    points = [[0.25, 0.25, 0.5], [-1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    # Above the face, before a corner, beyond the long edge.
    np.testing.assert_allclose(distances_to_mesh(points, box), [0.5, 1.0, np.sqrt(0.5)], atol=1e-6)


def _edge_cuts(edge, triangle):
    """Returns whether a segment passes through the inside of a triangle, by signed volumes."""
    a, b = edge

    def side(p, q, r, s):
        return np.dot(np.cross(q - p, r - p), s - p)

    v0, v1, v2 = triangle
    if side(v0, v1, v2, a) * side(v0, v1, v2, b) >= 0:
        return False
    signs = np.sign([side(a, b, v0, v1), side(a, b, v1, v2), side(a, b, v2, v0)])
    return abs(signs.sum()) == 3


def test_self_intersection_equals_brute_force():
    generator = np.random.default_rng(0)
    vertices = generator.uniform(-0.5, 0.5, (45, 3)).astype(np.float32)
    # Strips of faces, which share vertices with one another.
    faces = np.array([[i, i + 1, i + 2] for i in range(0, 42, 2)], np.int32)
    corners = vertices[faces].astype(np.float64)
    cut = set()
    for i in range(len(faces)):
        for j in range(len(faces)):
            if i == j or set(faces[i]) & set(faces[j]):
                continue
            if any(_edge_cuts(corners[i][[k, (k + 1) % 3]], corners[j]) for k in range(3)):
                cut |= {i, j}
    share = self_intersection(Mesh(vertices=vertices, faces=faces))
    assert 0 < len(cut) < len(faces)
    assert share == pytest.approx(len(cut) / len(faces))


def test_surface_of_voxels_is_where_the_mesh_was_that_they_were_made_of():
    mesh = Mesh(
        vertices=SPHERE.vertices * np.float32([0.4, 0.25, 0.3]) + np.float32([0.1, -0.2, 0.05]),
        faces=SPHERE.faces,
    )
    voxels = voxelize(mesh.vertices, mesh.faces, resolution=32)
    surface = mesh_of_voxels(voxels)
    low, high = surface.vertices.min(axis=0), surface.vertices.max(axis=0)
    # Touched cells are occupied as a whole: a cell of 1/31 wider at most.
    np.testing.assert_allclose(low, mesh.vertices.min(axis=0), atol=1.0 / 31)
    np.testing.assert_allclose(high, mesh.vertices.max(axis=0), atol=1.0 / 31)
    corners = surface.vertices[surface.faces].astype(np.float64)
    volume = np.einsum("fx,fx->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    # Outward faces make it positive.
    assert volume == pytest.approx(voxels.sum() / 31**3, rel=0.1)
    centred = mesh_of_voxels(
        voxelize(SPHERE.vertices * np.float32(0.3), SPHERE.faces, resolution=32)
    ).vertices
    np.testing.assert_allclose(centred.min(axis=0), -centred.max(axis=0), atol=1e-6)
    with pytest.raises(ValueError, match="voxels.*occupied.*none"):
        mesh_of_voxels(np.zeros((4, 4, 4), bool))
