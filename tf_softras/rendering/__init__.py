"""Shaded pictures of meshes: data sets, contact sheets and `softras render` draw with this."""

from tf_softras.rendering._framing import fitting_distance
from tf_softras.rendering._render_views import render_views

__all__ = ["fitting_distance", "render_views"]
