"""`softras view`: an HTML file that shows a mesh."""

import pathlib

import click

from tf_softras.cli.command import Command, WrongInput, wrong_input
from tf_softras.cli.options import PATH, checkpoint_option

# A page holds the file in base64, and the browser keeps it several times over.
MAX_BYTES = 64 * 2**20


@click.command(
    cls=Command,
    examples=[
        "softras view chair.glb -o chair.html",
        "softras view chair.obj -o chair.html",
        "softras view runs/first -o meshes.html",
    ],
)
@click.argument("source", type=PATH, metavar="MESH_OR_RUN_OR_SAVEDMODEL")
@click.option("-o", "--output", type=PATH, required=True, help="Page to write: .html.")
@checkpoint_option
def view(source, output, checkpoint):
    """Write an HTML file that shows a mesh, turning, and works offline.

    A mesh is a .glb, .obj, .ply, .off or .stl file. For a run or a SavedModel the page shows the
    meshes that its network makes of the sample's pictures.
    """
    from tf_softras._shared.files import replaced_whole
    from tf_softras.viewer import view_html

    if output.suffix.lower() not in (".html", ".htm"):
        raise WrongInput(f"-o: expected a name that ends in .html, received '{output}'.")
    if not output.parent.is_dir():
        raise WrongInput(f"-o: expected a folder that exists, received '{output.parent}'.")
    if source.is_dir():
        views = _views_of_network(source, checkpoint)
    else:
        views = [_view_of_mesh(source)]
    with wrong_input(ValueError):
        page = view_html(views)
    with replaced_whole(output) as written:
        written.write_text(page, encoding="utf-8")
    click.echo(f"{output}: {len(views)} mesh{'' if len(views) == 1 else 'es'}, {len(page)} bytes")


def _view_of_mesh(path: pathlib.Path):
    from tf_softras.geometry import encode_mesh, load_mesh
    from tf_softras.viewer import View

    if path.suffix.lower() != ".glb":
        glb = encode_mesh("mesh.glb", load_mesh(path))["mesh.glb"]
    else:
        with path.open("rb") as file:
            glb = file.read(MAX_BYTES + 1)
    if len(glb) > MAX_BYTES:
        raise WrongInput(f"Expected a mesh of at most {MAX_BYTES} bytes, received '{path}'.")
    return View(name=path.name, glb=glb)


def _views_of_network(path: pathlib.Path, checkpoint: str) -> list:
    from tf_softras.datasets.shapenet_views.sample_pictures import sample_pictures
    from tf_softras.geometry import encode_mesh
    from tf_softras.reconstruction import mesh_from_picture, open_reconstructor
    from tf_softras.viewer import View

    network = open_reconstructor(path, checkpoint=checkpoint)
    views = []
    for name, picture in sample_pictures().items():
        mesh, _ = mesh_from_picture(network, picture)
        glb = encode_mesh("mesh.glb", mesh)["mesh.glb"]
        views.append(View(name=name, glb=glb, picture=picture))
    return views
