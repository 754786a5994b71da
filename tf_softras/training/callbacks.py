"""Callbacks around the steps and epochs of a run: backups, checkpoints, records, progress."""

import json
import math
import shutil
import sys
import time
from collections.abc import Callable

import keras
import tqdm

from tf_softras._shared.errors import SoftrasError
from tf_softras._shared.files import replaced_whole, write_json
from tf_softras.run_folder import RunFolder, RunFolderError


class NonFiniteLossError(SoftrasError, RuntimeError):
    """Raised when the loss, or the vertices it is computed from, became NaN or infinite."""

    @classmethod
    def at(cls, step: int, what: str, model_ids: list[str]) -> "NonFiniteLossError":
        """Returns the error for `what` at a step of the optimizer, counted from 1.

        Args:
            step: The step.
            what: Names the quantity that is not finite.
            model_ids: The objects of the step's batch.
        """
        return cls(
            f"Training stopped: {what} became NaN or infinite at step {step}, whose objects are "
            f"{', '.join(model_ids)}. The last checkpoint and backup are untouched; try a smaller "
            "learning rate or a larger sigma"
        )


class WholeBackupAndRestore(keras.callbacks.BackupAndRestore):
    """Backs up weights and optimizer at epoch ends and by time, safe from a kill while writing.

    `keras.callbacks.BackupAndRestore` overwrites the weights and then the epoch's number. Killed
    between the two it would repeat an epoch on weights that have it behind them; killed earlier it
    has no weights. Here each backup is a file of its own, and replacing training_metadata.json,
    which names it, is the one moment at which the new backup counts.

    Args:
        backup_dir: The folder of the backup.
        last_step: The step of the optimizer after which the run is complete and its backup goes.
        every_seconds: Seconds between two backups within an epoch.
        read_only: Whether another process writes the backups, and this one only begins from them.
    """

    def __init__(
        self,
        backup_dir,
        *,
        last_step: int,
        every_seconds: float = math.inf,
        read_only: bool = False,
    ):
        super().__init__(str(backup_dir), save_freq="epoch", delete_checkpoint=False)
        self.folder = backup_dir
        self.last_step = last_step
        self.every_seconds = every_seconds
        self.read_only = read_only
        self._saved_at = math.nan
        metadata = backup_dir / "training_metadata.json"
        self._metadata = json.loads(metadata.read_text()) if metadata.exists() else {}
        if self._metadata:
            self._weights_path = str(backup_dir / self._metadata["weights"])

    @property
    def epoch(self) -> int:
        """The number of whole epochs that are backed up."""
        return self._metadata.get("epoch", 0)

    @property
    def step(self) -> int:
        """The number of optimizer steps that are backed up."""
        return self._metadata.get("step", 0)

    def on_train_begin(self, logs=None):
        """Restores the backup, if there is one.

        Raises:
            RunFolderError: It cannot be read into this model.
        """
        self._saved_at = time.monotonic()
        try:
            super().on_train_begin(logs)
        except (ValueError, KeyError, OSError) as error:
            raise RunFolderError(
                f"'{self._weights_path}': expected a backup of this version of tf_softras; "
                f"received {' '.join(str(error).split())[:200]}. The checkpoints can still be used"
            ) from error

    def on_train_batch_end(self, batch, logs=None):
        """Backs up within a long epoch. A run that goes on from there begins another epoch."""
        if time.monotonic() - self._saved_at >= self.every_seconds:
            self._back_up(self.epoch)

    def on_epoch_end(self, epoch, logs=None):
        """Backs the weights and the optimizer up."""
        self._back_up(epoch + 1)

    def _back_up(self, epochs: int) -> None:
        if self.read_only:
            return
        step = int(self.model.optimizer.iterations.numpy())
        weights = self.folder / f"step-{step}.weights.h5"
        with replaced_whole(weights) as written:
            self.model.save_weights(written)
        self._metadata = {"epoch": epochs, "step": step, "weights": weights.name}
        write_json(self.folder / "training_metadata.json", self._metadata)
        for older in self.folder.glob("*.weights.h5"):
            if older != weights:
                older.unlink()
        self._saved_at = time.monotonic()

    def on_train_end(self, logs=None):
        """Removes the backup of a complete run."""
        if self.step >= self.last_step and not self.read_only:
            shutil.rmtree(self.folder, ignore_errors=True)


class SwapBack(keras.callbacks.Callback):
    """Puts a model's own weights back at an epoch's end, before they are backed up.

    Args:
        averages: The `keras.callbacks.SwapEMAWeights` that put the averages in their place.
    """

    def __init__(self, averages: keras.callbacks.SwapEMAWeights):
        super().__init__()
        self.averages = averages

    def on_epoch_end(self, epoch, logs=None):
        """Puts them back. Keras itself does so when the next epoch begins."""
        self.averages.on_epoch_begin(epoch)


class ReconstructorCheckpoint(keras.callbacks.Callback):
    """Saves `model.reconstructor` after every epoch, and keeps the best.

    Unlike `keras.callbacks.ModelCheckpoint` it leaves out the renderer and the optimizer, writes
    each file whole or not at all, and knows the best epoch of a run that was interrupted.

    Args:
        run_folder: The `RunFolder` to save into.
        monitor: The key of the logs that is best when largest.
        best: The largest so far.
    """

    def __init__(self, run_folder: RunFolder, *, monitor: str, best: float = -math.inf):
        super().__init__()
        self.run_folder = run_folder
        self.monitor = monitor
        self.best = best

    def on_epoch_end(self, epoch, logs=None):
        """Saves the network."""
        is_best = logs[self.monitor] > self.best
        if is_best:
            self.best = logs[self.monitor]
        self.run_folder.save_checkpoint(self.model.reconstructor, is_best=is_best)


class RunRecorder(keras.callbacks.Callback):
    """Adds step, seconds and learning rate to an epoch's logs and writes them to the run folder.

    Args:
        run_folder: The `RunFolder` to write into.
        monitor: The key of the logs that is best when largest.
        rows: The epochs before this start.
    """

    def __init__(self, run_folder: RunFolder, *, monitor: str, rows: list[dict]):
        super().__init__()
        self.run_folder = run_folder
        self.monitor = monitor
        self.rows = list(rows)
        self._seconds_before = rows[-1]["seconds"] if rows else 0.0
        self._started = math.nan

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Writes the epoch."""
        optimizer = self.model.optimizer
        seconds = self._seconds_before + time.monotonic() - self._started
        logs["learning_rate"] = float(optimizer.learning_rate)
        step = int(optimizer.iterations.numpy())
        numbers = {key: float(value) for key, value in logs.items()}
        self.rows.append({"epoch": epoch, "step": step, "seconds": round(seconds, 1), **numbers})
        self.run_folder.record(self.rows, monitor=self.monitor)


class StopTraining(keras.callbacks.Callback):
    """Ends training after a number of the optimizer's steps, after some seconds, or when told.

    The epoch that is cut short still ends as one: with validation, checkpoint and backup.

    Args:
        last_step: Steps of the optimizer.
        time_limit: Seconds from the start of training, or None.

    Attributes:
        interrupted: Whether to end after the current step; a signal's handler may set it.
    """

    def __init__(self, *, last_step: int, time_limit: float | None):
        super().__init__()
        self.last_step = last_step
        self.time_limit = math.inf if time_limit is None else time_limit
        self.interrupted = False
        self._deadline = math.inf

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self._deadline = time.monotonic() + self.time_limit

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the step and at the clock."""
        if self.interrupted:
            self.model.stop_training = True
        if time.monotonic() >= self._deadline:
            self.model.stop_training = True
        if int(self.model.optimizer.iterations.numpy()) >= self.last_step:
            self.model.stop_training = True


def epochs_since_best(rows: list[dict], monitor: str) -> int:
    """Returns how many epochs have ended since the one whose `monitor` is largest."""
    values = [-math.inf if row.get(monitor) is None else row[monitor] for row in rows]
    return len(values) - 1 - values.index(max(values)) if values else 0


class StopWithoutProgress(keras.callbacks.Callback):
    """Ends training when a number of epochs in a row were no better than an earlier one.

    Unlike `keras.callbacks.EarlyStopping` it counts the epochs before a restart too.

    Args:
        recorder: The callback that records all epochs; it must come first.
        patience: The number of epochs.
    """

    def __init__(self, recorder: RunRecorder, *, patience: int):
        super().__init__()
        self.recorder = recorder
        self.patience = patience

    def on_epoch_end(self, epoch, logs=None):
        """Ends training if too many epochs brought nothing."""
        if epochs_since_best(self.recorder.rows, self.recorder.monitor) >= self.patience:
            self.model.stop_training = True


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Ends a run with an error when its loss is not finite, before anything is saved from it.

    Args:
        model_ids_of: Function from a step, counted from 1, to the objects of its batch.
    """

    def __init__(self, model_ids_of: Callable[[int], list[str]]):
        super().__init__()
        self.model_ids_of = model_ids_of

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the loss.

        Raises:
            NonFiniteLossError: It is NaN or infinite.
        """
        if not math.isfinite(float(logs["loss"])):
            step = int(self.model.optimizer.iterations.numpy())
            raise NonFiniteLossError.at(step, "the loss", self.model_ids_of(step))


# The first steps trace the graph and fill the data set's cache.
_UNTYPICAL_STEPS = 3
# An estimate takes some steps and some seconds, whichever is longer.
_ESTIMATE_STEPS, _ESTIMATE_SECONDS = 10, 5.0
# Longer runs are told what a shorter one takes.
_LONG_RUN_SECONDS = 600.0


class TimeEstimate(keras.callbacks.Callback):
    """Writes to stderr, soon after the start, how long the run will take.

    Args:
        first_step: Steps done before this start.
        last_step: Steps of the run.
    """

    def __init__(self, *, first_step: int, last_step: int):
        super().__init__()
        self.first_step = first_step
        self.last_step = last_step
        self._steps = 0
        self._started = math.nan
        self._told = False

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step, and writes the estimate once."""
        self._steps += 1
        if self._steps == _UNTYPICAL_STEPS:
            self._started = time.monotonic()
        timed = self._steps - _UNTYPICAL_STEPS
        seconds = time.monotonic() - self._started
        if self._told or timed < _ESTIMATE_STEPS or seconds < _ESTIMATE_SECONDS:
            return
        self._told = True
        left = self.last_step - self.first_step - self._steps
        tqdm.tqdm.write(time_estimate(left, seconds / timed), file=sys.stderr)


def time_estimate(steps_left: int, seconds_a_step: float) -> str:
    """Returns a sentence or two: how long the run takes, and what a shorter one would take."""
    seconds = steps_left * seconds_a_step
    told = (
        f"The {steps_left:,} steps that are left take about {_duration(seconds)}, without "
        f"validation: {seconds_a_step:.2g} s a step on this machine, as busy as it is now."
    )
    if seconds < _LONG_RUN_SECONDS:
        return told
    shorter = max(1, int(float(f"{_LONG_RUN_SECONDS / seconds_a_step:.1g}")))
    return (
        f"{told} A run of {shorter:,} steps takes about {_duration(shorter * seconds_a_step)}. "
        "Ctrl-C ends the run early and keeps what it has learned."
    )


def _duration(seconds: float) -> str:
    """Returns words such as "40 seconds", "12 minutes" or "3.5 hours"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} minutes"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 86400:.1f} days"


class ProgressBar(keras.callbacks.Callback):
    """One tqdm bar for the whole run, with the present loss and IoU.

    Args:
        first_step: Steps done before this start.
        last_step: Steps of the run.
    """

    def __init__(self, *, first_step: int, last_step: int):
        super().__init__()
        self.first_step = first_step
        self.last_step = last_step
        self._validation: dict[str, float] = {}

    def on_train_begin(self, logs=None):
        """Shows the bar."""
        self._bar = tqdm.tqdm(
            total=self.last_step, initial=self.first_step, desc="training", unit="step"
        )

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar."""
        numbers = {"loss": logs["loss"], "iou": logs["silhouette_iou"], **self._validation}
        self._bar.set_postfix(
            {key: f"{value:.3f}" for key, value in numbers.items()}, refresh=False
        )
        self._bar.update()

    def on_epoch_end(self, epoch, logs=None):
        """Notes the validation's IoU."""
        names = {"val_silhouette_iou": "val_iou", "val_voxel_iou": "val_3d_iou"}
        self._validation = {short: logs[name] for name, short in names.items() if name in logs}

    def on_train_end(self, logs=None):
        """Closes the bar."""
        self._bar.close()
