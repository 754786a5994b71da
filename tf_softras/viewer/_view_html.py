"""Meshes in one HTML file that shows them turning, with no other file and no network."""

import base64
import dataclasses
import html
import json
import pathlib
import string
from collections.abc import Sequence

import numpy as np

from tf_softras.geometry import Mesh, encode_mesh
from tf_softras.viewer._png import png_url
from tf_softras.viewer._scene import scene_of

ASSETS = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class View:
    """One mesh of a page, by a name, beside the picture that it was made of if there is one.

    Attributes:
        name: The mesh's name on the page.
        mesh: The mesh, with a face at least.
        picture: uint8 `[height, width, 3 or 4]`, or None.
    """

    name: str
    mesh: Mesh
    picture: np.ndarray | None = None


def view_html(views: Sequence[View]) -> str:
    """Returns an HTML page that shows meshes, one at a time, turning until they are touched.

    Meshes are shown as `rendering.render_views` draws them: the same light, colours, textures and
    glass, from a distance at which the whole mesh is in the frame. The page offers each mesh as
    binary glTF. It holds all it needs and may ask the network for nothing (its content security
    policy says so). `page.html#azimuth=30&elevation=20&distance=3&turning=0` opens it at a view of
    one's choice.

    Args:
        views: The meshes, at least one.

    Raises:
        ValueError: There is no mesh, or one has no faces or no extent.
    """
    if not views:
        raise ValueError("views: expected at least one mesh; received none")
    data = [
        {
            "name": view.name,
            "scene": scene_of(view.mesh),
            "glb": base64.b64encode(encode_mesh("mesh.glb", view.mesh)["mesh.glb"]).decode(),
            "picture": None if view.picture is None else png_url(view.picture),
        }
        for view in views
    ]
    template = string.Template((ASSETS / "view.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(views[0].name),
        # No name can end the script element it stands in.
        views=json.dumps(data).replace("<", "\\u003c"),
        script=viewer_script(),
    )


def viewer_script() -> str:
    """Returns the JavaScript of `MeshViewer`, which shows what `scene_of` gives on a canvas."""
    return (ASSETS / "viewer.js").read_text(encoding="utf-8")
