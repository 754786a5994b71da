"""Voxels as the cameras see them: the check that pictures and voxels are of one frame."""

import itertools

import numpy as np
from scipy import ndimage

from tf_softras.geometry import Mesh
from tf_softras.rendering import render_views

# Two triangles for each side of a cell, whose corner i is (bit 2, bit 1, bit 0) of i.
_SIDES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
_CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))
_TRIANGLES = np.array([[(a, b, c), (a, c, d)] for a, b, c, d in _SIDES]).reshape(-1, 3)

# The orders and directions of three axes: (axes, steps) of `reordered`.
AXIS_ORDERS = tuple(
    itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3))
)


def reordered(voxels: np.ndarray, axes, steps) -> np.ndarray:
    """Returns voxels with their axes in another order, each then rising (1) or falling (-1)."""
    return voxels.transpose(axes)[:: steps[0], :: steps[1], :: steps[2]]


def voxel_pictures(voxels: np.ndarray, eyes, *, image_size: int = 64) -> np.ndarray:
    """Returns where the cells, drawn as boxes, hit the middle of a pixel.

    Args:
        voxels: bool `[resolution, resolution, resolution]`, index order [x, y, z].
        eyes: float `[num_views, 3]`, world space.
        image_size: height and width, pixels.

    Returns:
        bool `[num_views, image_size, image_size]`.
    """
    resolution = len(voxels)
    # Cells inside hide behind those of the surface.
    cells = np.argwhere(voxels & ~ndimage.binary_erosion(voxels))
    # Cell boundaries are k in grid coordinates (x (r - 1) / r + 0.5) r.
    vertices = ((cells[:, None] + _CORNERS) / resolution - 0.5) * resolution / (resolution - 1)
    indices = 8 * np.arange(len(cells))[:, None, None] + _TRIANGLES
    mesh = Mesh(vertices.reshape(-1, 3), indices.reshape(-1, 3))
    return render_views(mesh, eyes, image_size=image_size, supersampling=1)[..., 3] > 0


def overlap(voxels: np.ndarray, alpha: np.ndarray, eyes) -> tuple[float, float]:
    """Returns how well drawn voxels and masks agree: IoU, and the share of the masks that is hit.

    Args:
        voxels: bool `[resolution, resolution, resolution]`, index order [x, y, z].
        alpha: uint8 `[num_views, image_size, image_size]`.
        eyes: float `[num_views, 3]`, world space.

    Returns:
        Mean IoU over the views, and the least share over the views.
    """
    drawn, mask = voxel_pictures(voxels, eyes, image_size=alpha.shape[1]), alpha > 127
    both = (drawn & mask).sum((1, 2))
    ious = both / np.maximum((drawn | mask).sum((1, 2)), 1)
    return float(ious.mean()), float((both / np.maximum(mask.sum((1, 2)), 1)).min())
