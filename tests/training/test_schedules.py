"""Schedules: what sigma and the learning rate are at every step."""

import math

import numpy as np
import pytest

from tests.shapes import tiny_config
from tf_softras.training import train
from tf_softras.training._schedules import learning_rate_schedule, sigma_schedule


def test_sigma_falls_by_equal_factors_over_its_share_of_the_steps():
    config = tiny_config(steps=100, sigma=1e-5, sigma_start=1e-3, sigma_anneal=0.5)
    schedule = sigma_schedule(config)
    values = np.array([schedule(step) for step in range(101)])
    assert values[0] == pytest.approx(1e-3)
    # A hundredth in 50 steps: equal factors of 100^(-1/50).
    np.testing.assert_allclose(values[1:51] / values[:50], 100 ** (-1 / 50), rtol=1e-6)
    np.testing.assert_allclose(values[50:], 1e-5, rtol=1e-6)


def test_learning_rate_warms_up_and_falls_along_half_a_cosine():
    config = tiny_config(steps=110, learning_rate=1e-3, warmup_steps=10, final_learning_rate=1e-5)
    schedule = learning_rate_schedule(config)
    rates = np.array([float(schedule(step)) for step in range(111)])
    np.testing.assert_allclose(rates[:11], np.arange(11) * 1e-4, rtol=1e-5, atol=1e-9)
    cosine = [0.5 * (1 + math.cos(math.pi * step / 100)) for step in range(101)]
    np.testing.assert_allclose(rates[10:], 1e-5 + np.multiply(cosine, 0.99e-3), rtol=1e-4)


def test_learning_rate_may_warm_up_alone_or_before_a_drop():
    schedule = learning_rate_schedule(
        tiny_config(steps=20, learning_rate=1e-3, warmup_steps=4, decay_steps=10, decay_factor=0.1)
    )
    rates = [float(schedule(step)) for step in (0, 1, 4, 9, 10, 19)]
    np.testing.assert_allclose(rates, [0, 2.5e-4, 1e-3, 1e-3, 1e-4, 1e-4], rtol=1e-5)
    without = learning_rate_schedule(tiny_config(learning_rate=1e-3, final_learning_rate=0.0))
    assert float(without(0)) == pytest.approx(1e-3) and float(without(6)) == pytest.approx(0.0)


def test_schedules_are_logged_and_go_on_where_a_run_was_cut(dataset, tmp_path):
    config = tiny_config(
        sigma_start=1e-2, sigma_anneal=1.0, warmup_steps=2, final_learning_rate=1e-4
    )
    options = {"train_dataset": dataset, "steps_per_epoch": 1, "progress": "none"}
    whole = train(config, run_folder=tmp_path / "whole", **options).history()
    folder = {"run_folder": tmp_path / "cut"}
    train(config, **folder, time_limit=1e-9, **options)
    cut = train(config, **folder, **options).history()
    for name in ("sigma", "learning_rate"):
        np.testing.assert_allclose([r[name] for r in cut], [r[name] for r in whole], rtol=1e-6)
    # Sigma is that of the step done.
    expected = [1e-2 * 0.1 ** (step / 6) for step in range(6)]
    np.testing.assert_allclose([row["sigma"] for row in whole], expected, rtol=1e-5)
    tags = _scalars(tmp_path / "whole/tensorboard/train")
    assert {"epoch_sigma", "epoch_learning_rate"} <= tags


def _scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return set(events.Tags()["tensors"])


def test_averaged_weights_are_saved_and_validated_while_training_goes_on_from_its_own(
    dataset, tmp_path
):
    """Against a plain run of the same seed, whose weights are averaged by hand."""
    import keras

    seen = []

    class Weights(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            reconstructor = self.model.reconstructor
            seen.append([weight.numpy() for weight in reconstructor.trainable_variables])

    options = {"train_dataset": dataset, "validation_dataset": dataset, "progress": "none"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.callbacks, "TensorBoard", lambda *args, **kwargs: Weights())
        train(tiny_config(), run_folder=tmp_path / "plain", steps_per_epoch=2, **options)
    expected = seen[0]
    for weights in seen[1:]:
        expected = [0.75 * old + 0.25 * new for old, new in zip(expected, weights, strict=True)]
    config = tiny_config(weight_averaging=0.75)
    run = {"run_folder": tmp_path / "averaged", "steps_per_epoch": 2}
    # Cut after the first epoch: the backup holds the run's own weights and the averages.
    train(config, time_limit=1e-9, **run, **options)
    folder = train(config, **run, **options)
    averaged = folder.load_reconstructor("last").trainable_variables
    for one, other in zip(averaged, expected, strict=True):
        # A bias before batch normalisation has no gradient but rounding, which Adam scales up.
        if one.path != "convolution_1/bias":
            np.testing.assert_allclose(one.numpy(), other, rtol=1e-4, atol=1e-6)
    moved = max(np.abs(a - b).max() for a, b in zip(expected, seen[-1], strict=True))
    assert moved > 1e-4
