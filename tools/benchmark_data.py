"""Prints the time of preparing data, and of feeding a training step.

Run it alone on the machine, or the figures say little:

    python tools/benchmark_data.py --meshes FOLDER [--objects 40]
    python tools/benchmark_data.py --data-dir data [--config meshes] [--preset paper] [--steps 30]

The first renders and voxelises meshes of a folder in ShapeNet's layout, in this process. The second
compares a preset's training step on batches of a prepared data set with the same step on one batch
in memory. The batches are read, paired, shuffled and cached as `train` does it from its second pass
on. Both kinds of step alternate, so that a change of the machine's load affects both.
"""

import argparse
import os
import pathlib
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from tf_softras import config
from tf_softras.cli.options import open_split, prepared_builder
from tf_softras.datasets.shapenet_views.mesh_folder import scan_mesh_folder
from tf_softras.datasets.shapenet_views.object_views import Rendering
from tf_softras.datasets.shapenet_views.sources import Problem
from tf_softras.datasets.view_pairs import view_pairs
from tf_softras.training._compiled_model import compiled_model

# ShapeNet's models of the 13 classes, as the published renders have them.
PUBLISHED_OBJECTS = 43_783


def time_preparing(folder, count):
    models, _ = scan_mesh_folder(folder)
    models = models[:: max(1, len(models) // count)][:count]
    next(models[0].examples(Rendering()))
    start, start_cpu = time.perf_counter(), time.process_time()
    problems = sum(isinstance(one, Problem) for m in models for one in m.examples(Rendering()))
    wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    print(
        f"preparing, {len(models)} meshes ({problems} problems), 24 views of 64 x 64, 32^3 voxels"
    )
    for name, value in (("wall", wall), ("processor", cpu)):
        hours = value / len(models) * PUBLISHED_OBJECTS / 3600
        print(
            f"  {name:<9} {len(models) / value:6.2f} objects/s; {PUBLISHED_OBJECTS} objects: "
            f"{hours:.1f} h"
        )


def time_feeding(data_dir, config_name, preset_name, steps):
    preset = config.preset(preset_name)
    dataset = open_split(prepared_builder(config_name, data_dir), "train").cache()
    for _ in dataset:  # Fill the cache, as the first pass does.
        pass
    batches = iter(view_pairs(dataset, batch_size=preset.batch_size, seed=0))
    kept = iter(tf.data.Dataset.from_tensors(next(batches)).repeat())
    model = compiled_model(preset)
    model.make_train_function()
    seconds = {"cached": [], "real": []}
    for step in range(steps + 3):
        for name, iterator in (("cached", kept), ("real", batches)):
            start = time.perf_counter()
            tf.nest.map_structure(lambda value: value.numpy(), model.train_function(iterator))
            if step >= 3:
                seconds[name].append(time.perf_counter() - start)
    cached, real = (statistics.median(seconds[name]) for name in ("cached", "real"))
    print(
        f"step of {preset_name}, batch {preset.batch_size}, median of {steps}, load "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    )
    print(f"  one batch in memory {1e3 * cached:8.1f} ms ({min(seconds['cached']) * 1e3:.1f} best)")
    print(
        f"  batches of the data {1e3 * real:8.1f} ms ({min(seconds['real']) * 1e3:.1f} best), "
        f"{100 * (real / cached - 1):+.1f} %"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meshes", type=pathlib.Path)
    parser.add_argument("--objects", type=int, default=40)
    parser.add_argument("--data-dir", type=pathlib.Path)
    parser.add_argument("--config")
    parser.add_argument("--preset", default="paper", choices=list(config.PRESETS))
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    if options.meshes is None and options.data_dir is None:
        parser.error("name --meshes or --data-dir")
    if options.meshes is not None:
        time_preparing(options.meshes, options.objects)
    if options.data_dir is not None:
        time_feeding(options.data_dir, options.config, options.preset, options.steps)


if __name__ == "__main__":
    main()
