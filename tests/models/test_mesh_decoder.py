"""The decoder: both deformations against the formulas in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras.geometry import icosphere
from tf_softras.losses import laplacian_loss
from tf_softras.models import MeshDecoder
from tf_softras.models.deformations import (
    BoundedDeformation,
    PreconditionedDisplacement,
    TemplateDisplacement,
    mirrored_vertices,
)

TEMPLATE = 0.25 * icosphere(1).vertices.astype("float64")


def decoder(deformation, **kwargs):
    return MeshDecoder(
        code_size=5,
        units=(6, 7),
        template_level=1,
        template_radius=0.25,
        deformation=deformation,
        **kwargs,
    )


def bounded_by_hand(bias, centroid):
    """The released code's formula, vertex by vertex and coordinate by coordinate."""
    vertices = np.zeros_like(bias)
    for b, v, k in np.ndindex(bias.shape):
        coordinate = TEMPLATE[v, k] * 2
        c = np.tanh(0.1 * centroid[b, k])
        moved = 0.0
        if abs(coordinate) > 1e-6:
            logit = np.log(abs(coordinate) / (1 - abs(coordinate)))
            moved = np.sign(coordinate) / (1 + np.exp(-(logit + bias[b, v, k])))
        moved = moved * (1 - c) if moved > 0 else moved * (1 + c)
        vertices[b, v, k] = 0.5 * (moved + c)
    return vertices


def test_displacement_is_added_to_the_template():
    random = np.random.default_rng(0)
    displacement = random.normal(size=(3, 42, 3))
    layer = TemplateDisplacement(1, 0.25, dtype="float64")
    vertices = layer(displacement.reshape(3, -1))
    np.testing.assert_allclose(vertices, TEMPLATE + displacement, rtol=1e-6)


def test_bounded_deformation_is_the_released_codes_formula():
    random = np.random.default_rng(0)
    bias, centroid = random.normal(size=(3, 42, 3)) * 2, random.normal(size=(3, 3)) * 20
    layer = BoundedDeformation(1, 0.25, dtype="float64")
    vertices = layer(bias.reshape(3, -1), centroid)
    # The template is float32.
    np.testing.assert_allclose(vertices, bounded_by_hand(bias, centroid), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("radius", [0.1, 0.25, 0.4])
def test_bounded_deformation_by_nothing_is_the_template(radius):
    layer = BoundedDeformation(2, radius)
    vertices = layer(np.zeros((1, 162 * 3), "float32"), np.zeros((1, 3), "float32"))
    np.testing.assert_allclose(vertices[0], radius * icosphere(2).vertices, atol=1e-7)


def test_bounded_deformation_is_finite_on_template_coordinates_of_zero():
    assert (TEMPLATE == 0).any()
    with np.errstate(all="raise"):
        layer = BoundedDeformation(1, 0.25)
    assert np.isfinite(layer.logit).all()
    random = np.random.default_rng(0)
    bias = tf.constant(random.normal(size=(2, 126)) * 50, "float32")
    centroid = tf.constant(random.normal(size=(2, 3)), "float32")
    with tf.GradientTape() as tape:
        tape.watch([bias, centroid])
        vertices = layer(bias, centroid)
    gradients = tape.gradient(vertices, [bias, centroid])
    assert np.isfinite(vertices).all() and all(np.isfinite(g).all() for g in gradients)
    assert np.abs(vertices).max() <= 0.5
    on_plane = np.broadcast_to(TEMPLATE == 0, (2, 42, 3))
    assert not gradients[0].numpy().reshape(2, 42, 3)[on_plane].any()


@pytest.mark.parametrize("deformation", ["displacement", "bounded", "preconditioned"])
def test_decoder_survives_serialization_and_gives_float32_under_mixed_precision(deformation):
    mixed = decoder(deformation, dtype="mixed_float16")
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(mixed))
    assert isinstance(restored, MeshDecoder)
    assert restored.get_config() == mixed.get_config()
    assert restored.get_layer("dense_1").compute_dtype == "float16"
    vertices = restored(np.ones((2, 5), "float32"))
    assert vertices.dtype == tf.float32 and vertices.shape == (2, 42, 3)


def test_unknown_deformation_is_refused():
    with pytest.raises(
        ValueError, match="deformation: expected.*displacement, bounded, preconditioned.*'free'"
    ):
        decoder("free")


def laplacian_by_hand(faces, count):
    matrix = np.zeros((count, count))
    for face in faces:
        for one in face:
            for other in face:
                if one != other:
                    matrix[one, other] = -1.0
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


def test_preconditioned_displacement_is_the_formula_with_a_solve_in_float64():
    displacement = np.random.default_rng(0).normal(size=(3, 42, 3))
    layer = PreconditionedDisplacement(1, 0.25, smoothness=4.0, dtype="float64")
    vertices = layer(displacement.reshape(3, -1)).numpy()
    system = np.eye(42) + 4.0 * laplacian_by_hand(icosphere(1).faces, 42)
    gain = np.sqrt(42) / np.linalg.norm(np.linalg.inv(system))
    expected = TEMPLATE + gain * np.stack([np.linalg.solve(system, one) for one in displacement])
    # The matrix and the template are float32.
    np.testing.assert_allclose(vertices, expected, atol=1e-6)


def test_preconditioning_keeps_the_size_of_noise_and_smooths_it():
    noise = np.random.default_rng(0).normal(size=(200, 162, 3)).astype("float32")
    layer = PreconditionedDisplacement(2, 0.25, smoothness=4.0)
    moved = layer(noise.reshape(200, -1)).numpy() - layer.template
    # 97,200 numbers that are correlated among about 10 neighbours: a standard error of 0.7 %.
    assert np.sqrt(np.mean(moved**2)) == pytest.approx(1.0, abs=0.03)
    rough, smooth = (
        laplacian_loss(values, icosphere(2).faces).numpy().mean() for values in (noise, moved)
    )
    assert smooth < 0.1 * rough
    untouched = PreconditionedDisplacement(2, 0.25, smoothness=0.0)
    np.testing.assert_allclose(
        untouched(noise[:2].reshape(2, -1)), noise[:2] + layer.template, atol=1e-6
    )


@pytest.mark.parametrize("level", range(5))
def test_every_vertex_of_the_template_has_a_mirror_image(level):
    vertices = icosphere(level).vertices
    mirrored = mirrored_vertices(vertices)
    np.testing.assert_array_equal(vertices[mirrored] * [-1, 1, 1], vertices)
    np.testing.assert_array_equal(np.sort(mirrored), np.arange(len(vertices)))


@pytest.mark.parametrize("deformation", ["displacement", "preconditioned"])
def test_symmetric_meshes_are_their_own_mirror_images(deformation):
    options = {"smoothness": 4.0, "symmetric": True}
    model = decoder(deformation, **options)
    model.get_layer("vertices").kernel.assign(np.random.default_rng(0).normal(size=(7, 126)))
    codes = np.random.default_rng(1).normal(size=(2, 5)).astype("float32")
    vertices = model(codes).numpy()
    mirrored = mirrored_vertices(icosphere(1).vertices)
    np.testing.assert_array_equal(vertices[:, mirrored] * np.float32([-1, 1, 1]), vertices)
    # Both halves take part: the mean of a mesh and its mirror image, not one half copied.
    free = decoder(deformation, smoothness=4.0)
    free.set_weights(model.get_weights())
    whole = free(codes).numpy()
    expected = 0.5 * (whole + whole[:, mirrored] * [-1, 1, 1])
    np.testing.assert_allclose(vertices, expected, atol=1e-6)


def test_decoders_from_before_there_was_symmetry_are_read():
    config = decoder("displacement").get_config()
    del config["symmetric"], config["smoothness"]
    assert MeshDecoder.from_config(config).get_config()["symmetric"] is False
