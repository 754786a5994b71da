"""Finds the meshes of a folder in ShapeNet's layout, and the split of each.

SYNSET/MODEL/models/model_normalized.obj (or another of `MESH_SUFFIXES`)
index.csv (if there): columns synset, model, split; others are passed over
"""

import csv
import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator

from tf_softras.datasets.shapenet_views.object_views import Rendering, object_views
from tf_softras.datasets.shapenet_views.sources import Example, Problem
from tf_softras.geometry import load_mesh
from tf_softras.geometry.mesh_files import MESH_SUFFIXES

# The 13 classes of the published figures, in the order of Table 1 of the paper.
CLASS_SYNSETS = {
    "airplane": "02691156",
    "bench": "02828884",
    "cabinet": "02933112",
    "car": "02958343",
    "chair": "03001627",
    "display": "03211117",
    "lamp": "03636649",
    "loudspeaker": "03691459",
    "rifle": "04090263",
    "sofa": "04256520",
    "table": "04379243",
    "telephone": "04401088",
    "vessel": "04530566",
}
SPLITS = ("train", "val", "test")
MESH_PATH = pathlib.PurePosixPath("models", "model_normalized.obj")

# The names in the file of splits that ShapeNet publishes.
_SHAPENET_COLUMNS = {"synsetId": "synset", "modelId": "model"}

# Percent of the models that are in train, and in train or val, where no index.csv says so.
_TRAIN_PERCENT = 70
_TRAIN_AND_VAL_PERCENT = 80


@dataclasses.dataclass(frozen=True)
class MeshModel:
    """A mesh file of the folder: a `Source`."""

    synset: str
    model: str
    split: str
    path: pathlib.Path

    @property
    def name(self) -> str:
        """SYNSET/MODEL: unique within a folder."""
        return f"{self.synset}/{self.model}"

    def examples(self, rendering: Rendering) -> Iterator[Example | Problem]:
        """Yields its example, or the problem that there is with the file."""
        try:
            mesh = load_mesh(self.path, max_faces=rendering.max_faces, foreign_files="error")
            views = object_views(mesh, rendering, self.name)
        except (ValueError, OSError) as error:
            yield Problem(self.name, str(error))
            return
        (label,) = (name for name, synset in CLASS_SYNSETS.items() if synset == self.synset)
        yield self.name, {**views, "label": label, "model_id": self.model}


def scan_mesh_folder(folder, *, splits_file=None) -> tuple[list[MeshModel], list[Problem]]:
    """Returns the models of a folder in the order of their names, and what cannot be one.

    Args:
        folder: SYNSET/MODEL/models/model_normalized.obj, or with another suffix of
            `MESH_SUFFIXES`; of several the first in their order.
        splits_file: CSV file with columns synset, model and split (or, as in ShapeNet's own,
            synsetId, modelId and split); by default index.csv of the folder. Without either, a
            hash decides: see `hashed_split`.

    Raises:
        FileNotFoundError: `folder` is not a folder, or `splits_file` not a file.
        ValueError: the splits lack a column, or hold an unknown split; or no model is there.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"Expected a folder SYNSET/MODEL/{MESH_PATH}, found no folder at '{folder}'."
        )
    splits = _read_splits(folder, splits_file)
    models, problems = [], []
    for synset_folder in _folders(folder):
        if synset_folder.name not in CLASS_SYNSETS.values():
            problems.append(Problem(synset_folder.name, "not the synset of one of the 13 classes"))
            continue
        for model_folder in _folders(synset_folder):
            name = f"{synset_folder.name}/{model_folder.name}"
            split = splits.pop(name, None) if splits is not None else hashed_split(name)
            paths = [model_folder / MESH_PATH.with_suffix(suffix) for suffix in MESH_SUFFIXES]
            path = next(filter(pathlib.Path.is_file, paths), None)
            if path is None:
                others = ", ".join(MESH_SUFFIXES[1:])
                problems.append(Problem(name, f"has no {MESH_PATH} ({others})"))
            elif split is None:
                problems.append(Problem(name, "not in the file of splits"))
            else:
                models.append(MeshModel(synset_folder.name, model_folder.name, split, path))
    problems += [Problem(name, "in the file of splits, but has no folder") for name in splits or ()]
    if not models:
        raise ValueError(
            f"Expected meshes SYNSET/MODEL/{MESH_PATH} of the classes {', '.join(CLASS_SYNSETS)} "
            f"(synsets {', '.join(CLASS_SYNSETS.values())}), found none in '{folder}'."
        )
    return models, problems


def hashed_split(name: str) -> str:
    """Returns the split of a model by a hash of its name: 70 % train, 10 % val, 20 % test.

    The same on every machine, and no model changes its split when others come or go.
    """
    percent = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % 100
    if percent < _TRAIN_PERCENT:
        return "train"
    return "val" if percent < _TRAIN_AND_VAL_PERCENT else "test"


def _folders(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )


def _read_splits(folder: pathlib.Path, splits_file) -> dict[str, str] | None:
    """Returns the split of each SYNSET/MODEL, or None if no file says."""
    path = folder / "index.csv" if splits_file is None else pathlib.Path(splits_file)
    if not path.is_file():
        if splits_file is not None:
            raise FileNotFoundError(f"Expected a CSV file of splits, found none at '{path}'.")
        return None
    splits = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        reader.fieldnames = [_SHAPENET_COLUMNS.get(name, name) for name in reader.fieldnames or ()]
        missing = {"synset", "model", "split"} - set(reader.fieldnames)
        if missing:
            raise ValueError(
                f"'{path}': expected columns synset, model and split; received no column "
                f"{' and no column '.join(sorted(missing))}."
            )
        for row in reader:
            if row["split"] not in SPLITS:
                raise ValueError(
                    f"'{path}', line {reader.line_num}: expected a split {', '.join(SPLITS)}; "
                    f"received {row['split']!r}."
                )
            splits[f"{row['synset'].zfill(8)}/{row['model']}"] = row["split"]
    return splits
