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

# Rows of a sheet.
SHEET_OBJECTS = 12


@click.command(
    cls=Command,
    examples=[
        "softras evaluate runs/paper --data-dir data",
        "softras evaluate runs/paper --data-dir data --split val --template",
        "softras evaluate runs/colored --data-dir data --split val --sheet colors.png",
    ],
)
@click.argument("run", type=PATH)
@click.option("--split", default="test", show_default=True, help="Split of the data set.")
@config_option
@data_dir_option
@checkpoint_option
@click.option("--template", is_flag=True, help="Beside it, the untrained template's IoU.")
@click.option(
    "--sheet", type=PATH, help="PNG of the split's first objects, true and reconstructed."
)
@click.option("-o", "--output", type=PATH, help="JSON file.  [default: RUN/evaluation_SPLIT.json]")
def evaluate(run, split, config, data_dir, checkpoint, template, sheet, output):
    """Print the 3D IoU of a run, class by class.

    Meshes are reconstructed from every view of every object. The table is Markdown. Of a run with
    colours a second table has their PSNR in dB, beside that of the input's mean colour.
    """
    from tf_softras import training
    from tf_softras.training.files import write_json
    from tf_softras.training.predictor import gives_colors

    folder = training.RunFolder.open(run)
    reconstructor = folder.load_reconstructor(checkpoint)
    builder = prepared_builder(config, data_dir)
    dataset = open_split(builder, split)
    networks = {"template": training.TemplateBaseline(reconstructor.template)} if template else {}
    networks[checkpoint] = reconstructor
    evaluations = {name: training.evaluate(network, dataset) for name, network in networks.items()}
    psnr = {
        name: training.evaluate_colors(network, dataset)
        for name, network in networks.items()
        if gives_colors(network)
    }
    output = output or folder.path / f"evaluation_{split}.json"
    data = {"config": builder.builder_config.name, "split": split}
    results = {name: evaluation.to_dict() for name, evaluation in evaluations.items()}
    for name, columns in psnr.items():
        results[name]["psnr"] = {title: column.to_dict() for title, column in columns.items()}
    write_json(output, {**data, **results})
    click.echo(training.comparison_table(evaluations), nl=False)
    for name, columns in psnr.items():
        click.echo(f"\nPSNR of {name}, dB:\n")
        click.echo(training.comparison_table(columns, decimals=2), nl=False)
    if sheet is not None:
        draw_sheet(networks, dataset, sheet)
    click.echo(f"\nWrote {output}", err=True)


def draw_sheet(networks, dataset, path):
    """Draws the first network that gives colours, true and reconstructed; else the last one."""
    from tf_softras import training
    from tf_softras.training.predictor import gives_colors

    examples = dataset.shuffle(len(dataset), seed=0).take(SHEET_OBJECTS)
    colored = [network for network in networks.values() if gives_colors(network)]
    if colored:
        training.color_sheet(colored[0], examples, path)
    else:
        training.contact_sheet(list(networks.values())[-1], examples, path)
