"""The command `softras`: arguments in; files out, or one sentence that says what is wrong.

A command's module loads TensorFlow and the rooms of the package inside its functions, so that help
is there at once, and so that TensorFlow's start-up messages can be held back (`command.py`).
"""

import click

from tf_softras.cli.command import Group
from tf_softras.cli.demo import demo
from tf_softras.cli.evaluate import evaluate
from tf_softras.cli.experiment import experiment
from tf_softras.cli.export import export
from tf_softras.cli.fit import fit
from tf_softras.cli.gallery import gallery
from tf_softras.cli.page import page
from tf_softras.cli.prepare import prepare
from tf_softras.cli.reconstruct import reconstruct
from tf_softras.cli.render import render
from tf_softras.cli.train import train
from tf_softras.cli.view import view
from tf_softras.version import __version__


@click.group(
    cls=Group,
    examples=[
        "softras demo --output runs/demo",
        "softras prepare --meshes FOLDER --data-dir data",
        "softras train --data-dir data --run runs/first",
        "softras evaluate runs/first --data-dir data",
        "softras reconstruct chair.png runs/first -o chair.glb",
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="softras")
def main():
    """Meshes out of single pictures, learned from silhouettes."""


for _command in (
    prepare,
    train,
    evaluate,
    experiment,
    reconstruct,
    fit,
    export,
    render,
    view,
    page,
    gallery,
    demo,
):
    main.add_command(_command)
