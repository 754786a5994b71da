"""Runs the paper's experiments: several runs that differ in one thing, tables, a picture.

Source: "Soft Rasterizer", Table 1 and sections 5.3 and 5.4.
"""

import dataclasses
import functools
import json
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tf_softras._shared.files import replaced_whole, write_json
from tf_softras.config import METHODS, ReconstructionConfig
from tf_softras.evaluation._bootstrap import interval_table
from tf_softras.evaluation._evaluate import Evaluation, comparison_table, evaluate
from tf_softras.evaluation._evaluate_fit import evaluate_fit
from tf_softras.evaluation._measure import Measurements, measure, metrics_table
from tf_softras.geometry import Mesh
from tf_softras.models import MeshReconstructor
from tf_softras.reconstruction import RefinedNetwork, as_reconstructor
from tf_softras.run_folder import RunFolder
from tf_softras.sheets._comparison_sheet import comparison_sheet
from tf_softras.training._train import train

# Objects in the picture.
_SHOWN = 6
# Titles of refined rows end so.
_REFINED = ", refined"


@dataclasses.dataclass(frozen=True)
class Variant:
    """One run of an experiment.

    Attributes:
        changes: The fields of its configuration that differ from the experiment's.
        data: The configuration of `shapenet_views` that it trains on, or None for the
            experiment's.
    """

    changes: dict = dataclasses.field(default_factory=dict)
    data: str | None = None


# Name -> variants, by their titles in the table.
EXPERIMENTS = {
    "table1": {method: Variant({"method": method}) for method in METHODS},
    "ablation": {
        "without flattening": Variant({"flattening_weight": 0.0}),
        "without Laplacian": Variant({"laplacian_weight": 0.0}),
        "full": Variant(),
    },
    "views": {
        "24 views": Variant(data="meshes"),
        "120 views": Variant(data="meshes_120"),
    },
    # Factors of the preset "paper"'s weights, which outweigh a soft rasteriser's small gradient.
    "regularization": {
        f"{factor:g} of the weights": Variant(
            {"laplacian_weight": 0.01 * factor, "flattening_weight": 0.001 * factor}
        )
        for factor in (0.01, 0.1, 1.0)
    },
    "sigma": {
        f"sigma {sigma:g}": Variant({"sigma": sigma}) for sigma in (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
    },
}


@dataclasses.dataclass(frozen=True)
class Result:
    """Holds how a run of a variant ended.

    Attributes:
        evaluation: 3D IoU of the best checkpoint.
        measurements: Its other metrics, or None if they were not asked for.
        steps: Optimizer steps that were done.
        minutes: Minutes that they took, with validation, whatever else ran on the machine.
        seed: Seed of weights and data.
        batch_size: Objects in a batch.
    """

    evaluation: Evaluation
    measurements: Measurements | None
    steps: int
    minutes: float
    seed: int
    batch_size: int

    def to_dict(self) -> dict:
        """Returns a dict of JSON types that `from_dict` takes back."""
        return {
            **dataclasses.asdict(self),
            "evaluation": self.evaluation.to_dict(),
            "measurements": self.measurements and self.measurements.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: dict) -> "Result":
        """Returns the result that `to_dict` wrote."""
        evaluation = {key: value for key, value in values["evaluation"].items() if key != "mean"}
        measured = values["measurements"]
        if measured:
            measured = {key: value for key, value in measured.items() if key != "mean"}
        return cls(
            **{
                **values,
                "evaluation": Evaluation(**evaluation),
                "measurements": measured and Measurements(**measured),
            }
        )


def run_experiment(
    name: str,
    config: ReconstructionConfig,
    datasets: Callable[[str | None, str], tf.data.Dataset],
    folder,
    *,
    seeds: int = 1,
    split: str = "val",
    metrics: bool = False,
    fit: bool = False,
    refine: bool = False,
    truth: Callable[[str, str], Mesh] | None = None,
    class_names: Sequence[str] | None = None,
    **training,
) -> dict[str, Result]:
    """Returns title -> result of each run, and writes them to a folder.

    `results.md` (tables), `results.json` and `picture.png` lie in it beside the run folders. A
    second call goes on: each run from its last backup. It does not repeat an evaluation of a run
    that has had no further steps.

    Args:
        name: A key of `EXPERIMENTS`.
        config: The configuration that all variants share.
        datasets: A function from a configuration of `shapenet_views` (None: the experiment's own)
            and a split to its examples, not batched. Runs are validated on "val", and all are
            evaluated on `split` of the experiment's own.
        folder: The folder to write.
        seeds: Runs of each variant, with seeds from that of `config` on; titles of further runs end
            with their seed. Retrieval has no seed and runs once.
        split: The split that is evaluated.
        metrics: Whether `measure` is asked too.
        fit: Whether there is a row `fit`: each object fitted to its own silhouettes, see
            `evaluation.evaluate_fit`.
        refine: Whether networks that make meshes of codes are evaluated a second time, each mesh
            fitted to its picture's silhouette; see `reconstruction.RefinedNetwork`. Titles of these
            rows end with "refined", and they have a table of leads of their own.
        truth: For `measure` and the picture.
        class_names: The names of the experiment's own labels,
            `builder.info.features["label"].names`; by default the 13 of the published tables.
        **training: The attributes of `TrainOptions`, such as `steps_per_epoch`. A `time_limit` is
            that of each run.

    Raises:
        ValueError: There is no such experiment, or an argument is refused by `train`.
        RunFolderError: The folder holds runs of another configuration.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"experiment: expected one of {', '.join(EXPERIMENTS)}; received {name!r}")
    if seeds < 1:
        raise ValueError(f"seeds: expected at least 1; received {seeds}")
    folder = pathlib.Path(folder)
    shown = datasets(None, split)
    results: dict[str, Result] = {}
    networks: dict[str, Any] = {}
    runs_of: dict[str, list[Result]] = {}
    refined_of: dict[str, list[Result]] = {}
    for title, variant in EXPERIMENTS[name].items():
        runs_of[title] = []
        for run_title, run_config in _runs(title, config.replace(**variant.changes), seeds):
            run = train(
                run_config,
                train_dataset=datasets(variant.data, "train"),
                validation_dataset=datasets(variant.data, "val"),
                run_folder=folder / run_title.replace(",", "").replace(" ", "_"),
                **training,
            )
            network = run.load_reconstructor()
            networks.setdefault(title, network)
            evaluated = functools.partial(
                _result, run, dataset=shown, metrics=metrics, truth=truth, class_names=class_names
            )
            results[run_title] = evaluated(network, name=split)
            runs_of[title].append(results[run_title])
            if refine and isinstance(network, MeshReconstructor):
                refined = RefinedNetwork(as_reconstructor(network))
                results[run_title + _REFINED] = evaluated(refined, name=f"{split}_refined")
                refined_of.setdefault(title, []).append(results[run_title + _REFINED])
    if fit:
        results["fit"] = _fit_result(folder / f"fit_{split}.json", shown, class_names)
        runs_of["fit"] = [results["fit"]]
    _write(folder, name, config, split, results, runs_of, refined_of)
    examples = shown.shuffle(1000, seed=0, reshuffle_each_iteration=False).take(_SHOWN)
    picture = folder / "picture.png"
    comparison_sheet(networks, examples, picture, truth=truth, class_names=class_names)
    return results


def _runs(title: str, config: ReconstructionConfig, seeds: int):
    """Yields the title and the configuration of each run of a variant."""
    yield title, config
    if config.method != "retrieval":
        for seed in range(config.seed + 1, config.seed + seeds):
            yield f"{title}, seed {seed}", config.replace(seed=seed)


def _result(
    run: RunFolder, network, *, name: str, dataset, metrics: bool, truth, class_names
) -> Result:
    """Returns a run's result; reads it if it was written at the run's present step.

    Args:
        run: The run, whose folder gets result_NAME.json.
        network: What is evaluated: its network, or a `Reconstructor` made of it.
        name: The file's.
        dataset: Examples of the split.
        metrics: As for `run_experiment`.
        truth: Likewise.
        class_names: Likewise.
    """
    path = run.path / f"result_{name}.json"
    last = run.history()[-1]
    if path.is_file():
        written = Result.from_dict(json.loads(path.read_text(encoding="utf-8")))
        complete = written.evaluation.per_object and (written.measurements or not metrics)
        if written.steps == last["step"] and complete:
            return written
    measurements = None
    if metrics:
        measurements = measure(network, dataset, truth=truth, class_names=class_names)
    result = Result(
        evaluation=evaluate(network, dataset, class_names=class_names),
        measurements=measurements,
        steps=last["step"],
        minutes=round(last["seconds"] / 60.0, 1),
        seed=run.config.seed,
        batch_size=run.config.batch_size,
    )
    write_json(path, result.to_dict())
    return result


def _fit_result(path: pathlib.Path, dataset, class_names) -> Result:
    """Returns the row `fit`; reads it if it was written."""
    if path.is_file():
        return Result.from_dict(json.loads(path.read_text(encoding="utf-8")))
    begin = time.monotonic()
    evaluation = evaluate_fit(dataset, class_names=class_names)
    minutes = round((time.monotonic() - begin) / 60.0, 1)
    result = Result(evaluation, None, steps=0, minutes=minutes, seed=0, batch_size=1)
    write_json(path, result.to_dict())
    return result


def _write(
    folder: pathlib.Path,
    name: str,
    config,
    split: str,
    results: dict[str, Result],
    runs_of: dict[str, list[Result]],
    refined_of: dict[str, list[Result]],
) -> None:
    """Writes results.json and results.md."""
    values = {title: result.to_dict() for title, result in results.items()}
    common = {"experiment": name, "split": split, "config": config.to_dict()}
    write_json(folder / "results.json", {**common, "variants": values})
    *_, reference = EXPERIMENTS[name]
    text = "3D IoU, with 95 % bootstrap intervals over objects; leads that exclude 0 are bold:\n\n"
    text += _leads(runs_of, reference)
    if refined_of:
        text += "\nEach mesh fitted to its picture's silhouette, from a camera that is found:\n\n"
        text += _leads(refined_of, reference)
    text += "\n" + comparison_table({title: result.evaluation for title, result in results.items()})
    measured = {t: r.measurements for t, r in results.items() if r.measurements is not None}
    if measured:
        text += "\n" + metrics_table(measured)
    # A refined row is of a run that is listed already.
    refined = {title for title in results if title.endswith(_REFINED)}
    with replaced_whole(folder / "results.md") as written:
        trained = {title: result for title, result in results.items() if title not in refined}
        written.write_text(f"{text}\n{cost_table(trained)}", encoding="utf-8")


def _leads(runs_of: dict[str, list[Result]], reference: str) -> str:
    """Returns the table of intervals, and of what the reference is ahead by."""
    return interval_table(
        {title: [one.evaluation.per_object for one in runs] for title, runs in runs_of.items()},
        reference=reference,
    )


def cost_table(results: dict[str, Result]) -> str:
    """Returns a Markdown table of what each run took."""
    lines = ["| run | steps | batch | minutes | seed |", "| --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {title} | {result.steps} | {result.batch_size} | {result.minutes:.1f} | {result.seed} |"
        for title, result in results.items()
    ]
    return "\n".join(lines) + "\n"
