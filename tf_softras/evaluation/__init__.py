"""Measures reconstructions against the truth: voxels, surfaces, silhouettes and colours."""

from tf_softras.evaluation._evaluate import (
    Evaluation,
    comparison_table,
    evaluate,
)
from tf_softras.evaluation._evaluate_colors import evaluate_colors
from tf_softras.evaluation._evaluate_fit import evaluate_fit
from tf_softras.evaluation._measure import Measurements, measure, metrics_table, true_meshes
from tf_softras.evaluation._surface_metrics import SurfaceMetrics, surface_metrics
from tf_softras.reconstruction import TemplateBaseline

__all__ = [
    "Evaluation",
    "Measurements",
    "SurfaceMetrics",
    "TemplateBaseline",
    "comparison_table",
    "evaluate",
    "evaluate_colors",
    "evaluate_fit",
    "measure",
    "metrics_table",
    "surface_metrics",
    "true_meshes",
]
