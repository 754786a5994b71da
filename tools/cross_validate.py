"""Compares methods on every object of a data set, by networks that were not trained on it.

    softras prepare --meshes meshes --data-dir data
    python tools/cross_validate.py --data-dir data --config meshes --output runs/folds

The objects of the splits train and val are dealt into folds by their names. Each method is trained
once for each fold, on all others and with a seed of its own, and answers from all views of the
fold's objects. The last weights answer, so these objects choose nothing. The table has the means
over all objects and the leads object by object. What is in the output folder is not done again:
other data need another folder.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from tf_softras._shared.files import write_json
from tf_softras.cli.options import open_split, prepared_builder
from tf_softras.config import METHODS, preset
from tf_softras.evaluation._bootstrap import interval_table, mean_over_runs
from tf_softras.reconstruction import RefinedNetwork, as_reconstructor
from tf_softras.training import evaluate, train

REFINED = ", refined"


def fold_of(model_id: bytes, folds: int) -> int:
    """Returns the fold of an object, by its name alone."""
    return int.from_bytes(hashlib.sha256(model_id).digest()[:4], "big") % folds


def fold_and_rest(dataset, folds: int, fold: int):
    """Returns the examples of a fold, and the others."""
    names = dataset.map(lambda example: example["model_id"]).as_numpy_iterator()
    inside = [fold_of(name, folds) == fold for name in names]
    is_inside = tf.constant(inside)

    def those(wanted, count):
        chosen = dataset.enumerate().filter(lambda index, _: is_inside[index] == wanted)
        counted = tf.data.experimental.assert_cardinality(count)
        return chosen.map(lambda _, example: example).apply(counted)

    return those(True, sum(inside)), those(False, len(inside) - sum(inside))


def answers(arguments, method: str, fold: int, seed: int, dataset, class_names) -> dict:
    """Returns {title: {CLASS/MODEL: mean 3D IoU}} for the objects of a fold."""
    inside, rest = fold_and_rest(dataset, arguments.folds, fold)
    config = preset(arguments.preset).replace(method=method, seed=seed, steps=arguments.steps)
    run = train(
        config,
        train_dataset=rest,
        run_folder=arguments.output / f"{method}-{fold}of{arguments.folds}-seed{seed}",
        steps_per_epoch=500,
        progress="none",
    )
    network = as_reconstructor(run.load_reconstructor("last"))
    asked = {method: network}
    if arguments.refine and method in ("softras", "n3mr"):
        asked[method + REFINED] = RefinedNetwork(network)
    found = {}
    for title, reconstructor in asked.items():
        path = run.path / f"{title}.json"
        if not path.exists():
            evaluation = evaluate(reconstructor, inside, class_names=class_names, progress=False)
            write_json(path, evaluation.per_object)
        found[title] = json.loads(path.read_text())
    return found


def lead_table(runs: dict[str, list[dict[str, float]]]) -> str:
    """Returns a Markdown table of means, and of what the first title is ahead of the others by."""
    return interval_table(runs, reference=next(iter(runs)))


def class_table(values: dict[str, dict[str, float]]) -> str:
    """Returns a Markdown table: the mean of each class by each title."""
    classes = collections.defaultdict(list)
    for name in next(iter(values.values())):
        classes[name.partition("/")[0]].append(name)
    lines = [
        f"| class | objects | {' | '.join(values)} |",
        f"| --- |{' ---: |' * (1 + len(values))}",
    ]
    for one, names in sorted(classes.items()):
        means = (sum(of[name] for name in names) / len(names) for of in values.values())
        lines.append(f"| {one} | {len(names)} | {' | '.join(f'{mean:.3f}' for mean in means)} |")
    return "\n".join(lines) + "\n"


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=pathlib.Path, required=True)
    parser.add_argument("--config", default=None, help="name of the data set, if there are several")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["softras", "n3mr"])
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1, help="times that each fold is trained")
    parser.add_argument("--only", type=int, nargs="+", help="folds to train; the table wants all")
    parser.add_argument("--preset", default="many-pictures")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--refine", action="store_true", help="also refined, camera found")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    if arguments.folds < 2:
        parser.error(f"--folds: expected at least 2; received {arguments.folds}")
    if arguments.seeds < 1:
        parser.error(f"--seeds: expected at least 1; received {arguments.seeds}")
    if beyond := [fold for fold in arguments.only or () if not 0 <= fold < arguments.folds]:
        parser.error(f"--only: expected 0 to {arguments.folds - 1}; received {beyond[0]}")
    builder = prepared_builder(arguments.config, arguments.data_dir)
    dataset = open_split(builder, "train").concatenate(open_split(builder, "val"))
    class_names = builder.info.features["label"].names
    runs = collections.defaultdict(list)
    for repeat in range(arguments.seeds):
        pooled = collections.defaultdict(dict)
        for fold in arguments.only or range(arguments.folds):
            for method in arguments.methods:
                seed = fold + repeat * arguments.folds
                found = answers(arguments, method, fold, seed, dataset, class_names)
                for title, values in found.items():
                    pooled[title].update(values)
        for title, values in pooled.items():
            runs[title].append(values)
    tables = [lead_table({title: of for title, of in runs.items() if not title.endswith(REFINED)})]
    if arguments.refine:
        # Refined meshes are compared with refined ones, and with retrieval, which has none.
        kept = {title: of for title, of in runs.items() if title + REFINED not in runs}
        tables.append(lead_table(kept))
    text = "\n".join(
        [*tables, class_table({title: mean_over_runs(of) for title, of in runs.items()})]
    )
    print(text)
    (arguments.output / "table.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
