"""Metrics over a data set, of reconstructions whose metrics are known."""

import dataclasses

import numpy as np
import PIL.Image
import pytest

from tests.shapes import IMAGE_SIZE, NUM_VIEWS, RADII, RENDERING, ellipsoid, ellipsoids
from tf_softras.evaluation._measure import METRICS
from tf_softras.geometry import icosphere, voxelize
from tf_softras.reconstruction import VoxelFunction
from tf_softras.training import comparison_sheet, measure, metrics_table

pytest.importorskip("fcl", reason="needs the extra metrics")


def truth(class_name, model):
    del class_name
    return ellipsoid(RADII[int(model.removeprefix("ellipsoid "))])


class _Answers:
    """Gives, one after the other, answers that were made beforehand."""

    faces = icosphere(2).faces

    def __init__(self, answers):
        self.answers = list(answers)

    def __call__(self, images):
        return np.stack([self.answers.pop(0) for _ in range(len(images))])


def _meshes(scale=1.0):
    return _Answers(ellipsoid(np.multiply(radii, scale)).vertices for radii in RADII)


def _voxels():
    grids = [ellipsoid(radii) for radii in RADII]
    voxels = (voxelize(mesh.vertices, mesh.faces, resolution=32) for mesh in grids)
    return VoxelFunction(_Answers(voxels))


def _data():
    """Ellipsoids in voxels as fine as those of `_voxels`."""
    return ellipsoids(dataclasses.replace(RENDERING, voxel_resolution=32))


@pytest.fixture(scope="module")
def measured():
    options = {"truth": truth, "progress": False, "input_view": 1}
    networks = {"true": _meshes(), "smaller": _meshes(0.8), "voxels": _voxels()}
    return {name: measure(network, _data(), **options) for name, network in networks.items()}


def test_true_meshes_are_best_in_everything(measured):
    true, smaller = measured["true"].mean, measured["smaller"].mean
    assert measured["true"].objects == len(RADII)
    # Pixels by their centre and pixels by more than half: at 16 x 16 the outline differs in some.
    assert true["silhouette_iou"] > 0.85 and true["f_score"] > 0.999
    assert true["scan_to_mesh_distance"] < 1e-6 and true["self_intersection"] == 0.0
    for metric in ("silhouette_iou", "f_score", "normal_consistency"):
        assert smaller[metric] < true[metric]
    # A fifth of a sphere's radius of 0.5 and of less elsewhere.
    assert 0.03 < smaller["scan_to_mesh_distance"] < 0.1
    classes = measured["true"].per_class["f_score"]
    assert classes["airplane"] is None and classes["lamp"] > 0.999


def test_voxels_are_measured_by_their_surface_and_projection(measured):
    voxels = measured["voxels"].mean
    # A cell of 1/31 is wider by half of one on average.
    assert 0.005 < voxels["scan_to_mesh_distance"] < 1 / 31
    assert voxels["silhouette_iou"] > 0.75


def test_precision_and_recall_of_voxels_tell_too_little_volume_from_too_much(measured):
    for exact in ("true", "voxels"):
        mean = measured[exact].mean
        assert mean["voxel_precision"] == mean["voxel_recall"] == 1.0
    # A mesh and its smaller copy have the same centre: what is in it is in the larger one.
    smaller = measured["smaller"].mean
    assert smaller["voxel_precision"] == 1.0 and 0.4 < smaller["voxel_recall"] < 0.7
    larger = measure(_meshes(1.1), _data(), progress=False).mean
    assert larger["voxel_recall"] == 1.0 and 0.6 < larger["voxel_precision"] < 0.9
    with pytest.raises(ValueError, match=r"voxels.*\(16, 16, 16\).*\(32, 32, 32\)"):
        measure(_voxels(), ellipsoids(), progress=False)


def test_an_empty_answer_has_no_surface_and_no_silhouette():
    empty = VoxelFunction(_Answers(np.zeros((32, 32, 32), bool) for _ in RADII))
    result = measure(empty, _data(), progress=False)
    assert result.mean["silhouette_iou"] == result.mean["voxel_recall"] == 0.0
    assert result.mean["voxel_precision"] is None
    assert result.mean["self_intersection"] is None and result.mean["f_score"] is None
    with pytest.raises(ValueError, match=rf"input_view.*\[0, {NUM_VIEWS}\).*6"):
        measure(_meshes(), ellipsoids(), progress=False, input_view=NUM_VIEWS)


def test_table_has_a_row_for_each_metric(measured):
    lines = metrics_table(measured).splitlines()
    assert lines[0] == "| mean over classes | true | smaller | voxels |"
    assert len(lines) == 2 + len(METRICS)
    assert f"| {measured['smaller'].mean['f_score']:.4f} |" in lines[METRICS.index("f_score") + 2]


def test_sheet_shows_answers_truth_and_errors(tmp_path):
    networks = {"true": _meshes(), "smaller": _meshes(0.6)}
    path = tmp_path / "sheet.png"
    comparison_sheet(networks, list(ellipsoids()), path, truth=truth, input_view=1)
    picture = np.asarray(PIL.Image.open(path)).astype(int)
    # Input, two views each of two answers and of the truth, two error maps; 128 pixels and 4.
    assert picture.shape[1] == 132 * 9 + 4
    step = (picture.shape[0] - 22) // len(RADII)
    error_free = picture[18 : 18 + step, 132 * 7 : 132 * 8]
    error = picture[18 : 18 + step, 132 * 8 :]
    # Blue where nothing is wrong; somewhere redder than blue where it is.
    assert (error_free[..., 0] - error_free[..., 2]).max() <= 30
    assert (error[..., 0] - error[..., 2]).max() > 60
    assert IMAGE_SIZE < 128
    with pytest.raises(ValueError, match="networks: expected"):
        comparison_sheet({}, list(ellipsoids()), path)
