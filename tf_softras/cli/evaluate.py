"""`softras evaluate`: the 3D IoU of runs, class by class."""

import click

from tf_softras.cli.command import Command, WrongInput
from tf_softras.cli.options import (
    PATH,
    checkpoint_option,
    config_option,
    data_dir_option,
    open_split,
    prepared_builder,
)

# Rows of a sheet.
SHEET_OBJECTS = 8


@click.command(
    cls=Command,
    examples=[
        "softras evaluate runs/paper --data-dir data",
        "softras evaluate runs/paper --data-dir data --split val --template",
        "softras evaluate runs/paper --data-dir data --split val --refine found --refine known",
        "softras evaluate runs/paper --data-dir data --metrics --meshes ~/ShapeNetCore.v1",
        "softras evaluate runs/n3mr runs/voxel runs/softras --data-dir data --split val",
        "softras evaluate runs/colored --data-dir data --split val --sheet colors.png",
    ],
)
@click.argument("runs", type=PATH, nargs=-1, required=True, metavar="RUN...")
@click.option("--split", default="test", show_default=True, help="Split of the data set.")
@config_option
@data_dir_option
@checkpoint_option
@click.option("--template", is_flag=True, help="Also show the untrained template's IoU.")
@click.option(
    "--refine",
    type=click.Choice(["found", "known"]),
    multiple=True,
    help="Add columns of meshes fitted to their pictures' silhouettes, from cameras that are "
    "found, or those of the data set.",
)
@click.option("--metrics", is_flag=True, help="Measure more than 3D IoU (extra `metrics`).")
@click.option("--meshes", type=PATH, help="Folder of the true meshes; adds distances to them.")
@click.option("--sheet", type=PATH, help="PNG to write, with the reconstructions of 8 objects.")
@click.option(
    "-o",
    "--output",
    type=PATH,
    help="JSON file.  [default: evaluation_SPLIT.json in the first RUN]",
)
def evaluate(
    runs,
    split,
    config,
    data_dir,
    checkpoint,
    template,
    refine,
    metrics,
    meshes,
    sheet,
    output,
):
    """Print the 3D IoU of runs, class by class.

    Each object is reconstructed from each of its views. The table is Markdown; with several runs
    it has a column for each, named after its folder. Classes have the data set's own names.

    --refine moves the code of each picture until the silhouette of its mesh is that of the picture.
    The camera is as far and as high as that of the published renders, and its azimuth is found; or
    the camera is the data set's. A picture takes about an eighth of a second of one core. Runs
    whose method makes no meshes of codes (retrieval, voxel) have no such column. --metrics measures
    meshes from found cameras too, --sheet draws none.

    --metrics adds, from view 2 of each object, the IoU of silhouettes from the other views and the
    share of faces that cut others; with --meshes also chamfer and scan-to-mesh distance, F-score
    at 2 % and normal consistency. --sheet shows reconstructions side by side; with --meshes also
    the true surface, coloured by its distance from each. For a single run with colours it shows
    true and reconstructed views. Runs with colours have a second table: the PSNR of their colours
    in dB, beside that of the input's mean colour.
    """
    from tf_softras import training
    from tf_softras._shared.files import write_json
    from tf_softras.reconstruction import as_reconstructor

    folders = [training.RunFolder.open(run) for run in runs]
    names = [checkpoint] if len(runs) == 1 else [folder.path.name for folder in folders]
    if len(set(names)) < len(names):
        raise WrongInput(f"RUN: expected folders of different names; received {names}")
    networks = {
        name: as_reconstructor(folder.load_reconstructor(checkpoint))
        for name, folder in zip(names, folders, strict=True)
    }
    refined = refined_networks(networks) if refine else {}
    if template:
        networks = {"template": template_of(networks.values()), **networks}
    builder = prepared_builder(config, data_dir)
    dataset = open_split(builder, split)
    class_names = builder.info.features["label"].names
    evaluations = {
        name: training.evaluate(network, dataset, class_names=class_names)
        for name, network in networks.items()
    }
    for name, network in refined.items():
        for camera in dict.fromkeys(refine):
            evaluations[f"{name}, camera {camera}"] = training.evaluate(
                network, dataset, class_names=class_names, known_cameras=camera == "known"
            )
    truth = meshes and training.true_meshes(meshes)
    measured = {}
    if metrics:
        found = refined if "found" in refine else {}
        measurable = networks | {f"{name}, camera found": one for name, one in found.items()}
        measured = {
            name: training.measure(network, dataset, truth=truth, class_names=class_names)
            for name, network in measurable.items()
        }
    psnr = {
        name: training.evaluate_colors(network, dataset, class_names=class_names)
        for name, network in networks.items()
        if network.gives == "colored meshes"
    }
    output = output or folders[0].path / f"evaluation_{split}.json"
    data = {"config": builder.builder_config.name, "split": split}
    results = {name: evaluation.to_dict() for name, evaluation in evaluations.items()}
    for name, measurements in measured.items():
        results[name]["metrics"] = measurements.to_dict()
    for name, columns in psnr.items():
        results[name]["psnr"] = {title: column.to_dict() for title, column in columns.items()}
    write_json(output, {**data, **results})
    click.echo(training.comparison_table(evaluations), nl=False)
    if measured:
        click.echo("\n" + training.metrics_table(measured), nl=False)
    for name, columns in psnr.items():
        click.echo(f"\nPSNR of {name}, dB:\n")
        click.echo(training.comparison_table(columns, decimals=2), nl=False)
    if sheet:
        draw_sheet(networks, dataset, sheet, truth=truth, class_names=class_names)
    click.echo(f"\nWrote {output}", err=True)


def refined_networks(networks):
    """Returns those of the networks that make meshes of codes, refined, with their names.

    Raises:
        WrongInput: None does.
    """
    from tf_softras.reconstruction import MeshNetwork, RefinedNetwork

    refined = {
        name: RefinedNetwork(network)
        for name, network in networks.items()
        if isinstance(network, MeshNetwork)
    }
    if not refined:
        raise WrongInput(
            "--refine: expected a run whose method makes meshes (softras, n3mr); received none"
        )
    return refined


def template_of(networks):
    """Returns the `TemplateBaseline` of the first network that deforms a template.

    Raises:
        WrongInput: None does.
    """
    from tf_softras.reconstruction import MeshNetwork, TemplateBaseline

    for network in networks:
        if isinstance(network, MeshNetwork):
            return TemplateBaseline(network.network.template, image_size=network.image_size)
    raise WrongInput(
        "--template: expected a run whose method makes meshes (softras, n3mr); received none"
    )


def draw_sheet(networks, dataset, path, *, truth, class_names=None):
    """Draws views in colour of a single network that gives colours; else all answers side by side.

    Args:
        networks: Name -> `Reconstructor`.
        dataset: Examples of a split.
        path: The PNG file to write.
        truth: As for `training.comparison_sheet`.
        class_names: The data set's own names.
    """
    from tf_softras import training

    examples = dataset.shuffle(len(dataset), seed=0).take(SHEET_OBJECTS)
    colored = [network for network in networks.values() if network.gives == "colored meshes"]
    if len(colored) == 1 and truth is None:
        training.color_sheet(colored[0], examples, path, class_names=class_names)
    else:
        training.comparison_sheet(networks, examples, path, truth=truth, class_names=class_names)
