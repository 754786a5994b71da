"""The decoder: both deformations against the formulas in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras.geometry import icosphere
from tf_softras.models import MeshDecoder
from tf_softras.models.deformations import BoundedDeformation, TemplateDisplacement

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


@pytest.mark.parametrize("deformation", ["displacement", "bounded"])
def test_decoder_survives_serialization_and_gives_float32_under_mixed_precision(deformation):
    mixed = decoder(deformation, dtype="mixed_float16")
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(mixed))
    assert isinstance(restored, MeshDecoder)
    assert restored.get_config() == mixed.get_config()
    assert restored.get_layer("dense_1").compute_dtype == "float16"
    vertices = restored(np.ones((2, 5), "float32"))
    assert vertices.dtype == tf.float32 and vertices.shape == (2, 42, 3)


def test_unknown_deformation_is_refused():
    with pytest.raises(ValueError, match="Invalid deformation.*displacement, bounded.*'free'"):
        decoder("free")
