"""PSNR of the colours of reconstructions, per class, beside a mean colour's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm

from tf_softras.config import ReconstructionConfig
from tf_softras.datasets.shapenet_views.class_names import names_for
from tf_softras.datasets.view_pairs import single_views
from tf_softras.evaluation._evaluate import Evaluation
from tf_softras.geometry import look_at, perspective
from tf_softras.losses import color_loss
from tf_softras.ops import soft_shade
from tf_softras.reconstruction import Reconstructor, as_reconstructor, meshes_of

MEAN_COLOR = "mean color"
RECONSTRUCTED = "colors"
SIDES = ("own side", "other sides")
# A squared error below this counts as it: 100 dB.
_LEAST_ERROR = 1e-10


def evaluate_colors(
    reconstructor: Reconstructor | Any,
    dataset: tf.data.Dataset,
    *,
    class_names: Sequence[str] | None = None,
    sigma: float = ReconstructionConfig.sigma,
    batch_size: int = 4,
    progress: bool = True,
) -> dict[str, Evaluation]:
    """Returns the PSNR in dB of reconstructed colours, and of the input's mean colour.

    Every view of every object is reconstructed and rendered from its own side and from three others
    (a quarter, a half and three quarters of the views further). The PSNR of a picture is that of
    sRGB values over the pixels inside the true mask, weighted by its alpha:
    -10 log10(sum(alpha * |C - C_true|^2) / (3 sum(alpha))). Pixels there that the mesh does not
    cover count as the mean colour of the input, because the IoU measures coverage already. The
    baseline is this mean colour in all pixels. Means are over pictures of a class, then classes.

    Args:
        reconstructor: A `Reconstructor` that gives colored meshes, or a Keras network that does.
        dataset: Examples of `shapenet_views`, not batched.
        class_names: The data set's own names, `builder.info.features["label"].names`; by default
            the 13 of the published tables.
        sigma: Sharpness of the pictures that are rendered.
        batch_size: Objects whose views are reconstructed together.
        progress: Whether to show a progress bar.

    Returns:
        "mean color, own side", "colors, own side", "mean color, other sides", "colors, other
        sides": an `Evaluation` each, whose numbers are PSNRs.

    Raises:
        ValueError: The data set is empty, `batch_size` is less than 1, or there are no colours.
    """
    reconstructor = as_reconstructor(reconstructor)
    sums: dict[tuple[str, str, int], list] = {}
    class_names = names_for((), class_names)
    objects = np.zeros(len(class_names), int)
    total = int(dataset.cardinality())
    bar = tqdm.tqdm(
        total=total if total >= 0 else None, desc="PSNR", unit="object", disable=not progress
    )
    with bar:
        for batch in single_views(dataset, batch_size=batch_size):
            images, labels = batch["images"], batch["label"].numpy()
            count, views = images.shape[:2]
            meshes = meshes_of(reconstructor, _flat(images), colored=True)
            means = mean_colors(_flat(images))
            for step, side in _sides(views):
                truth, eyes = (_flat(tf.roll(batch[x], -step, axis=1)) for x in ("images", "eyes"))
                background = tf.broadcast_to(means[:, None, None], truth[..., :3].shape)
                plane = perspective(look_at(meshes.vertices, eyes))
                rendered, _ = soft_shade(
                    plane,
                    meshes.faces,
                    meshes.colors,
                    image_size=tuple(truth.shape[1:3]),
                    sigma=sigma,
                    background=background,
                )
                for name, picture in ((MEAN_COLOR, background), (RECONSTRUCTED, rendered)):
                    values = psnr(truth, picture).reshape(count, views)
                    for label, of_object in zip(labels, values, strict=True):
                        seen = of_object[np.isfinite(of_object)]
                        sums.setdefault((name, side, int(label)), []).extend(seen)
            objects += np.bincount(labels, minlength=len(class_names))
            bar.update(count)
    counts = dict(zip(class_names, objects.tolist(), strict=True))
    return {
        f"{name}, {side}": Evaluation(
            per_class={
                class_name: _mean(sums.get((name, side, label)))
                for label, class_name in enumerate(class_names)
            },
            objects=counts,
            views=views,
        )
        for side in SIDES
        for name in (MEAN_COLOR, RECONSTRUCTED)
    }


def mean_colors(images):
    """Returns the mean colour `[batch, 3]` of straight RGB `[batch, height, width, 4]`, by alpha.

    It is 0 where alpha is.
    """
    alpha = images[..., 3:]
    return tf.math.divide_no_nan(
        tf.reduce_sum(images[..., :3] * alpha, axis=(1, 2)), tf.reduce_sum(alpha, axis=(1, 2))
    )


def psnr(truth, pictures) -> np.ndarray:
    """Returns the PSNR in dB inside the true mask, at most 100; NaN where the mask is empty.

    Args:
        truth: float `[batch, height, width, 4]`, straight RGB in [0, 1] and alpha.
        pictures: float `[batch, height, width, 3]`.
    """
    errors = np.maximum(np.asarray(color_loss(truth, pictures)), _LEAST_ERROR)
    empty = ~np.any(np.asarray(truth)[..., 3] > 0, axis=(1, 2))
    return np.where(empty, np.nan, -10.0 * np.log10(errors))


def _sides(views: int) -> list[tuple[int, str]]:
    """Returns by how many views a picture is further than the input, and what that is called."""
    steps = sorted({quarter * views // 4 for quarter in range(4)})
    return [(step, SIDES[step > 0]) for step in steps]


def _flat(tensor):
    """Returns `[batch * views, ...]` of `[batch, views, ...]`."""
    return tf.reshape(tensor, (-1, *tensor.shape[2:]))


def _mean(values) -> float | None:
    return float(np.mean(values)) if values else None
