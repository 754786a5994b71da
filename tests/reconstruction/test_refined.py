"""Meshes of a network, fitted to the silhouettes of their pictures."""

import numpy as np
import pytest

from tests.shapes import IMAGE_SIZE, tiny_config
from tf_softras import geometry, ops
from tf_softras.datasets.view_pairs import single_views
from tf_softras.evaluation import evaluate
from tf_softras.models import MeshReconstructor, RetrievalReconstructor
from tf_softras.reconstruction import (
    Meshes,
    Reconstructor,
    ReconstructorError,
    RefinedNetwork,
    as_reconstructor,
    open_reconstructor,
)

OPTIONS = {"learning_rate": 0.2, "steps": 20, "prior": 0.0, "starts": 1}


def network(**model):
    """Returns an untrained network whose last layer is strong enough for codes to matter."""
    untrained = MeshReconstructor(tiny_config().model.replace(**model))
    kernel = untrained.decoder.get_layer("vertices").kernel
    kernel.assign(np.random.default_rng(0).normal(0.0, 0.1, kernel.shape))
    return untrained


def views_of(dataset):
    """Returns the pictures of the first object and their cameras."""
    batch = next(iter(single_views(dataset, batch_size=1)))
    return batch["images"][0].numpy(), batch["eyes"][0].numpy()


def silhouette_iou(meshes, images, eyes):
    plane = geometry.perspective(geometry.look_at(meshes.vertices, eyes))
    seen = ops.soft_rasterize(plane, meshes.faces, image_size=IMAGE_SIZE, sigma=1e-5).numpy()
    mask = images[..., 3]
    return ((seen * mask).sum((1, 2)) / (seen + mask - seen * mask).sum((1, 2))).mean()


def test_silhouettes_come_closer_to_those_of_the_pictures(dataset):
    images, eyes = views_of(dataset)
    plain = as_reconstructor(network())
    refined = RefinedNetwork(plain, **OPTIONS)
    assert isinstance(refined, Reconstructor)
    assert (refined.image_size, refined.gives) == (IMAGE_SIZE, "meshes")
    before = silhouette_iou(plain.reconstruct(images), images, eyes)
    after = silhouette_iou(refined.reconstruct(images, eyes=eyes), images, eyes)
    assert after > before + 0.05
    found = refined.reconstruct(images)
    assert np.abs(found.vertices - plain.reconstruct(images).vertices).max(axis=(1, 2)).min() > 1e-3


def test_a_heavy_prior_keeps_the_networks_answer_and_its_colours(dataset):
    images, eyes = views_of(dataset)
    plain = as_reconstructor(network(color="palette", palette_size=3))
    refined = RefinedNetwork(plain, steps=2, prior=1e6, learning_rate=1e-6)
    assert refined.gives == "colored meshes"
    answer, same = plain.reconstruct(images), refined.reconstruct(images, eyes=eyes)
    assert isinstance(same, Meshes)
    np.testing.assert_allclose(same.vertices, answer.vertices, atol=1e-4)
    np.testing.assert_array_equal(same.colors, answer.colors)


def test_evaluation_tells_the_cameras_if_asked_to(dataset):
    refined = RefinedNetwork(as_reconstructor(network()), **OPTIONS)
    told = []
    reconstruct = refined.reconstruct
    refined.reconstruct = lambda images, **eyes: told.append(eyes) or reconstruct(images, **eyes)
    evaluate(refined, dataset.take(2), known_cameras=True, progress=False)
    evaluate(refined, dataset.take(1), progress=False)
    expected = [views_of(dataset)[1], views_of(dataset.skip(1))[1]]
    np.testing.assert_allclose(told[0]["eyes"], np.concatenate(expected), atol=1e-6)
    assert told[1] == {}
    with pytest.raises(ValueError, match="known_cameras: expected a RefinedNetwork.*MeshNetwork"):
        evaluate(network(), dataset, known_cameras=True, progress=False)


def test_networks_without_codes_are_refused(dataset):
    retrieval = RetrievalReconstructor.from_dataset(dataset, image_size=IMAGE_SIZE)
    with pytest.raises(ReconstructorError, match="VoxelNetwork, which gives voxels"):
        RefinedNetwork(as_reconstructor(retrieval))
    with pytest.raises(TypeError, match="stepz"):
        RefinedNetwork(as_reconstructor(network()), stepz=3)


def test_the_shipped_network_can_be_refined():
    shipped = open_reconstructor()
    images = np.zeros([1, 64, 64, 4], np.float32)
    images[:, 16:48, 24:40] = 0.5
    images[..., 3] = np.ceil(images[..., 3])
    answer = RefinedNetwork(shipped, steps=3).reconstruct(images)
    assert np.isfinite(answer.vertices).all()
    assert np.abs(answer.vertices - shipped.reconstruct(images).vertices).max() > 1e-3
