"""Meshes for TensorBoard, read back with TensorBoard's own reader."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData
from tensorboard.util import tensor_util

from tests.shapes import tiny_config
from tf_softras.geometry import eye_from_angles
from tf_softras.layers import LookAt, Perspective
from tf_softras.ops import soft_rasterize
from tf_softras.training import train


def read(folder):
    """Events of a run's meshes: tag -> [(step, array), ...]."""
    events = EventAccumulator(str(folder.tensorboard_path / "meshes"), {"tensors": 0})
    events.Reload()
    tags = events.Tags()["tensors"]
    assert all(
        events.SummaryMetadata(tag).plugin_data.plugin_name == "mesh"
        for tag in tags
        if tag.startswith("meshes/")
    )
    return {
        tag: [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)]
        for tag in tags
    }


def test_tensorboard_reads_each_epochs_meshes_of_the_objects_asked_for(dataset, tmp_path):
    folder = train(
        tiny_config(),
        train_dataset=dataset,
        validation_dataset=dataset,
        run_folder=tmp_path / "run",
        steps_per_epoch=2,
        tensorboard_meshes=2,
        progress="none",
    )
    written = read(folder)
    vertices, faces = MeshPluginData.VERTEX, MeshPluginData.FACE
    assert set(written) == {
        f"{room}/{name}{part}"
        for name in ("ellipsoid 0", "ellipsoid 1")
        for room, part in (
            ("pictures", ""),
            ("meshes", f"_{MeshPluginData.ContentType.Name(vertices)}"),
            ("meshes", f"_{MeshPluginData.ContentType.Name(faces)}"),
            ("silhouettes", ""),
        )
    }
    meshes = written["meshes/ellipsoid 1_VERTEX"]
    assert [step for step, _ in meshes] == [2, 4, 6]
    reconstructor = folder.load_reconstructor("last")
    example = list(dataset.as_numpy_iterator())[1]
    expected = reconstructor(example["images"][2][None] / 255.0)
    np.testing.assert_allclose(meshes[-1][1], expected, atol=1e-5)
    assert np.abs(meshes[0][1] - meshes[-1][1]).max() > 1e-4
    sheets = written["silhouettes/ellipsoid 1"]
    assert [step for step, _ in sheets] == [2, 4, 6]
    # Strings: width, height, one PNG. Six views of 16 pixels, the true ones above.
    sheet = tf.io.decode_png(sheets[-1][1][2])[..., 0].numpy()
    assert sheet.shape == (32, 96)
    true = np.concatenate(list(example["images"][..., 3]), axis=1)
    np.testing.assert_array_equal(sheet[:16], true)
    eyes = eye_from_angles(**example["cameras"])
    seen = Perspective()(LookAt()([tf.repeat(expected, 6, axis=0), eyes]))
    drawn = soft_rasterize(seen, reconstructor.faces, image_size=16, sigma=1e-3)
    drawn = np.concatenate(list(255 * drawn.numpy()), axis=1)
    np.testing.assert_allclose(sheet[16:], drawn, atol=1.0)
    for _, written_faces in written["meshes/ellipsoid 1_FACE"]:
        np.testing.assert_array_equal(written_faces[0], reconstructor.faces)


def test_without_the_option_no_mesh_is_written(dataset, tmp_path):
    options = {"train_dataset": dataset, "run_folder": tmp_path / "run", "progress": "none"}
    folder = train(tiny_config(steps=1), **options)
    assert not (folder.tensorboard_path / "meshes").exists()


@pytest.mark.parametrize("count", [-1])
def test_a_count_out_of_range_is_refused(dataset, tmp_path, count):
    with pytest.raises(ValueError, match="tensorboard_meshes.*received -1"):
        train(
            tiny_config(),
            train_dataset=dataset,
            run_folder=tmp_path / "run",
            tensorboard_meshes=count,
        )
