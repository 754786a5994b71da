"""Trains the network that comes with the package and writes its weights, card and attribution.

    softras prepare --meshes A --data-dir data/a
    softras prepare --meshes B --data-dir data/b
    python tools/train_pretrained.py --data data/a A/index.csv --data data/b B/index.csv \
        --run runs/pretrained --output tf_softras/models/pretrained/thirteen-classes.npz

Only training objects whose licence, in the column `licence` of index.csv, is one of LICENCES are
used. The split val of the first data set chooses nothing: the last weights are written. They are
evaluated on it, whatever the licences there.
"""

import argparse
import collections
import csv
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from tf_softras.cli.options import open_split, prepared_builder
from tf_softras.config import preset
from tf_softras.models import MeshReconstructor
from tf_softras.models._pretrained import save_pretrained
from tf_softras.training import evaluate, train

# Licences that let weights learned from an object be given away, with attribution.
LICENCES = ("CC0-1.0", "CC-BY-3.0", "CC-BY-3.0-US", "MIT")
# What the attribution's table says of each object.
COLUMNS = ("category", "model", "licence", "attribution", "source")


CARD = """# {name}: a network that comes with tf_softras

`softras reconstruct picture.png -o mesh.glb` and `softras page` use it when no run is named; in
Python it is `MeshReconstructor.from_preset("{name}")`.

| | |
| --- | --- |
| input | float32 [64, 64, 4] in [0, 1]: one object, cut out and framed by `softras reconstruct` |
| output | {num_vertices} vertices of a deformed sphere, symmetric about x = 0; no colours |
| recipe | preset `{preset}`, {steps} steps, seed {seed}; the last weights, in half precision |
| made by | `tools/train_pretrained.py`, {minutes:.0f} minutes |
| licence | Apache-2.0, as the package; attribution below |

## Data and attribution

It learned from {objects} objects, each under one of these licences: {licences}. `{name}.csv` beside
this page names every object with its class, licence, author and source file.

| class | objects |
| --- | ---: |
{classes}

## How good it is

3D IoU (32 cells a side, solid) on validation objects, from every view of each. None of them was
trained on, and none chose the weights:

{figures}
## Limits

- It knows the classes above that have many objects. Expect blobs where there are few.
- It saw renders from 30 degrees above, on nothing, without textures. Photographs are harder.
- Thin parts come out thick, holes are filled, and every mesh is one closed, symmetric surface.
"""


def write_card(path, run, network, rows, figures):
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
        classes="\n".join(f"| {name} | {counts[name]} |" for name in sorted(counts)),
        figures=figures,
    )
    path.with_suffix(".md").write_text(text, encoding="utf-8")


def allowed_rows(index):
    """Returns the rows of an index.csv that are training objects under one of LICENCES."""
    with open(index, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if row["split"] == "train" and row["licence"] in LICENCES]


def training_objects(data_dir, rows):
    """Returns the examples of the rows' objects, and their number; the rest are left out."""
    names = tf.constant([row["model"] for row in rows])
    dataset = open_split(prepared_builder(None, pathlib.Path(data_dir)), "train")
    # A variant is named after its source: MODEL~1.
    kept = dataset.filter(
        lambda example: tf.reduce_any(tf.strings.split(example["model_id"], "~")[0] == names)
    )
    count = sum(1 for _ in kept)
    return kept.apply(tf.data.experimental.assert_cardinality(count)), count


def main():
    """Trains, writes the weights and the attribution, and prints the table for the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs=2, action="append", metavar=("DATA_DIR", "INDEX"))
    parser.add_argument("--run", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--preset", default="many-views")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as processors")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)

    rows, objects, total = [], None, 0
    for data_dir, index in arguments.data:
        allowed = allowed_rows(index)
        dataset, count = training_objects(data_dir, allowed)
        print(f"{data_dir}: {count} training objects under {', '.join(LICENCES)}", flush=True)
        objects = dataset if objects is None else objects.concatenate(dataset)
        rows, total = rows + allowed, total + count
    validation = open_split(prepared_builder(None, pathlib.Path(arguments.data[0][0])), "val")
    run = train(
        preset(arguments.preset).replace(steps=arguments.steps),
        train_dataset=objects,
        validation_dataset=validation,
        run_folder=arguments.run,
        steps_per_epoch=250,
        backup_seconds=120.0,
        progress="none",
    )
    network = run.load_reconstructor("last")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    save_pretrained(network, arguments.output)
    with arguments.output.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (row["category"], row["model"])))
    name = arguments.output.stem
    shipped = MeshReconstructor.from_preset(name)
    print(f"{total} objects, {run.history()[-1]['step']} steps, {run.history()[-1]['seconds']} s")
    print(f"trained, float32: {evaluate(network, validation, progress=False).mean:.4f}")
    figures = evaluate(shipped, validation, progress=False).to_markdown("3D IoU")
    write_card(arguments.output, run, shipped, rows, figures)
    print(figures)


if __name__ == "__main__":
    main()
