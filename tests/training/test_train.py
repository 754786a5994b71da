"""Training: it learns, it records, and a run that was cut off ends as if it had not been."""

import json
import pathlib
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.shapes import tiny_config
from tf_softras._shared.files import write_json
from tf_softras.training import NonFiniteLossError, RunFolder, RunFolderError, train
from tf_softras.training import callbacks as callbacks_module

ROOT = pathlib.Path(__file__).parents[2]


def _train(config, dataset, folder, **options):
    options = {"steps_per_epoch": 2, "validation_dataset": dataset, "progress": "none"} | options
    return train(config, train_dataset=dataset, run_folder=folder, **options)


def _without_seconds(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def _assert_same_run(first, second):
    """Steps agree exactly; values to what the order of sums in threads changes of float32."""
    rows = [_without_seconds(folder.history()) for folder in (first, second)]
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]]
    for one, other in zip(*rows, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    _assert_same_weights(first, second)


def _assert_same_weights(first, second):
    weights = [folder.load_reconstructor("last").get_weights() for folder in (first, second)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


@pytest.fixture(scope="module")
def unbroken(dataset, tmp_path_factory):
    """A run of three epochs of two steps."""
    return _train(tiny_config(), dataset, tmp_path_factory.mktemp("runs") / "unbroken")


def test_reconstructions_get_better_and_progress_is_shown(dataset, tmp_path, capfd):
    config = tiny_config(steps=90, learning_rate=5e-3)
    options = {"steps_per_epoch": 30, "voxel_validation_objects": 2, "progress": "tqdm"}
    history = _train(config, dataset, tmp_path / "run", **options).history()
    first, last = history[0], history[-1]
    assert last["silhouette_iou"] > first["silhouette_iou"] + 0.1
    assert last["loss"] < 0.8 * first["loss"]
    assert 0.05 < last["val_voxel_iou"] < 1.0
    shown = capfd.readouterr().err
    assert "90/90" in shown and f"iou={last['silhouette_iou']:.3f}" in shown


def test_run_folder_holds_the_run(unbroken):
    folder = RunFolder.open(unbroken.path)
    assert [row["step"] for row in folder.history()] == [2, 4, 6]
    logged = set(folder.history()[-1])
    assert {"loss", "silhouette_iou", "laplacian_loss", "flattening_loss"} < logged
    assert {"val_loss", "val_silhouette_iou", "learning_rate", "sigma", "seconds"} < logged
    assert json.loads((folder.path / "versions.json").read_text())[0]["tensorflow"]
    assert list(folder.tensorboard_path.rglob("events.out.*"))
    assert not folder.backup_path.exists()


def test_best_checkpoint_is_that_of_the_best_epoch(dataset, tmp_path, monkeypatch):
    ious = iter([0.5, 0.9, 0.7])
    monkeypatch.setattr(
        "tf_softras.training._voxel_validation.evaluate",
        lambda *args, **kwargs: type("Evaluation", (), {"mean": next(ious)}),
    )
    saved = []

    class Weights(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            saved.append(self.model.reconstructor.get_weights())

    # In the place of one that the test has no use for.
    monkeypatch.setattr(keras.callbacks, "TensorBoard", lambda *args, **kwargs: Weights())
    folder = _train(tiny_config(), dataset, tmp_path / "run", voxel_validation_objects=1)
    for checkpoint, epoch in (("best", 1), ("last", 2)):
        weights = folder.load_reconstructor(checkpoint).get_weights()
        for one, other in zip(weights, saved[epoch], strict=True):
            np.testing.assert_array_equal(one, other)
    assert [row["val_voxel_iou"] for row in folder.history()] == [0.5, 0.9, 0.7]


def test_sigma_and_learning_rate_decay_together_after_the_named_step(dataset, tmp_path):
    config = tiny_config(decay_steps=3, decay_factor=0.5)
    options = {"steps_per_epoch": 1, "validation_dataset": None}
    rows = _train(config, dataset, tmp_path / "run", **options).history()
    # Sigma is that of the step done; the learning rate that of the next one.
    sigma = [1e-3] * 3 + [5e-4] * 3
    np.testing.assert_allclose([row["sigma"] for row in rows], sigma, rtol=1e-6)
    rate = [1e-3] * 2 + [5e-4] * 4
    np.testing.assert_allclose([row["learning_rate"] for row in rows], rate, rtol=1e-6)


def test_another_seed_gives_another_run(dataset, tmp_path, unbroken):
    """Trains twice with other seeds; the killed runs below show that one seed gives one run."""
    options = {"validation_dataset": None}
    other = _train(tiny_config(seed=1), dataset, tmp_path / "other", **options).history()
    assert other[-1]["loss"] != pytest.approx(unbroken.history()[-1]["loss"], rel=1e-3)


_KILLED = """
import os, signal, sys
import keras
from tests.shapes import ellipsoids, tiny_config
from tf_softras.training import callbacks, train

def kill(self, batch, logs=None):
    if int(self.model.optimizer.iterations) == 5:
        os.kill(os.getpid(), signal.SIGKILL)

callbacks.StopOnNonFiniteLoss.on_train_batch_end = kill
dataset = ellipsoids()
train(tiny_config(), train_dataset=dataset, validation_dataset=dataset, run_folder=sys.argv[1],
      steps_per_epoch=2, progress="none")
"""


def test_killed_run_ends_as_an_unbroken_one(dataset, tmp_path, unbroken):
    """Weights, Adam's moments, the step and the order of the data go on where they were."""
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path / "run")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        timeout=400,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    # In the first step of the third epoch.
    assert [row["step"] for row in RunFolder.open(tmp_path / "run").history()] == [2, 4]
    _assert_same_run(_train(tiny_config(), dataset, tmp_path / "run"), unbroken)
    assert len(json.loads((tmp_path / "run" / "versions.json").read_text())) == 2


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", ["in its weights", "in its metadata"])
def test_run_killed_while_it_backs_up_ends_as_an_unbroken_one(
    moment, dataset, tmp_path, monkeypatch, unbroken
):
    """The epoch is recorded by then, and is run again: it must be there once, as it was."""
    folder, options = tmp_path / "run", {"steps_per_epoch": 2, "validation_dataset": None}
    save_weights, backups = keras.Model.save_weights, []

    def save_or_be_killed(self, path, **kwargs):
        backups.append(path)
        if len(backups) == 1 or moment == "in its metadata":
            return save_weights(self, path, **kwargs)
        pathlib.Path(path).write_bytes(b"half a file")
        raise _Killed

    def write_or_be_killed(path, value):
        if len(backups) == 2:
            raise _Killed
        write_json(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save_weights", save_or_be_killed)
        patch.setattr(callbacks_module, "write_json", write_or_be_killed)
        with pytest.raises(_Killed):
            _train(tiny_config(), dataset, folder, **options)
    assert [row["step"] for row in RunFolder.open(folder).history()] == [2, 4]
    again = _train(tiny_config(), dataset, folder, **options)
    assert [row["step"] for row in again.history()] == [2, 4, 6]
    _assert_same_weights(again, unbroken)


def test_run_that_reaches_its_time_limit_can_go_on(dataset, tmp_path, unbroken):
    options = {"validation_dataset": None}
    limited = _train(tiny_config(), dataset, tmp_path / "run", time_limit=1e-9, **options)
    assert [row["step"] for row in limited.history()] == [1]
    again = _train(tiny_config(), dataset, tmp_path / "run", **options)
    assert [row["step"] for row in again.history()] == [1, 3, 5, 6]
    _assert_same_weights(again, unbroken)
    # Without a validation the training's IoU chooses.
    assert json.loads((again.path / "metrics.json").read_text())["monitor"] == "silhouette_iou"
    again.load_reconstructor("best")


_INTERRUPTED = """
import os, signal, sys
from tests.shapes import ellipsoids, tiny_config
from tf_softras.training import callbacks, train

def interrupt(self, batch, logs=None):
    if int(self.model.optimizer.iterations) == 3:
        os.kill(os.getpid(), signal.SIGINT)

callbacks.StopOnNonFiniteLoss.on_train_batch_end = interrupt
dataset = ellipsoids()
train(tiny_config(), train_dataset=dataset, validation_dataset=dataset, run_folder=sys.argv[1],
      steps_per_epoch=6, progress="none")
"""


def test_ctrl_c_saves_what_was_learned_and_the_run_goes_on(dataset, tmp_path, unbroken):
    stopped = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, str(tmp_path / "run")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        timeout=400,
        text=True,
    )
    assert stopped.returncode == -signal.SIGINT or "KeyboardInterrupt" in stopped.stderr
    assert "saving what was learned" in stopped.stderr
    folder = RunFolder.open(tmp_path / "run")
    (row,) = folder.history()
    assert row["step"] == 3 and "val_silhouette_iou" in row
    folder.load_reconstructor("best")
    again = _train(tiny_config(), dataset, tmp_path / "run")
    assert again.history()[-1]["step"] == 6
    _assert_same_weights(again, unbroken)


def test_a_long_epoch_is_backed_up_by_time_and_goes_on_from_there(
    dataset, tmp_path, monkeypatch, unbroken
):
    class Killed(BaseException):
        pass

    def kill(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == 5:
            raise Killed

    options = {"steps_per_epoch": 6, "validation_dataset": None, "backup_seconds": 1e-9}
    with monkeypatch.context() as patch:
        patch.setattr(callbacks_module.StopOnNonFiniteLoss, "on_train_batch_end", kill)
        with pytest.raises(Killed):
            _train(tiny_config(), dataset, tmp_path / "run", **options)
    metadata = json.loads((tmp_path / "run/backup/training_metadata.json").read_text())
    assert (metadata["epoch"], metadata["step"]) == (0, 4)
    again = _train(tiny_config(), dataset, tmp_path / "run", **options)
    assert [row["step"] for row in again.history()] == [6]
    _assert_same_weights(again, unbroken)


def test_a_backup_of_another_version_is_named_and_left_alone(dataset, tmp_path):
    options = {"validation_dataset": None, "steps_per_epoch": 1}
    _train(tiny_config(), dataset, tmp_path / "run", time_limit=1e-9, **options)
    (weights,) = (tmp_path / "run/backup").glob("*.h5")
    weights.write_bytes(b"no HDF5")
    with pytest.raises(
        RunFolderError, match="expected a backup of this version.*checkpoints can still be used"
    ):
        _train(tiny_config(), dataset, tmp_path / "run", **options)
    assert weights.read_bytes() == b"no HDF5"
    RunFolder.open(tmp_path / "run").load_reconstructor("last")


def test_estimates_of_a_runs_time_are_words_of_the_right_size():
    estimate = callbacks_module.time_estimate
    assert "1,000 steps that are left take about 50 seconds" in estimate(1000, 0.05)
    assert "A run of" not in estimate(1000, 0.05)
    long = estimate(250_000, 1.3)
    assert "about 3.8 days" in long and "1.3 s a step" in long
    # Ten minutes are 461 steps; a round number near it.
    assert "A run of 500 steps takes about 11 minutes" in long and "Ctrl-C" in long
    assert "12 minutes" in estimate(720, 1.0) and "5.0 hours" in estimate(18_000, 1.0)


def test_the_time_that_a_run_takes_is_told_once(dataset, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(callbacks_module, "_ESTIMATE_STEPS", 1)
    monkeypatch.setattr(callbacks_module, "_ESTIMATE_SECONDS", 0.0)
    _train(tiny_config(), dataset, tmp_path / "run", progress="tqdm", validation_dataset=None)
    assert capfd.readouterr().err.count("steps that are left take about") == 1


def test_training_ends_after_epochs_without_a_better_iou_also_over_a_restart(
    dataset, tmp_path, monkeypatch
):
    ious = [0.5, 0.9, 0.7, 0.8, 0.6, 0.95, 0.1]
    given = iter(ious)
    monkeypatch.setattr(
        "tf_softras.training._voxel_validation.evaluate",
        lambda *args, **kwargs: type("Evaluation", (), {"mean": next(given)}),
    )
    options = {"voxel_validation_objects": 1, "steps_per_epoch": 1}
    config = tiny_config(steps=7)
    # Two epochs, then one more after a restart: it is the first after the best.
    folder = _train(config, dataset, tmp_path / "run", patience=3, time_limit=1e-9, **options)
    for _ in range(2):
        _train(config, dataset, tmp_path / "run", patience=3, time_limit=1e-9, **options)
    assert [row["val_voxel_iou"] for row in folder.history()] == ious[:3]
    _train(config, dataset, tmp_path / "run", patience=3, **options)
    assert [row["val_voxel_iou"] for row in folder.history()] == ious[:5]
    # Once more, it is left as it is; with more patience it goes on.
    _train(config, dataset, tmp_path / "run", patience=3, **options)
    assert len(folder.history()) == 5
    _train(config, dataset, tmp_path / "run", patience=4, **options)
    assert [row["val_voxel_iou"] for row in folder.history()] == ious
    folder.load_reconstructor("best")


_SMALL = """
import os, signal, sys
import tensorflow as tf
from tests.shapes import small_images
from tf_softras.config import preset
from tf_softras.training import callbacks, train

# Sums in the order of one thread, whatever the number of threads.
tf.config.experimental.enable_op_determinism()
die_at, seen = sys.argv[2], []
look, write = callbacks.StopOnNonFiniteLoss.on_train_batch_end, callbacks.write_json

def look_or_die(self, batch, logs=None):
    look(self, batch, logs)
    if die_at == f"step {self.model.optimizer.iterations.numpy()}":
        os.kill(os.getpid(), signal.SIGKILL)

def write_or_die(path, value):
    if die_at == f"backup {value.get('step')}":
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, value)

callbacks.StopOnNonFiniteLoss.on_train_batch_end = look_or_die
callbacks.write_json = write_or_die
dataset = small_images()
train(preset("small").replace(steps=6, batch_size=3, mirror=True, color_jitter=0.2,
      gray_share=0.5, picture_noise=0.1),
      train_dataset=dataset, validation_dataset=dataset, run_folder=sys.argv[1],
      steps_per_epoch=2, progress="none")
"""


@pytest.mark.slow
def test_run_killed_again_and_again_has_the_bits_of_an_unbroken_one(tmp_path):
    """Each start is a process of its own: before any backup, in one, and between two."""

    def start(name, die_at):
        script = [sys.executable, "-c", _SMALL, str(tmp_path / name), die_at]
        result = subprocess.run(script, cwd=ROOT, stderr=subprocess.PIPE, timeout=500)
        expected = -signal.SIGKILL if die_at else 0
        assert result.returncode == expected, result.stderr.decode()[-2000:]
        return RunFolder.open(tmp_path / name)

    unbroken = start("unbroken", "")
    for die_at in ("step 1", "step 3", "backup 4", "step 5", ""):
        killed = start("killed", die_at)
    assert _without_seconds(killed.history()) == _without_seconds(unbroken.history())
    for checkpoint in ("best", "last"):
        weights = [one.load_reconstructor(checkpoint).get_weights() for one in (killed, unbroken)]
        for one, other in zip(*weights, strict=True):
            np.testing.assert_array_equal(one, other)


def test_complete_run_is_left_as_it_is(dataset, unbroken):
    before = (unbroken.path / "versions.json").read_text()
    assert _train(tiny_config(), dataset, unbroken.path).history() == unbroken.history()
    assert (unbroken.path / "versions.json").read_text() == before
    with pytest.raises(RunFolderError, match="steps: expected at most 6, .*complete.*; received 8"):
        _train(tiny_config(steps=8), dataset, unbroken.path)
    _train(tiny_config(), dataset, unbroken.path)


def test_loss_that_is_not_finite_ends_the_run_in_one_sentence(dataset, tmp_path):
    # Adam's steps are as long as the learning rate: the vertices overflow.
    config = tiny_config(learning_rate=1e30)
    # The batch is all four objects, in some order.
    names = "".join(rf"(?=.*ellipsoid {i}\b)" for i in range(4))
    with pytest.raises(NonFiniteLossError, match=rf"NaN or infinite at step \d, whose{names}"):
        _train(config, dataset, tmp_path / "run")
    assert not RunFolder.open(tmp_path / "run").checkpoint_path("last").exists()


def test_bar_of_keras_is_shown_on_demand(dataset, tmp_path, capfd):
    options = {"progress": "keras", "validation_dataset": None}
    _train(tiny_config(steps=2), dataset, tmp_path / "run", **options)
    shown = capfd.readouterr().out
    assert "2/2" in shown and "loss" in shown


@pytest.mark.parametrize(
    "options, message",
    [
        ({"steps_per_epoch": 0}, "steps_per_epoch: expected at least 1; received 0"),
        ({"time_limit": 0.0}, "time_limit: expected a positive"),
        ({"backup_seconds": 0.0}, "backup_seconds: expected a positive"),
        ({"patience": 0}, "patience: expected at least 1 epoch; received 0"),
        ({"progress": "dots"}, "progress: expected one of tqdm, keras, none"),
        (
            {"voxel_validation_objects": 1, "validation_dataset": None},
            "voxel_validation_objects: expected 0 without",
        ),
    ],
)
def test_invalid_arguments_write_nothing(options, message, dataset, tmp_path):
    with pytest.raises(ValueError, match=message):
        _train(tiny_config(), dataset, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()
