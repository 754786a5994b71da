"""Finds the meshes of a folder, with the class and the split of each.

Any of these layouts, side by side, with the suffixes of `MESH_SUFFIXES`:

CLASS/MODEL/models/model_normalized.obj   ShapeNetCore v2 (textures in MODEL/images)
CLASS/MODEL/model.obj                     ShapeNetCore v1
CLASS/MODEL/ANYTHING.obj                  one mesh in a folder of its own
CLASS/MODEL.obj                           one folder a class
MODEL.obj                                 one class, called as the folder

CLASS is a synset of ShapeNet, which gets its name, or any name.

index.csv (if there): columns synset (or class), model, split; others are passed over
"""

import csv
import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator

from tf_softras.datasets.shapenet_views.class_names import CLASS_SYNSETS, class_name
from tf_softras.datasets.shapenet_views.object_views import Rendering, object_views
from tf_softras.datasets.shapenet_views.sources import Example, Note, Problem
from tf_softras.geometry import load_mesh
from tf_softras.geometry.mesh_files import MESH_SUFFIXES

__all__ = ["CLASS_SYNSETS", "SPLITS", "MeshModel", "hashed_split", "scan_mesh_folder"]

SPLITS = ("train", "val", "test")
MESH_PATH = pathlib.PurePosixPath("models", "model_normalized.obj")
_MESH_PATHS = (MESH_PATH, pathlib.PurePosixPath("model.obj"))

# Other names of columns: those in the file of splits that ShapeNet publishes, and our own.
_COLUMNS = {"synsetId": "synset", "modelId": "model", "class": "synset"}

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

    @property
    def label(self) -> str:
        """The name of its class."""
        return class_name(self.synset)

    def examples(self, rendering: Rendering) -> Iterator[Example | Problem | Note]:
        """Yields notes on parts that are left out, then the example or its problem."""
        notes: list[str] = []
        try:
            mesh = load_mesh(self.path, **rendering.limits(), warn=notes.append)
            views = object_views(mesh, rendering, self.name)
        except (ValueError, OSError) as error:
            yield Problem(self.name, str(error))
            return
        for note in notes:
            yield Note(self.name, note)
        yield self.name, {**views, "label": self.label, "model_id": self.model}


def scan_mesh_folder(folder, *, splits_file=None) -> tuple[list[MeshModel], list[Problem]]:
    """Returns the models, sorted by name, and the entries that were skipped, with reasons.

    Args:
        folder: Any of the layouts above. If a model has several formats, the first in the order of
            `MESH_SUFFIXES` is taken.
        splits_file: CSV file with columns synset (or class), model and split (or, as in ShapeNet's
            own, synsetId, modelId and split); by default index.csv of the folder. Without either, a
            hash decides: see `hashed_split`.

    Raises:
        FileNotFoundError: `folder` is not a folder, or `splits_file` not a file.
        ValueError: The splits lack a column, or hold an unknown split; or no model is there.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"'{folder}': expected a folder of meshes, CLASS/MODEL/{MESH_PATH}, CLASS/MODEL.obj or "
            "others; received no folder"
        )
    splits = _read_splits(folder, splits_file)
    models, problems = [], []
    for synset, model, path in _found(folder):
        name = f"{synset}/{model}" if model else synset
        if isinstance(path, str):
            problems.append(Problem(name, path))
            if splits is not None:
                splits.pop(name, None)
            continue
        split = splits.pop(name, None) if splits is not None else hashed_split(name)
        if split is None:
            problems.append(Problem(name, "not in the file of splits"))
        else:
            models.append(MeshModel(synset, model, split, path))
    problems += [Problem(name, "in the file of splits, but has no mesh") for name in splits or ()]
    if not models:
        raise ValueError(
            f"'{folder}': expected meshes CLASS/MODEL/{MESH_PATH}, CLASS/MODEL/model.obj or "
            f"CLASS/MODEL.obj (or {', '.join(MESH_SUFFIXES[1:])}); received none"
            + "".join(f"; {one.name}: {one.reason}" for one in problems[:3])
        )
    return models, problems


def _found(folder: pathlib.Path) -> Iterator[tuple[str, str, pathlib.Path | str]]:
    """Yields (class, model, its file or why there is none) of a folder, sorted by name."""
    own = _mesh_files(folder)
    for model, paths in own.items():
        yield folder.resolve().name, model, paths[0]
    for class_folder in _folders(folder):
        if own and not any(_mesh_files(one) for one in (class_folder, *_folders(class_folder))):
            # Beside meshes lie folders of textures and the like.
            continue
        flat = _mesh_files(class_folder)
        found: list[tuple[str, pathlib.Path | str]] = [(m, paths[0]) for m, paths in flat.items()]
        for model_folder in _folders(class_folder):
            path = _mesh_of(model_folder)
            if path is None and flat:
                continue
            if model_folder.name in flat:
                path = "a mesh file beside it has its name"
            found.append((model_folder.name, path or _nothing_in(model_folder)))
        if not found:
            yield class_folder.name, "", "holds no mesh"
        for model, path in sorted(found, key=lambda one: one[0]):
            yield class_folder.name, model, path


def _mesh_of(folder: pathlib.Path) -> pathlib.Path | str | None:
    """Returns the mesh of a model's folder, why none can be chosen, or None if there is none."""
    for known in _MESH_PATHS:
        paths = [folder / known.with_suffix(suffix) for suffix in MESH_SUFFIXES]
        path = next(filter(pathlib.Path.is_file, paths), None)
        if path is not None:
            return path
    for place in (folder, folder / "models"):
        files = _mesh_files(place) if place.is_dir() else {}
        if len(files) > 1:
            return f"holds several meshes, none of them called model: {', '.join(files)}"
        if files:
            return next(iter(files.values()))[0]
    return None


def _nothing_in(folder: pathlib.Path) -> str:
    others = ", ".join(MESH_SUFFIXES[1:])
    is_compressed = any(folder.glob("*.gz"))
    hint = "; unpack its .gz files first" if is_compressed else ""
    return f"has no {MESH_PATH}, model.obj or other mesh ({others}){hint}"


def _mesh_files(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns the mesh files of a folder by stem, each stem's in the order of `MESH_SUFFIXES`."""
    found: dict[str, list[pathlib.Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in MESH_SUFFIXES and path.name[0] != "." and path.is_file():
            found.setdefault(path.stem, []).append(path)
    for paths in found.values():
        paths.sort(key=lambda path: MESH_SUFFIXES.index(path.suffix.lower()))
    return found


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
            raise FileNotFoundError(f"'{path}': expected a CSV file of splits; received no file")
        return None
    splits = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        reader.fieldnames = [_COLUMNS.get(name, name) for name in reader.fieldnames or ()]
        missing = {"synset", "model", "split"} - set(reader.fieldnames)
        if missing:
            raise ValueError(
                f"'{path}': expected columns synset, model and split; received no column "
                f"{' and no column '.join(sorted(missing))}"
            )
        for row in reader:
            if row["split"] not in SPLITS:
                raise ValueError(
                    f"'{path}', line {reader.line_num}: expected a split {', '.join(SPLITS)}; "
                    f"received {row['split']!r}"
                )
            # Spreadsheets drop the zeros in front of synsets.
            synset = row["synset"].zfill(8) if row["synset"].isdigit() else row["synset"]
            splits[f"{synset}/{row['model']}"] = row["split"]
    return splits
