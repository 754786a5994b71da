"""Defines the rows of the rasteriser's benchmark, and times this package on one thread.

`compare_deodr.py` and `compare_pytorch3d.py` use it to time other renderers beside this one.
"""

import os
import statistics
import time
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from tf_softras import geometry, ops
from tf_softras.geometry import cameras


class Row(NamedTuple):
    """A scene: icospheres of 20 * 4^level faces, each seen from its own azimuth."""

    level: int
    batch: int
    side: int
    sigma: float


# The rows are those of cc/benchmarks/scenes.h.
ROWS = {
    "a": Row(3, 64, 64, 3e-5),
    "b": Row(3, 64, 64, 1e-4),
    "c": Row(4, 4, 256, 3e-5),
    "d": Row(6, 1, 512, 3e-5),
}


def use_one_thread():
    """Makes TensorFlow use one thread. Call it before TensorFlow computes anything."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def scene(row):
    """Returns vertices on the image plane `[batch, num_vertices, 3]`, faces and vertex colours."""
    mesh = geometry.icosphere(row.level)
    azimuths = 5.73 + 40.1 * np.arange(row.batch, dtype=np.float32)
    eyes = cameras.eye_from_angles(cameras.N3MR_DISTANCE, cameras.N3MR_ELEVATION, azimuths)
    plane = cameras.perspective(cameras.look_at(0.5 * mesh.vertices, eyes))
    colors = np.broadcast_to(0.5 + 0.5 * mesh.vertices, plane.shape).astype(np.float32)
    return plane.numpy(), mesh.faces, colors


def seconds(run, repeats):
    """Returns the median of `repeats` calls, after one that warms up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def silhouettes(row):
    """Returns a call that renders silhouettes with their gradient, and one that returns them."""
    vertices, faces, _ = scene(row)
    vertices = tf.constant(vertices)

    @tf.function(jit_compile=False)
    def run():
        with tf.GradientTape() as tape:
            tape.watch(vertices)
            image = ops.soft_rasterize(vertices, faces, image_size=row.side, sigma=row.sigma)
            loss = tf.reduce_sum(image)
        return image, tape.gradient(loss, vertices)

    return lambda: run()[1].numpy(), lambda: run()[0].numpy()


def pictures(row, gamma=1e-4):
    """Returns the same two calls for pictures of vertex colours."""
    vertices, faces, colors = scene(row)
    vertices, colors = tf.constant(vertices), tf.constant(colors)

    @tf.function(jit_compile=False)
    def run():
        with tf.GradientTape() as tape:
            tape.watch((vertices, colors))
            image, _ = ops.soft_shade(
                vertices, faces, colors, image_size=row.side, sigma=row.sigma, gamma=gamma
            )
            loss = tf.reduce_sum(image)
        return image, *tape.gradient(loss, (vertices, colors))

    return lambda: run()[1].numpy(), lambda: run()[0].numpy()
