"""The tfds builder of `shapenet_views`: objects rendered from many sides, with their voxels."""

import dataclasses
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow_datasets as tfds

from tf_softras.datasets.shapenet_views.build_lock import only_build_of
from tf_softras.datasets.shapenet_views.class_names import CLASS_SYNSETS, labels_of
from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
from tf_softras.datasets.shapenet_views.mesh_folder import SPLITS, scan_mesh_folder
from tf_softras.datasets.shapenet_views.mesh_variants import with_variants
from tf_softras.datasets.shapenet_views.nmr_archive import check_axes, find_files
from tf_softras.datasets.shapenet_views.object_views import Rendering
from tf_softras.datasets.shapenet_views.procedural_objects import procedural_objects
from tf_softras.datasets.shapenet_views.sources import (
    BadObjectError,
    Note,
    Problem,
    Source,
    beam_examples,
    examples_or_problems,
    read_problems,
)

REPORT_NAME = "report.json"
# The values of `BuilderConfig.source`.
SOURCES = ("embedded", "meshes", "nmr", "procedural")
# Section 5.4 of the paper trains on 5 elevations and does not name them. Those of the 24 views come
# first: view i of `meshes` is view i of `meshes_120`.
ELEVATIONS_OF_120 = (30.0, 0.0, 15.0, 45.0, 60.0)

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(eq=False, kw_only=True)
class ShapenetViewsConfig(Rendering, tfds.core.BuilderConfig):
    """The source of the objects, and how meshes are rendered.

    Attributes:
        source: "embedded", the meshes that come with the package; "meshes", those of manual_dir;
            "nmr", the renders of the Neural 3D Mesh Renderer in manual_dir, as they are; or
            "procedural", meshes that `datasets.procedural` makes of numbers.
        variants: deformed copies of each mesh of split train; see `mesh_variants`.
        objects: procedural objects of each class.
    """

    source: str = "meshes"
    variants: int = 0
    objects: int = 100

    def rendering(self) -> Rendering:
        """Returns the part that workers need."""
        fields = dataclasses.fields(Rendering)
        return Rendering(**{field.name: getattr(self, field.name) for field in fields})


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builds `shapenet_views`.

    An object that cannot be used is logged by name, counted, and listed with its reason in
    `report.json` beside the data and in `builder.info.metadata`.

    With Beam options (`tfds build --beam_pipeline_options`, or `beam_options` or `beam_runner` of a
    `tfds.download.DownloadConfig`) objects are rendered by the workers of that runner; each has to
    see manual_dir and the data's folder. Without, this process does it. The data are the same.

    A build that was killed leaves a folder `incomplete.*`, which the next build removes; it starts
    anew. Two processes cannot build the same data at a time.

    Args:
        strict: whether the first object that cannot be used ends the build, with a
            `BadObjectError`.
        splits_file: CSV file that says which model is in which split; see `scan_mesh_folder`.
        variants: instead of the config's number of variants.
        objects: instead of the config's number of procedural objects of each class.
        max_faces: instead of the config's limit.
        max_bytes: instead of the config's limit.
        progress: a function of an iterator and its length that shows how far a split is.
        **kwargs: for `tfds.core.GeneratorBasedBuilder`.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        ShapenetViewsConfig(
            name="sample",
            description="34 chairs, tables, cabinets and sofas that come with the package (CC0).",
            source="embedded",
        ),
        ShapenetViewsConfig(
            name="meshes",
            description="Meshes of your own, from a folder in ShapeNet's layout, from 24 sides.",
        ),
        ShapenetViewsConfig(
            name="meshes_120",
            description="The same from 120 sides: 24 azimuths at each of 5 elevations.",
            num_views=120,
            elevations=ELEVATIONS_OF_120,
        ),
        ShapenetViewsConfig(
            name="meshes_variants",
            description="The same as `meshes`, with 6 deformed copies of each training object.",
            variants=6,
        ),
        ShapenetViewsConfig(
            name="meshes_random",
            description="Meshes of your own from 24 random sides each, as photographs show them.",
            random_cameras=True,
        ),
        ShapenetViewsConfig(
            name="nmr",
            description="The renders of the Neural 3D Mesh Renderer (Kato et al.).",
            source="nmr",
        ),
        ShapenetViewsConfig(
            name="procedural",
            description="Airplanes, benches, cars, ... made of numbers, from 24 sides: no files.",
            source="procedural",
        ),
        ShapenetViewsConfig(
            name="procedural_random",
            description="The same from 24 random sides each, as photographs show them.",
            source="procedural",
            random_cameras=True,
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "The configs whose names begin with `meshes` read a folder of meshes: ShapeNetCore v1 or "
        "v2, CLASS/MODEL.obj, or flat (.obj, .glb, .off, .ply, .stl), with an optional index.csv "
        "(columns class or synset, model, split); `nmr` reads a folder with "
        "mesh_reconstruction_dataset.zip, or with what that holds. Name the folder as "
        "manual_dir; the configs `sample`, `procedural` and `procedural_random` need none."
    )

    def __init__(
        self,
        *,
        strict: bool = False,
        splits_file=None,
        variants: int | None = None,
        objects: int | None = None,
        max_faces: int | None = None,
        max_bytes: int | None = None,
        progress=None,
        **kwargs,
    ):
        if variants is not None and variants < 0:
            raise ValueError(f"variants: expected at least 0; received {variants}")
        if objects is not None and objects < 1:
            raise ValueError(f"objects: expected at least 1; received {objects}")
        self._strict = strict
        self._splits_file = splits_file
        self._variants = variants
        self._objects = objects
        limits = {"max_faces": max_faces, "max_bytes": max_bytes}
        self._limits = {name: limit for name, limit in limits.items() if limit is not None}
        self._progress = progress
        super().__init__(**kwargs)

    @classmethod
    def get_builder_config(cls, name, version=None):
        """Returns the config of a name; `meshes_24` is another name of `meshes`."""
        return super().get_builder_config("meshes" if name == "meshes_24" else name, version)

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
                    # Meshes of one's own have classes of one's own, known when they are read.
                    "label": tfds.features.ClassLabel(
                        names=None if config.source == "meshes" else list(CLASS_SYNSETS)
                    ),
                    "model_id": tfds.features.Text(doc="Name of the model in its class."),
                }
            ),
            supervised_keys=None,
            metadata=tfds.core.MetadataDict(),
        )

    def _download_and_prepare(self, dl_manager, download_config) -> None:
        # tfds works in a folder that it renames when all is done: the report is in it, or nothing.
        self._problems: list[Problem] = []
        self._notes: list[Note] = []
        self._beam = bool(download_config.beam_options or download_config.beam_runner)
        with (
            only_build_of(self.data_path),
            tempfile.TemporaryDirectory(prefix="shapenet_views_") as self._scratch,
        ):
            try:
                super()._download_and_prepare(dl_manager, download_config)
            except Exception as error:
                if bad := _first_bad_object(error):
                    raise bad from error
                raise
        for path in sorted(self.data_path.glob(_problems_name("*"))):
            for problem in read_problems(path):
                self._report(problem)
        objects = {name: split.num_examples for name, split in self.info.splits.items()}
        report = {
            "objects": objects,
            "variants": self._num_variants(),
            "num_problems": len(self._problems),
            "problems": [dataclasses.asdict(problem) for problem in self._problems],
            "num_notes": len(self._notes),
            "notes": [dataclasses.asdict(note) for note in self._notes],
        }
        self.info.metadata.update(report)
        (self.data_path / REPORT_NAME).write_text(json.dumps(report, indent=2) + "\n")
        if self._problems:
            _logger.warning(
                "%d objects, files or folders were left out; see %s beside the data.",
                len(self._problems),
                REPORT_NAME,
            )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        sources, problems = self._sources(dl_manager)
        self._name_classes(sources)
        for problem in problems:
            if self._strict:
                raise BadObjectError.of(problem)
            self._report(problem)
        splits = {split: [one for one in sources if one.split == split] for split in SPLITS}
        return {
            split: self._generate_examples(split, members)
            for split, members in splits.items()
            if members
        }

    def _name_classes(self, sources) -> None:
        """Gives the label its names, if they are those of the meshes that were found."""
        if self.builder_config.source == "meshes":
            self.info.features["label"].names = labels_of(one.label for one in sources)

    def _sources(self, dl_manager) -> tuple[Sequence[Source], list[Problem]]:
        """Returns the objects to read, and problems with the others."""
        source = self.builder_config.source
        if source == "embedded":
            unpack_sample(self._scratch)
            return scan_mesh_folder(self._scratch)
        if source == "meshes":
            models, problems = scan_mesh_folder(
                dl_manager.manual_dir, splits_file=self._splits_file
            )
            return with_variants(models, self._num_variants()), problems
        if source == "nmr":
            files, problems = find_files(dl_manager.manual_dir)
            check_axes(files)
            return files, problems
        if source == "procedural":
            count = self.builder_config.objects if self._objects is None else self._objects
            return procedural_objects(count), []
        raise ValueError(f"source: expected one of {', '.join(SOURCES)}; received {source!r}")

    def _num_variants(self) -> int:
        return self.builder_config.variants if self._variants is None else self._variants

    def _generate_examples(self, split: str, sources: list[Source]):
        rendering = dataclasses.replace(self.builder_config.rendering(), **self._limits)
        # The embedded meshes are unpacked on this machine, and few.
        if self._beam and self.builder_config.source != "embedded":
            return beam_examples(
                sources,
                rendering,
                problems_path=self.data_path / _problems_name(split),
                strict=self._strict,
            )
        return self._examples_of(split, sources, rendering)

    def _examples_of(self, split, sources, rendering) -> Iterator[tuple[str, dict]]:
        objects = 0
        shown = sources if self._progress is None else self._progress(sources, split)
        for source in shown:
            for item in examples_or_problems(source, rendering, strict=self._strict):
                if isinstance(item, Problem | Note):
                    self._report(item)
                else:
                    objects += 1
                    yield item
        if not objects:
            last = self._problems[-1]
            raise ValueError(
                f"split {split!r}: expected at least one object that can be used; received none. "
                f"The last one, {last.name}, failed because: {last.reason}"
            )

    def _report(self, said: Problem | Note) -> None:
        if isinstance(said, Note):
            _logger.info("%s: %s", said.name, said.reason)
            self._notes.append(said)
            return
        _logger.warning("%s is left out: %s", said.name, said.reason)
        self._problems.append(said)


def _problems_name(split: str) -> str:
    return f"problems-{split}.jsonl"


def _first_bad_object(error: BaseException) -> BadObjectError | None:
    """Returns the error of a strict build that Beam has wrapped into one of its own, if it is."""
    marker = f"{BadObjectError.__name__}: "
    for line in str(error).splitlines():
        if marker in line:
            return BadObjectError(line.split(marker, 1)[1].split(" [while running", 1)[0])
    return None
