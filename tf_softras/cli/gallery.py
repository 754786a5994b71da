"""`softras gallery`: pictures that show each feature."""

import click

from tf_softras.cli.command import Command
from tf_softras.cli.options import PATH

# Not from tf_softras.gallery: help must not load TensorFlow.
SHEETS = ("softness", "surfaces", "lights", "cameras", "fits")


@click.command(
    cls=Command,
    examples=[
        "softras gallery gallery",
        "softras gallery gallery --only lights --only cameras",
    ],
)
@click.argument("output", type=PATH)
@click.option(
    "--only",
    type=click.Choice(SHEETS),
    multiple=True,
    help="A sheet to draw; may be repeated.  [default: all]",
)
def gallery(output, only):
    """Draw sheets that show the package's features: PNG files in the folder OUTPUT."""
    from tf_softras.gallery import draw_sheet
    from tf_softras.pictures import write_picture

    output.mkdir(parents=True, exist_ok=True)
    for name in only or SHEETS:
        path = output / f"{name}.png"
        write_picture(path, draw_sheet(name))
        click.echo(path)
