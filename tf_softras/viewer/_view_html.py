"""Meshes in one HTML file that shows them turning, with no other file and no network."""

import base64
import dataclasses
import html
import io
import json
import pathlib
import string
from collections.abc import Sequence

import numpy as np
import PIL.Image

ASSETS = pathlib.Path(__file__).parent
_GLB_MAGIC = b"glTF"


@dataclasses.dataclass(frozen=True)
class View:
    """One mesh of a page, by a name, beside the picture that it was made of if there is one.

    Attributes:
        name: What it is called on the page.
        glb: The mesh as binary glTF, as `geometry.encode_mesh` gives it.
        picture: uint8 `[height, width, 3 or 4]`, or None.
    """

    name: str
    glb: bytes
    picture: np.ndarray | None = None


def view_html(views: Sequence[View]) -> str:
    """Returns an HTML page that shows meshes, one at a time, turning until they are touched.

    Meshes are shown as `rendering.render_views` draws them: the same camera, light and colours. The
    page holds all it needs and may ask the network for nothing (its content security policy says
    so). `page.html#azimuth=30&elevation=20&turning=0` opens it at a view of one's choice.

    Args:
        views: The meshes, at least one.

    Raises:
        ValueError: There is none, or one is not binary glTF.
    """
    if not views:
        raise ValueError("Invalid views. Expected at least one mesh. Received: none")
    for view in views:
        if view.glb[:4] != _GLB_MAGIC:
            raise ValueError(
                f"Invalid view {view.name!r}. Expected a mesh in binary glTF. Received: another "
                "kind of file"
            )
    data = [
        {
            "name": view.name,
            "glb": base64.b64encode(view.glb).decode(),
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
    """Returns the JavaScript of `MeshViewer`, which shows binary glTF on a canvas."""
    return "".join((ASSETS / name).read_text(encoding="utf-8") for name in ("gltf.js", "viewer.js"))


def png_url(picture: np.ndarray) -> str:
    """Returns uint8 `[height, width, 3 or 4]` as the data URL of a PNG."""
    stream = io.BytesIO()
    PIL.Image.fromarray(picture).save(stream, format="PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
