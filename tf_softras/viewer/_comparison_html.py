"""A page with a mesh that turns, and pictures of it beside true ones."""

import html
import json
import string
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tf_softras.geometry import Mesh
from tf_softras.viewer._png import png_url
from tf_softras.viewer._scene import scene_of
from tf_softras.viewer._view_html import ASSETS, viewer_script


class PicturePair(NamedTuple):
    """A true picture and one of a mesh.

    Attributes:
        caption: The text below the pictures.
        true: uint8 `[height, width, 3 or 4]`.
        drawn: uint8 `[height, width, 3 or 4]`.
        is_unseen: Whether the mesh was made without it; it is framed.
    """

    caption: str
    true: np.ndarray
    drawn: np.ndarray
    is_unseen: bool = False


def comparison_html(title: str, mesh: Mesh, pairs: Sequence[PicturePair], summary: str = "") -> str:
    """Returns an HTML page of a mesh that turns, and pairs of pictures below it.

    The page holds all it needs and asks the network for nothing.

    Args:
        title: The page's title.
        mesh: The mesh, shown as `view_html` shows it.
        pairs: True pictures and pictures of the mesh.
        summary: A line below the title.
    """
    figures = "".join(
        f"<figure{' class=unseen' if pair.is_unseen else ''}>"
        f'<img alt="the picture" src="{png_url(pair.true)}">'
        f'<img alt="the mesh" src="{png_url(pair.drawn)}">'
        f"<figcaption>{html.escape(pair.caption)}</figcaption></figure>"
        for pair in pairs
    )
    template = string.Template((ASSETS / "comparison.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(title),
        summary=html.escape(summary),
        figures=figures,
        scene=json.dumps(scene_of(mesh)).replace("<", "\\u003c"),
        script=viewer_script(),
    )
