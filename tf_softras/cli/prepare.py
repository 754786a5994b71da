"""`softras prepare`: the data set, rendered once."""

import contextlib
import json
import shutil

import click

from tf_softras.cli.command import Command, WrongInput, wrong_input
from tf_softras.cli.options import CONFIGS, PATH, data_builder, data_dir_option


@click.command(
    cls=Command,
    examples=[
        "softras prepare --config sample --data-dir data",
        "softras prepare --meshes ~/ShapeNetCore.v1 --data-dir data",
    ],
)
@click.option(
    "--config",
    type=click.Choice(CONFIGS),
    help="The embedded sample, or the meshes of a folder.  [default: meshes with --meshes]",
)
@click.option("--meshes", type=PATH, help="Folder SYNSET/MODEL/models/model_normalized.obj.")
@data_dir_option
@click.option("--overwrite", is_flag=True, help="Prepare it again if it is there.")
def prepare(config, meshes, data_dir, overwrite):
    """Render the views and voxels of a data set.

    Each mesh is drawn from 24 sides and voxelised. A file index.csv in the folder (columns synset,
    model, split) says which split a mesh belongs to; otherwise a hash of its name does. Meshes that
    cannot be used are named, counted and listed in report.json.
    """
    config = config or ("meshes" if meshes else "sample")
    if (config == "meshes") != (meshes is not None):
        raise WrongInput("--meshes FOLDER goes with --config meshes, and with no other.")
    builder = data_builder(config, data_dir)
    if builder.is_prepared() and not overwrite:
        raise WrongInput(
            f"A data set {config} is in '{builder.data_dir}' already: --overwrite replaces it."
        )
    with _set_aside(builder), wrong_input(ValueError):
        prepare_data(builder, meshes=meshes)
    for line in described(builder):
        click.echo(line)


def prepare_data(builder, *, meshes=None) -> None:
    """Prepares a data set; `meshes` is the folder that the configuration `meshes` reads.

    Raises:
        FileNotFoundError: `meshes` is no folder.
        ValueError: There is no mesh in it, or none of a split can be rendered.
    """
    import tensorflow_datasets as tfds

    from tf_softras.datasets.shapenet_views.mesh_folder import scan_mesh_folder

    download_config = None
    if meshes is not None:
        # What is wrong with the folder, before tfds adds its own words.
        scan_mesh_folder(meshes)
        download_config = tfds.download.DownloadConfig(manual_dir=str(meshes.absolute()))
    builder.download_and_prepare(download_config=download_config)


@contextlib.contextmanager
def _set_aside(builder):
    """Puts a data set that is there back if the one that should replace it fails."""
    path = builder.data_path
    aside = path.with_name(f"replaced.{path.name}")
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
    """Returns lines that say what a prepared data set holds, and where it is."""
    splits = ", ".join(f"{name} {info.num_examples}" for name, info in builder.info.splits.items())
    lines = [f"{builder.builder_config.name}: {splits} objects in {builder.data_dir}"]
    report_path = builder.data_path / "report.json"
    left_out = json.loads(report_path.read_text())["num_problems"]
    if left_out:
        lines.append(f"{left_out} objects or folders were left out: {report_path}")
    return lines
