"""Compares the op with dense TensorFlow, and prints the share of rendering in a training step.

It first verifies the op against the reference. `make bench` ends with it. Run it alone on the
machine, or the figures say little:

    python tools/benchmark_training_step.py [--repeats 5] [--threads 1 2]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from tf_softras import config, geometry, layers
from tf_softras.geometry import cameras
from tf_softras.ops import soft_rasterize
from tf_softras.training._compiled_model import compiled_model

# Row a of the rasteriser's benchmark.
SIDE, BATCH, SIGMA = 64, 64, 3e-5
# The dense reference holds several arrays of batch x pixels x faces; this many items take 5 GB.
REFERENCE_BATCH = 2
OBJECTS = 64
# The sizes of fits and multi-view recipes: meshes, and cameras that see each of them.
MESHES, VIEWS = 32, 8


def projected_spheres(batch):
    """Returns icospheres of 1280 faces, each seen by an N3MR camera from its own azimuth."""
    mesh = geometry.icosphere(3)
    azimuths = 5.73 + 40.1 * np.arange(batch, dtype=np.float32)
    eyes = cameras.eye_from_angles(cameras.N3MR_DISTANCE, cameras.N3MR_ELEVATION, azimuths)
    return cameras.perspective(cameras.look_at(0.5 * mesh.vertices, eyes)), mesh.faces


def rendering(vertices, faces, implementation):
    """Returns a compiled call that renders and differentiates."""

    @tf.function(jit_compile=False)
    def run():
        with tf.GradientTape() as tape:
            tape.watch(vertices)
            image = soft_rasterize(
                vertices, faces, image_size=SIDE, sigma=SIGMA, implementation=implementation
            )
            loss = tf.reduce_sum(image)
        return image, tape.gradient(loss, vertices)

    return run


def many_views(is_chain):
    """Returns a compiled call that renders `MESHES` meshes from `VIEWS` cameras with gradients.

    The call starts from meshes, through `LookAt` and `Perspective`, or from the image plane.
    """
    mesh = geometry.icosphere(3)
    scales = np.linspace(0.4, 0.6, MESHES, dtype=np.float32)
    meshes = tf.constant(scales[:, None, None] * mesh.vertices)
    azimuths = 5.73 + 40.1 * np.arange(MESHES * VIEWS, dtype=np.float32)
    eyes = cameras.eye_from_angles(cameras.N3MR_DISTANCE, cameras.N3MR_ELEVATION, azimuths)
    camera, lens = layers.LookAt(), layers.Perspective()

    def seen(vertices):
        return lens(camera([tf.repeat(vertices, VIEWS, axis=0), eyes]))

    given = meshes if is_chain else seen(meshes)

    @tf.function(jit_compile=False)
    def run():
        with tf.GradientTape() as tape:
            tape.watch(given)
            plane = seen(given) if is_chain else given
            image = soft_rasterize(plane, mesh.faces, image_size=SIDE, sigma=SIGMA)
            loss = tf.reduce_sum(image)
        return image, tape.gradient(loss, given)

    return run


def training_step(preset, batch):
    """Returns a compiled step of `fit`: forward, backward, Adam."""
    model = compiled_model(config.preset(preset).replace(batch_size=batch))
    size = model.reconstructor.config.image_size
    random = np.random.default_rng(0)
    images = random.random((batch, 2, size, size, 4), np.float32)
    azimuths = random.uniform(0, 360, (batch, 2)).astype(np.float32)
    eyes = cameras.eye_from_angles(cameras.N3MR_DISTANCE, cameras.N3MR_ELEVATION, azimuths)
    silhouettes = np.tile(images[..., 3], (1, 2, 1, 1))
    data = ({"images": images, "eyes": eyes}, {"silhouettes": silhouettes})
    data = tf.nest.map_structure(tf.constant, data)
    model.make_train_function()
    iterator = iter(tf.data.Dataset.from_tensors(data).repeat())
    return lambda: model.train_function(iterator)


def seconds(run, repeats):
    """Returns median, fastest and slowest of `repeats` calls, after one that warms up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        tf.nest.map_structure(lambda tensor: tensor.numpy(), result)
        times.append(time.perf_counter() - start)
    return statistics.median(times), min(times), max(times)


def verify():
    """Raises AssertionError unless the op's image is that of eqs. 1 and 2 in float64."""
    vertices, faces = projected_spheres(1)
    image = soft_rasterize(vertices, faces, image_size=SIDE, sigma=SIGMA)
    truth = soft_rasterize(
        tf.cast(vertices, tf.float64),
        faces,
        image_size=SIDE,
        sigma=tf.constant(np.float64(np.float32(SIGMA))),
        implementation="reference",
    )
    error = float(np.abs(image.numpy() - truth.numpy()).max())
    bound = 5e-6 + 4e-8 / SIGMA**0.5
    assert error <= bound, f"image off by {error:.2g}, promised {bound:.2g}"


def print_row(what, batch, timing):
    """Returns a row of the table."""
    median, fastest, slowest = (1e3 * value for value in timing)
    print(f"| {what} | {batch} | {median:.1f} ({fastest:.1f}-{slowest:.1f}) |", flush=True)


def run_with_threads(threads, repeats):
    """Prints the rows for a number of intra-op threads, which TensorFlow fixes at its start."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    verify()
    print(f"\n{threads} thread{'s' * (threads > 1)}:\n")
    print("| what | batch | ms, median (range) |\n| --- | ---: | --- |")
    vertices, faces = projected_spheres(REFERENCE_BATCH)
    reference = seconds(rendering(vertices, faces, "reference"), repeats)
    print_row("dense TensorFlow, forward + backward", REFERENCE_BATCH, reference)
    vertices, faces = projected_spheres(BATCH)
    op = seconds(rendering(vertices, faces, "op"), 10 * repeats)
    print_row("the op, forward + backward", BATCH, op)
    vertices, faces = projected_spheres(4 * OBJECTS)
    renders = seconds(rendering(vertices, faces, "op"), 5 * repeats)
    print_row(f"the op, the {4 * OBJECTS} renders of a training step", 4 * OBJECTS, renders)
    alone, chain = (seconds(many_views(is_chain), 5 * repeats) for is_chain in (False, True))
    print_row(f"the op, {MESHES} meshes from {VIEWS} views each", MESHES * VIEWS, alone)
    print_row("the same from the meshes on: LookAt, Perspective, the op", MESHES * VIEWS, chain)
    step = seconds(training_step("paper", OBJECTS), repeats)
    print_row(f"a training step of `paper`, {OBJECTS} objects", OBJECTS, step)
    times = (reference[0] / REFERENCE_BATCH) / (op[0] / BATCH)
    print(
        f"\nThe op is {times:.0f} times as fast as dense TensorFlow, an image each; rendering is "
        f"{100 * renders[0] / step[0]:.1f} % of a training step. Cameras and lens add "
        f"{100 * (chain[0] / alone[0] - 1):.0f} % to the op."
    )


def main():
    """Starts a process for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    if len(arguments.threads) == 1:
        run_with_threads(arguments.threads[0], arguments.repeats)
        return
    for threads in arguments.threads:
        command = [sys.executable, __file__, "--threads", str(threads)]
        subprocess.run([*command, "--repeats", str(arguments.repeats)], check=True)


if __name__ == "__main__":
    main()
