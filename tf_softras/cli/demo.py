"""`softras demo`: a fit, the shipped network and a short training on the embedded sample."""

import json
import pathlib
import shutil
import time

import click

from tf_softras.cli.command import Command, WrongInput
from tf_softras.cli.options import PATH, data_builder, open_split
from tf_softras.cli.prepare import described, prepare_data
from tf_softras.config import preset

PRESET = "many-views"
STEPS = 500
STEPS_PER_EPOCH = 250
# Training ends at this many seconds from the start, so that a slow machine needs five minutes.
TIME_LIMIT = 270.0
# Meshes are made of this one of the 24 views of each object: from the front right.
INPUT_VIEW = 2
SHEET_ROWS = 8
# The fit that a demo begins with: a chair with arms, seconds on two cores.
FIT_OBJECT = "03001627/e42542c16f082d0c92373b0943215736/models/model_normalized.obj"
FIT_VIEWS, FIT_SIZE, FIT_STEPS = 24, 72, 320
FILM_FRAMES, FILM_SIZE = 24, 160
# Written when a demo begins, and again when it is finished.
MARKER = "demo.json"


@click.command(
    cls=Command,
    examples=[
        "softras demo --output runs/demo",
    ],
)
@click.option("--output", type=PATH, required=True, help="Folder to write.")
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=STEPS,
    show_default=True,
    help="Training steps.",
)
def demo(output, steps):
    """Fit a mesh to pictures, reconstruct unseen objects, then train a network.

    The objects are embedded in the package. It takes a few minutes on two cores; training ends at
    270 seconds from the start. A demo that was killed goes on where it was. One that is finished is
    moved aside, to OUTPUT.1 and so on.
    """
    start = time.monotonic()
    output = _begin(output)
    fitted = _fit_chair(output)
    builder = _prepare(output)
    shipped, written = _shipped(builder, output)
    time_limit = max(1.0, start + TIME_LIMIT - time.monotonic())
    config = preset(PRESET).replace(steps=steps)
    run, seen, unseen = _train(config, builder, output, time_limit)
    reconstructor = run.load_reconstructor("last")
    written = [
        *fitted,
        *written,
        *_pictures(run, reconstructor, builder, output),
        _saved_model(reconstructor, output),
        (run.path, "the run: weights, history, TensorBoard"),
        (output / MARKER, "the figures below"),
    ]
    _finish(output, shipped, seen, unseen)
    click.echo(f"\nWrote, in {(time.monotonic() - start) / 60:.1f} minutes:")
    for path, what in written:
        click.echo(f"  {path}  ({what})")
    click.echo("\nMean 3D IoU over classes, 1 is perfect:")
    if shipped is not None:
        click.echo(f"  {shipped.mean:.3f}  the shipped network, on objects that it has not seen")
    click.echo(f"  {_from_to(seen)}  the short training, on the objects that it learned from")
    click.echo(f"  {_from_to(unseen)}  the short training, on other objects")


def _say(number: int, words: str) -> None:
    click.secho(f"\n[{number}/5] {words}", bold=True)


def _begin(output: pathlib.Path) -> pathlib.Path:
    """Returns the folder, new or of a demo that was killed, with the marker in it.

    Raises:
        WrongInput: There is a file of that name, or a folder with other things in it.
    """
    from tf_softras._shared.files import write_json

    if output.exists() and not output.is_dir():
        raise WrongInput(f"--output: expected a folder; received the file '{output}'")
    if (output / MARKER).is_file():
        if json.loads((output / MARKER).read_text())["finished"]:
            aside = _free_name(output)
            output.rename(aside)
            click.echo(f"An earlier demo is kept in {aside}.")
        else:
            click.echo(f"Going on with the demo that was begun in {output}.")
    elif output.is_dir() and any(output.iterdir()):
        raise WrongInput(
            f"--output: expected a new or empty folder, or that of an earlier demo; received "
            f"'{output}', which holds other files"
        )
    write_json(output / MARKER, {"finished": False})
    return output


def _free_name(path: pathlib.Path) -> pathlib.Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return aside


def _fit_chair(output: pathlib.Path) -> list[tuple]:
    """Fits a ball to pictures of a chair, and returns what it wrote; nothing without the extra."""
    import tempfile

    from tf_softras.cli.fit import fit_and_write, fit_summary
    from tf_softras.datasets.posed_views import eyes_around, rendered_views
    from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
    from tf_softras.geometry import load_mesh

    folder = output / "fit"
    written = [
        (folder / "chair.gif", "a ball becomes a chair, by pictures of it"),
        (folder / "chair.glb", "the fitted mesh, textured"),
        (folder / "chair.html", "true and fitted views, and the mesh turning"),
    ]
    if all(path.is_file() for path, _ in written):
        return written
    _say(1, f"Fitting a ball to {FIT_VIEWS} pictures of a chair, by gradients through the renderer")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as sample:
        unpack_sample(sample)
        mesh = load_mesh(pathlib.Path(sample) / FIT_OBJECT).normalized()
    views = rendered_views(mesh, eyes_around(FIT_VIEWS), image_size=FIT_SIZE)
    try:
        fitted, _ = fit_and_write(
            views.holding_out_every(8),
            folder / "chair.glb",
            film=folder / "chair.gif",
            film_frames=FILM_FRAMES,
            film_size=FILM_SIZE,
            start="sphere",
            steps=FIT_STEPS,
            # Silhouettes shape it; the pictures colour it.
            use_pictures=False,
            texture_size=128,
        )
    except ModuleNotFoundError as error:
        click.echo(f"Left out: {error}")
        return []
    click.echo(fit_summary(fitted))
    return written


def _prepare(output: pathlib.Path):
    _say(2, "Rendering 34 objects from 24 sides each, and their voxels")
    builder = data_builder("sample", output / "data")
    prepare_data(builder)
    for line in described(builder):
        click.echo(line)
    return builder


def _shipped(builder, output: pathlib.Path) -> tuple:
    """Returns the shipped network's evaluation and what was written; None and nothing without it.

    None of the sample's validation and test objects is among those that it was trained on.
    """
    from tf_softras import training
    from tf_softras.reconstruction import ReconstructorError, shipped_network

    _say(3, "Reconstructing objects that the network of tf_softras has not seen, from one picture")
    try:
        network = shipped_network()
    except ReconstructorError as error:
        click.echo(f"Left out: {error}")
        return None, []
    objects = open_split(builder, "val").concatenate(open_split(builder, "test"))
    evaluation = training.evaluate(network, objects)
    click.echo(f"\n{evaluation.to_markdown('3D IoU')}", nl=False)
    sheet = output / "shipped.png"
    training.contact_sheet(network, objects, sheet, input_view=INPUT_VIEW)
    return evaluation, [
        (sheet, "inputs, silhouettes and meshes of the shipped network, of unseen objects"),
        *_meshes(network, objects, output),
    ]


def _train(config, builder, output: pathlib.Path, time_limit: float):
    """Returns the run folder, and {"before": ..., "after": ...} of seen and of unseen objects."""
    import keras

    from tf_softras import training
    from tf_softras.models import MeshReconstructor

    count = builder.info.splits["train"].num_examples
    _say(
        4,
        f"Training such a network on {count} objects: {config.steps} steps of {config.batch_size} "
        f"pictures, each mesh compared in {config.views_per_mesh} views",
    )
    run = training.train(
        config,
        train_dataset=open_split(builder, "train"),
        validation_dataset=open_split(builder, "val"),
        run_folder=output / "run",
        steps_per_epoch=STEPS_PER_EPOCH,
        time_limit=time_limit,
    )
    done = run.history()[-1]["step"]
    if done < config.steps:
        click.echo(
            f"Ended after {done} steps: this machine is slow or busy, and the meshes are rough."
        )
    _say(5, "Comparing it before and after training, and drawing what it has learned")
    keras.utils.set_random_seed(config.seed)
    before, after = MeshReconstructor(config.model), run.load_reconstructor("last")
    results = []
    for split, whose in (
        ("train", "objects that it learned from"),
        ("test", f"other objects; {count} objects are few to learn from"),
    ):
        dataset = open_split(builder, split)
        result = {
            name: training.evaluate(network, dataset, progress=False)
            for name, network in (("before", before), ("after", after))
        }
        click.echo(f"\n3D IoU, {whose}:\n\n{training.comparison_table(result)}", nl=False)
        results.append(result)
    return run, *results


def _from_to(result: dict) -> str:
    return f"{result['before'].mean:.3f} -> {result['after'].mean:.3f}"


def _pictures(run, reconstructor, builder, output: pathlib.Path) -> list[tuple]:
    from tf_softras import training

    curve, unseen = output / "training_curve.png", output / "contact_sheet.png"
    seen = output / "contact_sheet_train.png"
    training.training_curve(run, curve)
    for split, sheet in (("test", unseen), ("train", seen)):
        examples = open_split(builder, split).take(SHEET_ROWS)
        training.contact_sheet(reconstructor, examples, sheet, input_view=INPUT_VIEW)
    return [
        (curve, "loss and IoU while it was trained"),
        (seen, "inputs, silhouettes and meshes of objects that it learned from"),
        (unseen, "the same of objects that it has not seen"),
    ]


def _meshes(reconstructor, dataset, output: pathlib.Path) -> list[tuple]:
    """Writes the mesh of one picture of each object, with the picture beside it."""
    from tf_softras.datasets.shapenet_views.class_names import CLASS_SYNSETS
    from tf_softras.geometry import save_mesh
    from tf_softras.pictures import write_picture
    from tf_softras.reconstruction import as_reconstructor, meshes_of

    reconstructor = as_reconstructor(reconstructor)
    written = []
    for example in dataset.as_numpy_iterator():
        class_name = list(CLASS_SYNSETS)[example["label"]]
        folder = output / "meshes" / f"{class_name}-{example['model_id'].decode()}"
        folder.mkdir(parents=True, exist_ok=True)
        picture = example["images"][INPUT_VIEW]
        (mesh,) = meshes_of(reconstructor, picture[None].astype("float32") / 255.0)
        save_mesh(folder / "mesh.glb", mesh)
        write_picture(folder / "picture.png", picture)
        written.append((folder / "mesh.glb", "of picture.png beside it"))
    return written


def _saved_model(reconstructor, output: pathlib.Path) -> tuple:
    from tf_softras.export import export_saved_model

    base = output / "saved_model"
    shutil.rmtree(base, ignore_errors=True)  # A demo that was killed may have left it.
    export_saved_model(reconstructor, base)
    return base, "for TensorFlow Serving; TensorFlow alone runs it"


def _finish(output: pathlib.Path, shipped, seen: dict, unseen: dict) -> None:
    from tf_softras._shared.files import write_json

    figures: dict = {
        split: {name: evaluation.to_dict() for name, evaluation in result.items()}
        for split, result in (("train", seen), ("test", unseen))
    }
    if shipped is not None:
        figures["shipped"] = shipped.to_dict()
    write_json(output / MARKER, {"finished": True, **figures})
