"""Options of `train` outside the configuration: when it stops and what it records."""

import dataclasses

PROGRESS = ("tqdm", "keras", "none")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Holds the options of `train` that change no step. They are keyword arguments of `train`.

    Attributes:
        steps_per_epoch: Steps between two validations and checkpoints.
        voxel_validation_objects: The number of validation objects whose 3D IoU, over all views, is
            logged each epoch (about 0.3 s each). If any, it chooses the best checkpoint.
        tensorboard_meshes: The number of objects, of validation if there is any, whose mesh is
            written for TensorBoard each epoch.
        time_limit: Seconds after which training ends at the next step, or None.
        patience: Training ends after so many epochs in a row without a better value of what
            chooses the best checkpoint; None for never. Called again it goes on only with more.
        backup_seconds: Seconds between two backups within an epoch. A run that is killed goes on
            from its last backup.
        cache: Whether to keep decoded examples in memory: 0.4 MB each.
        progress: "tqdm" (one bar for the run, and how long it will take), "keras" (one bar an
            epoch) or "none".

    Raises:
        ValueError: A value is out of range; the message names it.
    """

    steps_per_epoch: int = 250
    voxel_validation_objects: int = 0
    tensorboard_meshes: int = 0
    time_limit: float | None = None
    patience: int | None = None
    backup_seconds: float = 300.0
    cache: bool = True
    progress: str = "tqdm"

    def __post_init__(self):
        if self.steps_per_epoch < 1:
            raise _invalid("steps_per_epoch", "at least 1", self.steps_per_epoch)
        for name in ("voxel_validation_objects", "tensorboard_meshes"):
            if getattr(self, name) < 0:
                raise _invalid(name, "at least 0", getattr(self, name))
        if self.time_limit is not None and not self.time_limit > 0:
            raise _invalid("time_limit", "a positive number of seconds", self.time_limit)
        if self.patience is not None and self.patience < 1:
            raise _invalid("patience", "at least 1 epoch", self.patience)
        if not self.backup_seconds > 0:
            raise _invalid("backup_seconds", "a positive number of seconds", self.backup_seconds)
        if self.progress not in PROGRESS:
            raise _invalid("progress", f"one of {', '.join(PROGRESS)}", repr(self.progress))

    def monitor(self, *, has_validation: bool) -> str:
        """Returns the name of the log that chooses the best checkpoint.

        It is the one nearest to a test. With few objects to learn from, silhouettes of new ones get
        worse while their meshes get better.
        """
        if not has_validation:
            return "silhouette_iou"
        return "val_voxel_iou" if self.voxel_validation_objects else "val_silhouette_iou"

    def check_with(self, *, method: str, has_validation: bool) -> None:
        """Raises a ValueError if an option does not go with a method, or wants validation data."""
        if self.voxel_validation_objects and not has_validation:
            raise _invalid(
                "voxel_validation_objects",
                "0 without a validation_dataset",
                self.voxel_validation_objects,
            )
        if self.tensorboard_meshes and method in ("voxel", "retrieval"):
            raise _invalid(
                "tensorboard_meshes",
                f"0 for the method {method!r}, which makes voxels",
                self.tensorboard_meshes,
            )


def _invalid(name, expected, received):
    return ValueError(f"{name}: expected {expected}; received {received}")
