"""Meshes to look at: an HTML page that needs nothing else, and films."""

from tf_softras.viewer._comparison_html import PicturePair, comparison_html
from tf_softras.viewer._png import png_url
from tf_softras.viewer._scene import scene_of
from tf_softras.viewer._view_html import View, view_html, viewer_script
from tf_softras.viewer.film import write_film

__all__ = [
    "PicturePair",
    "View",
    "comparison_html",
    "png_url",
    "scene_of",
    "view_html",
    "viewer_script",
    "write_film",
]
