"""`softras render`: pictures of a mesh."""

import click
import numpy as np

from tf_softras.cli.command import Command, WrongInput, wrong_input
from tf_softras.cli.options import PATH, FiniteFloat, FiniteFloatRange

# The options of the pictures in -o, which those of --transforms do not follow.
_OF_OUTPUT = ("azimuth", "elevation", "background", "seconds")

MAX_PIXELS = 100_000_000
BACKGROUNDS = {"transparent": None, "white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0)}


@click.command(
    cls=Command,
    examples=[
        "softras render chair.obj -o chair.png --size 512",
        "softras render chair.glb -o around.png --views 8 --background white",
        "softras render chair.obj -o turntable.gif --views 60",
        "softras render chair.glb --transforms pictures --views 32",
    ],
)
@click.argument("mesh", type=PATH)
@click.option(
    "-o",
    "--output",
    type=PATH,
    help="File to write: .png, .gif or .mp4.",
)
@click.option(
    "--transforms",
    type=PATH,
    help="Folder to write: pictures from all around, and their cameras as NeRF's transforms.json. "
    "Angles and background are those of -o alone.",
)
@click.option(
    "--views",
    type=click.IntRange(1, 360),
    default=1,
    show_default=True,
    help="Pictures side by side, or frames of a film, from all around the mesh.",
)
@click.option(
    "--size",
    type=click.IntRange(1, 4096),
    default=256,
    show_default=True,
    help="Side of each picture in pixels.",
)
@click.option(
    "--azimuth",
    type=FiniteFloat(),
    default=30.0,
    show_default=True,
    help="First view: degrees from +x to +z.",
)
@click.option("--elevation", type=FiniteFloat(), help="Degrees above the ground.  [default: 30]")
@click.option(
    "--distance",
    type=FiniteFloatRange(0.0, min_open=True),
    help="Distance from the centre; the longest side is 1.  [default: the mesh fits the frame]",
)
@click.option("--background", type=click.Choice(list(BACKGROUNDS)), default="transparent")
@click.option(
    "--seconds",
    type=FiniteFloatRange(0.0, min_open=True),
    default=4.0,
    show_default=True,
    help="Length of a film.",
)
def render(
    mesh, output, transforms, views, size, azimuth, elevation, distance, background, seconds
):
    """Draw a mesh (.obj, .glb, .ply, .off or .stl) with its colours, textures and glass.

    By default the camera is so far away that all views show the whole mesh. The data sets use
    --distance 2.732, which cuts off the corners of cubes. Films have a white background unless it
    is black. MP4 needs: pip install 'tf-softras[film]'
    """
    from tf_softras.geometry import cameras, load_mesh
    from tf_softras.pictures import write_picture
    from tf_softras.rendering import fitting_distance, render_views
    from tf_softras.viewer import film

    if output is None and transforms is None:
        raise WrongInput("-o: expected a file, or a folder for --transforms; received neither")
    if output is None:
        _check_given_for_output(_OF_OUTPUT)
    if views * size**2 > MAX_PIXELS:
        raise WrongInput(
            f"--size: expected at most {MAX_PIXELS:,} pixels in all; received --views {views} of "
            f"--size {size}"
        )
    elevation = cameras.N3MR_ELEVATION if elevation is None else elevation
    azimuths = azimuth + np.arange(views, dtype=np.float32) * (360.0 / views)
    is_film = output is not None and output.suffix.lower() in film.SUFFIXES
    if is_film and background == "transparent":
        background = "white"
    longest = views * film.GIF_FRAME_SECONDS
    if is_film and output.suffix.lower() == ".gif" and seconds > longest:
        raise WrongInput(
            f"--seconds: expected at most {longest:.10g} for a GIF of --views {views}, "
            f"{film.GIF_FRAME_SECONDS} a frame; received {seconds:.10g}"
        )
    loaded = load_mesh(mesh)
    if transforms is not None:
        _write_transforms(loaded, transforms, views, size, distance)
    if output is None:
        return
    with wrong_input(ValueError):
        loaded = loaded.normalized()
        if distance is None:
            distance = fitting_distance(loaded, elevation, azimuths)
        pictures = render_views(
            loaded,
            cameras.eye_from_angles(distance, elevation, azimuths),
            image_size=size,
            background=BACKGROUNDS[background],
            up=cameras.up_from_angles(elevation, azimuths),
        )
        if is_film:
            film.write_film(output, pictures[..., :3], frames_per_second=views / seconds)
        else:
            write_picture(output, np.concatenate(pictures, axis=1))
    click.echo(f"{output}: {views} x {size} x {size} pixels")


def _check_given_for_output(names):
    """Checks that none of the options is given: they would change nothing without -o."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise WrongInput(
                f"--{name}: expected -o beside it, as --transforms has cameras all around and "
                "transparent pictures; received --transforms alone"
            )


def _write_transforms(mesh, folder, views, size, distance):
    """Writes pictures from cameras around a mesh, and transforms.json."""
    from tf_softras.datasets import posed_views
    from tf_softras.rendering import fitting_distance

    with wrong_input(ValueError):
        mesh = mesh.normalized()
        if distance is None:
            distance = fitting_distance(mesh, *posed_views.angles_around(views))
        eyes = posed_views.eyes_around(views, distance=distance)
        posed = posed_views.rendered_views(mesh, eyes, image_size=size)
    posed_views.save_posed_views(folder, posed)
    click.echo(f"{folder}: {views} pictures of {size} x {size} pixels, transforms.json")
