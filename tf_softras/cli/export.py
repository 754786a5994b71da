"""`softras export`: a SavedModel out of a run."""

import click

from tf_softras.cli.command import Command
from tf_softras.cli.options import PATH, checkpoint_option


@click.command(
    cls=Command,
    examples=[
        "softras export runs/paper saved_models/chair",
        "softras export runs/paper saved_models/chair --version 12 --checkpoint last",
        "saved_model_cli show --dir saved_models/chair/1 --all",
        "tensorflow_model_server --model_name=chair --model_base_path=$PWD/saved_models/chair",
    ],
)
@click.argument("run", type=PATH)
@click.argument("output", type=PATH)
@click.option("--version", type=click.IntRange(1), help="[default: the next behind the newest]")
@click.option(
    "--with-op",
    is_flag=True,
    help="Also write OUTPUT_with_op/VERSION, whose silhouettes come from the op.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1, 4096 * 4096),
    default=4096 * 4096,
    show_default=True,
    help="The most pixels of a served picture: 20 bytes of memory each for every call in work.",
)
@checkpoint_option
def export(run, output, version, with_op, max_pixels, checkpoint):
    """Write a run's network as the SavedModel OUTPUT/VERSION.

    TensorFlow Serving offers OUTPUT as it is, and TensorFlow alone runs it: images, PNG and JPEG
    files to vertices, faces and binary glTF; silhouettes of meshes. docs/serving.md tells more.
    """
    from tf_softras.export import export_saved_model, free_version
    from tf_softras.training import RunFolder

    run = RunFolder.open(run)
    bases = {output: "reference"}
    if with_op:
        bases[output.with_name(f"{output.name}_with_op")] = "op"
    # One number for both, free in both: before the network is loaded.
    version = max(free_version(base, version) for base in bases)
    reconstructor = run.load_reconstructor(checkpoint)
    for base, implementation in bases.items():
        path = export_saved_model(
            reconstructor,
            base,
            version=version,
            sigma=run.config.sigma,
            implementation=implementation,
            max_pixels=max_pixels,
        )
        click.echo(f"Wrote {path}")
