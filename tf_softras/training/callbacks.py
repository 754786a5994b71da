"""What happens around the steps and epochs of a run: backups, checkpoints, records, progress."""

import json
import math
import shutil
import time
from collections.abc import Callable

import keras
import tqdm

from tf_softras._shared.errors import SoftrasError
from tf_softras._shared.files import replaced_whole, write_json
from tf_softras.run_folder import RunFolder


class NonFiniteLossError(SoftrasError, RuntimeError):
    """The loss, or what it is of, became NaN or infinite."""

    @classmethod
    def at(cls, step: int, what: str, model_ids: list[str]) -> "NonFiniteLossError":
        """Returns the error for `what` at a step of the optimizer, counted from 1.

        Args:
            step: The step.
            what: What is not finite.
            model_ids: The objects of the step's batch.
        """
        return cls(
            f"Training stopped: {what} became NaN or infinite at step {step}, whose objects are "
            f"{', '.join(model_ids)}. What was saved at the end of the last epoch is untouched; "
            "try a smaller learning rate or a larger sigma"
        )


class WholeBackupAndRestore(keras.callbacks.BackupAndRestore):
    """`keras.callbacks.BackupAndRestore` at epoch ends, safe from a kill while it is writing.

    Keras overwrites the weights and then the epoch's number; killed between the two it would repeat
    an epoch on weights that have it behind them, killed earlier it has no weights. Here each backup
    is a file of its own, and replacing training_metadata.json, which names it, is the one moment at
    which the new backup counts.

    Args:
        backup_dir: The folder of the backup.
        last_step: The step of the optimizer after which the run is complete and its backup goes.
        read_only: Whether another process writes the backups, and this one only begins from them.
    """

    def __init__(self, backup_dir, *, last_step: int, read_only: bool = False):
        super().__init__(str(backup_dir), save_freq="epoch", delete_checkpoint=False)
        self.folder = backup_dir
        self.last_step = last_step
        self.read_only = read_only
        metadata = backup_dir / "training_metadata.json"
        self._metadata = json.loads(metadata.read_text()) if metadata.exists() else {}
        if self._metadata:
            self._weights_path = str(backup_dir / self._metadata["weights"])

    @property
    def epoch(self) -> int:
        """How many epochs are backed up."""
        return self._metadata.get("epoch", 0)

    @property
    def step(self) -> int:
        """How many steps of the optimizer are backed up."""
        return self._metadata.get("step", 0)

    def on_epoch_end(self, epoch, logs=None):
        """Backs the weights and the optimizer up."""
        if self.read_only:
            return
        step = int(self.model.optimizer.iterations.numpy())
        weights = self.folder / f"step-{step}.weights.h5"
        with replaced_whole(weights) as written:
            self.model.save_weights(written)
        self._metadata = {"epoch": epoch + 1, "step": step, "weights": weights.name}
        write_json(self.folder / "training_metadata.json", self._metadata)
        for older in self.folder.glob("*.weights.h5"):
            if older != weights:
                older.unlink()

    def on_train_end(self, logs=None):
        """Removes the backup of a complete run."""
        if self.step >= self.last_step and not self.read_only:
            shutil.rmtree(self.folder, ignore_errors=True)


class ReconstructorCheckpoint(keras.callbacks.Callback):
    """Saves `model.reconstructor` after every epoch, and keeps the best.

    Unlike `keras.callbacks.ModelCheckpoint` it leaves the renderer and the optimizer out, never a
    half-written file behind, and knows the best of a run that was interrupted.

    Args:
        run_folder: Where to save.
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
        run_folder: Where to write.
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
    """Ends training after a number of the optimizer's steps, or after some seconds.

    The epoch that is cut short still ends as one: with validation, checkpoint and backup.

    Args:
        last_step: Steps of the optimizer.
        time_limit: Seconds from the start of training, or None.
    """

    def __init__(self, *, last_step: int, time_limit: float | None):
        super().__init__()
        self.last_step = last_step
        self.time_limit = math.inf if time_limit is None else time_limit
        self._deadline = math.inf

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self._deadline = time.monotonic() + self.time_limit

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the step and at the clock."""
        if time.monotonic() >= self._deadline:
            self.model.stop_training = True
        if int(self.model.optimizer.iterations.numpy()) >= self.last_step:
            self.model.stop_training = True


def epochs_since_best(rows: list[dict], monitor: str) -> int:
    """Returns how many epochs have ended since the one whose `monitor` is largest."""
    values = [-math.inf if row.get(monitor) is None else row[monitor] for row in rows]
    return len(values) - 1 - values.index(max(values)) if values else 0


class StopWithoutProgress(keras.callbacks.Callback):
    """Ends training after a number of epochs in a row that were not better than an earlier one.

    Unlike `keras.callbacks.EarlyStopping` it counts the epochs before a restart too.

    Args:
        recorder: Comes before it, and knows all epochs.
        patience: The number of epochs.
    """

    def __init__(self, recorder: RunRecorder, *, patience: int):
        super().__init__()
        self.recorder = recorder
        self.patience = patience

    def on_epoch_end(self, epoch, logs=None):
        """Counts."""
        if epochs_since_best(self.recorder.rows, self.recorder.monitor) >= self.patience:
            self.model.stop_training = True


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Ends a run whose loss is NaN or infinite with an error, before anything is saved from it.

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
