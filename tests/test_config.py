"""Configurations: the recipes of DESIGN.md, their JSON, and what they refuse."""

import dataclasses
import json

import pytest

from tf_softras import config


def test_paper_preset_is_the_papers_recipe():
    paper = config.preset("paper")
    assert paper == config.ReconstructionConfig()
    assert (paper.sigma, paper.learning_rate, paper.beta_1, paper.beta_2) == (
        3e-5,
        1e-4,
        0.9,
        0.999,
    )
    assert (paper.laplacian_weight, paper.flattening_weight, paper.batch_size) == (0.01, 0.001, 64)
    assert paper.decay_steps is None
    assert paper.model.convolution_filters == (64, 128, 256)
    assert paper.model.encoder_units == (1024, 1024, 512)
    assert paper.model.decoder_units == (1024, 2048)
    assert (paper.model.template_level, paper.model.image_size) == (3, 64)
    assert paper.model.deformation == "displacement"


def test_released_preset_differs_from_the_paper_as_the_released_code_does():
    released = config.preset("released")
    assert (released.sigma, released.learning_rate) == (1e-4, 1e-4)
    assert (released.laplacian_weight, released.flattening_weight) == (0.005, 0.0005)
    assert (released.steps, released.decay_steps, released.decay_factor) == (250_000, 150_000, 0.3)
    assert released.model == config.preset("paper").model.replace(deformation="bounded")


@pytest.mark.parametrize("name", config.PRESETS)
def test_presets_know_their_name_and_survive_json(name):
    original = config.preset(name)
    assert original.preset == name
    restored = config.ReconstructionConfig.from_dict(json.loads(json.dumps(original.to_dict())))
    assert restored == original
    assert hash(restored) == hash(original)


@pytest.mark.parametrize("name", ["paper", "released", "small"])
def test_presets_of_the_paper_do_not_augment_and_compare_pairs(name):
    recipe = config.preset(name)
    assert (recipe.pictures_per_object, recipe.views_per_mesh, recipe.compare_input) == (2, 2, True)
    assert (recipe.sigma_start, recipe.final_learning_rate, recipe.warmup_steps) == (None, None, 0)
    assert (recipe.mirror, recipe.color_jitter, recipe.framed_share) == (False, 0.0, 0.0)


def test_configurations_written_before_a_field_was_added_are_read():
    values = config.preset("paper").to_dict()
    del values["mirror"], values["color_jitter"], values["views_per_mesh"], values["sigma_start"]
    del values["model"]["symmetric"], values["model"]["smoothness"]
    assert config.ReconstructionConfig.from_dict(values) == config.preset("paper")


def test_unknown_preset_is_refused_with_the_names_there_are():
    with pytest.raises(
        ValueError, match="paper, released, small, many-views, many-pictures.*'papper'"
    ):
        config.preset("papper")


@pytest.mark.parametrize(
    "changes",
    [
        {"sigma": 0.0},
        {"sigma": float("nan")},
        {"sigma": float("inf")},
        {"sigma": "3e-5"},
        {"sigma": True},
        {"learning_rate": -1e-4},
        {"beta_1": 1.0},
        {"beta_2": -0.1},
        {"laplacian_weight": -1.0},
        {"flattening_weight": float("nan")},
        {"color_weight": -1.0},
        {"batch_size": 0},
        {"batch_size": 2.5},
        {"steps": 0},
        {"decay_steps": 0},
        {"decay_factor": 0.0},
        {"seed": -1},
        {"seed": True},
        {"mirror": 1},
        {"color_jitter": 1.0},
        {"color_jitter": -0.1},
        {"framed_share": 1.1},
        {"gray_share": 1.1},
        {"picture_noise": -0.1},
        {"model": None},
        {"preset": ""},
        {"pictures_per_object": 0},
        {"views_per_mesh": 0},
        {"views_per_mesh": 1},
        {"compare_input": None},
        {"sigma_start": 0.0},
        {"sigma_anneal": 0.0},
        {"sigma_anneal": 1.5},
        {"warmup_steps": -1},
        {"final_learning_rate": -1e-5},
        {"weight_averaging": 1.0},
        {"sigma_start": 1e-3, "decay_steps": 5},
    ],
)
def test_training_values_out_of_range_are_refused_by_name(changes):
    with pytest.raises(ValueError, match=f"{next(iter(changes))}: expected.*received"):
        config.preset("paper").replace(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"convolution_filters": ()},
        {"convolution_filters": (64, 0)},
        {"encoder_units": (1.5,)},
        {"decoder_units": 1024},
        {"template_level": -1},
        {"template_level": 8},
        {"template_radius": 0.0},
        {"template_radius": 0.5},
        {"deformation": "free"},
        {"color": "rainbow"},
        {"palette_size": 0},
        {"image_size": 0},
        {"smoothness": -1.0},
        {"symmetric": 1},
        {"symmetric": True, "deformation": "bounded"},
        {"template_level": 5, "deformation": "preconditioned"},
    ],
)
def test_model_values_out_of_range_are_refused_by_name(changes):
    with pytest.raises(ValueError, match=f"{next(iter(changes))}: expected.*received"):
        config.ModelConfig().replace(**changes)


def test_unknown_and_missing_keys_are_named():
    values = config.preset("paper").to_dict()
    with pytest.raises(ValueError, match="sigmma"):
        config.ReconstructionConfig.from_dict({**values, "sigmma": 1.0})
    with pytest.raises(ValueError, match="image_size"):
        config.ReconstructionConfig.from_dict(
            {**values, "model": {k: v for k, v in values["model"].items() if k != "image_size"}}
        )
    with pytest.raises(ValueError, match="ModelConfig.*a dict"):
        config.ReconstructionConfig.from_dict({**values, "model": None})


def test_configurations_from_before_there_were_colours_have_none():
    values = config.preset("paper").to_dict()
    del values["color_weight"], values["model"]["color"], values["model"]["palette_size"]
    assert config.ReconstructionConfig.from_dict(values) == config.preset("paper")


def test_configurations_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.preset("paper").sigma = 1.0


def test_lists_become_tuples_so_that_equal_configurations_hash_alike():
    model = config.ModelConfig(encoder_units=[1024, 1024, 512])
    assert model == config.ModelConfig()
    assert hash(model) == hash(config.ModelConfig())
