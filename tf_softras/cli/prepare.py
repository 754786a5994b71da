"""`softras prepare`: the data set, rendered once."""

import collections
import contextlib
import io
import json
import logging
import pathlib
import shutil

import click

from tf_softras.cli.command import Command, WrongInput, wrong_input
from tf_softras.cli.options import CONFIG_CHOICE, PATH, data_builder, data_dir_option

# The exit code if a data set was made, but something was left out.
LEFT_OUT = 3
# The configs that --variants is for; `meshes_120` would take 120 views of each copy.
WITH_VARIANTS = ("meshes_variants", "meshes_random")


@click.command(
    cls=Command,
    examples=[
        "softras prepare --config sample --data-dir data",
        "softras prepare --meshes ~/ShapeNetCore.v1 --data-dir data --processes 8",
        "softras prepare --meshes ~/ShapeNetCore.v1 --config meshes_120 --splits all.csv",
        "softras prepare --meshes ~/meshes --data-dir data --variants 6",
        "softras prepare --meshes ~/meshes --config meshes_random --variants 6",
        "softras prepare --config procedural --objects 100 --data-dir data",
        "softras prepare --nmr ~/downloads --data-dir data --strict",
    ],
)
@click.option(
    "--config",
    type=CONFIG_CHOICE,
    help="Which data set.  [default: meshes with --meshes, meshes_variants with --variants too, "
    "nmr with --nmr, else sample]",
)
@click.option(
    "--meshes",
    type=PATH,
    help="Folder of .obj, .glb, .ply, .off or .stl files, in one of the layouts above.",
)
@click.option(
    "--nmr", type=PATH, help="Folder with mesh_reconstruction_dataset.zip, or with its files."
)
@click.option(
    "--splits",
    type=PATH,
    help="CSV file: class or synset, model, split.  [default: index.csv of --meshes, or a hash]",
)
@data_dir_option
@click.option(
    "--variants",
    type=click.IntRange(1),
    help="Deformed copies of each training mesh.  [default: 6 with --config meshes_variants]",
)
@click.option(
    "--objects",
    type=click.IntRange(1),
    help="Objects of each class with --config procedural or procedural_random.  [default: 100]",
)
@click.option(
    "--max-faces",
    type=click.IntRange(1),
    help="Largest number of triangles of a mesh.  [default: 1000000]",
)
@click.option(
    "--max-megabytes",
    type=click.IntRange(1),
    help="Largest size of a mesh file and of each file beside it.  [default: 128]",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that render; more than one needs the extra tfds-cli (Apache Beam).",
)
@click.option("--strict", is_flag=True, help="Stop at the first object that cannot be used.")
@click.option("--overwrite", is_flag=True, help="Prepare it again if it is there.")
def prepare(
    config, meshes, nmr, splits, data_dir, variants, objects, max_faces, max_megabytes,
    processes, strict, overwrite,
):  # fmt: skip
    """Render the views and voxels of a data set.

    --meshes reads a folder of ShapeNetCore as it is shipped (v1: SYNSET/MODEL/model.obj, v2:
    SYNSET/MODEL/models/model_normalized.obj), CLASS/MODEL.glb, or meshes side by side. Textures
    are read from the mesh's folder and from ../images. Synsets get their names; any other folder
    is a class of its own name. The classes are recorded with the data set.

    Each mesh is drawn from 24 sides (120: --config meshes_120; 24 random ones for each object:
    --config meshes_random) and voxelised. --variants N adds N deformed copies of each training
    mesh. A file index.csv in the folder (columns class or synset, model, split), or --splits, says
    which split a mesh belongs to; otherwise a hash of its name does. --nmr takes the renders of the
    Neural 3D Mesh Renderer as they are. --config procedural reads nothing: it makes airplanes,
    benches, cars and other objects of numbers; procedural_random draws them from random sides.

    Entries that cannot be used are counted, and report.json lists them with reasons. The exit code
    is 3 then.
    """
    of_meshes = "meshes" if variants is None else "meshes_variants"
    config = config or (of_meshes if meshes else "nmr" if nmr else "sample")
    if config.startswith("meshes") != (meshes is not None):
        raise WrongInput(
            "--meshes: expected a folder for the configs whose names begin with meshes, none for "
            f"others; received {meshes and repr(str(meshes))} for {config}"
        )
    if (config == "nmr") != (nmr is not None):
        raise WrongInput(
            "--nmr: expected a folder for --config nmr, none for others; received "
            f"{nmr and repr(str(nmr))} for {config}"
        )
    if splits is not None and meshes is None:
        raise WrongInput("--splits: expected --meshes FOLDER beside it; received none")
    if variants is not None and config not in WITH_VARIANTS:
        raise WrongInput(
            f"--variants: expected --config {' or '.join(WITH_VARIANTS)}; received {config}"
        )
    if objects is not None and not config.startswith("procedural"):
        raise WrongInput(
            f"--objects: expected --config procedural or procedural_random; received {config}"
        )
    limits = {
        "max_faces": max_faces,
        "max_bytes": None if max_megabytes is None else max_megabytes * 2**20,
    }
    builder = data_builder(
        config,
        data_dir,
        strict=strict,
        splits_file=splits,
        variants=variants,
        objects=objects,
        progress=_shown,
        **limits,
    )
    _recover(builder)
    if builder.is_prepared() and not overwrite:
        raise WrongInput(
            f"'{builder.data_dir}': expected no data set {config}; received one. --overwrite "
            "replaces it"
        )
    with _set_aside(builder), wrong_input(ValueError):
        prepare_data(builder, meshes=meshes, nmr=nmr, splits=splits, processes=processes)
    for line in described(builder):
        click.echo(line)
    if left_out(builder):
        click.get_current_context().exit(LEFT_OUT)


def _shown(sources, split: str):
    """Returns the sources of a split behind a bar, which estimates the time that is left."""
    import tqdm

    return tqdm.tqdm(sources, desc=f"Rendering {split}", unit=" meshes", dynamic_ncols=True)


def prepare_data(builder, *, meshes=None, nmr=None, splits=None, processes: int = 1) -> None:
    """Prepares a data set.

    Args:
        builder: the builder of the data set.
        meshes: the folder that the configurations `meshes` and `meshes_120` read.
        nmr: the folder that the configuration `nmr` reads.
        splits: the file of splits of `meshes`.
        processes: the number of processes that render.

    Raises:
        FileNotFoundError: `meshes` or `nmr` is no folder, or `splits` no file.
        ValueError: There is no object in it, or none of a split can be used; or the builder is
            strict, and one cannot.
    """
    import tensorflow_datasets as tfds

    from tf_softras.datasets.shapenet_views.mesh_folder import scan_mesh_folder
    from tf_softras.datasets.shapenet_views.nmr_archive import find_files

    folder = meshes or nmr
    # Report problems of the folder before tfds adds its own words.
    if meshes is not None:
        models, problems = scan_mesh_folder(meshes, splits_file=splits)
        click.echo(_found(builder, meshes, models, problems))
    elif nmr is not None:
        find_files(nmr)
    tfds.disable_progress_bar()
    # tfds writes to stdout about downloads, but there are none.
    with _errors_alone("tf_softras.datasets"), contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(
                manual_dir=None if folder is None else str(folder.absolute()),
                beam_options=None if processes == 1 else _beam_options(processes),
            )
        )


@contextlib.contextmanager
def _errors_alone(name: str):
    """Logs errors alone: other lines would break the bar.

    The end and report.json say what was left out.
    """
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _found(builder, folder, models, problems) -> str:
    """Returns a line that says what a folder holds, before it is rendered."""
    count, views = len(models), builder.builder_config.num_views
    classes = sorted({model.label for model in models})
    shown = ", ".join(classes[:8]) + (", ..." if len(classes) > 8 else "")
    line = f"{folder}: {count} mesh{'' if count == 1 else 'es'} of the classes {shown}"
    if problems:
        reasons = collections.Counter(problem.reason for problem in problems)
        said = "; ".join(f"{number} {reason}" for reason, number in reasons.most_common(3))
        entries = "1 entry is" if len(problems) == 1 else f"{len(problems)} entries are"
        line += f"; {entries} left out ({said})"
    return f"{line}. Each is drawn from {views} sides."


def _beam_options(processes: int):
    try:
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise WrongInput(
            "--processes needs Apache Beam: pip install 'tf-softras[tfds-cli]'"
        ) from error
    return PipelineOptions(
        [
            "--runner=DirectRunner",
            "--direct_running_mode=multi_processing",
            f"--direct_num_workers={processes}",
        ]
    )


def _aside(builder) -> pathlib.Path:
    return builder.data_path.with_name(f"replaced.{builder.data_path.name}")


def _recover(builder) -> None:
    """Completes or undoes the work of a process that was killed in `_set_aside`."""
    if _aside(builder).exists():
        if builder.data_path.exists():
            shutil.rmtree(_aside(builder))
        else:
            _aside(builder).rename(builder.data_path)
            builder.info.read_from_directory(builder.data_path)


@contextlib.contextmanager
def _set_aside(builder):
    """Sets the old data set aside, and puts it back if making the new one fails."""
    path, aside = builder.data_path, _aside(builder)
    if not path.exists():
        yield
        return
    path.rename(aside)
    try:
        yield
    except BaseException:
        aside.rename(path)
        raise
    shutil.rmtree(aside)


def described(builder) -> list[str]:
    """Returns lines about a prepared data set: its objects, its folder, what was left out."""
    splits = ", ".join(f"{name} {info.num_examples}" for name, info in builder.info.splits.items())
    line = f"{builder.builder_config.name}: {splits} objects in {builder.data_dir}"
    problems = left_out(builder)
    if not problems:
        return [line]
    # A message names its file first; the reason follows.
    kinds = collections.Counter(problem["reason"].split("'. ", 1)[-1] for problem in problems)
    why = [f"{number} x {reason}" for reason, number in kinds.most_common(3)]
    report_path = builder.data_path / "report.json"
    first = f"{line}; {len(problems)} objects, files or folders were left out: {report_path}"
    return [first, *why]


def left_out(builder) -> list[dict]:
    """Returns the name and the reason of each entry that is not in a prepared data set."""
    return json.loads((builder.data_path / "report.json").read_text())["problems"]
