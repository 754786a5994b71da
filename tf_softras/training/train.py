"""Trains a reconstruction network, that of the paper or a baseline."""

import contextlib
import math
import tempfile
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from tf_softras.config import ReconstructionConfig
from tf_softras.datasets.view_pairs import batch_model_ids, view_pairs
from tf_softras.losses import SilhouetteIoULoss
from tf_softras.metrics import SilhouetteIoU
from tf_softras.models import MeshReconstructor, RetrievalReconstructor, VoxelReconstructor
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
from tf_softras.training.distributed import (
    fit,
    is_chief,
    is_multi_worker,
    synchronize_batch_statistics,
)
from tf_softras.training.mesh_summary import MeshSummary
from tf_softras.training.run_folder import RunFolder, RunFolderError
from tf_softras.training.sigma_schedule import SigmaSchedule
from tf_softras.training.view_pair_model import ViewPairModel
from tf_softras.training.voxel_validation import VoxelValidation

PROGRESS = ("tqdm", "keras", "none")


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
    _check(steps_per_epoch, voxel_validation_objects, validation_dataset, time_limit, progress)
    if patience is not None and patience < 1:
        raise ValueError(f"Invalid patience. Expected: at least 1 epoch. Received: {patience}")
    if tensorboard_meshes < 0:
        raise ValueError(
            f"Invalid tensorboard_meshes. Expected: at least 0. Received: {tensorboard_meshes}"
        )
    if tensorboard_meshes and config.method in ("voxel", "retrieval"):
        raise ValueError(
            "Invalid tensorboard_meshes. Expected: 0 for the method "
            f"{config.method!r}, which makes voxels. Received: {tensorboard_meshes}"
        )
    _check_strategy(strategy, config, time_limit)
    writes = is_chief(strategy)
    folder = (RunFolder.create if writes else RunFolder)(run_folder, config)
    if config.method == "retrieval":
        return _remembered(folder, train_dataset) if writes else folder
    backup = WholeBackupAndRestore(folder.backup_path, last_step=config.steps, read_only=not writes)
    rows = folder.history()
    if rows and not backup.epoch:
        return _checked_complete(folder, rows)
    monitor = _monitor(validation_dataset, voxel_validation_objects)
    if patience is not None and epochs_since_best(rows[: backup.epoch], monitor) >= patience:
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
        _build(model)

    def model_ids_of(step):
        return batch_model_ids(
            train_dataset, batch_size=config.batch_size, seed=config.seed, batch=step - 1
        )

    with contextlib.ExitStack() as stack:
        stack.enter_context(_non_finite_vertices_named(model, model_ids_of))
        # What a worker that does not write records goes with its process.
        written = (
            folder
            if writes
            else RunFolder(stack.enter_context(tempfile.TemporaryDirectory()), config)
        )
        callbacks = _callbacks(
            written,
            backup,
            # Rows after the backup are of an epoch that was cut off after its record: it is run
            # again.
            rows=rows[: backup.epoch],
            validation_dataset=validation_dataset,
            voxel_validation_objects=voxel_validation_objects,
            watched=(validation_dataset or train_dataset).take(tensorboard_meshes),
            model_ids_of=model_ids_of,
            monitor=monitor,
            time_limit=time_limit,
            patience=patience,
            progress=progress if writes else "none",
        )
        options = {
            "initial_epoch": backup.epoch,
            "epochs": backup.epoch + math.ceil((config.steps - backup.step) / steps_per_epoch),
            "steps_per_epoch": steps_per_epoch,
            "validation_data": _validation_pairs(validation_dataset, config),
            "callbacks": callbacks,
        }
        pairs = _training_pairs(train_dataset, config, first_step=backup.step)
        if strategy is None:
            verbose = 1 if progress == "keras" else 0
            model.fit(pairs, shuffle=False, verbose=verbose, **options)
        else:
            fit(model, pairs, strategy=strategy, **options)
    return folder


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


def compiled_model(config: ReconstructionConfig) -> ViewPairModel:
    """Returns an untrained `ViewPairModel`, compiled as `train` trains it."""
    kind = VoxelReconstructor if config.method == "voxel" else MeshReconstructor
    model = ViewPairModel(kind(config.model), config)
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        synchronize_batch_statistics(model.reconstructor)
    model.compile(
        optimizer=keras.optimizers.Adam(
            _schedule(config.learning_rate, config),
            beta_1=config.beta_1,
            beta_2=config.beta_2,
            epsilon=config.epsilon,
        ),
        loss={"silhouettes": SilhouetteIoULoss()},
        metrics={"silhouettes": [SilhouetteIoU()]},
    )
    return model


def _schedule(value: float, config: ReconstructionConfig):
    """Returns the schedule of `value`: times the decay factor once `decay_steps` steps are done."""
    # A boundary is the last step (counted from 0) of what comes before it. A run without a decay
    # ends before its boundary.
    boundary = config.steps if config.decay_steps is None else config.decay_steps - 1
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [boundary], [value, value * config.decay_factor]
    )


def _check(steps_per_epoch, voxel_validation_objects, validation_dataset, time_limit, progress):
    if steps_per_epoch < 1:
        raise ValueError(
            f"Invalid steps_per_epoch. Expected: at least 1. Received: {steps_per_epoch}"
        )
    if voxel_validation_objects < 0 or (voxel_validation_objects and validation_dataset is None):
        raise ValueError(
            "Invalid voxel_validation_objects. Expected: at least 0, and 0 without a "
            f"validation_dataset. Received: {voxel_validation_objects}"
        )
    if time_limit is not None and not time_limit > 0:
        raise ValueError(
            f"Invalid time_limit. Expected: a positive number of seconds. Received: {time_limit}"
        )
    if progress not in PROGRESS:
        raise ValueError(
            f"Invalid progress. Expected: one of {', '.join(PROGRESS)}. Received: {progress!r}"
        )


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


def _checked_complete(folder: RunFolder, rows: list[dict]) -> RunFolder:
    """Returns a folder that has epochs and no backup, if that is because its run is complete."""
    done = rows[-1]["step"]
    if done < folder.config.steps:
        raise RunFolderError(
            f"The run in {folder.path} cannot go on: it was complete after {done} steps, and its "
            f"backup is gone. Expected: at most {done} steps, or a new run folder. "
            f"Received: {folder.config.steps} steps"
        )
    return folder


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


def _build(model: ViewPairModel) -> None:
    """Makes the weights, before `fit` has a batch, so that a backup can be loaded into them."""
    size = model.reconstructor.config.image_size
    model({"images": keras.ops.zeros((1, 2, size, size, 4)), "eyes": keras.ops.ones((1, 2, 3))})
    model.optimizer.build(model.trainable_variables)


def _monitor(validation_dataset, voxel_validation_objects: int) -> str:
    """Returns the log that chooses the best checkpoint: the nearest there is to 3D IoU in a test.

    With few objects to learn from, silhouettes of new ones get worse while their meshes get better.
    """
    if validation_dataset is None:
        return "silhouette_iou"
    return "val_voxel_iou" if voxel_validation_objects else "val_silhouette_iou"


def _callbacks(
    folder: RunFolder,
    backup: WholeBackupAndRestore,
    *,
    rows: list[dict],
    validation_dataset: tf.data.Dataset | None,
    voxel_validation_objects: int,
    watched: tf.data.Dataset,
    model_ids_of: Callable[[int], list[str]],
    monitor: str,
    time_limit: float | None,
    patience: int | None,
    progress: str,
) -> list[keras.callbacks.Callback]:
    """Returns the callbacks, in the order in which an epoch's end has to pass them."""
    config = folder.config
    callbacks: list[keras.callbacks.Callback] = [
        StopOnNonFiniteLoss(model_ids_of),
        StopTraining(last_step=config.steps, time_limit=time_limit),
    ]
    if config.method == "softras":
        callbacks.append(SigmaSchedule(_schedule(config.sigma, config)))
    if validation_dataset is not None and voxel_validation_objects:
        callbacks.append(VoxelValidation(validation_dataset.take(voxel_validation_objects)))
    recorder = RunRecorder(folder, monitor=monitor, rows=rows)
    callbacks += [
        recorder,
        ReconstructorCheckpoint(
            folder,
            monitor=monitor,
            best=max((row[monitor] for row in rows if row.get(monitor)), default=-math.inf),
        ),
        keras.callbacks.TensorBoard(folder.tensorboard_path, write_graph=False),
    ]
    if patience is not None:
        callbacks.append(StopWithoutProgress(recorder, patience=patience))
    if watched.cardinality():
        meshes_path = folder.tensorboard_path / "meshes"
        callbacks.append(MeshSummary(watched, meshes_path, first_step=backup.step))
    if progress == "tqdm":
        callbacks.append(ProgressBar(first_step=backup.step, last_step=config.steps))
    # What is backed up, all others have written.
    return [*callbacks, backup]
