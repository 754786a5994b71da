"""Moves the codes of a trained network until its meshes have the silhouettes of their pictures."""

import functools
import operator
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_softras.fitting._descent import between, descend
from tf_softras.geometry import eye_from_angles, look_at, perspective
from tf_softras.geometry.cameras import N3MR_DISTANCE, N3MR_ELEVATION
from tf_softras.losses import silhouette_iou_loss
from tf_softras.ops import soft_rasterize

# A step of the learning rate turns the camera by this many degrees times as much as it moves a
# code: 0.6 degrees at the default.
_DEGREES = 12.0
# A code of zeros has no size of its own.
_SMALL_CODE = 1e-6


class FittedCodes(NamedTuple):
    """The result of `fit_codes`.

    Attributes:
        codes: float32 `[items, code_size]`.
        vertices: float32 `[items, num_vertices, 3]`, the meshes of these codes.
        eyes: float32 `[items, 3]`, the cameras that were found or given.
        losses: float32 `[items]`, those of the last step.
    """

    codes: np.ndarray
    vertices: np.ndarray
    eyes: np.ndarray
    losses: np.ndarray


def fit_codes(
    decode: Callable,
    faces,
    codes,
    masks,
    *,
    eyes=None,
    elevation=N3MR_ELEVATION,
    distance=N3MR_DISTANCE,
    candidates=36,
    starts=3,
    trial_steps=30,
    steps=40,
    learning_rate=0.05,
    prior=0.1,
    sigma=(1e-4, 1e-5),
):
    """Returns codes near the given ones whose meshes have the silhouettes of single pictures.

    A network's answer rarely has the silhouette of the picture it was made of. The decoder knows
    which meshes are likely, so a small change of the code brings the silhouettes together, and
    what the picture does not show follows. Items are fitted independently, all at once.

    The loss of an item is

    ```python
    silhouette_iou_loss(mask, silhouette) + prior * mean((code - given) ** 2) / mean(given ** 2)
    ```

    Without `eyes` the camera looks at the origin from a known height and distance, and its azimuth
    is found: the first mesh is seen from all sides, a short fit starts from the best few, each of
    which is the best of its neighbours, and the fit goes on from that with the lowest loss. The
    camera turns as the mesh changes. The wrong side of a symmetric object may be found.

    Args:
        decode: Function from codes `[items, code_size]` to vertices `[items, num_vertices, 3]` in
            object units; differentiable.
        faces: int `[num_faces, 3]`.
        codes: float `[items, code_size]`, such as `network.encoder(images)`.
        masks: float `[items, height, width]` in [0, 1], seen by `geometry.perspective`.
        eyes: float `[items, 3]`, the cameras, which look at the origin; None to find azimuths.
        elevation: Where they are found, degrees above the x-z plane.
        distance: Where they are found, object units.
        candidates: Positive int, azimuths that are tried.
        starts: int in [1, candidates], azimuths that the fit starts from.
        trial_steps: Positive int, steps after which the best start is chosen.
        steps: Positive int, steps of the fit itself.
        learning_rate: Adam's, in parts of a code's root mean square.
        prior: At least 0, the weight of staying near the given code.
        sigma: Sharpness of the first and the last step, squared image-plane units.

    Returns:
        A `FittedCodes`.

    Raises:
        ValueError: Shapes or numbers are not as above, or the fit diverges.

    Example:
        >>> network = models.MeshReconstructor("paper")
        >>> images = np.zeros([1, 64, 64, 4], np.float32)
        >>> images[:, 20:44, 24:40] = 1.0
        >>> codes = network.encoder(images)
        >>> fit = fitting.fit_codes(network.decoder, network.faces, codes, images[..., 3], steps=2)
        >>> fit.vertices.shape
        (1, 642, 3)

    Source: ours. Eq. 3 of "Soft Rasterizer", by one picture and over codes.
    """
    codes, masks, eyes = _checked(codes, masks, eyes)
    _check_counts(candidates=candidates, starts=starts, trial_steps=trial_steps, steps=steps)
    _check_numbers(distance=distance, learning_rate=learning_rate, prior=prior, sigma=sigma)
    silhouettes = functools.partial(_silhouettes, faces=faces, size=tuple(masks.shape[1:]))
    vertices_of = functools.partial(_vertices, decode)
    objective = _Objective(vertices_of, silhouettes, prior, sigma, learning_rate)
    if eyes is not None:
        cameras = _Cameras(lambda _: eyes)
        fitted, cameras, losses = objective.minimized(codes, codes, masks, cameras, steps)
    else:
        from_azimuth = functools.partial(eye_from_angles, distance, elevation)
        azimuths = np.arange(candidates, dtype=np.float32) * np.float32(360.0 / candidates)
        first = functools.partial(silhouettes, vertices_of(codes), sigma=sigma[0])
        best = _best_directions(_ious_around(first, masks, from_azimuth(azimuths)), starts)
        cameras = _Cameras(from_azimuth, azimuths[best].reshape(-1))
        given, target = (tf.repeat(values, starts, axis=0) for values in (codes, masks))
        tried, cameras, losses = objective.minimized(given, given, target, cameras, trial_steps)
        best = np.arange(len(codes)) * starts + losses.reshape(-1, starts).argmin(axis=1)
        fitted, cameras, losses = objective.minimized(
            codes,
            tf.gather(tried, best),
            masks,
            _Cameras(from_azimuth, cameras.azimuths[best]),
            steps,
        )
    return FittedCodes(
        codes=fitted.numpy(),
        vertices=vertices_of(fitted).numpy(),
        eyes=np.asarray(cameras.eyes()),
        losses=losses,
    )


class _Cameras(NamedTuple):
    """Cameras that may turn.

    Attributes:
        of: Function from azimuths to eyes `[items, 3]`.
        azimuths: float32 `[items]`, degrees; None for cameras that are known.
    """

    of: Callable
    azimuths: np.ndarray | None = None

    def eyes(self, turned=0.0):
        """Returns the eyes after a turn, degrees."""
        return self.of(None if self.azimuths is None else self.azimuths + turned)


class _Objective(NamedTuple):
    """The loss that a fit minimises; see `fit_codes`."""

    vertices_of: Callable
    silhouettes: Callable
    prior: float
    sigma: tuple[float, float]
    learning_rate: float

    def minimized(self, given, first, masks, cameras: _Cameras, steps: int):
        """Returns codes, cameras and the last losses `[items]` of a fit from the codes `first`."""
        size = tf.sqrt(tf.reduce_mean(given**2, axis=1, keepdims=True)) + _SMALL_CODE
        moved = tf.Variable((first - given) / size)
        turned = tf.Variable(tf.zeros(len(given)))

        def loss(progress):
            eyes = cameras.eyes(_DEGREES * turned)
            vertices = self.vertices_of(given + size * moved)
            seen = self.silhouettes(vertices, eyes, sigma=between(self.sigma, progress))
            return silhouette_iou_loss(masks, seen) + self.prior * tf.reduce_mean(moved**2, axis=1)

        variables = [moved] if cameras.azimuths is None else [moved, turned]
        losses = descend(loss, variables, steps=steps, learning_rate=self.learning_rate)
        if cameras.azimuths is not None:
            cameras = cameras._replace(azimuths=cameras.azimuths + _DEGREES * turned.numpy())
        return given + size * moved, cameras, losses[-1]


def _vertices(decode, codes):
    # The policy of a decoder may give another type.
    return tf.cast(decode(codes), tf.float32)


def _silhouettes(vertices, eyes, *, faces, size, sigma):
    return soft_rasterize(perspective(look_at(vertices, eyes)), faces, image_size=size, sigma=sigma)


def _ious_around(silhouettes, masks, eyes) -> np.ndarray:
    """Returns the IoU of masks and silhouettes from all eyes, float32 `[items, eyes]`."""

    @tf.function
    def iou(eye):
        return 1.0 - silhouette_iou_loss(masks, silhouettes(tf.repeat(eye[None], len(masks), 0)))

    return np.stack([iou(eye).numpy() for eye in eyes], axis=1)


def _best_directions(ious: np.ndarray, count: int) -> np.ndarray:
    """Returns the indices of the best peaks of each row, which is a circle: int `[items, count]`.

    If a row has fewer peaks, the best of its other values follow.
    """
    peaks = (ious >= np.roll(ious, 1, axis=1)) & (ious >= np.roll(ious, -1, axis=1))
    # IoUs are at most 1, so every peak comes before all others.
    return np.argsort(-(ious + 2.0 * peaks), axis=1, kind="stable")[:, :count]


def _checked(codes, masks, eyes):
    """Returns float32 tensors, after checking their shapes; `eyes` may be None."""
    codes, masks = (_as_float32(values) for values in (codes, masks))
    if codes.shape.rank != 2 or not len(codes):
        raise ValueError(
            f"codes: expected shape [items, code_size], at least one; received {codes.shape}"
        )
    if not tf.reduce_all(tf.math.is_finite(codes)):
        raise ValueError("codes: expected finite numbers; received others")
    if masks.shape.rank != 3 or len(masks) != len(codes):
        raise ValueError(
            f"masks: expected shape [{len(codes)}, height, width], one for each code; received "
            f"{masks.shape}"
        )
    if not 0.0 <= tf.reduce_min(masks) <= tf.reduce_max(masks) <= 1.0:
        raise ValueError("masks: expected values in [0, 1]; received others")
    if eyes is not None:
        eyes = _as_float32(eyes)
        if eyes.shape != (len(codes), 3):
            raise ValueError(
                f"eyes: expected shape [{len(codes)}, 3], one for each code; received {eyes.shape}"
            )
        if not np.all(np.isfinite(eyes)) or not np.all(np.any(eyes, axis=1)):
            raise ValueError("eyes: expected finite points beside the origin; received others")
    return codes, masks, eyes


def _as_float32(values):
    return tf.cast(tf.convert_to_tensor(values), tf.float32)


def _check_counts(*, candidates, starts, **positive):
    for name, value in {"candidates": candidates, **positive}.items():
        if not _is_integer(value) or value < 1:
            raise ValueError(f"{name}: expected a positive int; received {value!r}")
    if not _is_integer(starts) or not 1 <= starts <= candidates:
        raise ValueError(f"starts: expected an int in [1, {candidates}]; received {starts!r}")


def _is_integer(value) -> bool:
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def _check_numbers(*, distance, learning_rate, prior, sigma):
    for name, value in {"distance": distance, "learning_rate": learning_rate}.items():
        if not 0.0 < value < np.inf:
            raise ValueError(f"{name}: expected a positive finite number; received {value}")
    if not 0.0 <= prior < np.inf:
        raise ValueError(f"prior: expected a finite number of at least 0; received {prior}")
    if np.shape(sigma) != (2,) or not all(0.0 < value < np.inf for value in sigma):
        raise ValueError(f"sigma: expected two positive finite numbers; received {sigma!r}")
