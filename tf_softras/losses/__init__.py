"""Losses of mesh reconstruction: silhouettes, colours, Laplacian, flattening; one value an item.

All compute in float32 (float64 where that is what they are given), whatever the policy.

Source: Liu et al., "Soft Rasterizer", eqs. 3 to 6.
"""

import tf_softras._shared.keras_backend  # noqa: F401
from tf_softras.losses._colors import color_loss
from tf_softras.losses._mesh_regularizers import (
    FlatteningLoss,
    LaplacianLoss,
    flattening_loss,
    laplacian_loss,
)
from tf_softras.losses._silhouettes import SilhouetteIoULoss, silhouette_iou_loss
from tf_softras.losses._topology import MeshTopology

__all__ = [
    "FlatteningLoss",
    "LaplacianLoss",
    "MeshTopology",
    "SilhouetteIoULoss",
    "color_loss",
    "flattening_loss",
    "laplacian_loss",
    "silhouette_iou_loss",
]
