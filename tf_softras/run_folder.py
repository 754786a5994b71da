"""Reads and writes the folder of one training run."""

import csv
import datetime
import json
import math
import pathlib
import platform
import shutil
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_softras._shared.errors import SoftrasError
from tf_softras._shared.files import replaced_whole, write_json
from tf_softras.config import ReconstructionConfig
from tf_softras.models import MeshReconstructor, RetrievalReconstructor, VoxelReconstructor
from tf_softras.version import __version__

CHECKPOINTS = ("best", "last")

# Method -> the class of the network in its checkpoints.
_RECONSTRUCTORS: dict[str, Any] = {
    "softras": MeshReconstructor,
    "n3mr": MeshReconstructor,
    "voxel": VoxelReconstructor,
    "retrieval": RetrievalReconstructor,
}


class RunFolderError(SoftrasError, ValueError):
    """Raised when a folder holds no run, another run, or a damaged one."""


class RunFolder:
    """Knows where one training run writes what.

    ```
    config.json       the ReconstructionConfig, its seed among the rest
    versions.json     packages, Python, platform and devices: an entry for each start and restart
    metrics.json      the last epoch, the best epoch, and every epoch
    history.csv       every epoch, a row each
    checkpoints/      best.keras, last.keras: the MeshReconstructor, or the method's own
    backup/           a killed run goes on from it; it is deleted when the run is complete
    tensorboard/      scalars
    ```

    Every file but TensorBoard's is written whole or not at all.

    Attributes:
        path: `pathlib.Path` of the folder.
        config: The `ReconstructionConfig`.
    """

    def __init__(self, path, config: ReconstructionConfig):
        self.path = pathlib.Path(path)
        self.config = config

    @classmethod
    def create(cls, path, config: ReconstructionConfig) -> "RunFolder":
        """Returns the folder of a run with `config`: a new one, or the run that is there, to go on.

        A run goes on under the configuration that it began with; only `steps` may be another.

        Raises:
            RunFolderError: The folder holds a run of another configuration, or other files.
        """
        path = pathlib.Path(path)
        if path.exists() and not path.is_dir():
            raise RunFolderError(f"'{path}': expected a run folder; received a file")
        if (path / "config.json").exists():
            begun = cls.open(path).config
            if begun.replace(steps=config.steps) != config:
                raise RunFolderError(
                    f"configuration for the run in '{path}': expected the one it began with; "
                    f"received {_differences(begun, config)}"
                )
        elif path.is_dir() and any(path.iterdir()):
            raise RunFolderError(
                f"'{path}': expected an empty or new folder, or a run; received a folder that "
                "holds other files"
            )
        write_json(path / "config.json", config.to_dict())
        return cls(path, config)

    @classmethod
    def open(cls, path) -> "RunFolder":
        """Returns the folder of a run that was begun.

        Raises:
            RunFolderError: There is no such folder, no run in it, or its config.json is damaged.
        """
        path = pathlib.Path(path)
        if not (path / "config.json").is_file():
            raise RunFolderError(
                f"'{path}': expected a folder that `train` has written; received none with "
                "config.json in it"
            )
        try:
            config = ReconstructionConfig.from_dict(_read_json(path / "config.json"))
        except json.JSONDecodeError as error:
            raise RunFolderError(
                f"'{path / 'config.json'}': expected JSON; received: {error}"
            ) from None
        except ValueError as error:
            raise RunFolderError(f"'{path / 'config.json'}': {error}") from None
        return cls(path, config)

    @property
    def backup_path(self) -> pathlib.Path:
        """The folder that a killed run goes on from."""
        return self.path / "backup"

    @property
    def tensorboard_path(self) -> pathlib.Path:
        """The folder to point TensorBoard to."""
        return self.path / "tensorboard"

    def checkpoint_path(self, checkpoint: str = "best") -> pathlib.Path:
        """Returns where the checkpoint "best" (by validation IoU) or "last" is written.

        Raises:
            ValueError: `checkpoint` is neither.
        """
        if checkpoint not in CHECKPOINTS:
            raise ValueError(
                f"checkpoint: expected one of {', '.join(CHECKPOINTS)}; received {checkpoint!r}"
            )
        return self.path / "checkpoints" / f"{checkpoint}.keras"

    def save_checkpoint(self, reconstructor: keras.Model, *, is_best: bool) -> None:
        """Writes the checkpoint "last", and the same as "best" if it is."""
        last = self.checkpoint_path("last")
        with replaced_whole(last) as written:
            reconstructor.save(written)
        if is_best:
            with replaced_whole(self.checkpoint_path("best")) as written:
                shutil.copyfile(last, written)

    def load_reconstructor(self, checkpoint: str = "best") -> keras.Model:
        """Returns the trained network of the checkpoint "best" or "last".

        It is a `MeshReconstructor`, or for the methods "voxel" and "retrieval" their own model.

        Raises:
            ValueError: `checkpoint` is neither.
            RunFolderError: There is no such checkpoint, it cannot be read, or it is of another
                configuration.
        """
        path = self.checkpoint_path(checkpoint)
        if not path.is_file():
            raise RunFolderError(
                f"'{path}': expected the checkpoint {checkpoint!r}; received none. The first epoch "
                "writes it when it ends"
            )
        try:
            reconstructor = keras.saving.load_model(path, compile=False)
        # Keras, zipfile and h5py each have errors of their own for a damaged file.
        except Exception as error:
            raise RunFolderError(
                f"'{path}': expected a whole checkpoint; received: {error}"
            ) from error
        kind = _RECONSTRUCTORS[self.config.method]
        if not isinstance(reconstructor, kind):
            raise RunFolderError(
                f"'{path}': expected a {kind.__name__}; received {type(reconstructor).__name__}"
            )
        if self.config.method == "retrieval":
            return reconstructor
        if reconstructor.config != self.config.model:
            raise RunFolderError(
                f"'{path}': expected the network of the run's config.json; "
                f"received {_differences(self.config.model, reconstructor.config)}"
            )
        return reconstructor

    def history(self) -> list[dict]:
        """Returns one dict an epoch, in order; an empty list before the end of the first.

        Keys: "epoch" (from 0), "step" (steps done), "seconds" (trained, over all starts), "loss",
        "silhouette_iou", "learning_rate", "sigma" and other logs; those of validation begin with
        "val_". A value that was NaN or infinite is None.

        Raises:
            RunFolderError: metrics.json is damaged.
        """
        path = self.path / "metrics.json"
        if not path.exists():
            return []
        try:
            return _read_json(path)["epochs"]
        except (ValueError, KeyError, TypeError) as error:
            raise RunFolderError(
                f"'{path}': expected the metrics of a run; received: {error}"
            ) from None

    def record(self, rows: list[dict], *, monitor: str) -> None:
        """Writes metrics.json and history.csv from one dict of numbers an epoch.

        Args:
            rows: As `history` returns them.
            monitor: The key that is best when largest.
        """
        rows = [{key: _finite_or_none(value) for key, value in row.items()} for row in rows]
        seen = [row for row in rows if row.get(monitor) is not None]
        write_json(
            self.path / "metrics.json",
            {
                "monitor": monitor,
                "best": max(seen, key=lambda row: row[monitor], default=None),
                "last": rows[-1] if rows else None,
                "epochs": rows,
            },
        )
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with (
            replaced_whole(self.path / "history.csv") as written,
            written.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)

    def record_versions(self) -> None:
        """Adds the present versions, platform and devices to versions.json."""
        path = self.path / "versions.json"
        try:
            entries = _read_json(path) if path.exists() else []
        except ValueError as error:
            raise RunFolderError(f"'{path}': expected JSON; received: {error}") from None
        write_json(path, [*entries, _versions()])


def _read_json(path: pathlib.Path):
    return json.loads(path.read_text(encoding="utf-8"))


def _versions() -> dict:
    return {
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "tf_softras": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": [device.name for device in tf.config.list_logical_devices()],
    }


def _finite_or_none(value):
    value = value if isinstance(value, int) else float(value) if value is not None else None
    return value if value is None or math.isfinite(value) else None


def _differences(expected, received) -> str:
    """Returns the values that differ between two configurations, as `name: received, not ...`."""
    pairs = zip(_flat(expected.to_dict()), _flat(received.to_dict()), strict=True)
    return "; ".join(
        f"{name} {there!r} instead of {here!r}"
        for (name, here), (_, there) in pairs
        if here != there
    )


def _flat(values: dict, prefix: str = "") -> list[tuple[str, object]]:
    """Returns (dotted name, value) of a nested dict."""
    flat = []
    for key, value in values.items():
        if isinstance(value, dict):
            flat += _flat(value, f"{prefix}{key}.")
        else:
            flat.append((prefix + key, value))
    return flat
