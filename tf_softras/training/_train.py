"""Trains a reconstruction network, that of the paper or a baseline."""

import contextlib
import dataclasses
import math
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable

import keras
import tensorflow as tf
import tqdm

from tf_softras.config import ReconstructionConfig
from tf_softras.datasets.view_pairs import batch_model_ids, view_pairs
from tf_softras.models import RetrievalReconstructor
from tf_softras.run_folder import RunFolder, RunFolderError
from tf_softras.training._compiled_model import compiled_model
from tf_softras.training._schedules import sigma_schedule
from tf_softras.training._train_options import TrainOptions
from tf_softras.training._voxel_validation import VoxelValidation
from tf_softras.training.callbacks import (
    NonFiniteLossError,
    ProgressBar,
    ReconstructorCheckpoint,
    RunRecorder,
    StopOnNonFiniteLoss,
    StopTraining,
    StopWithoutProgress,
    SwapBack,
    TimeEstimate,
    WholeBackupAndRestore,
    epochs_since_best,
)
from tf_softras.training.distributed import fit, is_chief, is_multi_worker
from tf_softras.training.mesh_summary import MeshSummary
from tf_softras.training.sigma_schedule import SigmaSchedule


@dataclasses.dataclass(frozen=True)
class _Run:
    """Holds what the parts of a run share.

    Attributes:
        folder: The folder of records. A worker that does not write has a temporary one.
        backup: From which it goes on.
        rows: The epochs that are done.
        train_dataset: Examples, not batched.
        validation_dataset: The same, or None.
        measured: The validation examples whose 3D IoU is logged, or None.
        watched: The examples whose meshes are written for TensorBoard, or None.
        options: When it stops and what it records.
        stop: Ends it early.
    """

    folder: RunFolder
    backup: WholeBackupAndRestore
    rows: list[dict]
    train_dataset: tf.data.Dataset
    validation_dataset: tf.data.Dataset | None
    measured: tf.data.Dataset | None
    watched: tf.data.Dataset | None
    options: TrainOptions
    stop: StopTraining

    @property
    def config(self) -> ReconstructionConfig:
        """Returns the configuration."""
        return self.folder.config

    @property
    def monitor(self) -> str:
        """Returns the name of the log that chooses the best checkpoint."""
        return self.options.monitor(has_validation=self.validation_dataset is not None)

    def model_ids_of(self, step: int) -> list[str]:
        """Returns the objects of a step's batch; steps count from 1."""
        return batch_model_ids(self.train_dataset, batch=step - 1, **_drawn(self.config))


def train(
    config: ReconstructionConfig,
    *,
    train_dataset: tf.data.Dataset,
    run_folder,
    validation_dataset: tf.data.Dataset | None = None,
    strategy: tf.distribute.Strategy | None = None,
    **options,
) -> RunFolder:
    """Trains a network and returns its run folder: checkpoints, metrics, TensorBoard scalars.

    Called again with the folder of a run that was killed, or ended by its time limit, it goes on
    from its last backup: weights, optimizer, sigma and the order of the data are as they would have
    been. Called with a complete run it returns at once.

    Ctrl-C ends the epoch after the current step, with validation, checkpoint and backup, and then
    raises KeyboardInterrupt. A second Ctrl-C stops at once.

    Args:
        config: The configuration. The run is complete after `config.steps` steps. Its seed is set
            for Python, NumPy and TensorFlow alike. Its method says what is trained.
        train_dataset: Examples of `shapenet_views`, not batched.
        run_folder: Path of the folder to write; see `RunFolder`.
        validation_dataset: Examples of another split. Some views of each, the same every time, are
            rendered at the end of an epoch, and their silhouette IoU chooses the best checkpoint.
            Without them that in training does.
        strategy: Several devices, as `training.make_strategy` gives them; each batch is spread
            over the replicas. Each of many processes calls `train`, with a run folder that all
            see; the first alone writes. None for one device.
        **options: The attributes of `training.TrainOptions`: `steps_per_epoch`, `time_limit`,
            `progress` and so on.

    Raises:
        ValueError: An argument is out of range, or a data set is empty.
        RunFolderError: The folder holds another run, or other files.
        NonFiniteLossError: The loss became NaN or infinite.
        KeyboardInterrupt: Ctrl-C was pressed; what was learned is saved.
    """
    checked = TrainOptions(**options)
    has_validation = validation_dataset is not None
    checked.check_with(method=config.method, has_validation=has_validation)
    _check_strategy(strategy, config, checked.time_limit)
    writes = is_chief(strategy)
    if not writes:
        checked = dataclasses.replace(checked, progress="none")
    folder = (RunFolder.create if writes else RunFolder)(run_folder, config)
    if config.method == "retrieval":
        return _remembered(folder, train_dataset) if writes else folder
    backup = WholeBackupAndRestore(
        folder.backup_path,
        last_step=config.steps,
        every_seconds=checked.backup_seconds,
        read_only=not writes,
    )
    if _has_ended(folder, backup, checked, has_validation):
        return folder
    if writes:
        folder.record_versions()
    keras.utils.set_random_seed(config.seed)
    # tf.data cannot trace the seeds of `view_pairs` under TensorFlow's global seed 0.
    tf.random.set_seed(config.seed + 1)
    # A few examples are taken before the cache: a cache that is read in part is thrown away, with a
    # warning.
    measured = _some(validation_dataset, checked.voxel_validation_objects)
    watched = _some(validation_dataset or train_dataset, checked.tensorboard_meshes)
    if checked.cache:
        train_dataset = train_dataset.cache()
        validation_dataset = validation_dataset and validation_dataset.cache()
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = compiled_model(config)
    with contextlib.ExitStack() as stack:
        # Other workers record into a temporary folder, which is deleted when they exit.
        written = (
            folder
            if writes
            else RunFolder(stack.enter_context(tempfile.TemporaryDirectory()), config)
        )
        run = _Run(
            folder=written,
            backup=backup,
            # Later rows are of an epoch that was cut off after its record; it is run again.
            rows=folder.history()[: backup.epoch],
            train_dataset=train_dataset,
            validation_dataset=validation_dataset,
            measured=measured,
            watched=watched,
            options=checked,
            stop=StopTraining(last_step=config.steps, time_limit=checked.time_limit),
        )
        if not is_multi_worker(strategy):
            stack.enter_context(_ctrl_c_ends(run.stop))
        _fit(model, run, strategy)
    if run.stop.interrupted:
        raise KeyboardInterrupt
    return folder


def _some(dataset: tf.data.Dataset | None, count: int) -> tf.data.Dataset | None:
    """Returns the first `count` examples, kept in memory; None without a data set or a count."""
    return dataset.take(count).cache() if dataset is not None and count else None


@contextlib.contextmanager
def _ctrl_c_ends(stop: StopTraining):
    """Lets the first Ctrl-C end the epoch instead of the process."""
    if threading.current_thread() is not threading.main_thread():
        # Python delivers signals to the main thread alone.
        yield
        return

    def interrupt(number, frame):
        stop.interrupted = True
        signal.signal(signal.SIGINT, before)
        tqdm.tqdm.write(
            "Stopping after this step and saving what was learned. Ctrl-C again stops at once.",
            file=sys.stderr,
        )

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _check_strategy(strategy, config: ReconstructionConfig, time_limit) -> None:
    if strategy is None:
        return
    replicas = strategy.num_replicas_in_sync
    if config.batch_size % replicas:
        raise ValueError(
            f"batch_size: expected a multiple of the {replicas} replicas that share a "
            f"batch; received {config.batch_size}"
        )
    if time_limit is not None and is_multi_worker(strategy):
        raise ValueError(
            f"time_limit: expected None, for workers whose clocks differ; received {time_limit}"
        )


def _remembered(folder: RunFolder, dataset: tf.data.Dataset) -> RunFolder:
    """Returns the folder with a `RetrievalReconstructor` as its checkpoints. It takes no step."""
    if folder.history():
        return folder
    folder.record_versions()
    started = time.monotonic()
    reconstructor = RetrievalReconstructor.from_dataset(
        dataset, image_size=folder.config.model.image_size
    )
    folder.save_checkpoint(reconstructor, is_best=True)
    seconds = round(time.monotonic() - started, 1)
    folder.record([{"epoch": 0, "step": 0, "seconds": seconds}], monitor="step")
    return folder


def _has_ended(
    folder: RunFolder, backup: WholeBackupAndRestore, options: TrainOptions, has_validation: bool
) -> bool:
    """Returns whether a folder's run is complete, or has run out of patience.

    Raises:
        RunFolderError: It was complete after fewer steps than are asked for now.
    """
    rows = folder.history()
    if rows and not backup.epoch:
        done, steps = rows[-1]["step"], folder.config.steps
        if done < steps:
            raise RunFolderError(
                f"steps: expected at most {done}, because the run in '{folder.path}' was complete "
                f"then and its backup is gone; received {steps}. Name a new run folder"
            )
        return True
    if options.patience is None:
        return False
    monitor = options.monitor(has_validation=has_validation)
    return epochs_since_best(rows[: backup.epoch], monitor) >= options.patience


def _fit(model: keras.Model, run: _Run, strategy: tf.distribute.Strategy | None) -> None:
    """Trains from the backup on, and records in the folder."""
    config, options, backup = run.config, run.options, run.backup
    epochs_left = math.ceil((config.steps - backup.step) / options.steps_per_epoch)
    fitting = {
        "initial_epoch": backup.epoch,
        "epochs": backup.epoch + epochs_left,
        "steps_per_epoch": options.steps_per_epoch,
        "validation_data": _validation_pairs(run.validation_dataset, config),
        "callbacks": _callbacks(run),
    }
    pairs = _training_pairs(run.train_dataset, config, first_step=backup.step)
    with _non_finite_vertices_named(model, run.model_ids_of):
        if strategy is None:
            verbose = 1 if options.progress == "keras" else 0
            model.fit(pairs, shuffle=False, verbose=verbose, **fitting)
        else:
            fit(model, pairs, strategy=strategy, **fitting)


def _drawn(config: ReconstructionConfig) -> dict:
    """Returns the arguments of `view_pairs` that settle which views of which objects come."""
    return {
        "batch_size": config.batch_size,
        "seed": config.seed,
        "pictures_per_object": config.pictures_per_object,
        "views_per_mesh": config.views_per_mesh,
        "compare_input": config.compare_input,
    }


def _training_pairs(dataset: tf.data.Dataset, config: ReconstructionConfig, *, first_step: int):
    """Returns endless batches, from the one that step `first_step` trains on."""
    return view_pairs(
        dataset,
        first_batch=first_step,
        mirror=config.mirror,
        color_jitter=config.color_jitter,
        gray_share=config.gray_share,
        picture_noise=config.picture_noise,
        framed_share=config.framed_share,
        colors=config.model.color is not None,
        **_drawn(config),
    )


def _validation_pairs(dataset: tf.data.Dataset | None, config: ReconstructionConfig):
    """Returns one pass of batches, the same each time; None without a data set."""
    if dataset is None:
        return None
    colors = config.model.color is not None
    return view_pairs(dataset, training=False, colors=colors, **_drawn(config))


@contextlib.contextmanager
def _non_finite_vertices_named(model: keras.Model, model_ids_of: Callable[[int], list[str]]):
    """Turns the rasteriser's refusal of vertices that are NaN into a `NonFiniteLossError`.

    It comes before there is a loss to look at.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if "expected finite coordinates" not in error.message:
            raise
        # The failing step; the optimizer counts a step only when it is done.
        step = int(model.optimizer.iterations.numpy()) + 1
        raise NonFiniteLossError.at(step, "the vertices", model_ids_of(step)) from error


def _callbacks(run: _Run) -> list[keras.callbacks.Callback]:
    """Returns the callbacks, in the order in which an epoch's end has to pass them."""
    config, options, folder = run.config, run.options, run.folder
    callbacks: list[keras.callbacks.Callback] = [StopOnNonFiniteLoss(run.model_ids_of), run.stop]
    if config.method == "softras":
        callbacks.append(SigmaSchedule(sigma_schedule(config)))
    averages = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    if config.weight_averaging:
        callbacks.append(averages)
    if run.measured is not None:
        callbacks.append(VoxelValidation(run.measured))
    recorder = RunRecorder(folder, monitor=run.monitor, rows=run.rows)
    best = max((row[run.monitor] for row in run.rows if row.get(run.monitor)), default=-math.inf)
    callbacks += [
        recorder,
        ReconstructorCheckpoint(folder, monitor=run.monitor, best=best),
        keras.callbacks.TensorBoard(folder.tensorboard_path, write_graph=False),
    ]
    if options.patience is not None:
        callbacks.append(StopWithoutProgress(recorder, patience=options.patience))
    if run.watched is not None:
        path = folder.tensorboard_path / "meshes"
        callbacks.append(MeshSummary(run.watched, path, first_step=run.backup.step))
    if options.progress != "none":
        callbacks.append(TimeEstimate(first_step=run.backup.step, last_step=config.steps))
    if options.progress == "tqdm":
        callbacks.append(ProgressBar(first_step=run.backup.step, last_step=config.steps))
    if config.weight_averaging:
        callbacks.append(SwapBack(averages))
    # The backup comes last: by then every other callback has saved this epoch.
    return [*callbacks, run.backup]
