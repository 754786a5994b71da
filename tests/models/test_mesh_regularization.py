"""The regularisers inside a model that `fit` trains."""

import doctest

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import losses
from tf_softras.geometry import icosphere
from tf_softras.models import MeshRegularization

MESH = icosphere(1)


def training_model(**kwargs):
    """Vertices out of a dense layer, regularised; the "picture" is their mean."""
    inputs = keras.Input((4,))
    vertices = keras.layers.Dense(2 * 126, name="vertices")(inputs)
    vertices = keras.layers.Reshape((2, 42, 3))(vertices)
    vertices = MeshRegularization(
        MESH.faces, laplacian_weight=0.5, flattening_weight=0.25, **kwargs
    )(vertices)
    return keras.Model(inputs, {"silhouettes": keras.ops.mean(vertices, axis=2)})


def data(count=6):
    random = np.random.default_rng(0)
    return (
        random.normal(size=(count, 4)).astype("float32"),
        {"silhouettes": random.normal(size=(count, 2, 3)).astype("float32")},
    )


def test_fit_and_evaluate_add_and_log_both_losses_without_a_target_for_vertices():
    model = training_model()
    model.compile("adam", loss={"silhouettes": "mse"})
    x, y = data()
    vertices = keras.Model(model.input, model.layers[-2].output)(x)
    laplacian = losses.laplacian_loss(vertices, MESH.faces).numpy().mean()
    flattening = losses.flattening_loss(vertices, MESH.faces).numpy().mean()
    # A last batch of 2 must weigh half of one of 4: the loss is a mean over items.
    logs = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
    assert logs["laplacian_loss"] == pytest.approx(laplacian, rel=1e-5)
    assert logs["flattening_loss"] == pytest.approx(flattening, rel=1e-5)
    silhouettes = np.mean((model(x)["silhouettes"].numpy() - y["silhouettes"]) ** 2)
    expected = silhouettes + 0.5 * laplacian + 0.25 * flattening
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    history = model.fit(x, y, batch_size=3, epochs=3, verbose=0).history
    assert history["laplacian_loss"][-1] < history["laplacian_loss"][0]
    assert set(history) == {"loss", "laplacian_loss", "flattening_loss"}


def test_vertices_pass_unchanged_and_keep_float32_under_mixed_precision():
    layer = MeshRegularization(
        MESH.faces, laplacian_weight=1.0, flattening_weight=1.0, dtype="mixed_float16"
    )
    vertices = np.random.default_rng(0).normal(size=(2, 42, 3)).astype("float32")
    out = layer(vertices)
    assert out.dtype == "float32"
    np.testing.assert_array_equal(out, vertices)
    expected = losses.laplacian_loss(vertices, MESH.faces).numpy().mean()
    assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-6)


def test_fit_under_mixed_precision_stays_finite():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = training_model()
        model.compile("adam", loss={"silhouettes": "mse"})
        history = model.fit(*data(), epochs=2, verbose=0).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite([v for values in history.values() for v in values]).all()


def test_layer_survives_a_keras_file(tmp_path):
    model = training_model()
    model.save(tmp_path / "model.keras")
    restored = keras.models.load_model(tmp_path / "model.keras")
    x, _ = data()
    np.testing.assert_array_equal(restored(x)["silhouettes"], model(x)["silhouettes"])
    layers = [next(x for x in m.layers if "regular" in x.name) for m in (restored, model)]
    assert layers[0].get_config() == layers[1].get_config()


def test_several_replicas_are_refused_where_they_would_share_their_losses(monkeypatch):
    strategy = tf.distribute.get_strategy()
    monkeypatch.setattr(type(strategy), "num_replicas_in_sync", 2)
    layer = MeshRegularization(MESH.faces, laplacian_weight=1.0, flattening_weight=1.0)
    with pytest.raises(ValueError, match="expected one device; received 2 replicas"):
        layer.call(MESH.vertices[None])


def test_the_example_of_the_docstring_runs():
    from tf_softras.models import mesh_regularization

    results = doctest.testmod(mesh_regularization)
    assert results.attempted and not results.failed
