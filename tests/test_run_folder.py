"""The files of a run, and the errors about folders that hold no run, or another one."""

import csv
import json

import keras
import numpy as np
import pytest

from tests.shapes import tiny_config
from tf_softras._shared.files import replaced_whole, write_json
from tf_softras.config import preset
from tf_softras.models import MeshReconstructor
from tf_softras.training import RunFolder, RunFolderError


def _save(folder, model_config, checkpoint="best"):
    path = folder.checkpoint_path(checkpoint)
    path.parent.mkdir(exist_ok=True)
    reconstructor = MeshReconstructor(model_config)
    reconstructor.save(path)
    return reconstructor


def test_config_and_seed_are_read_back(tmp_path):
    config = preset("released").replace(seed=7)
    RunFolder.create(tmp_path / "runs" / "a", config)
    assert RunFolder.open(tmp_path / "runs" / "a").config == config
    assert json.loads((tmp_path / "runs" / "a" / "config.json").read_text())["seed"] == 7


def test_run_goes_on_under_its_own_configuration_alone(tmp_path):
    RunFolder.create(tmp_path, tiny_config())
    assert RunFolder.create(tmp_path, tiny_config(steps=99)).config.steps == 99
    assert RunFolder.open(tmp_path).config.steps == 99
    changed = tiny_config(sigma=0.5, model=tiny_config().model.replace(decoder_units=(8,)))
    with pytest.raises(
        RunFolderError, match=r"model.decoder_units \[8\] instead of \[16\]"
    ) as told:
        RunFolder.create(tmp_path, changed)
    assert "sigma 0.5 instead of 0.001" in str(told.value)
    assert RunFolder.open(tmp_path).config.sigma == 0.001


def test_folder_of_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunFolderError, match="holds other files"):
        RunFolder.create(tmp_path, tiny_config())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(RunFolderError, match="received a file"):
        RunFolder.create(tmp_path / "thesis.tex", tiny_config())


def test_what_is_no_run_is_not_opened(tmp_path):
    with pytest.raises(RunFolderError, match="expected a folder that `train` has written"):
        RunFolder.open(tmp_path / "missing")
    for text, message in (("{", "expected JSON"), ('{"sigma": 1}', "all keys; received no ")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(RunFolderError, match=message):
            RunFolder.open(tmp_path)


def test_checkpoint_gives_the_network_that_was_saved(tmp_path):
    folder = RunFolder.create(tmp_path, tiny_config())
    saved = _save(folder, folder.config.model, "last")
    images = np.random.default_rng(0).random((2, 16, 16, 4), np.float32)
    loaded = folder.load_reconstructor("last")
    np.testing.assert_array_equal(loaded(images), saved(images))


def test_checkpoints_that_cannot_be_used_are_told_apart(tmp_path):
    folder = RunFolder.create(tmp_path, tiny_config())
    with pytest.raises(RunFolderError, match="expected the checkpoint 'best'; received none"):
        folder.load_reconstructor()
    with pytest.raises(ValueError, match="expected one of best, last"):
        folder.load_reconstructor("latest")
    _save(folder, folder.config.model.replace(decoder_units=(8,)))
    with pytest.raises(RunFolderError, match=r"decoder_units \[8\] instead of \[16\]"):
        folder.load_reconstructor()
    whole = folder.checkpoint_path().read_bytes()
    folder.checkpoint_path().write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunFolderError, match="expected a whole checkpoint"):
        folder.load_reconstructor()
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(folder.checkpoint_path())
    with pytest.raises(RunFolderError, match="received Sequential"):
        folder.load_reconstructor()


def test_metrics_name_the_best_and_the_last_epoch(tmp_path):
    folder = RunFolder.create(tmp_path, tiny_config())
    assert folder.history() == []
    rows = [
        {"epoch": 0, "val_silhouette_iou": 0.25},
        {"epoch": 1, "val_silhouette_iou": 0.75, "val_loss": float("nan")},
        {"epoch": 2, "val_silhouette_iou": 0.5},
    ]
    folder.record(rows, monitor="val_silhouette_iou")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["best"]["epoch"] == 1 and metrics["last"]["epoch"] == 2
    # JSON has no NaN.
    assert folder.history()[1] == {"epoch": 1, "val_silhouette_iou": 0.75, "val_loss": None}
    with (tmp_path / "history.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["val_silhouette_iou"] for row in table] == ["0.25", "0.75", "0.5"]


def test_damaged_metrics_are_named(tmp_path):
    folder = RunFolder.create(tmp_path, tiny_config())
    (tmp_path / "metrics.json").write_text("[]")
    with pytest.raises(RunFolderError, match="metrics.json': expected the metrics of a run"):
        folder.history()


def test_versions_of_every_start_are_kept(tmp_path):
    folder = RunFolder.create(tmp_path, tiny_config())
    folder.record_versions()
    folder.record_versions()
    versions = json.loads((tmp_path / "versions.json").read_text())
    assert len(versions) == 2
    assert versions[1]["keras"] == keras.__version__
    assert versions[1]["devices"]


def test_file_that_is_interrupted_is_left_as_it_was(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, [1])
    with pytest.raises(RuntimeError, match="killed"), replaced_whole(path) as written:
        written.write_text("[2")
        raise RuntimeError("killed")
    assert json.loads(path.read_text()) == [1]
    assert list(tmp_path.iterdir()) == [path]
