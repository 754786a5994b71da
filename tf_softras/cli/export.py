"""`softras export`: a SavedModel out of a run, or of the network that comes with tf_softras."""

import click

from tf_softras.cli.command import Command, WrongInput
from tf_softras.cli.options import PATH, check_without_run, checkpoint_option


@click.command(
    cls=Command,
    examples=[
        "softras export saved_models/shipped",
        "softras export runs/paper saved_models/chair",
        "softras export runs/paper saved_models/chair --version 12 --checkpoint last",
        "saved_model_cli show --dir saved_models/chair/1 --all",
        "tensorflow_model_server --model_name=chair --model_base_path=$PWD/saved_models/chair",
    ],
)
@click.argument("run", type=PATH, metavar="[RUN]", required=False)
@click.argument("output", type=PATH, metavar="OUTPUT", required=False)
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
    """Write a network as the SavedModel OUTPUT/VERSION.

    The network is that of a run; where none is named, the one that comes with tf_softras.
    TensorFlow Serving offers OUTPUT as it is, and TensorFlow alone runs it: images, PNG and JPEG
    files to vertices, faces and binary glTF; silhouettes of meshes. docs/serving.md tells more.
    """
    from tf_softras.config import ReconstructionConfig
    from tf_softras.export import export_saved_model, free_version
    from tf_softras.reconstruction import shipped_network
    from tf_softras.training import RunFolder

    if output is None:
        run, output = None, run
        if output is None:
            raise click.UsageError("Missing argument 'OUTPUT'.")
        if (output / "config.json").is_file():
            raise WrongInput(
                f"OUTPUT: expected a folder of versions; received '{output}', which holds a run"
            )
    if run is None:
        check_without_run(checkpoint, "none, but the network that comes with tf_softras")
    run = None if run is None else RunFolder.open(run)
    bases = {output: "reference"}
    if with_op:
        bases[output.with_name(f"{output.name}_with_op")] = "op"
    # One number for both, free in both: before the network is loaded.
    version = max(free_version(base, version) for base in bases)
    reconstructor = shipped_network() if run is None else run.load_reconstructor(checkpoint)
    sigma = ReconstructionConfig.sigma if run is None else run.config.sigma
    for base, implementation in bases.items():
        path = export_saved_model(
            reconstructor,
            base,
            version=version,
            sigma=sigma,
            implementation=implementation,
            max_pixels=max_pixels,
        )
        click.echo(f"Wrote {path}")
