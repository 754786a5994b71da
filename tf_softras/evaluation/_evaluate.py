"""3D IoU of reconstructions, per class, in the order of the paper's Table 1."""

import concurrent.futures
import dataclasses
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tqdm

from tf_softras._shared.files import write_json
from tf_softras.datasets.shapenet_views.class_names import names_for
from tf_softras.datasets.view_pairs import single_views
from tf_softras.geometry import voxelize
from tf_softras.metrics import VoxelIoU
from tf_softras.reconstruction import (
    Meshes,
    Reconstructor,
    RefinedNetwork,
    Voxels,
    as_reconstructor,
)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Voxel IoU per class and its mean.

    Attributes:
        per_class: Class name -> mean IoU over its objects and views, None if it has no object;
            in the order of Table 1.
        objects: Class name -> number of objects.
        views: Reconstructions of each object.
        per_object: CLASS/MODEL -> mean IoU over its views; empty in files of older versions.
    """

    per_class: dict[str, float | None]
    objects: dict[str, int]
    views: int
    per_object: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def mean(self) -> float:
        """The unweighted mean over the classes that have objects."""
        return float(np.mean([iou for iou in self.per_class.values() if iou is not None]))

    def to_markdown(self, title: str = "IoU") -> str:
        """Returns a Markdown table: one row a class that has objects, then the mean."""
        return comparison_table({title: self})

    def to_dict(self) -> dict:
        """Returns a dict of JSON types: the fields and the mean."""
        return {"mean": self.mean, **dataclasses.asdict(self)}

    def save(self, path) -> None:
        """Writes `to_dict()` as JSON, whole or not at all."""
        write_json(path, self.to_dict())


def comparison_table(evaluations: dict[str, Evaluation], *, decimals: int = 4) -> str:
    """Returns a Markdown table with a column for each evaluation, named by its key.

    Rows are the classes in the order of Table 1, without classes that have no objects.

    Args:
        evaluations: At least one.
        decimals: The number of decimals.

    Raises:
        ValueError: There is no evaluation.
    """
    if not evaluations:
        raise ValueError("evaluations: expected at least one; received none")
    columns = list(evaluations.values())
    lines = [
        f"| class | objects | {' | '.join(evaluations)} |",
        f"| --- |{' ---: |' * (len(columns) + 1)}",
    ]
    for name in columns[0].per_class:
        if any(column.objects[name] for column in columns):
            ious = (_cell(column.per_class[name], decimals) for column in columns)
            lines.append(f"| {name} | {columns[0].objects[name]} | {' | '.join(ious)} |")
    means = (f"**{_cell(column.mean, decimals)}**" for column in columns)
    total = sum(columns[0].objects.values())
    lines.append(f"| **mean over classes** | {total} | {' | '.join(means)} |")
    return "\n".join(lines) + "\n"


def _cell(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def evaluate(
    reconstructor: Reconstructor | Callable,
    dataset: tf.data.Dataset,
    *,
    faces=None,
    class_names: Sequence[str] | None = None,
    batch_size: int = 8,
    known_cameras: bool = False,
    progress: bool = True,
) -> Evaluation:
    """Returns the voxel IoU of the reconstruction of every view of every object.

    Each mesh is voxelised as `geometry.voxelize` does, on a grid of the data set's resolution (see
    `solid_voxels` for parts outside it); voxels are cut at 0.5. The mean is over the objects and
    views of a class, then over classes.

    Args:
        reconstructor: A `Reconstructor`, or whatever `as_reconstructor` takes: a Keras network, or
            a callable from images float32 `[batch, height, width, 4]` to vertices
            `[batch, num_vertices, 3]`, world space.
        dataset: Examples of `shapenet_views`, not batched.
        faces: int32 `[num_faces, 3]` of a callable's meshes; by default its attribute `faces`.
        class_names: The data set's own names, `builder.info.features["label"].names`; by default
            the 13 of the published tables.
        batch_size: Objects whose views are reconstructed together.
        known_cameras: Whether the reconstructor, a `RefinedNetwork`, is told the camera of each
            view: `reconstruct(images, eyes=eyes)`.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: The data set is empty, `batch_size` is less than 1, or cameras are known to
            something that does not take them.
    """
    reconstructor = as_reconstructor(reconstructor, faces=faces)
    if known_cameras and not isinstance(reconstructor, RefinedNetwork):
        raise ValueError(
            "known_cameras: expected a RefinedNetwork, which can use them; received a "
            f"{type(reconstructor).__name__}"
        )
    class_names = names_for((), class_names)
    scores = Scores(class_names)
    total = int(dataset.cardinality())
    bar = tqdm.tqdm(
        total=total if total >= 0 else None, desc="3D IoU", unit="object", disable=not progress
    )
    with bar, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in single_views(dataset, batch_size=batch_size):
            images, resolution = batch["images"], batch["voxels"].shape[1]
            count, views = images.shape[:2]
            told = {"eyes": tf.reshape(batch["eyes"], (-1, 3))} if known_cameras else {}
            answers = reconstructor.reconstruct(tf.reshape(images, (-1, *images.shape[2:])), **told)
            voxels = _voxelized(answers, resolution=resolution, pool=pool)
            scores.add(batch, voxels.reshape(count, views, *voxels.shape[1:]))
            bar.update(count)
    return scores.evaluation(views=views)


class Scores:
    """Counts the voxel IoU of batches by class and by object.

    Args:
        class_names: The names of all labels, in the order of tables.
    """

    def __init__(self, class_names: Sequence[str]):
        self._class_names = class_names
        self._metric = VoxelIoU(class_names=class_names)
        self._objects = np.zeros(len(class_names), int)
        self._per_object: dict[str, float] = {}

    def add(self, batch: dict, voxels: np.ndarray) -> None:
        """Adds answers to a batch of `single_views`.

        Args:
            batch: "voxels" `[batch, x, y, z]`, "label" and "model_id" `[batch]`.
            voxels: bool `[batch, views, x, y, z]`, the answers.
        """
        truth, labels = batch["voxels"].numpy(), batch["label"].numpy()
        self._metric.update_state(truth, voxels, labels=labels)
        names = (name.decode() for name in batch["model_id"].numpy())
        for name, label, one, other in zip(names, labels, truth, voxels, strict=True):
            self._per_object[f"{self._class_names[label]}/{name}"] = _mean_iou(one, other)
        self._objects += np.bincount(labels, minlength=len(self._class_names))

    def evaluation(self, *, views: int) -> Evaluation:
        """Returns the scores of `views` answers an object."""
        return Evaluation(
            per_class=self._metric.per_class(),
            objects=dict(zip(self._class_names, self._objects.tolist(), strict=True)),
            views=views,
            per_object=self._per_object,
        )


def _mean_iou(truth: np.ndarray, voxels: np.ndarray) -> float:
    """Returns the mean IoU of bool [views, x, y, z] with [x, y, z]; two empty grids agree."""
    intersection = (voxels & truth).sum(axis=(1, 2, 3))
    union = (voxels | truth).sum(axis=(1, 2, 3))
    return float(np.mean(np.where(union, intersection / np.maximum(union, 1), 1.0)))


def _voxelized(answers: Meshes | Voxels, *, resolution: int, pool) -> np.ndarray:
    """Returns bool [batch, x, y, z]; each distinct mesh is voxelised once."""
    if isinstance(answers, Voxels):
        return answers.occupied
    distinct, first_of = np.unique(answers.vertices, axis=0, return_inverse=True)
    grids = pool.map(
        lambda mesh: solid_voxels(mesh, answers.faces, resolution=resolution), distinct
    )
    return np.stack(list(grids))[first_of.reshape(-1)]


def solid_voxels(vertices, faces, *, resolution: int) -> np.ndarray:
    """Returns the cells of the grid that lie in a mesh, also if the mesh reaches beyond the grid.

    `voxelize` cuts such a mesh off at the sides of the grid, and the flood fill from outside runs
    in where it is cut open: a box that stands out by a hundredth comes back hollow. So here the
    grid is widened, by whole cells of the same size and place, until it holds the mesh (by its own
    width at most; a vertex beyond that is pressed onto its side), and cut down again afterwards.

    Args:
        vertices: float32 [num_vertices, 3], world space; objects are in [-0.5, 0.5]^3.
        faces: int32 [num_faces, 3].
        resolution: Cells along each side of the grid.

    Returns:
        bool [resolution, resolution, resolution], index order [x, y, z].
    """
    # A vertex at 0.5 is half a cell from the side.
    overhang = float(np.abs(vertices).max(initial=0.0)) * (resolution - 1) - resolution / 2
    margin = int(np.clip(np.ceil(overhang) + 1, 0, resolution)) if overhang >= 0 else 0
    if not margin:
        return voxelize(vertices, faces, resolution=resolution)
    wide = resolution + 2 * margin
    # voxelize has world coordinates times (wide - 1), about the middle of the grid.
    scaled = np.clip(np.asarray(vertices) * ((resolution - 1) / (wide - 1)), -0.5, 0.5)
    inner = slice(margin, margin + resolution)
    return voxelize(scaled, faces, resolution=wide)[inner, inner, inner]
