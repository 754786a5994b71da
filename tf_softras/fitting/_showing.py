"""Shows a fit: true views beside fitted ones, and films of a mesh that forms."""

import dataclasses
from typing import NamedTuple

import numpy as np

from tf_softras.datasets.posed_views import PosedViews
from tf_softras.fitting._views.crops import crop_views
from tf_softras.fitting._views.view_measures import drawn_views
from tf_softras.geometry import Mesh, eye_from_angles
from tf_softras.rendering import render_views

_ELEVATION, _DISTANCE = 25.0, 2.732
_TURN = 120.0
_GREY = 0.72


class ViewComparison(NamedTuple):
    """One view: the true picture, the fitted one, and how they differ.

    Attributes:
        name: The view's name.
        true: uint8 `[size, size, 4]`.
        fitted: uint8 `[size, size, 4]`.
        measures: A dict with "held_out", "iou" and "psnr".
    """

    name: str
    true: np.ndarray
    fitted: np.ndarray
    measures: dict


def compared_views(fitted, views, *, size=160, most=12) -> list[ViewComparison]:
    """Returns some views beside pictures of the fitted mesh, held-out views first.

    Args:
        fitted: A `FittedViews`.
        views: The `PosedViews` that it was fitted to.
        size: The most pixels along a side.
        most: The most views; they are spread evenly.
    """
    order = sorted(range(len(views)), key=lambda index: not views[index].held_out)
    some = order if len(order) <= most else [order[i * len(order) // most] for i in range(most)]
    chosen = PosedViews([views[index] for index in some])
    state = fitted.state
    crops = crop_views(chosen, size=size).moved(state.center, state.scale)
    mesh = dataclasses.replace(
        fitted.mesh, vertices=(fitted.mesh.vertices - state.center) / state.scale
    )
    drawn = drawn_views(mesh, crops)
    return [
        ViewComparison(views[index].name, crops.pictures[i], drawn[i], fitted.measures[index])
        for i, index in enumerate(some)
    ]


def upright(mesh: Mesh, state, views) -> Mesh:
    """Returns a mesh of the cameras' world centred, of size 1, with the cameras' up as +y.

    Up is the mean of the cameras' up vectors, because cameras are mostly held upright. The world's
    own axes may point anywhere.

    Args:
        mesh: A `Mesh`, world space.
        state: The `FitState` of the fit.
        views: `PosedViews`.
    """
    up = -np.sum([view.rotation[1] for view in views], axis=0)
    # Up vectors that cancel one another say nothing. Use the world's +y then.
    up = np.array([0.0, 1.0, 0.0]) if np.linalg.norm(up) < 1e-3 * len(views) else up
    up /= np.linalg.norm(up)
    side = np.eye(3)[np.argmin(np.abs(up))] if abs(up[1]) < 0.99 else np.array([1.0, 0.0, 0.0])
    x = side - up * (side @ up)
    x /= np.linalg.norm(x)
    axes = np.stack([x, up, np.cross(x, up)])
    centred = (mesh.vertices.astype(np.float64) - state.center) / state.scale
    return dataclasses.replace(mesh, vertices=centred @ axes.T)


def fit_film(meshes, fitted, views, *, size=240, turn_frames=40) -> list[np.ndarray]:
    """Returns the frames of a film: a grey mesh forms, then turns in its colours.

    Args:
        meshes: `Mesh`es in world space, in the order of the steps.
        fitted: The `FittedViews` that they led to.
        views: Its `PosedViews`.
        size: Pixels along a side.
        turn_frames: The number of frames that show the result turning.

    Returns:
        uint8 arrays `[size, size, 3]`.
    """
    frames = []
    forming = max(1, len(meshes))
    for number, mesh in enumerate(meshes):
        # Colours of faces are drawn faster than colours of vertices.
        grey = np.full((len(mesh.faces), 3), _GREY, np.float32)
        shown = upright(Mesh(mesh.vertices, mesh.faces, face_colors=grey), fitted.state, views)
        frames.extend(_frames(shown, [30.0 + _TURN * number / forming], size))
    azimuths = 30.0 + _TURN + 360.0 * np.arange(turn_frames) / max(1, turn_frames)
    if turn_frames:
        frames.extend(_frames(upright(fitted.mesh, fitted.state, views), azimuths, size))
    return frames


def _frames(mesh, azimuths, size):
    eyes = np.asarray(eye_from_angles(_DISTANCE, _ELEVATION, np.asarray(azimuths, np.float32)))
    white = (1.0, 1.0, 1.0)
    return list(
        render_views(mesh, eyes, image_size=size, supersampling=2, background=white)[..., :3]
    )
