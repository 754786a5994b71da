"""Evaluates fits to each object's own silhouettes, about a bound for networks."""

import numpy as np
import tensorflow as tf
import tqdm

from tf_softras.datasets.posed_views import views_from_eyes
from tf_softras.datasets.shapenet_views.class_names import names_for
from tf_softras.datasets.view_pairs import single_views
from tf_softras.evaluation._evaluate import Evaluation, Scores, solid_voxels
from tf_softras.fitting import fit_views


def evaluate_fit(
    dataset: tf.data.Dataset, *, class_names=None, progress: bool = True, **options
) -> Evaluation:
    """Returns the voxel IoU of a mesh fitted to all views of each object.

    There is no network: every object is fitted to all of its own silhouettes, and a network sees
    only one. So this is about the best that supervision by these views allows.

    Args:
        dataset: Examples of `shapenet_views`, not batched.
        class_names: The data set's own names, `builder.info.features["label"].names`; by default
            the 13 of the published tables.
        progress: Whether to show a progress bar.
        **options: Of `fitting.fit_views`; by default the masks alone move the surface, at the
            pictures' own size.

    Raises:
        ValueError: The data set is empty.
        FitError: An object is in no view.
        ImportError: The extra `fit` is not installed.
    """
    class_names = names_for((), class_names)
    scores = Scores(class_names)
    total = int(dataset.cardinality())
    for batch in tqdm.tqdm(
        single_views(dataset, batch_size=1),
        total=total if total >= 0 else None,
        desc="Fits",
        unit="object",
        disable=not progress,
    ):
        pictures = np.rint(255.0 * batch["images"][0].numpy()).astype(np.uint8)
        posed = views_from_eyes(pictures, batch["eyes"][0].numpy())
        settings = {"size": pictures.shape[1], "use_pictures": False, "texture_size": None}
        mesh = fit_views(posed, **{**settings, **options}).mesh
        resolution = batch["voxels"].shape[1]
        voxels = solid_voxels(mesh.vertices, mesh.faces, resolution=resolution)
        scores.add(batch, voxels[None, None])
        views = len(pictures)
    return scores.evaluation(views=views)
