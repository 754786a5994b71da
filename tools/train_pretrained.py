"""Trains the network that comes with the package and writes its weights, card and attribution.

    python tools/train_pretrained.py collect meshes shapenet_like cc0_objects
    softras prepare --meshes meshes --variants 6 --data-dir data/meshes
    softras prepare --config procedural --objects 200 --data-dir data/procedural
    python tools/train_pretrained.py train --data-dir data/meshes --index meshes/index.csv \
        --procedural data/procedural --run runs/pretrained \
        --output tf_softras/models/pretrained/thirteen-classes.npz

`collect` copies the training objects whose licence is one of LICENCES, and all objects of the split
val. The licence is in the column `licence` of a folder's index.csv. `train` learns from the
training objects and from procedural ones. It writes the last weights, so the split val chooses
nothing; the weights are evaluated on all objects of val, whatever their licences.
"""

import argparse
import collections
import csv
import functools
import os
import pathlib
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

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
# The columns of the attribution's table.
COLUMNS = ("category", "model", "licence", "attribution", "source")


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
which the package makes of numbers (`softras prepare --config procedural`), are added.

| class | objects | procedural |
| --- | ---: | ---: |
{classes}

## How good it is

3D IoU (32 cells a side, solid) on validation objects, from every view of each. None of them was
trained on, and none chose the weights. "Framed" pictures are what `softras reconstruct` makes of
any: the object centred and of one size, so that its true size is not to be seen.

{figures}
## Limits

- It knows cars, sofas, cabinets, tables and airplanes best. Of lamps, of other objects, and of
  classes with few objects above, expect blobs.
- It saw renders from 30 degrees above, on nothing, without textures. Photographs are harder.
- Thin parts come out thick, holes are filled, and every mesh is one closed, symmetric surface.
"""


def write_card(path, run, network, rows, procedural, figures):
    """Writes the model card beside the weights."""
    counts = collections.Counter(row["category"] for row in rows)
    config, last = run.config, run.history()[-1]
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
        figures=figures,
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


def count_by_class(builder, dataset):
    """Returns how many examples of each class a data set has."""
    names = builder.info.features["label"].names
    return collections.Counter(names[int(example["label"])] for example in dataset)


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
    builder = prepared_builder(None, arguments.data_dir)
    objects, validation = open_split(builder, "train"), open_split(builder, "val")
    procedural = collections.Counter()
    if arguments.procedural:
        other = prepared_builder("procedural", arguments.procedural)
        made = open_split(other, "train")
        procedural = count_by_class(other, made)
        objects = objects.concatenate(made)
        # `train` shuffles about a thousand objects at a time.
        count = int(objects.cardinality())
        objects = objects.shuffle(count, seed=0, reshuffle_each_iteration=False)
    run = train(
        preset(arguments.preset).replace(steps=arguments.steps, framed_share=FRAMED_SHARE),
        train_dataset=objects,
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
    figures = comparison_table(
        {
            "as rendered": evaluate(shipped, validation, progress=False),
            "framed": evaluate(shipped, framed_pictures(validation), progress=False),
        }
    )
    write_card(arguments.output, run, shipped, rows, procedural, figures)
    print(figures)


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
    training.add_argument("--procedural", type=pathlib.Path)
    training.add_argument("--run", type=pathlib.Path, required=True)
    training.add_argument("--output", type=pathlib.Path, required=True)
    training.add_argument("--preset", default="many-pictures")
    training.add_argument("--steps", type=int, default=4000)
    arguments = parser.parse_args()
    if arguments.command == "collect":
        collect(arguments.output, arguments.folders)
    else:
        train_network(arguments)


if __name__ == "__main__":
    main()
