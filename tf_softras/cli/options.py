"""Options that several commands share, and readers of their values."""

import math
import pathlib

import click

from tf_softras.cli.command import WrongInput

CONFIGS = (
    "sample",
    "meshes",
    "meshes_120",
    "meshes_variants",
    "meshes_random",
    "nmr",
    "procedural",
    "procedural_random",
)
# `meshes_24` is another name of `meshes`.
CONFIG_CHOICE = click.Choice([*CONFIGS, "meshes_24"])

# Not click.Path(exists=True), because the readers of files have clearer messages.
PATH = click.Path(path_type=pathlib.Path)


class FiniteFloat(click.types.FloatParamType):
    """A float, without NaN and infinity."""

    def convert(self, value, param, ctx):
        """Returns the float."""
        return _finite(self, super().convert(value, param, ctx), param, ctx)


class FiniteFloatRange(click.FloatRange):
    """A float in a range, without infinity and without NaN, which no comparison keeps out."""

    def convert(self, value, param, ctx):
        """Returns the float."""
        return _finite(self, super().convert(value, param, ctx), param, ctx)


def _finite(kind: click.ParamType, number: float, param, ctx) -> float:
    if not math.isfinite(number):
        kind.fail(f"expected a finite number; received {number}", param, ctx)
    return number


data_dir_option = click.option(
    "--data-dir",
    type=PATH,
    help="Folder of the data sets.  [default: ~/tensorflow_datasets, or $TFDS_DATA_DIR]",
)
config_option = click.option(
    "--config",
    type=CONFIG_CHOICE,
    help="Name of the data set.  [default: the one that is prepared]",
)
_RECIPE_OPTIONS = (
    click.option("--steps", type=int, help="Optimizer steps of a whole run."),
    click.option("--batch-size", type=int, help="Objects in a batch."),
    click.option("--views-per-mesh", type=int, help="Views that each mesh is compared in."),
    click.option("--learning-rate", type=float, help="Adam's learning rate."),
    click.option("--sigma", type=float, help="Sharpness of silhouettes (eq. 1)."),
    click.option("--laplacian-weight", type=float, help="lambda of eq. 6."),
    click.option("--flattening-weight", type=float, help="mu of eq. 6."),
    click.option("--seed", type=int, help="Seed of the weights and of the order of the data."),
)
checkpoint_option = click.option(
    "--checkpoint",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Weights of the run to use.",
)


def check_without_run(checkpoint: str, received: str) -> None:
    """Checks that no run's checkpoint is asked for where there is no run.

    Raises:
        WrongInput: It is.
    """
    if checkpoint != "best":
        raise WrongInput(f"--checkpoint: expected a run for '{checkpoint}'; received {received}")


def recipe_options(command):
    """Gives a command the options that change a preset's optimizer, losses and seed."""
    for option in reversed(_RECIPE_OPTIONS):
        command = option(command)
    return command


def data_builder(config: str, data_dir: pathlib.Path | None, **options):
    """Returns the tfds builder of a configuration, prepared or not; `options` are its own."""
    from tf_softras.datasets.shapenet_views import shapenet_views_dataset_builder

    return shapenet_views_dataset_builder.Builder(
        config=config, data_dir=None if data_dir is None else str(data_dir), **options
    )


def prepared_builder(config: str | None, data_dir: pathlib.Path | None):
    """Returns the builder of the data set that is prepared; of `config`, or of the only one.

    Raises:
        WrongInput: It is not prepared; or two are, and `config` names none.
    """
    builders = [data_builder(name, data_dir) for name in ([config] if config else CONFIGS)]
    prepared = [builder for builder in builders if builder.is_prepared()]
    if not prepared:
        names = " or ".join(builder.builder_config.name for builder in builders)
        raise WrongInput(
            f"--data-dir: expected a folder with the data set {names}; received "
            f"'{builders[0].data_dir_root}', which has none. Run `softras prepare` or name another"
        )
    if len(prepared) > 1:
        raise WrongInput(
            f"--config: expected one of {', '.join(CONFIGS)}; received none, and "
            f"'{builders[0].data_dir_root}' holds {len(prepared)} data sets"
        )
    return prepared[0]


def open_split(builder, split: str):
    """Returns the examples of a split.

    Raises:
        WrongInput: The data set has no such split.
    """
    if split not in builder.info.splits:
        raise WrongInput(
            f"--split: expected one of {', '.join(builder.info.splits)}; received {split!r}"
        )
    import tensorflow_datasets as tfds

    # `training.train` caches by itself. A cache of tfds that is read in part is thrown away, with a
    # warning.
    return builder.as_dataset(split=split, read_config=tfds.ReadConfig(try_autocache=False))
