"""The network as a whole: sizes, what it starts from, files, policies, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import config
from tf_softras.models import MeshReconstructor

TINY = config.ModelConfig(
    convolution_filters=(4, 4),
    encoder_units=(8, 6),
    decoder_units=(8,),
    template_level=1,
    image_size=16,
)
BOTH = pytest.mark.parametrize("deformation", config.DEFORMATIONS)


def pictures(count, size=16, seed=0):
    return np.random.default_rng(seed).random((count, size, size, 4)).astype("float32")


def shuffled(model, seed=0):
    """Gives every weight a value that no initializer would."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        value = 0.2 * random.normal(size=weight.shape)
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.path else value)
    return model


def test_paper_preset_has_the_number_of_weights_worked_out_by_hand():
    convolutions = 25 * (4 * 64 + 64 * 128 + 128 * 256) + 5 * (64 + 128 + 256)  # bias, 4 of BN
    encoder = 8 * 8 * 256 * 1024 + 1024 * 1024 + 1024 * 512 + (1024 + 1024 + 512)
    decoder = 512 * 1024 + 1024 * 2048 + 2048 * 1926 + (1024 + 2048 + 1926)
    model = MeshReconstructor.from_preset("paper")
    assert model.count_params() == convolutions + encoder + decoder == 25_956_166
    assert model.input_shape == (None, 64, 64, 4) and model.output_shape == (None, 642, 3)
    assert model.template.vertices.shape == (642, 3) and model.faces.shape == (1280, 3)
    # Moving mean and variance of the batch normalisations.
    assert sum(np.prod(w.shape) for w in model.non_trainable_weights) == 2 * (64 + 128 + 256)


def test_released_preset_adds_a_centroid():
    model = MeshReconstructor.from_preset("released")
    assert model.count_params() == 25_956_166 + 2048 * 3 + 3
    assert model.config.deformation == "bounded"


@pytest.mark.parametrize("preset", ["paper", "released", "small"])
def test_an_untrained_mesh_is_the_template_to_within_a_percent(preset):
    keras.utils.set_random_seed(0)
    model = MeshReconstructor.from_preset(preset)
    vertices = model(pictures(4, 64))
    assert vertices.dtype == tf.float32
    radii = np.linalg.norm(vertices, axis=-1)
    # A sphere of radius 1/4 for all presets, so that recipes start alike.
    np.testing.assert_allclose(radii, 0.25, rtol=0.01)
    np.testing.assert_allclose(vertices - model.template.vertices, 0, atol=0.0025)


@BOTH
def test_keras_file_gives_the_same_network_back(deformation, tmp_path):
    model = shuffled(MeshReconstructor(TINY.replace(deformation=deformation), name="mine"))
    model.save(tmp_path / "model.keras")
    restored = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(restored, MeshReconstructor)
    assert restored.config == model.config and restored.name == "mine"
    np.testing.assert_array_equal(restored(pictures(3)), model(pictures(3)))


@BOTH
def test_weights_file_gives_the_same_weights_back(deformation, tmp_path):
    model = shuffled(MeshReconstructor(TINY.replace(deformation=deformation)))
    model.save_weights(tmp_path / "model.weights.h5")
    restored = MeshReconstructor(model.config)
    restored.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(restored(pictures(3)), model(pictures(3)))


def test_saved_model_holds_the_same_network(tmp_path):
    model = shuffled(MeshReconstructor(TINY))
    model.export(tmp_path / "saved", verbose=False)
    restored = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(
        restored.serve(pictures(3)), model(pictures(3)), rtol=1e-5, atol=1e-6
    )


@BOTH
def test_mixed_precision_computes_inside_in_half_and_gives_float32_vertices(deformation):
    mixed = MeshReconstructor(TINY.replace(deformation=deformation), dtype="mixed_float16")
    assert mixed.encoder.get_layer("convolution_1").compute_dtype == "float16"
    full = shuffled(MeshReconstructor(mixed.config))
    mixed.set_weights(full.get_weights())
    vertices = mixed(pictures(3))
    assert vertices.dtype == tf.float32
    # Not on a grid of half precision: rounding to it would change them.
    assert (vertices != tf.cast(tf.cast(vertices, tf.float16), tf.float32)).numpy().any()
    np.testing.assert_allclose(vertices, full(pictures(3)), rtol=0.02, atol=0.01)
    restored = MeshReconstructor.from_config(mixed.get_config())
    assert restored.encoder.get_layer("convolution_1").compute_dtype == "float16"


@BOTH
def test_every_weight_gets_a_gradient_and_batches_of_any_size_pass(deformation):
    model = shuffled(MeshReconstructor(TINY.replace(deformation=deformation)))

    @tf.function(input_signature=[tf.TensorSpec((None, 16, 16, 4))])
    def gradients(images):
        with tf.GradientTape() as tape:
            vertices = model(images, training=True)
            loss = tf.reduce_mean(tf.square(vertices - [0.1, 0.2, 0.3]))
        return vertices, tape.gradient(loss, model.trainable_weights)

    for batch in (2, 5):
        vertices, slopes = gradients(pictures(batch))
        assert vertices.shape == (batch, 42, 3)
        assert all(slope is not None and np.isfinite(slope).all() for slope in slopes)


@pytest.mark.parametrize("shape", [(1, 32, 32, 4), (1, 16, 16, 3), (16, 16, 4)])
def test_pictures_of_another_shape_are_refused(shape):
    model = MeshReconstructor(TINY)
    with pytest.raises(ValueError, match=r"expected shape=\(None, 16, 16, 4\), found shape"):
        model(np.zeros(shape, "float32"))


def test_integer_pictures_are_refused():
    with pytest.raises(ValueError, match=r"images: expected.*\[0, 1\].*uint8"):
        MeshReconstructor(TINY)(np.zeros((1, 16, 16, 4), "uint8"))


def test_unknown_presets_and_bad_configurations_are_refused():
    for make in (MeshReconstructor, MeshReconstructor.from_preset):
        with pytest.raises(
            ValueError, match="paper, released, small, many-views, many-pictures.*'papper'"
        ):
            make("papper")
    with pytest.raises(ValueError, match="deformation: expected"):
        MeshReconstructor({**TINY.to_dict(), "deformation": "free"})
