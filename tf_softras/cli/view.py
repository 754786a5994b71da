"""`softras view`: an HTML file that shows a mesh."""

import pathlib

import click

from tf_softras.cli.command import Command, WrongInput, wrong_input
from tf_softras.cli.options import PATH, check_without_run, checkpoint_option

# A browser holds several copies of a page in memory.
MAX_BYTES = 256 * 2**20


@click.command(
    cls=Command,
    examples=[
        "softras view chair.glb -o chair.html",
        "softras view chair.obj -o chair.html",
        "softras view -o meshes.html",
        "softras view runs/first -o meshes.html",
    ],
)
@click.argument("source", type=PATH, metavar="[MESH_OR_RUN_OR_SAVEDMODEL]", required=False)
@click.option("-o", "--output", type=PATH, required=True, help="Page to write: .html.")
@checkpoint_option
def view(source, output, checkpoint):
    """Write an HTML file that shows a mesh, turning, and works offline.

    A mesh is a .glb, .obj, .ply, .off or .stl file. The page shows it as `softras render` draws it,
    with its colours, textures and glass. For a run or a SavedModel the page shows the meshes that
    its network makes of the sample's pictures; without a name those of the network that comes with
    tf_softras.
    """
    from tf_softras._shared.files import replaced_whole
    from tf_softras.viewer import view_html

    if output.suffix.lower() not in (".html", ".htm"):
        raise WrongInput(f"-o: expected a name that ends in .html; received '{output}'")
    if not output.parent.is_dir():
        raise WrongInput(f"-o: expected a folder that exists; received '{output.parent}'")
    if source is None or source.is_dir():
        views = _views_of_network(source, checkpoint)
    else:
        check_without_run(checkpoint, f"the mesh '{source}'")
        views = [_view_of_mesh(source)]
    with wrong_input(ValueError):
        page = view_html(views)
    if len(page) > MAX_BYTES:
        raise WrongInput(
            f"'{source}': expected a mesh whose page has at most {MAX_BYTES} bytes; received "
            f"{len(page)} bytes"
        )
    with replaced_whole(output) as written:
        written.write_text(page, encoding="utf-8")
    click.echo(f"{output}: {len(views)} mesh{'' if len(views) == 1 else 'es'}, {len(page)} bytes")


def _view_of_mesh(path: pathlib.Path):
    from tf_softras.geometry import load_mesh
    from tf_softras.viewer import View

    return View(name=path.name, mesh=load_mesh(path))


def _views_of_network(path: pathlib.Path | None, checkpoint: str) -> list:
    from tf_softras.datasets.shapenet_views.sample_pictures import sample_pictures
    from tf_softras.reconstruction import (
        mesh_from_picture,
        open_reconstructor,
        saved_model_folder,
    )
    from tf_softras.viewer import View

    if path is not None and not (saved_model_folder(path) or (path / "config.json").is_file()):
        raise WrongInput(
            f"'{path}': expected a mesh file, the folder of a run (`softras train`) or a "
            "SavedModel (`softras export`); received a folder that is none of these"
        )
    network = open_reconstructor(path, checkpoint=checkpoint)
    views = []
    for name, picture in sample_pictures().items():
        mesh, _ = mesh_from_picture(network, picture)
        views.append(View(name=name, mesh=mesh, picture=picture))
    return views
