"""Meshes to look at: an HTML page that needs nothing else, and films."""

from tf_softras.viewer.film import write_film
from tf_softras.viewer.view_html import View, png_url, view_html, viewer_script

__all__ = ["View", "png_url", "view_html", "viewer_script", "write_film"]
