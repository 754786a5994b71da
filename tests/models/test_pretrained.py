"""The weights that come with the package, and the files that hold such weights."""

import csv

import keras
import numpy as np
import pytest

from tests.shapes import tiny_config
from tf_softras import config
from tf_softras.models import MeshReconstructor, _pretrained, mesh_reconstructor, pretrained_names
from tf_softras.models._pretrained import PretrainedError, read_pretrained, save_pretrained


@pytest.fixture
def network():
    keras.utils.set_random_seed(3)
    return MeshReconstructor(tiny_config().model.replace(deformation="preconditioned"))


@pytest.fixture
def shipped(network, tmp_path, monkeypatch):
    """A package whose one trained network is `network`."""
    save_pretrained(network, tmp_path / "balls.npz")
    for module in (_pretrained, mesh_reconstructor):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    return tmp_path / "balls.npz"


def test_weights_of_a_preset_are_those_saved_to_half_precision(network, shipped):
    assert pretrained_names() == ("balls",)
    loaded = MeshReconstructor.from_preset("balls")
    assert loaded.config == network.config
    for one, other in zip(loaded.get_weights(), network.get_weights(), strict=True):
        # Half precision keeps 11 bits.
        np.testing.assert_allclose(one, other, rtol=2**-11, atol=1e-7)
    assert any(weight.any() for weight in loaded.get_weights())
    images = np.random.default_rng(0).random((2, 16, 16, 4), np.float32)
    np.testing.assert_allclose(loaded(images), network(images), atol=1e-3)


def test_unknown_presets_are_refused_with_both_kinds_of_names(shipped):
    with pytest.raises(ValueError, match="preset: expected one of balls, paper.*received 'cubes'"):
        MeshReconstructor.from_preset("cubes")
    untrained = MeshReconstructor.from_preset("small")
    assert untrained.config == config.preset("small").model


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half"])
def test_damaged_files_are_refused_by_name(content, shipped):
    shipped.write_bytes(content)
    with pytest.raises(PretrainedError, match="balls.npz: expected weights"):
        MeshReconstructor.from_preset("balls")


def test_pickles_and_weights_of_other_networks_are_refused(network, shipped):
    stored = dict(np.load(shipped))
    np.savez(shipped, **stored, weight_999=np.array([{}], object))
    with pytest.raises(PretrainedError, match="expected weights"):
        MeshReconstructor.from_preset("balls")
    stored["weight_000"] = stored["weight_000"][..., :1]
    np.savez(shipped, **stored)
    with pytest.raises(PretrainedError, match="weights of 'balls': expected .* arrays"):
        MeshReconstructor.from_preset("balls")


def test_weights_that_half_precision_cannot_hold_are_refused(network, tmp_path):
    network.set_weights([1e6 * np.ones_like(weight) for weight in network.get_weights()])
    with pytest.raises(PretrainedError, match="weight 0: expected values that float16 holds"):
        save_pretrained(network, tmp_path / "large.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", pretrained_names())
def test_shipped_networks_are_small_and_attributed(name):
    path = _pretrained.FOLDER / f"{name}.npz"
    assert path.stat().st_size < 10e6
    model_config, weights = read_pretrained(path)
    assert model_config.image_size == 64 and all(np.isfinite(w).all() for w in weights)
    with path.with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    free = {"CC0-1.0", "CC-BY-3.0", "CC-BY-3.0-US", "MIT"}
    assert rows and {row["licence"] for row in rows} <= free
    assert all(row["attribution"] for row in rows if row["licence"].startswith("CC-BY"))
    assert path.with_suffix(".md").is_file()
