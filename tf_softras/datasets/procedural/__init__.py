"""Meshes out of numbers: classes of objects for which there are too few files."""

from tf_softras.datasets.procedural.shapes import PROCEDURAL_CLASSES, procedural_mesh

__all__ = ["PROCEDURAL_CLASSES", "procedural_mesh"]
