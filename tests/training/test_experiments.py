"""Experiments: every variant is run once, and what was done is not done again."""

import functools
import json

import numpy as np
import PIL.Image
import pytest

from tests.shapes import RADII, ellipsoids, tiny_config
from tf_softras.config import METHODS, preset
from tf_softras.training import experiments, run_experiment
from tf_softras.training.experiments import EXPERIMENTS


def test_experiments_are_those_of_the_paper():
    assert set(EXPERIMENTS["table1"]) == set(METHODS)
    base = tiny_config()
    for name in ("ablation", "regularization", "sigma", "table1"):
        configs = [base.replace(**variant.changes) for variant in EXPERIMENTS[name].values()]
        assert len(set(map(str, configs))) == len(configs)
    assert EXPERIMENTS["ablation"]["full"].changes == {}
    whole = preset("paper").replace(**EXPERIMENTS["regularization"]["1 of the weights"].changes)
    assert whole == preset("paper")


def test_experiment_is_resumed_and_writes_tables_and_a_picture(tmp_path, monkeypatch):
    asked, evaluated = [], []
    evaluate = experiments.evaluate

    def datasets(data, split):
        asked.append((data, split))
        return ellipsoids()

    def counted(network, dataset, **options):
        evaluated.append(network)
        return evaluate(network, dataset, progress=False, **options)

    names_in_picture = []
    sheet = experiments.comparison_sheet
    monkeypatch.setattr(experiments, "evaluate", counted)
    monkeypatch.setattr(
        experiments,
        "comparison_sheet",
        lambda *args, **options: (
            names_in_picture.append(options["class_names"]) or sheet(*args, **options)
        ),
    )
    # The labels of a data set with classes of its own.
    names = [f"kind {label}" for label in range(13)]
    options = {"steps_per_epoch": 1, "progress": "none", "class_names": names}
    config = tiny_config(steps=2)
    first = run_experiment("views", config, datasets, tmp_path, **options)
    assert list(first) == ["24 views", "120 views"] and len(evaluated) == 2
    assert {("meshes_120", "train"), ("meshes", "train"), (None, "val")} <= set(asked)
    assert first["24 views"].steps == 2 and first["24 views"].seed == 0
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["experiment"] == "views" and written["config"]["steps"] == 2
    mean = written["variants"]["120 views"]["evaluation"]["mean"]
    text = (tmp_path / "results.md").read_text()
    assert f"**{mean:.4f}**" in text and "| 24 views | 2 | 4 |" in text
    objects = written["variants"]["24 views"]["evaluation"]["objects"]
    assert objects["kind 6"] == 2 and "| kind 6 |" in text and "lamp" not in text
    assert names_in_picture == [names]
    picture = PIL.Image.open(tmp_path / "picture.png")
    assert picture.width == 5 * 132 + 4 and picture.height > len(RADII) * 128
    # Again: nothing is trained or evaluated.
    again = run_experiment("views", config, datasets, tmp_path, **options)
    assert again == first and len(evaluated) == 2
    with pytest.raises(ValueError, match="experiment.*table1.*'table2'"):
        run_experiment("table2", config, datasets, tmp_path)


def test_seeds_are_runs_of_their_own_and_intervals_compare_them(tmp_path, monkeypatch):
    monkeypatch.setitem(
        EXPERIMENTS,
        "table1",
        {method: experiments.Variant({"method": method}) for method in ("retrieval", "softras")},
    )
    options = {"steps_per_epoch": 2, "progress": "none", "seeds": 2}
    results = run_experiment(
        "table1", tiny_config(steps=2, seed=5), lambda *_: ellipsoids(), tmp_path, **options
    )
    assert {title: result.seed for title, result in results.items()} == {
        "retrieval": 5, "softras": 5, "softras, seed 6": 6,
    }  # fmt: skip
    assert (tmp_path / "softras_seed_6" / "config.json").is_file()
    one, other = (results[title].evaluation for title in ("softras", "softras, seed 6"))
    assert one.per_object != other.per_object and set(one.per_object) == {
        "table/ellipsoid 0", "lamp/ellipsoid 1", "lamp/ellipsoid 2", "sofa/ellipsoid 3",
    }  # fmt: skip
    lamps = [one.per_object[f"lamp/ellipsoid {i}"] for i in (1, 2)]
    assert sum(lamps) / 2 == pytest.approx(one.per_class["lamp"], rel=1e-5)
    text = (tmp_path / "results.md").read_text()
    mean = f"{(one.mean + other.mean) / 2:.3f}".replace("0.", ".", 1)
    assert f"| softras | 2 | {mean} (" in text and "softras ahead, classes" in text
    with pytest.raises(ValueError, match="seeds: expected at least 1; received 0"):
        run_experiment("table1", tiny_config(), None, tmp_path, seeds=0)


def test_refined_rows_have_leads_of_their_own_and_are_made_once(tmp_path, monkeypatch):
    variants = {
        method: experiments.Variant({"method": method})
        for method in ("retrieval", "n3mr", "softras")
    }
    monkeypatch.setitem(EXPERIMENTS, "table1", variants)
    options = {"steps_per_epoch": 2, "progress": "none", "refine": True}
    # Long steps, because the codes of a network that has hardly learned matter little.
    wild = functools.partial(experiments.RefinedNetwork, learning_rate=30.0, prior=0.0)
    monkeypatch.setattr(experiments, "RefinedNetwork", wild)
    arguments = ("table1", tiny_config(steps=2), lambda *_: ellipsoids().take(2), tmp_path)
    results = run_experiment(*arguments, **options)
    # Retrieval has no codes.
    refined = ["n3mr, refined", "softras, refined"]
    assert [title for title in results if title.endswith("refined")] == refined
    for title in refined:
        plain = results[title.removesuffix(", refined")].evaluation
        assert results[title].evaluation.per_object != plain.per_object
    text = (tmp_path / "results.md").read_text()
    first, second = text.split("Each mesh fitted to its picture's silhouette")
    assert "| retrieval | 1 |" in first and "| retrieval | 1 |" not in second
    assert second.count("| n3mr | 1 |") == 1 and "softras ahead" in second
    # The costs are those of the runs.
    assert "| softras, refined | 2 | 4 |" not in text and "| softras | 2 | 4 |" in text
    monkeypatch.setattr(experiments, "RefinedNetwork", lambda network: None)
    assert run_experiment(*arguments, **options) == results


def test_the_row_of_fits_is_compared_and_made_once(tmp_path, monkeypatch):
    asked = []

    def fits(dataset, class_names):
        asked.append(dataset)
        return experiments.evaluate(lambda images: np.zeros((len(images), 3, 3)), dataset,
                                    faces=[[0, 1, 2]], class_names=class_names,
                                    progress=False)  # fmt: skip

    monkeypatch.setattr(experiments, "evaluate_fit", fits)
    monkeypatch.setitem(EXPERIMENTS, "table1", {"softras": experiments.Variant()})
    options = {"steps_per_epoch": 1, "progress": "none", "fit": True}
    config = tiny_config(steps=1)
    for _ in range(2):
        results = run_experiment("table1", config, lambda *_: ellipsoids(), tmp_path, **options)
    assert list(results) == ["softras", "fit"] and len(asked) == 1
    text = (tmp_path / "results.md").read_text()
    # The difference is softras's lead over the fits, not the other way round.
    assert "softras ahead, classes" in text and "| fit | 1 |" in text


def test_a_run_that_went_on_is_evaluated_again(tmp_path):
    options = {"steps_per_epoch": 1, "progress": "none"}
    config = tiny_config(steps=2)

    def steps(**more):
        results = run_experiment(
            "views", config, lambda *_: ellipsoids(), tmp_path, **options, **more
        )
        return [result.steps for result in results.values()]

    assert steps(time_limit=1e-9) == [1, 1]
    assert steps() == [2, 2]
