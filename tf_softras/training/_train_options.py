"""What a call of `train` says beside the configuration: it changes no weight, but when it ends."""

import dataclasses

PROGRESS = ("tqdm", "keras", "none")


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """The arguments of `train` of the same names, checked.

    Raises:
        ValueError: One is out of range; the message names it.
    """

    steps_per_epoch: int
    voxel_validation_objects: int
    tensorboard_meshes: int
    time_limit: float | None
    patience: int | None
    progress: str

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
        if self.progress not in PROGRESS:
            raise _invalid("progress", f"one of {', '.join(PROGRESS)}", repr(self.progress))

    def monitor(self, *, has_validation: bool) -> str:
        """Returns the log that chooses the best checkpoint: the nearest there is to a test's.

        With few objects to learn from, silhouettes of new ones get worse while their meshes get
        better.
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
    return ValueError(f"Invalid {name}. Expected: {expected}. Received: {received}")
