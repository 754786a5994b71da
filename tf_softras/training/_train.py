"""Trains a reconstruction network, that of the paper or a baseline."""

import contextlib
import dataclasses
import math
import tempfile
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from tf_softras.config import ReconstructionConfig
from tf_softras.datasets.view_pairs import batch_model_ids, view_pairs
from tf_softras.models import RetrievalReconstructor
from tf_softras.run_folder import RunFolder, RunFolderError
from tf_softras.training._compiled_model import compiled_model, decayed
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
    WholeBackupAndRestore,
    epochs_since_best,
)
from tf_softras.training.distributed import fit, is_chief, is_multi_worker
from tf_softras.training.mesh_summary import MeshSummary
from tf_softras.training.sigma_schedule import SigmaSchedule


def train(
    config: ReconstructionConfig,
    *,
    train_dataset: tf.data.Dataset,
    run_folder,
    validation_dataset: tf.data.Dataset | None = None,
    steps_per_epoch: int = 250,
    voxel_validation_objects: int = 0,
    tensorboard_meshes: int = 0,
    time_limit: float | None = None,
    patience: int | None = None,
    strategy: tf.distribute.Strategy | None = None,
    cache: bool = True,
    progress: str = "tqdm",
) -> RunFolder:
    """Returns the folder of the run when it has ended: checkpoints, metrics, TensorBoard scalars.

    Called again with the folder of a run that was killed, or ended by its time limit, it goes on
    after the last whole epoch: weights, optimizer, sigma and the order of the data are as they
    would have been. Called with a complete run it returns at once.

    Args:
        config: The configuration; the run is complete after `config.steps` steps. Its seed is set
            for Python, NumPy and TensorFlow alike. Its method says what is trained.
        train_dataset: Examples of `shapenet_views`, not batched.
        run_folder: Path of the folder to write; see `RunFolder`.
        validation_dataset: Examples of another split; one pair of views of each is rendered at the
            end of an epoch. Their silhouette IoU chooses the best checkpoint; without them that in
            training does.
        steps_per_epoch: Steps between two validations, checkpoints and backups.
        voxel_validation_objects: Of how many validation objects the 3D IoU of all views is logged
            each epoch (about 0.3 s each). If any, it chooses the best checkpoint.
        tensorboard_meshes: Of how many objects, of validation if there is any, the mesh is written
            for TensorBoard each epoch.
        time_limit: Seconds after which training ends at the next step, or None.
        patience: Training ends after so many epochs in a row without a better value of what
            chooses the best checkpoint; None for never. Called again it goes on only with more.
        strategy: Of several devices, as `training.make_strategy` gives it; each batch is spread
            over its replicas. Of many processes each calls `train`, with a run folder that all
            see; the first alone writes. None for one device.
        cache: Whether to keep decoded examples in memory: 0.4 MB each.
        progress: "tqdm" (one bar for the run), "keras" (one an epoch) or "none".

    Raises:
        ValueError: An argument is out of range, or a data set is empty.
        RunFolderError: The folder holds another run, or other files.
        NonFiniteLossError: The loss became NaN or infinite.
    """
    options = TrainOptions(
        steps_per_epoch=steps_per_epoch,
        voxel_validation_objects=voxel_validation_objects,
        tensorboard_meshes=tensorboard_meshes,
        time_limit=time_limit,
        patience=patience,
        progress=progress,
    )
    options.check_with(method=config.method, has_validation=validation_dataset is not None)
    _check_strategy(strategy, config, time_limit)
    writes = is_chief(strategy)
    if not writes:
        options = dataclasses.replace(options, progress="none")
    folder = (RunFolder.create if writes else RunFolder)(run_folder, config)
    if config.method == "retrieval":
        return _remembered(folder, train_dataset) if writes else folder
    backup = WholeBackupAndRestore(folder.backup_path, last_step=config.steps, read_only=not writes)
    if _has_ended(folder, backup, options, validation_dataset is not None):
        return folder
    if writes:
        folder.record_versions()
    keras.utils.set_random_seed(config.seed)
    # tf.data cannot trace the seeds of `view_pairs` under TensorFlow's global seed 0.
    tf.random.set_seed(config.seed + 1)
    if cache:
        train_dataset = train_dataset.cache()
        validation_dataset = validation_dataset and validation_dataset.cache()
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = compiled_model(config)
    with contextlib.ExitStack() as stack:
        # What a worker that does not write records goes with its process.
        written = (
            folder
            if writes
            else RunFolder(stack.enter_context(tempfile.TemporaryDirectory()), config)
        )
        # Rows after the backup are of an epoch that was cut off after its record: it is run again.
        rows = folder.history()[: backup.epoch]
        _fit(model, written, backup, rows, train_dataset, validation_dataset, strategy, options)
    return folder


def _check_strategy(strategy, config: ReconstructionConfig, time_limit) -> None:
    if strategy is None:
        return
    replicas = strategy.num_replicas_in_sync
    if config.batch_size % replicas:
        raise ValueError(
            f"Invalid batch_size. Expected: a multiple of the {replicas} replicas that share a "
            f"batch. Received: {config.batch_size}"
        )
    if time_limit is not None and is_multi_worker(strategy):
        raise ValueError(
            "Invalid time_limit. Expected: None, for workers whose clocks differ. "
            f"Received: {time_limit}"
        )


def _remembered(folder: RunFolder, dataset: tf.data.Dataset) -> RunFolder:
    """Returns the folder with a `RetrievalReconstructor` as its checkpoints: no step is needed."""
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
                f"The run in {folder.path} cannot go on: it was complete after {done} steps, and "
                f"its backup is gone. Expected: at most {done} steps, or a new run folder. "
                f"Received: {steps} steps"
            )
        return True
    if options.patience is None:
        return False
    monitor = options.monitor(has_validation=has_validation)
    return epochs_since_best(rows[: backup.epoch], monitor) >= options.patience


def _fit(
    model: keras.Model,
    folder: RunFolder,
    backup: WholeBackupAndRestore,
    rows: list[dict],
    train_dataset: tf.data.Dataset,
    validation_dataset: tf.data.Dataset | None,
    strategy: tf.distribute.Strategy | None,
    options: TrainOptions,
) -> None:
    """Trains from the backup on, and records in the folder."""
    config = folder.config

    def model_ids_of(step):
        return batch_model_ids(
            train_dataset, batch_size=config.batch_size, seed=config.seed, batch=step - 1
        )

    epochs_left = math.ceil((config.steps - backup.step) / options.steps_per_epoch)
    fitting = {
        "initial_epoch": backup.epoch,
        "epochs": backup.epoch + epochs_left,
        "steps_per_epoch": options.steps_per_epoch,
        "validation_data": _validation_pairs(validation_dataset, config),
        "callbacks": _callbacks(
            folder, backup, rows, train_dataset, validation_dataset, model_ids_of, options
        ),
    }
    pairs = _training_pairs(train_dataset, config, first_step=backup.step)
    with _non_finite_vertices_named(model, model_ids_of):
        if strategy is None:
            verbose = 1 if options.progress == "keras" else 0
            model.fit(pairs, shuffle=False, verbose=verbose, **fitting)
        else:
            fit(model, pairs, strategy=strategy, **fitting)


def _training_pairs(dataset: tf.data.Dataset, config: ReconstructionConfig, *, first_step: int):
    """Returns endless batches, from the one that step `first_step` trains on."""
    return view_pairs(
        dataset,
        batch_size=config.batch_size,
        seed=config.seed,
        first_batch=first_step,
        mirror=config.mirror,
        color_jitter=config.color_jitter,
    )


def _validation_pairs(dataset: tf.data.Dataset | None, config: ReconstructionConfig):
    """Returns one pass of batches, the same each time; None without a data set."""
    if dataset is None:
        return None
    return view_pairs(dataset, batch_size=config.batch_size, seed=config.seed, training=False)


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
        # Of the step that was begun, which the optimizer has not counted.
        step = int(model.optimizer.iterations.numpy()) + 1
        raise NonFiniteLossError.at(step, "the vertices", model_ids_of(step)) from error


def _callbacks(
    folder: RunFolder,
    backup: WholeBackupAndRestore,
    rows: list[dict],
    train_dataset: tf.data.Dataset,
    validation_dataset: tf.data.Dataset | None,
    model_ids_of: Callable[[int], list[str]],
    options: TrainOptions,
) -> list[keras.callbacks.Callback]:
    """Returns the callbacks, in the order in which an epoch's end has to pass them."""
    config = folder.config
    monitor = options.monitor(has_validation=validation_dataset is not None)
    callbacks: list[keras.callbacks.Callback] = [
        StopOnNonFiniteLoss(model_ids_of),
        StopTraining(last_step=config.steps, time_limit=options.time_limit),
    ]
    if config.method == "softras":
        callbacks.append(SigmaSchedule(decayed(config.sigma, config)))
    if validation_dataset is not None and options.voxel_validation_objects:
        measured = validation_dataset.take(options.voxel_validation_objects)
        callbacks.append(VoxelValidation(measured))
    recorder = RunRecorder(folder, monitor=monitor, rows=rows)
    best = max((row[monitor] for row in rows if row.get(monitor)), default=-math.inf)
    callbacks += [
        recorder,
        ReconstructorCheckpoint(folder, monitor=monitor, best=best),
        keras.callbacks.TensorBoard(folder.tensorboard_path, write_graph=False),
    ]
    if options.patience is not None:
        callbacks.append(StopWithoutProgress(recorder, patience=options.patience))
    if options.tensorboard_meshes:
        watched = (validation_dataset or train_dataset).take(options.tensorboard_meshes)
        path = folder.tensorboard_path / "meshes"
        callbacks.append(MeshSummary(watched, path, first_step=backup.step))
    if options.progress == "tqdm":
        callbacks.append(ProgressBar(first_step=backup.step, last_step=config.steps))
    # What is backed up, all others have written.
    return [*callbacks, backup]
