"""`softras evaluate`: the 3D IoU of a run, class by class."""

import click

from tf_softras.cli.command import Command
from tf_softras.cli.options import (
    PATH,
    checkpoint_option,
    config_option,
    data_dir_option,
    open_split,
    prepared_builder,
)


@click.command(
    cls=Command,
    examples=[
        "softras evaluate runs/paper --data-dir data",
        "softras evaluate runs/paper --data-dir data --split val --template",
    ],
)
@click.argument("run", type=PATH)
@click.option("--split", default="test", show_default=True, help="Split of the data set.")
@config_option
@data_dir_option
@checkpoint_option
@click.option("--template", is_flag=True, help="Beside it, the untrained template's IoU.")
@click.option("-o", "--output", type=PATH, help="JSON file.  [default: RUN/evaluation_SPLIT.json]")
def evaluate(run, split, config, data_dir, checkpoint, template, output):
    """Print the 3D IoU of a run, class by class.

    Meshes are reconstructed from every view of every object. The table is Markdown.
    """
    from tf_softras import training
    from tf_softras.training.files import write_json

    folder = training.RunFolder.open(run)
    reconstructor = folder.load_reconstructor(checkpoint)
    builder = prepared_builder(config, data_dir)
    dataset = open_split(builder, split)
    networks = {"template": training.TemplateBaseline(reconstructor.template)} if template else {}
    networks[checkpoint] = reconstructor
    evaluations = {name: training.evaluate(network, dataset) for name, network in networks.items()}
    output = output or folder.path / f"evaluation_{split}.json"
    data = {"config": builder.builder_config.name, "split": split}
    results = {name: evaluation.to_dict() for name, evaluation in evaluations.items()}
    write_json(output, {**data, **results})
    click.echo(training.comparison_table(evaluations), nl=False)
    click.echo(f"\nWrote {output}", err=True)
