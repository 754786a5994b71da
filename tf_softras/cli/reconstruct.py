"""`softras reconstruct`: a mesh out of a picture."""

import click

from tf_softras.cli.command import Command, wrong_input
from tf_softras.cli.options import PATH, checkpoint_option


@click.command(
    cls=Command,
    examples=[
        "softras reconstruct chair.png -o chair.glb",
        "softras reconstruct photo.jpg --box 120 80 900 1000 -o chair.glb",
        "softras reconstruct chair.png runs/first -o chair.glb",
        "softras reconstruct photo.jpg saved_models/chair --mask mask.png -o chair.obj",
    ],
)
@click.argument("picture", type=PATH)
@click.argument("model", metavar="[RUN_OR_SAVEDMODEL_OR_URL]", required=False)
@click.option("-o", "--output", type=PATH, required=True, help="Mesh file: .glb or .obj.")
@click.option("--mask", type=PATH, help="Picture of the same size, white where the object is.")
@click.option(
    "--box",
    type=int,
    nargs=4,
    metavar="LEFT TOP RIGHT BOTTOM",
    help="Pixels around the object, which GrabCut then cuts out (extra `segment`).",
)
@click.option("--framed", type=PATH, help="Also write the network's input, as PNG.")
@checkpoint_option
def reconstruct(picture, model, output, mask, box, framed, checkpoint):
    """Write the mesh that a network makes of a picture.

    PICTURE is a PNG whose alpha channel cuts the object out, or any picture with a --mask, or with
    a --box around an object whose colours differ from the background's. It is cropped and padded
    so that the object is as large as in the training renders; --framed writes the result. The
    network is a run's, a SavedModel's, or a model under TensorFlow Serving, given by its URL; by
    default it is the network that comes with tf_softras. The vertices have colours if the network
    was trained with colours.
    """
    from tf_softras.geometry import save_mesh
    from tf_softras.pictures import read_picture, write_picture
    from tf_softras.reconstruction import mesh_from_picture, open_reconstructor

    # The picture is read first, so that a wrong one is reported before the network is loaded.
    pixels = read_picture(picture, mask_path=mask, box=box)
    mesh, seen = mesh_from_picture(open_reconstructor(model, checkpoint=checkpoint), pixels)
    if framed is not None:
        write_picture(framed, seen)
    with wrong_input(ValueError):
        save_mesh(output, mesh)
    click.echo(f"{output}: {len(mesh.vertices)} vertices, {len(mesh.faces)} faces")
