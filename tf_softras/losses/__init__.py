"""Losses of mesh reconstruction: silhouettes, colours, points, mesh regularisers.

Each gives one value a batch item, computed in float32, or in float64 for float64 inputs, whatever
the policy.

Source: Liu et al., "Soft Rasterizer", eqs. 3 to 6; each loss names its own.
"""

import tf_softras._shared.keras_backend  # noqa: F401
from tf_softras.losses._chamfer import ChamferLoss, chamfer_loss
from tf_softras.losses._colors import color_loss
from tf_softras.losses._mesh_regularizers import (
    FlatteningLoss,
    LaplacianLoss,
    flattening_loss,
    laplacian_loss,
)
from tf_softras.losses._silhouettes import SilhouetteIoULoss, silhouette_iou_loss
from tf_softras.losses._surface_samples import sample_surface
from tf_softras.losses._topology import MeshTopology

__all__ = [
    "ChamferLoss",
    "FlatteningLoss",
    "LaplacianLoss",
    "MeshTopology",
    "SilhouetteIoULoss",
    "chamfer_loss",
    "color_loss",
    "flattening_loss",
    "laplacian_loss",
    "sample_surface",
    "silhouette_iou_loss",
]
