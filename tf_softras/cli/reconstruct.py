"""`softras reconstruct`: a mesh out of a picture."""

import click
import numpy as np

from tf_softras.cli.command import Command, wrong_input
from tf_softras.cli.options import PATH, checkpoint_option, load_network


@click.command(
    cls=Command,
    examples=[
        "softras reconstruct chair.png runs/paper -o chair.glb",
        "softras reconstruct photo.jpg saved_models/chair --mask mask.png -o chair.obj",
        "softras reconstruct photo.jpg runs/paper --box 120 80 900 1000 -o chair.glb",
    ],
)
@click.argument("picture", type=PATH)
@click.argument("model", type=PATH, metavar="RUN_OR_SAVEDMODEL")
@click.option("-o", "--output", type=PATH, required=True, help="Mesh file: .glb or .obj.")
@click.option("--mask", type=PATH, help="Picture of the same size, white where the object is.")
@click.option(
    "--box",
    type=int,
    nargs=4,
    metavar="LEFT TOP RIGHT BOTTOM",
    help="Pixels around the object, which GrabCut then cuts out (extra `segment`).",
)
@click.option("--framed", type=PATH, help="Also write, as PNG, what the network sees.")
@checkpoint_option
def reconstruct(picture, model, output, mask, box, framed, checkpoint):
    """Write the mesh that a network makes of a picture.

    PICTURE is a PNG whose alpha channel cuts the object out, or any PNG or JPEG with a --mask, or
    with a --box around an object whose colours are not the background's. It is cut and padded so
    that the object is as large as in the training renders: look at what --framed writes. The
    vertices have colours if the network was trained with them.
    """
    from tf_softras.geometry import Mesh, save_mesh
    from tf_softras.pictures import frame_object, read_picture, write_picture

    pixels = read_picture(picture, mask_path=mask, box=box)
    network, image_size = load_network(model, checkpoint=checkpoint)
    seen = frame_object(pixels, image_size=image_size)
    if framed is not None:
        write_picture(framed, seen)
    images, colors = np.float32(seen[None]) / 255.0, None
    if network.gives_colors:
        (vertices,), (colors,) = network.colored(images)
    else:
        (vertices,) = network(images)
    with wrong_input(ValueError):
        save_mesh(output, Mesh(vertices, network.faces, vertex_colors=colors))
    click.echo(f"{output}: {len(vertices)} vertices, {len(network.faces)} faces")
