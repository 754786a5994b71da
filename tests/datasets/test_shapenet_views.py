"""The data set as it is built: pictures and voxels agree, and nothing is left out in silence."""

import json
import logging
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests.datasets.builds import CODE, SMALL, build
from tf_softras.datasets.shapenet_views import shapenet_views_dataset_builder as shapenet_views
from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
from tf_softras.datasets.shapenet_views.mesh_folder import CLASS_SYNSETS, scan_mesh_folder
from tf_softras.datasets.shapenet_views.object_views import object_views
from tf_softras.datasets.shapenet_views.voxel_pictures import AXIS_ORDERS, overlap, reordered
from tf_softras.geometry import Mesh, load_mesh
from tf_softras.geometry.cameras import eye_from_angles, n3mr_views


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("data"), CODE / "dummy_data")


@pytest.fixture(scope="module")
def sample_objects(tmp_path_factory):
    """The features of some embedded objects, of all four classes."""
    folder = tmp_path_factory.mktemp("sample")
    unpack_sample(folder)
    models, _ = scan_mesh_folder(folder)
    config = shapenet_views.Builder.builder_configs["meshes"]
    return [object_views(load_mesh(model.path), config) for model in models[::6]]


def test_voxels_seen_by_the_cameras_cover_the_masks(sample_objects):
    scores = [
        overlap(
            features["voxels"],
            features["images"][::5, ..., 3],
            eye_from_angles(**features["cameras"])[::5],
        )
        for features in sample_objects
    ]
    ious, shares = np.transpose(scores)
    # Cells are wider than the thin legs of a chair, which costs IoU; the surface is in the cells,
    # so a mask is hit everywhere.
    assert ious.mean() > 0.7
    assert shares.min() > 0.99


def test_voxels_in_any_other_order_or_direction_of_axes_cover_the_masks_worse():
    # Three bars of different lengths along x, y and z: no turn or mirroring looks the same.
    box = load_mesh(CODE / "dummy_data" / "04379243/box/models/model_normalized.obj")
    unit = (box.vertices - box.vertices.min(0)) / np.ptp(box.vertices, axis=0)
    lengths = np.array([[0.8, 0.15, 0.15], [0.15, 0.55, 0.15], [0.15, 0.15, 0.35]])
    mesh = Mesh(
        np.concatenate([unit * length for length in lengths]),
        np.concatenate([box.faces + len(unit) * bar for bar in range(3)]),
    )
    config = shapenet_views.Builder.builder_configs["meshes"]
    features = object_views(mesh, config)
    eyes, alpha = eye_from_angles(**features["cameras"])[::7], features["images"][::7, ..., 3]
    ours, *others = [
        overlap(reordered(features["voxels"], *order), alpha, eyes)[0] for order in AXIS_ORDERS
    ]
    assert AXIS_ORDERS[0] == ((0, 1, 2), (1, 1, 1)) and len(others) == 47
    assert ours > 0.7 > 0.6 > max(others)


def test_pictures_are_what_the_features_say(sample_objects):
    for features in sample_objects:
        images, voxels = features["images"], features["voxels"]
        assert images.shape == (24, 64, 64, 4) and images.dtype == np.uint8
        assert voxels.shape == (32, 32, 32) and voxels.dtype == bool and voxels.any()
        assert (images[images[..., 3] == 0] == 0).all()
        # All views show it, and none fills the picture.
        coverage = (images[..., 3] / 255).mean((1, 2))
        assert (coverage > 0.02).all() and (coverage < 0.6).all()
        for name, angles in n3mr_views().items():
            np.testing.assert_array_equal(features["cameras"][name], angles)


def test_examples_survive_the_round_trip_through_files(built):
    (example,) = built.as_dataset(split="test").as_numpy_iterator()
    assert example["model_id"] == b"box"
    assert list(CLASS_SYNSETS)[example["label"]] == "table"
    mesh = load_mesh(CODE / "dummy_data" / "04379243/box/models/model_normalized.obj")
    expected = object_views(mesh, SMALL)
    np.testing.assert_array_equal(example["images"], expected["images"])
    np.testing.assert_array_equal(example["voxels"], expected["voxels"])
    np.testing.assert_array_equal(example["cameras"]["azimuth"], [0, 120, 240])
    # The box is twice as high as wide: normalised, it is half of the grid wide.
    assert example["voxels"].any((1, 2)).sum() < 8 == example["voxels"].any((0, 2)).sum()


def test_broken_and_empty_meshes_are_named_counted_and_reported(built):
    report = json.loads((built.data_path / "report.json").read_text())
    assert report["objects"] == {"train": 2, "val": 1, "test": 1}
    assert report["num_problems"] == 2
    reasons = {problem["name"]: problem["reason"] for problem in report["problems"]}
    assert set(reasons) == {"04379243/broken", "04379243/empty"}
    assert all(reasons.values())
    again = tfds.builder_from_directory(built.data_dir)
    assert again.info.metadata["num_problems"] == 2


def test_every_problem_is_logged_by_name(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        build(tmp_path, CODE / "dummy_data")
    assert "04379243/broken is left out" in caplog.text
    assert "04379243/empty is left out" in caplog.text


def test_a_split_of_broken_meshes_alone_is_an_error_and_leaves_nothing(tmp_path):
    shutil.copytree(CODE / "dummy_data" / "04379243" / "broken", tmp_path / "in/04379243/broken")
    with pytest.raises(ValueError, match="04379243/broken"):
        build(tmp_path / "out", tmp_path / "in")
    assert not list((tmp_path / "out").rglob("report.json"))


def test_a_mesh_that_no_view_shows_is_an_error():
    line = Mesh([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]])
    with pytest.raises(ValueError, match="no view shows"):
        object_views(line, SMALL)


def test_tfds_finds_the_builder_by_its_folder():
    # `tfds build` does this in the folder: the parent's parent on the path, a process of its own.
    script = (
        "import tensorflow_datasets as tfds\n"
        "name = 'shapenet_views.shapenet_views_dataset_builder'\n"
        "print(tfds.core.community.builder_cls_from_module(name).name)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(CODE.parent)}
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert result.stdout.strip() == "shapenet_views", result.stderr
