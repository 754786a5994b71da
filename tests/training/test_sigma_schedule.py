"""Sigma during training: exact for every step, in every rasteriser, without a retrace."""

import keras
import numpy as np
import pytest

from tf_softras.geometry import icosphere
from tf_softras.layers import SoftRasterize
from tf_softras.training import SigmaSchedule


def _model(*sigmas):
    sphere = icosphere(0)
    vertices = keras.Input((12, 3))
    moved = keras.layers.Dense(3, kernel_initializer="identity")(vertices)
    rendered = [SoftRasterize(sphere.faces, 4, sigma)(moved) for sigma in sigmas] or [moved]
    model = keras.Model(vertices, keras.layers.Add()([*rendered, rendered[0]]))
    model.compile("sgd", "mse")
    return model


def _fit(model, callbacks, epochs=2):
    vertices = np.tile(icosphere(0).vertices + np.float32([0, 0, 3]), (6, 1, 1))
    targets = np.zeros((6, *model.output_shape[1:]), "float32")
    return model.fit(vertices, targets, batch_size=2, epochs=epochs, callbacks=callbacks, verbose=0)


class _SeenSigmas(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        layers = [layer for layer in self.model.layers if isinstance(layer, SoftRasterize)]
        self.seen.append([float(layer.sigma) for layer in layers])


def test_sigma_of_every_layer_follows_the_optimizers_steps_over_epochs():
    seen = _SeenSigmas()
    history = _fit(_model(0.5, 0.7), [SigmaSchedule(lambda step: 10.0 ** -(step + 1)), seen])
    expected = [[10.0**-step] * 2 for step in range(1, 7)]
    np.testing.assert_allclose(seen.seen, expected, rtol=1e-6)
    np.testing.assert_allclose(history.history["sigma"], [1e-3, 1e-6], rtol=1e-6)


def test_schedules_of_keras_change_sigma_after_the_step_they_name():
    seen = _SeenSigmas()
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([3], [1e-1, 1e-2])
    _fit(_model(0.5), [SigmaSchedule(schedule), seen])
    np.testing.assert_allclose(np.ravel(seen.seen), [1e-1] * 4 + [1e-2] * 2, rtol=1e-6)


def test_named_layer_alone_changes():
    model, seen = _model(0.5, 0.7), _SeenSigmas()
    layer = next(layer for layer in model.layers if isinstance(layer, SoftRasterize))
    _fit(model, [SigmaSchedule(lambda step: 0.1, layer), seen], epochs=1)
    np.testing.assert_allclose(seen.seen[-1], [0.1, 0.7], rtol=1e-6)


def test_schedule_retraces_nothing(monkeypatch):
    traces = []
    call = SoftRasterize.call
    monkeypatch.setattr(
        SoftRasterize, "call", lambda self, vertices: traces.append(1) or call(self, vertices)
    )
    model = _model(0.5)
    _fit(model, [], epochs=1)
    before = len(traces)
    _fit(model, [SigmaSchedule(lambda step: 0.1 / (step + 1))])
    # `fit` itself traces its step anew each time it is called; more would be the schedule's doing.
    assert len(traces) - before <= 1


def test_model_without_a_rasteriser_is_refused():
    with pytest.raises(ValueError, match="expected a SoftRasterize layer"):
        _fit(_model(), [SigmaSchedule(lambda step: 0.1)])
