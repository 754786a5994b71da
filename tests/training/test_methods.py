"""The baselines of Table 1 in the harness of the paper's method."""

import json

import pytest

from tests.shapes import tiny_config
from tf_softras.config import METHODS, ReconstructionConfig
from tf_softras.training import RunFolder, evaluate, train


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_the_objects_and_is_evaluated_the_same(method, dataset, tmp_path):
    config = tiny_config(steps=80, learning_rate=5e-3, method=method)
    options = {"steps_per_epoch": 40, "progress": "none"}
    run = train(config, train_dataset=dataset, run_folder=tmp_path / "run", **options)
    opened = RunFolder.open(run.path)
    assert opened.config.method == method
    if method != "retrieval":
        first, last = opened.history()
        assert last["loss"] < 0.9 * first["loss"] and last["step"] == 80
    reconstructor = opened.load_reconstructor()
    if method == "voxel":
        # Its grid has 32 cells a side, that of these objects 16.
        assert reconstructor.resolution == 32
        return
    result = evaluate(reconstructor, dataset, progress=False)
    assert set(result.per_class) and result.mean > (0.99 if method == "retrieval" else 0.3)


def test_complete_retrieval_is_left_as_it_is(dataset, tmp_path):
    config = tiny_config(method="retrieval")
    first = train(config, train_dataset=dataset, run_folder=tmp_path / "run", progress="none")
    before = first.checkpoint_path("best").read_bytes()
    again = train(config, train_dataset=dataset, run_folder=tmp_path / "run", progress="none")
    assert again.checkpoint_path("best").read_bytes() == before
    assert [row["step"] for row in again.history()] == [0]


def test_run_that_was_begun_before_there_were_methods_is_opened(tmp_path):
    values = tiny_config().to_dict()
    del values["method"]
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert RunFolder.open(tmp_path).config == tiny_config()
    with pytest.raises(ValueError, match="method.*retrieval, voxel, n3mr, softras.*'ptn'"):
        ReconstructionConfig.from_dict({**values, "method": "ptn"})


@pytest.mark.parametrize("method", ["voxel", "retrieval"])
def test_voxels_have_no_mesh_for_tensorboard(method, dataset, tmp_path):
    with pytest.raises(ValueError, match=f"tensorboard_meshes.*0.*{method}.*2"):
        train(
            tiny_config(method=method),
            train_dataset=dataset,
            run_folder=tmp_path / "run",
            tensorboard_meshes=2,
        )
    assert not (tmp_path / "run").exists()
