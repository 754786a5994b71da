"""Metrics beside 3D IoU: errors of voxels, surfaces, and silhouettes from unseen views."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tqdm

from tf_softras.datasets.shapenet_views.class_names import names_for
from tf_softras.datasets.shapenet_views.mesh_folder import scan_mesh_folder
from tf_softras.datasets.view_pairs import single_views
from tf_softras.evaluation._evaluate import solid_voxels
from tf_softras.evaluation._surface_metrics import (
    SurfaceMetrics,
    mesh_of_voxels,
    self_intersection,
    surface_metrics,
)
from tf_softras.geometry import Mesh, load_mesh, look_at, perspective
from tf_softras.layers import ProjectVoxels
from tf_softras.metrics import SilhouetteIoU
from tf_softras.ops import rasterize_faces
from tf_softras.reconstruction import Reconstructor, as_reconstructor

_VOXEL_METRICS = ("voxel_precision", "voxel_recall")
METRICS = (
    "silhouette_iou",
    *_VOXEL_METRICS,
    *(field.name for field in dataclasses.fields(SurfaceMetrics)),
)


@dataclasses.dataclass(frozen=True)
class Measurements:
    """Each metric of `METRICS`, by class.

    Attributes:
        per_class: Metric -> class name -> mean over its objects; None where nothing was measured:
            a class without objects, an answer without a cell or a surface, no true meshes.
        input_view: Index of the view that was reconstructed from.
        objects: The number of measured objects.
    """

    per_class: dict[str, dict[str, float | None]]
    input_view: int
    objects: int

    @property
    def mean(self) -> dict[str, float | None]:
        """Metric -> the unweighted mean over the classes in which it was measured, or None."""
        means = {}
        for metric, classes in self.per_class.items():
            values = [value for value in classes.values() if value is not None]
            means[metric] = float(np.mean(values)) if values else None
        return means

    def to_dict(self) -> dict:
        """Returns a dict of JSON types: the fields and the means."""
        return {"mean": self.mean, **dataclasses.asdict(self)}


def true_meshes(folder) -> Callable[[str, str], Mesh]:
    """Returns a function from class and model names to the normalised mesh of a mesh folder.

    Raises:
        FileNotFoundError: `folder` is not a folder.
        ValueError: No model is there. The function raises a KeyError for a model that is not.
    """
    models, _ = scan_mesh_folder(folder)
    paths = {(model.label, model.model): model.path for model in models}

    def mesh(class_name: str, model: str) -> Mesh:
        return load_mesh(paths[class_name, model]).normalized()

    return mesh


def measure(
    reconstructor: Reconstructor | Callable,
    dataset: tf.data.Dataset,
    *,
    truth: Callable[[str, str], Mesh] | None = None,
    faces=None,
    class_names: Sequence[str] | None = None,
    input_view: int = 2,
    progress: bool = True,
) -> Measurements:
    """Returns the metrics of reconstructions from one view of each object.

    Args:
        reconstructor: See `evaluate`. Voxels are cut at 0.5, and their surface is that of
            `mesh_of_voxels`.
        dataset: Examples of `shapenet_views`, not batched.
        truth: `true_meshes(folder)`, or another function from class and model names to meshes;
            without it the surfaces are compared with nothing.
        faces: int32 `[num_faces, 3]` of a callable's meshes; by default its attribute `faces`.
        class_names: The data set's own names, `builder.info.features["label"].names`; by default
            the 13 of the published tables.
        input_view: Index of the view that is reconstructed from; the silhouettes of all others
            are compared.
        progress: Whether to show a progress bar.

    Raises:
        ImportError: The extra `metrics` is not installed.
        KeyError: `truth` has no such mesh.
        ValueError: The data set is empty, there is no such view, or voxels have another resolution
            than its own.
    """
    reconstructor = as_reconstructor(reconstructor, faces=faces)
    class_names = names_for((), class_names)
    values: dict[str, dict[str, list[float]]] = {
        metric: {name: [] for name in class_names} for metric in METRICS
    }
    total = 0
    for batch in tqdm.tqdm(
        single_views(dataset, batch_size=1), desc="metrics", unit="object", disable=not progress
    ):
        images, eyes = batch["images"][0], batch["eyes"][0].numpy()
        if not 0 <= input_view < len(images):
            raise ValueError(
                f"input_view: expected a view in [0, {len(images)}); received {input_view}"
            )
        answer = reconstructor.reconstruct(images[input_view : input_view + 1])[0]
        name = class_names[int(batch["label"][0])]
        unseen = np.arange(len(images)) != input_view
        predicted = silhouettes(answer, eyes[unseen], image_size=images.shape[1:3])
        iou = SilhouetteIoU()(images.numpy()[unseen, ..., 3], predicted)
        values["silhouette_iou"][name].append(float(iou))
        for metric, value in _of_voxels(answer, batch["voxels"][0].numpy()).items():
            values[metric][name].append(value)
        true = truth and truth(name, batch["model_id"][0].numpy().decode())
        for metric, value in _of_surface(answer, true).items():
            values[metric][name].append(value)
        total += 1
    per_class = {
        metric: {name: float(np.mean(v)) if v else None for name, v in classes.items()}
        for metric, classes in values.items()
    }
    return Measurements(per_class=per_class, input_view=input_view, objects=total)


def _of_voxels(answer: Mesh | np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Returns precision and recall of an answer's voxels.

    Recall divided by precision is the predicted volume in units of the true one.
    """
    if isinstance(answer, Mesh):
        predicted = solid_voxels(answer.vertices, answer.faces, resolution=len(true))
    else:
        predicted = answer
    if predicted.shape != true.shape:
        raise ValueError(
            f"voxels of the reconstructor: expected those of the data set, "
            f"{true.shape}; received {predicted.shape}"
        )
    right = float(np.sum(predicted & true.astype(bool)))
    counts = zip(_VOXEL_METRICS, (predicted.sum(), true.sum()), strict=True)
    return {metric: right / float(count) for metric, count in counts if count}


def _of_surface(answer: Mesh | np.ndarray, true: Mesh | None) -> dict[str, float]:
    """Returns the metrics of an answer's surface; none for empty voxels."""
    if not isinstance(answer, Mesh) and not answer.any():
        return {}
    predicted = answer_mesh(answer)
    if true is None:
        return {"self_intersection": self_intersection(predicted)}
    return dataclasses.asdict(surface_metrics(true, predicted))


def answer_mesh(answer: Mesh | np.ndarray) -> Mesh:
    """Returns a mesh as it is, and the surface of voxels, bool `[r, r, r]`."""
    return answer if isinstance(answer, Mesh) else mesh_of_voxels(answer)


def silhouettes(answer: Mesh | np.ndarray, eyes: np.ndarray, *, image_size) -> np.ndarray:
    """Returns float32 [num_views, height, width]: an answer, hard, from cameras at `eyes`."""
    height, width = image_size
    if not isinstance(answer, Mesh):
        occupied = np.repeat(np.float32(answer)[None], len(eyes), axis=0)
        return ProjectVoxels((height, width))([occupied, eyes]).numpy()
    plane = perspective(look_at(answer.vertices, eyes))
    face_index, _ = rasterize_faces(plane, answer.faces, image_size=(height, width))
    return (face_index.numpy() >= 0).astype(np.float32)


def metrics_table(measurements: dict[str, Measurements]) -> str:
    """Returns a Markdown table: a row for each metric, a column for each key.

    Raises:
        ValueError: There are no measurements.
    """
    if not measurements:
        raise ValueError("measurements: expected at least one; received none")
    lines = [
        f"| mean over classes | {' | '.join(measurements)} |",
        f"| --- |{' ---: |' * len(measurements)}",
    ]
    for metric in METRICS:
        means = [measured.mean[metric] for measured in measurements.values()]
        if any(mean is not None for mean in means):
            cells = ("-" if mean is None else f"{mean:.4f}" for mean in means)
            lines.append(f"| {metric.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
