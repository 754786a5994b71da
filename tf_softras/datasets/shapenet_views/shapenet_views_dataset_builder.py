"""The tfds builder of `shapenet_views`: objects rendered from many sides, with their voxels."""

import dataclasses
import json
import logging
import tempfile
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
from tf_softras.datasets.shapenet_views.mesh_folder import (
    CLASS_SYNSETS,
    SPLITS,
    MeshModel,
    Problem,
    scan_mesh_folder,
)
from tf_softras.geometry import Mesh, load_mesh, voxelize
from tf_softras.geometry.cameras import (
    N3MR_DISTANCE,
    N3MR_ELEVATION,
    N3MR_NUM_VIEWS,
    eye_from_angles,
)
from tf_softras.rendering import render_views

REPORT_NAME = "report.json"

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(eq=False, kw_only=True)
class ShapenetViewsConfig(tfds.core.BuilderConfig):
    """Where the meshes come from and how they are rendered.

    Attributes:
        embedded: the meshes that come with the package, or those of manual_dir.
        image_size: side of the square pictures, pixels.
        num_views: cameras, equally spaced about the object, the first on +x.
        distance: of the cameras from the object's centre; the object's longest side is 1.
        elevation: of the cameras above the x-z plane, degrees.
        supersampling: samples along each side of a pixel.
        voxel_resolution: cells along each side of the voxel grid.
    """

    embedded: bool = False
    image_size: int = 64
    num_views: int = N3MR_NUM_VIEWS
    distance: float = N3MR_DISTANCE
    elevation: float = N3MR_ELEVATION
    supersampling: int = 4
    voxel_resolution: int = 32


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builds `shapenet_views`.

    A mesh that cannot be used is logged by name, counted, and listed with its reason in
    `report.json` beside the data and in `builder.info.metadata`.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        ShapenetViewsConfig(
            name="sample",
            description="34 chairs, tables, cabinets and sofas that come with the package (CC0).",
            embedded=True,
        ),
        ShapenetViewsConfig(
            name="meshes",
            description="Meshes of your own, from a folder in ShapeNet's layout.",
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "The config `meshes` reads a folder in ShapeNet's layout, "
        "SYNSET/MODEL/models/model_normalized.obj, with an optional index.csv (columns synset, "
        "model, split). Name it as manual_dir; the config `sample` needs none."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        size, views, cells = config.image_size, config.num_views, config.voxel_resolution
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "images": tfds.features.Tensor(
                        shape=(views, size, size, 4),
                        dtype=np.uint8,
                        encoding="zlib",
                        doc="RGBA: straight colour (0 where alpha is 0), anti-aliased alpha.",
                    ),
                    "voxels": tfds.features.Tensor(
                        shape=(cells, cells, cells),
                        dtype=np.bool_,
                        encoding="zlib",
                        doc="Solid; index order [x, y, z], rising over [-0.5, 0.5]^3.",
                    ),
                    "cameras": {
                        "distance": tfds.features.Tensor(shape=(views,), dtype=np.float32),
                        "elevation": tfds.features.Tensor(
                            shape=(views,), dtype=np.float32, doc="Degrees."
                        ),
                        "azimuth": tfds.features.Tensor(
                            shape=(views,), dtype=np.float32, doc="Degrees, from +x towards +z."
                        ),
                    },
                    "label": tfds.features.ClassLabel(names=list(CLASS_SYNSETS)),
                    "model_id": tfds.features.Text(doc="Name of the model in its class."),
                }
            ),
            supervised_keys=None,
            metadata=tfds.core.MetadataDict(),
        )

    def _download_and_prepare(self, *args, **kwargs) -> None:
        # tfds works in a folder that it renames when all is done: the report is in it, or nothing.
        self._prepared: dict[str, int] = {}
        self._problems: list[Problem] = []
        with tempfile.TemporaryDirectory(prefix="shapenet_views_") as scratch:
            self._scratch = scratch
            super()._download_and_prepare(*args, **kwargs)
        report = {
            "objects": self._prepared,
            "num_problems": len(self._problems),
            "problems": [dataclasses.asdict(problem) for problem in self._problems],
        }
        self.info.metadata.update(report)
        (self.data_path / REPORT_NAME).write_text(json.dumps(report, indent=2) + "\n")
        if self._problems:
            _logger.warning(
                "%d objects or folders were left out; see %s beside the data.",
                len(self._problems),
                REPORT_NAME,
            )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        if self.builder_config.embedded:
            folder = self._scratch
            unpack_sample(folder)
        else:
            folder = dl_manager.manual_dir
        models, problems = scan_mesh_folder(folder)
        for problem in problems:
            self._report(problem)
        splits = {split: [model for model in models if model.split == split] for split in SPLITS}
        return {
            split: self._generate_examples(split, members)
            for split, members in splits.items()
            if members
        }

    def _generate_examples(self, split: str, models: list[MeshModel]) -> Iterator[tuple[str, dict]]:
        labels = {synset: name for name, synset in CLASS_SYNSETS.items()}
        self._prepared[split] = 0
        for model in models:
            try:
                views = object_views(load_mesh(model.path), self.builder_config)
            except (ValueError, OSError) as error:
                self._report(Problem(model.name, str(error)))
                continue
            self._prepared[split] += 1
            yield model.name, {**views, "label": labels[model.synset], "model_id": model.model}
        if not self._prepared[split]:
            raise ValueError(
                f"Split {split!r}: expected at least one mesh that can be rendered; all "
                f"{len(models)} failed, the last one, {self._problems[-1].name}, because: "
                f"{self._problems[-1].reason}"
            )

    def _report(self, problem: Problem) -> None:
        _logger.warning("%s is left out: %s", problem.name, problem.reason)
        self._problems.append(problem)


def object_views(mesh: Mesh, config: ShapenetViewsConfig) -> dict:
    """Returns the features `images`, `voxels` and `cameras` of a mesh, normalised first.

    Raises:
        ValueError: the mesh is empty, or no view shows anything of it.
    """
    mesh = mesh.normalized()
    views = config.num_views
    cameras = {
        "distance": np.full(views, config.distance, np.float32),
        "elevation": np.full(views, config.elevation, np.float32),
        "azimuth": (np.arange(views) * (360.0 / views)).astype(np.float32),
    }
    images = render_views(
        mesh,
        eye_from_angles(**cameras),
        image_size=config.image_size,
        supersampling=config.supersampling,
    )
    if not images[..., 3].any():
        raise ValueError("Expected faces with an area; no view shows anything of the mesh.")
    voxels = voxelize(mesh.vertices, mesh.faces, resolution=config.voxel_resolution)
    return {"images": images, "voxels": voxels, "cameras": cameras}
