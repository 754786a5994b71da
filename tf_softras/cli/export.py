"""`softras export`: a SavedModel out of a run."""

import click

from tf_softras.cli.command import Command
from tf_softras.cli.options import PATH, checkpoint_option


@click.command(
    cls=Command,
    examples=[
        "softras export runs/paper saved_models/chair/1",
        "saved_model_cli show --dir saved_models/chair/1 --all",
    ],
)
@click.argument("run", type=PATH)
@click.argument("output", type=PATH)
@checkpoint_option
def export(run, output, checkpoint):
    """Write a run's network as a SavedModel folder OUTPUT.

    TensorFlow alone runs it, and TensorFlow Serving. It takes images float32 [None, 64, 64, 4] in
    [0, 1] and gives vertices float32 [None, 642, 3] and faces int32 [1280, 3].
    """
    from tf_softras.export import export_saved_model
    from tf_softras.training import RunFolder

    export_saved_model(RunFolder.open(run).load_reconstructor(checkpoint), output)
    click.echo(f"Wrote {output}")
