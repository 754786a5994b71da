"""Trains the network that comes with the package and writes its weights, card and attribution.

    python tools/train_pretrained.py collect meshes shapenet_like cc0_objects
    softras prepare --meshes meshes --variants 6 --data-dir data
    softras prepare --meshes meshes --config meshes_random --variants 6 --data-dir data
    softras prepare --config procedural --objects 400 --data-dir data
    softras prepare --config procedural_random --objects 400 --data-dir data
    python tools/train_pretrained.py train --data-dir data --index meshes/index.csv \
        --run runs/pretrained --output tf_softras/models/pretrained/thirteen-classes.npz

`collect` copies the training objects whose licence is one of LICENCES, and all objects of the split
val. The licence is in the column `licence` of a folder's index.csv. `train` learns from the
training objects and from procedural ones, each from 24 sides at 30 degrees and from 24 random ones.
It writes the last weights, so the split val chooses nothing; the weights are evaluated on all
objects of val, whatever their licences.
"""

import argparse
import collections
import csv
import functools
import os
import pathlib
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from tf_softras.cli.options import open_split, prepared_builder
from tf_softras.config import preset
from tf_softras.models import MeshReconstructor
from tf_softras.models._pretrained import save_pretrained
from tf_softras.pictures._framing import framed
from tf_softras.training import comparison_table, evaluate, train

# Licences that allow to publish weights learned from an object, with attribution.
LICENCES = ("CC0-1.0", "CC-BY-3.0", "CC-BY-3.0-US", "MIT")
# `softras reconstruct` frames its pictures; the data set's renders are not framed.
FRAMED_SHARE = 0.5
# The data sets to learn from. Two show objects from 24 sides at 30 degrees, two from random sides.
PROCEDURAL = ("procedural", "procedural_random")
CONFIGS = ("meshes_variants", "meshes_random", *PROCEDURAL)
SIDES, RANDOM_SIDES = CONFIGS[:2]
# The columns of the attribution's table.
COLUMNS = ("category", "model", "licence", "attribution", "source")
# The card names classes whose 3D IoU is at least GOOD, or less than POOR.
GOOD, POOR = 0.4, 0.25
FRAMED = "framed"


CARD = """# {name}: a network that comes with tf_softras

`softras reconstruct picture.png -o mesh.glb` and `softras page` use it when no run is named; in
Python it is `MeshReconstructor.from_preset("{name}")`.

| | |
| --- | --- |
| input | float32 [64, 64, 4] in [0, 1]: one object, cut out and framed by `softras reconstruct` |
| output | {num_vertices} vertices of a deformed sphere, symmetric about x = 0; no colours |
| recipe | preset `{preset}` with half of the pictures framed, {steps} steps, seed {seed} |
| stored | the last weights, in half precision |
| made by | `tools/train_pretrained.py`, {minutes:.0f} minutes |
| licence | Apache-2.0, as the package; attribution below |

## Data and attribution

It learned from {objects} objects, each under one of these licences: {licences}. `{name}.csv` beside
this page names every object with its class, licence, author and source file. Each has deformed
copies beside it (`softras prepare --variants`). Where classes have few objects, procedural ones,
which the package makes of numbers (`softras prepare --config procedural`), are added. Of the other
classes every object is taken twice. All are drawn from 24 sides at 30 degrees and from 24 random
ones.

| class | objects | procedural |
| --- | ---: | ---: |
{classes}

## How good it is

3D IoU (32 cells a side, solid) on validation objects, from every view of each. None of them was
trained on, and none chose the weights. "Framed" pictures are what `softras reconstruct` makes of
any: the object centred and of one size, so that its true size is not to be seen. "Random" ones are
framed too, from elevations of -10 to 60 degrees and distances of 2.3 to 3.5, as photographs are.

{figures}
Over objects the means are {over_objects}.

## Limits

- Framed, it is best at {best} (3D IoU of at least {GOOD}). Expect blobs of {worst} (less than
  {POOR}), and of objects of no class above.
- It saw renders from -10 to 60 degrees above, on nothing, without textures. Photographs are harder.
- Thin parts come out thick, holes are filled, and every mesh is one closed, symmetric surface.
"""


def write_card(path, run, network, rows, procedural, evaluations):
    """Writes the model card beside the weights."""
    counts = collections.Counter(row["category"] for row in rows)
    config, last = run.config, run.history()[-1]
    ious = {name: iou for name, iou in evaluations[FRAMED].per_class.items() if iou is not None}
    text = CARD.format(
        name=path.stem,
        num_vertices=len(network.template.vertices),
        preset=config.preset,
        steps=last["step"],
        seed=config.seed,
        minutes=last["seconds"] / 60,
        objects=len(rows),
        licences=", ".join(LICENCES),
        classes="\n".join(
            f"| {name} | {counts[name]} | {procedural[name]} |" for name in sorted(counts)
        ),
        figures=comparison_table(evaluations),
        over_objects=", ".join(
            f"{np.mean(list(one.per_object.values())):.4f} {title}"
            for title, one in evaluations.items()
        ),
        best=", ".join(name for name, iou in ious.items() if iou >= GOOD),
        worst=", ".join(name for name, iou in ious.items() if iou < POOR),
        GOOD=GOOD,
        POOR=POOR,
    )
    path.with_suffix(".md").write_text(text, encoding="utf-8")


def read_rows(index):
    """Returns the rows of an index.csv."""
    with open(index, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def write_rows(path, rows, columns):
    """Writes rows as CSV."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def collect(output, folders):
    """Copies the allowed training objects and the split val into one folder with its index.csv."""
    rows = []
    for folder in folders:
        for row in read_rows(folder / "index.csv"):
            if row["split"] == "val" or (row["split"] == "train" and row["licence"] in LICENCES):
                model = pathlib.Path(row["synset"], row["model"])
                shutil.copytree(folder / model, output / model)
                rows.append(row)
    write_rows(output / "index.csv", rows, list(rows[0]))
    print(f"{output}: {collections.Counter(row['split'] for row in rows)}")


def count_by_class(builder):
    """Returns how many training examples of each class a data set has."""
    names = builder.info.features["label"].names
    labels = open_split(builder, "train").map(lambda example: example["label"])
    return collections.Counter(names[label] for label in labels.as_numpy_iterator())


def of_other_classes(builder, classes):
    """Returns the training examples of a data set whose class is not among some."""
    labels = builder.info.features["label"]
    others = [number for number, name in enumerate(labels.names) if name not in classes]
    chosen = open_split(builder, "train").filter(
        lambda example: tf.reduce_any(example["label"] == tf.constant(others, tf.int64))
    )
    count = sum(1 for _ in chosen.map(lambda example: example["label"]))
    return chosen.apply(tf.data.experimental.assert_cardinality(count))


def mixed(datasets):
    """Returns the examples of all data sets in one random order: `train` shuffles few at once."""
    counts = [int(dataset.cardinality()) for dataset in datasets]
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    chosen = tf.data.Dataset.from_tensor_slices(order)
    return tf.data.Dataset.choose_from_datasets(datasets, chosen).apply(
        tf.data.experimental.assert_cardinality(len(order))
    )


def framed_pictures(dataset):
    """Returns examples whose pictures are framed as `softras reconstruct` frames them."""

    def frame(example):
        size = example["images"].shape[1]
        framing = functools.partial(framed, image_size=size)
        images = tf.ensure_shape(tf.map_fn(framing, example["images"]), example["images"].shape)
        return {**example, "images": images}

    count = dataset.cardinality()
    return dataset.map(frame).apply(tf.data.experimental.assert_cardinality(count))


def train_network(arguments):
    """Trains; writes the weights, the attribution and the card."""
    rows = [row for row in read_rows(arguments.index) if row["split"] == "train"]
    if foreign := sorted({row["licence"] for row in rows} - set(LICENCES)):
        raise SystemExit(f"{arguments.index}: expected only {LICENCES}; received {foreign}")
    builders = {name: prepared_builder(name, arguments.data_dir) for name in CONFIGS}
    validation = open_split(builders[SIDES], "val")
    procedural = count_by_class(builders[PROCEDURAL[0]])
    run = train(
        preset(arguments.preset).replace(steps=arguments.steps, framed_share=FRAMED_SHARE),
        train_dataset=mixed(
            [open_split(builder, "train") for builder in builders.values()]
            # Twice, because no procedural ones join them.
            + [of_other_classes(builders[name], procedural) for name in (SIDES, RANDOM_SIDES)]
        ),
        validation_dataset=validation,
        run_folder=arguments.run,
        steps_per_epoch=500,
        backup_seconds=120.0,
        progress="none",
    )
    network = run.load_reconstructor("last")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    save_pretrained(network, arguments.output)
    rows.sort(key=lambda row: (row["category"], row["model"]))
    write_rows(arguments.output.with_suffix(".csv"), rows, COLUMNS)
    shipped = MeshReconstructor.from_preset(arguments.output.stem)
    print(f"{run.history()[-1]['step']} steps, {run.history()[-1]['seconds']} s")
    print(f"trained, float32: {evaluate(network, validation, progress=False).mean:.4f}")
    asked = {
        "as rendered": validation,
        FRAMED: framed_pictures(validation),
        "random": framed_pictures(open_split(builders[RANDOM_SIDES], "val")),
    }
    evaluations = {
        title: evaluate(shipped, dataset, progress=False) for title, dataset in asked.items()
    }
    write_card(arguments.output, run, shipped, rows, procedural, evaluations)
    print(comparison_table(evaluations))


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    collecting = commands.add_parser("collect")
    collecting.add_argument("output", type=pathlib.Path)
    collecting.add_argument("folders", type=pathlib.Path, nargs="+")
    training = commands.add_parser("train")
    training.add_argument("--data-dir", type=pathlib.Path, required=True)
    training.add_argument("--index", type=pathlib.Path, required=True)
    training.add_argument("--run", type=pathlib.Path, required=True)
    training.add_argument("--output", type=pathlib.Path, required=True)
    training.add_argument("--preset", default="many-pictures")
    training.add_argument("--steps", type=int, default=6000)
    arguments = parser.parse_args()
    if arguments.command == "collect":
        collect(arguments.output, arguments.folders)
    else:
        train_network(arguments)


if __name__ == "__main__":
    main()
