"""`softras experiment`: runs one of the paper's experiments on a data set."""

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
from tf_softras.config import PRESETS, preset


@click.command(
    cls=Command,
    examples=[
        "softras experiment table1 --preset many-pictures --seeds 3 --data-dir data --output t1",
        "softras experiment ablation --data-dir data --output runs/ablation --metrics",
    ],
)
@click.argument(
    "name", type=click.Choice(["table1", "ablation", "views", "regularization", "sigma"])
)
@click.option(
    "--output", type=PATH, required=True, help="Folder to write. An experiment in it continues."
)
@config_option
@data_dir_option
@click.option("--preset", "preset_name", type=click.Choice(list(PRESETS)), default="paper")
@recipe_options
@click.option("--steps-per-epoch", type=int, default=250, show_default=True)
@click.option(
    "--seeds", type=click.IntRange(1), default=1, show_default=True, help="Runs of each variant."
)
@click.option("--time-limit", type=float, help="Minutes after which each run ends.")
@click.option("--split", default="val", show_default=True, help="Split to evaluate on.")
@click.option("--metrics", is_flag=True, help="Measure more than 3D IoU (extra `metrics`).")
@click.option(
    "--fit",
    is_flag=True,
    help="Add a row of meshes fitted to each object's own silhouettes (extra `fit`).",
)
@click.option(
    "--refine",
    is_flag=True,
    help="Add rows of meshes fitted to their pictures' silhouettes, from cameras that are found.",
)
@click.option("--meshes", type=PATH, help="Folder of the true meshes; adds distances to them.")
def experiment(
    name,
    output,
    config,
    data_dir,
    preset_name,
    steps_per_epoch,
    seeds,
    time_limit,
    split,
    metrics,
    fit,
    refine,
    meshes,
    **changes,
):
    """Train and compare: the methods of Table 1, the losses, the views, weights, or sigmas.

    OUTPUT gets a run folder for each run, results.md, results.json and picture.png. results.md has
    95 % intervals and the lead of the last run, object by object. The same command continues an
    experiment that was ended or killed.

    views trains on the configurations meshes and meshes_120, which must both be prepared.
    """
    from tf_softras import training

    given = {key: value for key, value in changes.items() if value is not None}
    builders = {None: prepared_builder(config or ("meshes" if name == "views" else None), data_dir)}

    def datasets(data, part):
        if data not in builders:
            builders[data] = prepared_builder(data, data_dir)
        return open_split(builders[data], part)

    with wrong_input(ValueError):
        training.run_experiment(
            name,
            preset(preset_name).replace(**given),
            datasets,
            output,
            seeds=seeds,
            split=split,
            metrics=metrics,
            fit=fit,
            refine=refine,
            truth=meshes and training.true_meshes(meshes),
            class_names=builders[None].info.features["label"].names,
            steps_per_epoch=steps_per_epoch,
            time_limit=time_limit and 60.0 * time_limit,
        )
    click.echo((output / "results.md").read_text(encoding="utf-8"), nl=False)
    click.echo(f"\nWrote {output}", err=True)
