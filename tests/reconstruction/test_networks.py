"""Networks in this process: traced once, asked with their present weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.shapes import IMAGE_SIZE, tiny_config
from tf_softras.geometry import icosphere
from tf_softras.models import MeshReconstructor, RetrievalReconstructor, VoxelReconstructor
from tf_softras.reconstruction import (
    Meshes,
    MeshFunction,
    Reconstructor,
    ReconstructorError,
    RefinedNetwork,
    TemplateBaseline,
    VoxelFunction,
    as_reconstructor,
    meshes_of,
)

BALL = icosphere(1)


def pictures(count=2):
    shape = (count, IMAGE_SIZE, IMAGE_SIZE, 4)
    return np.random.default_rng(0).random(shape, np.float32)


def tiny_network(**model):
    return MeshReconstructor(tiny_config().model.replace(**model))


def test_a_network_is_traced_once_and_asked_with_its_present_weights():
    network = tiny_network()
    reconstructor = as_reconstructor(network)
    first = reconstructor.reconstruct(pictures()).vertices
    np.testing.assert_allclose(first, network(pictures(), training=False), atol=1e-6)
    for weight in network.trainable_weights:
        weight.assign(3.0 * weight)
    second = reconstructor.reconstruct(pictures()).vertices
    np.testing.assert_allclose(second, network(pictures(), training=False), atol=1e-6)
    assert np.abs(second - first).max() > 1e-4
    assert len(reconstructor.reconstruct(pictures(3))) == 3
    assert reconstructor._answer.experimental_get_tracing_count() == 1


def test_meshes_have_the_networks_faces_and_colours():
    plain = as_reconstructor(tiny_network())
    (mesh,) = plain.reconstruct(pictures(1))
    assert plain.gives == "meshes" and mesh.vertex_colors is None
    network = tiny_network(color="palette", palette_size=3)
    colored = as_reconstructor(network)
    assert colored.gives == "colored meshes" and colored.image_size == IMAGE_SIZE
    first, second = colored.reconstruct(pictures())
    vertices, colors = network.colored(pictures(), training=False)
    np.testing.assert_allclose(second.vertices, vertices[1], atol=1e-6)
    np.testing.assert_allclose(second.vertex_colors, colors[1], atol=1e-6)
    np.testing.assert_array_equal(first.faces, network.faces)
    with pytest.raises(ReconstructorError, match="expected one that gives colored meshes"):
        meshes_of(plain, pictures(), colored=True)


def test_networks_of_the_baselines_give_voxels(dataset):
    config = tiny_config().model
    for network in (
        VoxelReconstructor(config, filters=(4, 2)),
        RetrievalReconstructor.from_dataset(dataset, image_size=IMAGE_SIZE),
    ):
        reconstructor = as_reconstructor(network)
        assert (reconstructor.gives, reconstructor.image_size) == ("voxels", IMAGE_SIZE)
        voxels = reconstructor.reconstruct(pictures())
        expected = np.asarray(network(pictures(), training=False)) > 0.5
        np.testing.assert_array_equal(voxels.occupied, expected)
        assert voxels[1].dtype == bool and len(list(voxels)) == 2
        with pytest.raises(ReconstructorError, match="received one that gives voxels"):
            meshes_of(reconstructor, pictures())


def test_functions_are_called_as_they_are_and_keras_models_in_inference():
    def balls(images):
        return np.stack([BALL.vertices] * len(images))

    class Model(keras.Model):
        faces = BALL.faces

        def call(self, images, training=None):
            assert training is False
            return tf.repeat(BALL.vertices[None], tf.shape(images)[0], axis=0)

    for reconstructor in (
        as_reconstructor(balls, faces=BALL.faces),
        as_reconstructor(Model()),
        TemplateBaseline(BALL),
    ):
        assert isinstance(reconstructor, Reconstructor) and reconstructor.gives == "meshes"
        for mesh in reconstructor.reconstruct(pictures(3)):
            np.testing.assert_array_equal(mesh.vertices, BALL.vertices)
            np.testing.assert_array_equal(mesh.faces, BALL.faces)
    assert as_reconstructor(reconstructor) is reconstructor


def test_a_class_with_the_three_members_is_a_reconstructor():
    class Own:
        image_size, gives = 8, "meshes"

        def reconstruct(self, images):
            return Meshes(vertices=BALL.vertices[None], faces=BALL.faces)

    own = Own()
    assert as_reconstructor(own) is own


def test_what_is_no_reconstructor_is_refused():
    for thing in (len, "runs/x", None):
        with pytest.raises(ReconstructorError, match=r"reconstructor: expected a .*; received"):
            as_reconstructor(thing)
    grid = np.zeros([2, 4, 4, 4])
    with pytest.raises(ReconstructorError, match=r"expected vertices \[2, .* VoxelFunction"):
        MeshFunction(lambda images: grid, BALL.faces).reconstruct(pictures())
    with pytest.raises(ReconstructorError, match=r"expected voxels \[3, r, r, r\]"):
        VoxelFunction(lambda images: grid).reconstruct(pictures(3))


BAD_IMAGES = {
    "bytes": (np.uint8(255 * pictures()), r"received uint8 \[2, .*\. Divide uint8 by 255"),
    "bool": (pictures() > 0.5, "received bool"),
    "0 to 255": (255.0 * pictures(), r"received values from .* to 25\d.*Divide .* by 255"),
    "below 0": (pictures() - 0.5, r"received values from -0\.\d+ to 0\.\d+$"),
    "NaN": (np.where(pictures() > 0.9, np.nan, pictures()), r"received \d+ of \d+ .*not finite"),
    "infinite": (np.where(pictures() > 0.9, np.inf, 0.5), r"received \d+ of \d+ .*not finite"),
    "one image": (pictures()[0], rf"received float32 \[{IMAGE_SIZE}, {IMAGE_SIZE}, 4\]"),
    "three channels": (pictures()[..., :3], r"received float32 .*, 3\]"),
    "several sizes": ([pictures()[0], pictures()[0, 1:]], "received images of several shapes"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_images_that_are_none_are_refused_by_name(case, dataset):
    images, received = BAD_IMAGES[case]
    reconstructors = (
        as_reconstructor(tiny_network()),
        RefinedNetwork(as_reconstructor(tiny_network()), steps=1),
        as_reconstructor(RetrievalReconstructor.from_dataset(dataset, image_size=IMAGE_SIZE)),
        MeshFunction(lambda images: np.stack([BALL.vertices] * len(images)), BALL.faces),
        VoxelFunction(lambda images: np.zeros([len(images), 4, 4, 4])),
    )
    for reconstructor in reconstructors:
        expected = r"images: expected floats in \[0, 1\] of shape \[batch, .*, 4\]"
        with pytest.raises(ValueError, match=f"{expected}; {received}"):
            reconstructor.reconstruct(images)


def test_images_of_another_size_than_the_networks_are_refused():
    expected = rf"\[batch, {IMAGE_SIZE}, {IMAGE_SIZE}, 4\]; received float32 \[2, 4, 4, 4\]"
    with pytest.raises(ValueError, match=expected):
        as_reconstructor(tiny_network()).reconstruct(pictures()[:, :4, :4])


def test_images_may_be_rounded_and_of_other_float_types():
    reconstructor = as_reconstructor(tiny_network())
    expected = reconstructor.reconstruct(pictures()).vertices
    for images in (np.float64(pictures()), tf.constant(pictures()), pictures().tolist()):
        np.testing.assert_array_equal(reconstructor.reconstruct(images).vertices, expected)
    for images in (tf.cast(pictures(), tf.bfloat16), 1.01 * pictures() - 0.005, pictures(0)):
        assert len(reconstructor.reconstruct(images)) == len(images)
