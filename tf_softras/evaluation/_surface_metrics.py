"""Measures how near a reconstructed surface is to the true one.

Lengths are in object units: the longest side of a true object's box is 1. Points, distances and
collisions are those of trimesh, SciPy and FCL (the extra `metrics`).

Source: Liu et al., "Soft Rasterizer", figure 5 (scan-to-mesh distance); Knapitsch et al. 2017,
"Tanks and Temples" (F-score); Mescheder et al. 2019, "Occupancy Networks" (normal consistency).
"""

import dataclasses
import importlib

import numpy as np
from scipy.spatial import cKDTree

from tf_softras._shared.extras import needs
from tf_softras.geometry import Mesh

# An F-score counts points nearer than 2 % of the object's longest side.
F_SCORE_DISTANCE = 0.02
# On a sphere of radius 0.5 a share of exp(-12) of the points has no other within that distance.
NUM_POINTS = 30_000
# The points whose exact distance to the faces is measured, which takes longer.
_SCAN_POINTS = 3_000
# Contacts that FCL may report for a face, those with its neighbours among them.
_CONTACTS_PER_FACE = 64


@dataclasses.dataclass(frozen=True)
class SurfaceMetrics:
    """One reconstruction against the truth.

    Attributes:
        chamfer_distance: The mean over points of the true surface of the distance to the nearest
            point of the reconstructed one, and the same the other way round, added.
        f_score: The harmonic mean of the shares of both surfaces' points that are within
            `F_SCORE_DISTANCE` of the other one, in [0, 1].
        scan_to_mesh_distance: The mean distance from points of the true surface to the
            reconstructed faces.
        normal_consistency: The mean |cosine| of the angle between normals at nearest points, over
            both ways, in [0, 1].
        self_intersection: The share of the reconstructed faces that cut another one with which
            they share no vertex, in [0, 1].
    """

    chamfer_distance: float
    f_score: float
    scan_to_mesh_distance: float
    normal_consistency: float
    self_intersection: float


def surface_metrics(
    true: Mesh, predicted: Mesh, *, num_points: int = NUM_POINTS, seed: int = 0
) -> SurfaceMetrics:
    """Returns the `SurfaceMetrics` of a reconstruction.

    Args:
        true: The object.
        predicted: Its reconstruction, in the same space.
        num_points: Points that are spread over each surface.
        seed: The seed of the points.

    Raises:
        ImportError: The extra `metrics` is not installed.
        ValueError: A mesh has no area.
    """
    true_points, true_normals = _spread(true, num_points, seed)
    points, normals = _spread(predicted, num_points, seed + 1)
    to_predicted, nearest_predicted = cKDTree(points).query(true_points)
    to_true, nearest_true = cKDTree(true_points).query(points)
    recall = np.mean(to_predicted < F_SCORE_DISTANCE)
    precision = np.mean(to_true < F_SCORE_DISTANCE)
    cosines = [
        np.abs((true_normals * normals[nearest_predicted]).sum(axis=1)).mean(),
        np.abs((normals * true_normals[nearest_true]).sum(axis=1)).mean(),
    ]
    total = precision + recall
    return SurfaceMetrics(
        chamfer_distance=float(to_predicted.mean() + to_true.mean()),
        f_score=float(2.0 * precision * recall / total) if total else 0.0,
        scan_to_mesh_distance=float(
            distances_to_mesh(true_points[:_SCAN_POINTS], predicted).mean()
        ),
        normal_consistency=float(np.mean(cosines)),
        self_intersection=self_intersection(predicted),
    )


def distances_to_mesh(points: np.ndarray, mesh: Mesh) -> np.ndarray:
    """Returns float64 [num_points]: how far each point is from the nearest face.

    Raises:
        ImportError: The extra `metrics` is not installed.
    """
    import trimesh

    _require("rtree")
    return trimesh.proximity.closest_point(_trimesh(mesh), np.asarray(points, np.float64))[1]


def self_intersection(mesh: Mesh) -> float:
    """Returns the share of faces that cut another one with which they share no vertex.

    Raises:
        ImportError: The extra `metrics` is not installed.
    """
    fcl = _require("fcl")
    if not len(mesh.faces):
        return 0.0
    # A hierarchy collides with itself only if it is given twice.
    hierarchies = []
    for _ in range(2):
        hierarchy = fcl.BVHModel()
        hierarchy.beginModel(len(mesh.vertices), len(mesh.faces))
        hierarchy.addSubModel(mesh.vertices.astype(np.float64), mesh.faces)
        hierarchy.endModel()
        hierarchies.append(fcl.CollisionObject(hierarchy))
    result = fcl.CollisionResult()
    request = fcl.CollisionRequest(
        num_max_contacts=_CONTACTS_PER_FACE * len(mesh.faces), enable_contact=True
    )
    fcl.collide(*hierarchies, request, result)
    pairs = np.array([(contact.b1, contact.b2) for contact in result.contacts]).reshape(-1, 2)
    first, second = mesh.faces[pairs[:, 0]], mesh.faces[pairs[:, 1]]
    neighbours = (first[:, :, None] == second[:, None, :]).any(axis=(1, 2))
    return len(np.unique(pairs[~neighbours])) / len(mesh.faces)


def mesh_of_voxels(voxels: np.ndarray) -> Mesh:
    """Returns the surface of occupied voxels [r, r, r], on the grid of `geometry.voxelize`.

    Marching cubes at 0.5 between the cells' centres.

    Raises:
        ImportError: The extra `metrics` is not installed.
        ValueError: No voxel is occupied.
    """
    measure = _require("skimage.measure")
    resolution = len(voxels)
    padded = np.pad(np.asarray(voxels, np.float32), 1)
    if not padded.max() > 0.5:
        raise ValueError("voxels: expected an occupied one; received none")
    # Ascent leads inside, where the values are: normals point out.
    corners, faces, _, _ = measure.marching_cubes(padded, 0.5, gradient_direction="ascent")
    # Cell i, at i + 1 after padding, has its centre at grid coordinate i + 0.5.
    vertices = (corners - 0.5 - resolution / 2) / (resolution - 1)
    return Mesh(vertices=vertices.astype(np.float32), faces=faces.astype(np.int32))


def _spread(mesh: Mesh, num_points: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns points on the faces, evenly by area, and the normals there: [num_points, 3] each."""
    import trimesh

    body = _trimesh(mesh)
    if not body.area > 0.0:
        raise ValueError("mesh: expected faces with an area; received none")
    points, face = trimesh.sample.sample_surface(body, num_points, seed=seed)
    return np.asarray(points), body.face_normals[face]


def _trimesh(mesh: Mesh):
    import trimesh

    # process=False would leave zero-area faces without a normal; the vertices stay as they are.
    return trimesh.Trimesh(mesh.vertices.astype(np.float64), mesh.faces, process=False)


def _require(module: str):
    with needs("metrics", "A surface metric"):
        return importlib.import_module(module)
