"""`softras train`: trains a network on a data set and writes a run folder."""

import click

from tf_softras.cli.command import Command, wrong_input
from tf_softras.cli.options import (
    PATH,
    config_option,
    data_dir_option,
    open_split,
    prepared_builder,
    recipe_options,
)
from tf_softras.config import COLORS, DISTRIBUTIONS, METHODS, PRESETS, preset

# The exit status of a program that Ctrl-C ended.
INTERRUPTED = 130


@click.command(
    cls=Command,
    examples=[
        "softras train --preset many-pictures --data-dir data --run runs/first",
        "softras train --preset paper --data-dir data --run runs/paper --batch-size 32",
        "softras train --method n3mr --data-dir data --run runs/n3mr --steps 2000",
        "softras train --preset paper --color palette --data-dir data --run runs/colored",
        "tensorboard --logdir runs/paper/tensorboard",
    ],
)
@click.option("--run", type=PATH, required=True, help="Folder of the run. A run in it continues.")
@click.option(
    "--preset",
    "preset_name",
    type=click.Choice(list(PRESETS)),
    help="Recipe; try many-pictures first.  [default: paper, or the run's own]",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help="The paper's method, or a baseline of its Table 1.  [default: softras]",
)
@click.option("--color", type=click.Choice(COLORS), help="Learn colours of vertices in this way.")
@config_option
@data_dir_option
@recipe_options
@click.option("--steps-per-epoch", type=int, help="Steps between validations and checkpoints.")
@click.option("--tensorboard-meshes", type=int, help="Objects whose meshes TensorBoard shows.")
@click.option("--time-limit", type=float, help="Minutes after which training ends.")
@click.option(
    "--patience", type=int, help="End after so many epochs without a better validation IoU."
)
@click.option(
    "--distribute",
    type=click.Choice(DISTRIBUTIONS),
    default=DISTRIBUTIONS[0],
    show_default=True,
    help="Devices that share each batch: this machine's GPUs, or the workers of TF_CONFIG.",
)
@click.option("--mirror", is_flag=True, default=None, help="Mirror half of the objects.")
@click.option("--color-jitter", type=float, help="Vary the gain of colour channels by up to this.")
@click.option("--gray-share", type=float, help="Share of the pictures that lose their colours.")
@click.option("--picture-noise", type=float, help="Standard deviation of noise on the pictures.")
@click.option(
    "--framed-share",
    type=float,
    help="Share of the pictures that are framed as photographs are: for `softras reconstruct`.",
)
def train(
    run,
    preset_name,
    config,
    data_dir,
    steps_per_epoch,
    tensorboard_meshes,
    time_limit,
    patience,
    distribute,
    **changes,
):
    """Train a network on a data set.

    It learns from the split train. The split val, if there is one, chooses the best weights.

    The preset sets what no option sets. Soon after the start a line says how long the run will
    take. Ctrl-C ends it after the present step and saves what it has learned. A run that was ended
    or killed goes on where it was when you give the same command again.
    """
    from tf_softras import training

    # Workers find one another before TensorFlow does anything else.
    with wrong_input(ValueError):
        strategy = training.make_strategy(distribute)
    config_of_run = run_config(run, preset_name, changes)
    builder = prepared_builder(config, data_dir)
    options = {
        "steps_per_epoch": steps_per_epoch,
        "tensorboard_meshes": tensorboard_meshes,
        "patience": patience,
    }
    if time_limit is not None:
        options["time_limit"] = 60.0 * time_limit
    datasets = {"train_dataset": open_split(builder, "train")}
    if "val" in builder.info.splits:
        datasets["validation_dataset"] = open_split(builder, "val")
    try:
        with wrong_input(ValueError):
            folder = training.train(
                config_of_run,
                **datasets,
                run_folder=run,
                strategy=strategy,
                **{name: value for name, value in options.items() if value is not None},
            )
    except KeyboardInterrupt:
        click.echo(_ended(training.RunFolder.open(run)), err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    # A worker that does not write may be here before the rows are.
    if folder.history():
        click.echo(_ended(folder))


def _ended(folder) -> str:
    """Returns a sentence that says how far a run is, and how it goes on if it is not complete."""
    rows = folder.history()
    if not rows:
        return f"Nothing was saved yet: {folder.path}"
    done, steps, method = rows[-1]["step"], folder.config.steps, folder.config.method
    if not folder.backup_path.exists():
        return f"Trained {done} steps ({method}): {folder.path}"
    return (
        f"Trained {done} of {steps} steps ({method}): {folder.path}. The network so far can be "
        "used. The same command goes on (after --patience, with more of it)."
    )


def run_config(run, preset_name, changes):
    """Returns the configuration of a run: that in its folder, or a preset's; with `changes`.

    Raises:
        WrongInput: A value is out of range.
    """
    from tf_softras.training import RunFolder

    if preset_name is None and (run / "config.json").exists():
        config = RunFolder.open(run).config
    else:
        config = preset(preset_name or "paper")
    changes = {name: value for name, value in changes.items() if value is not None}
    of_model = {name: changes.pop(name) for name in ("color",) if name in changes}
    with wrong_input(ValueError):
        return config.replace(model=config.model.replace(**of_model), **changes)
