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
    print(evaluate(shipped, validation, progress=False).to_markdown("3D IoU on val"))


if __name__ == "__main__":
    main()
