"""1,000 random calls of the ops, most of them bad: none ends the process, none gives a wrong kind
of answer."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tf_softras.ops import rasterize_faces, soft_rasterize
from tf_softras.ops._library import library

# Errors that a bad call may raise. The ops: InvalidArgument, or ResourceExhausted where an image
# is larger than memory. Before they are asked: ValueError and TypeError of the wrapper and of
# TensorFlow's conversion to tensors, attributes and types (OverflowError, an ArithmeticError, for
# Python numbers that fit in no tensor).
ERRORS = (
    tf.errors.InvalidArgumentError,
    tf.errors.ResourceExhaustedError,
    ValueError,
    TypeError,
    OverflowError,
)
CALLS = int(os.environ.get("TF_SOFTRAS_BAD_CALLS", "1000"))


class Call:
    """One random call: good arguments, of which some are spoilt."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.dtype = self._choose([np.float32, np.float64])
        batch, num_vertices = self.rng.integers(1, 3), self.rng.integers(3, 9)
        self.vertices = self.rng.uniform(-1, 1, (batch, num_vertices, 3)).astype(self.dtype)
        self.vertices[..., 2] += 2
        num_faces = self.rng.integers(0, 6)
        self.faces = self.rng.integers(0, num_vertices, (num_faces, 3)).astype(np.int32)
        self.sigma = self.dtype(10.0 ** self.rng.uniform(-7, 0))
        self.height, self.width = (int(side) for side in self.rng.integers(1, 20, 2))
        self.near = 0.0
        self.way = self.rng.integers(5)
        # The gradient op does not look at the values that it multiplies by.
        self.is_finite_if_valid = True
        image = (batch, self.height, self.width)
        self.transparency = self.rng.uniform(0, 1, image).astype(self.dtype)
        self.upstream = self.rng.normal(size=image).astype(self.dtype)
        for _ in range(self.rng.choice([0, 1, 2, 3], p=[0.1, 0.5, 0.3, 0.1])):
            self._choose(
                [
                    self._spoil_array,
                    self._spoil_array,
                    self._spoil_value,
                    self._spoil_value,
                    self._spoil_index,
                    self._spoil_sigma,
                    self._spoil_size,
                    self._spoil_near,
                ]
            )()

    def _choose(self, options):
        return options[self.rng.integers(len(options))]

    def _name(self):
        name = self._choose(["vertices", "faces", "sigma", "transparency", "upstream"])
        if name in ("transparency", "upstream"):
            self.is_finite_if_valid = self.way != 4
        return name

    def _spoil_array(self):
        """Another shape, type or thing altogether."""
        name = self._name()
        value = np.asarray(getattr(self, name))
        shape = list(value.shape)
        axis = self.rng.integers(max(len(shape), 1))
        change = self._choose(["rank", "more", "less", "empty", "type", "thing", "huge batch"])
        if change == "rank":
            value = self._choose([value[None], value.reshape(-1), np.zeros((), value.dtype)])
        elif change in ("more", "less", "empty") and shape:
            shape[axis] = {"more": shape[axis] + 1, "less": max(shape[axis] - 1, 0), "empty": 0}[
                change
            ]
            value = np.resize(value, shape) if value.size else np.zeros(shape, value.dtype)
        elif change == "type":
            kinds = [np.float16, np.float32, np.float64, np.int32, np.int64, np.uint8, bool]
            value = value.astype(self._choose([*kinds, np.complex64, str]))
        elif change == "thing":
            value = self._choose([None, "mesh", b"", [], {}, [[1], [2, 3]], 10**400, object(), 1j])
        elif change == "huge batch":
            # No element, so no memory, and an image that has none either or too much of it.
            value = np.zeros((int(self._choose([2**20, 2**40, 2**58])), 0, 3), self.dtype)
        setattr(self, name, value)

    def _spoil_value(self):
        name = self._name()
        value = np.array(getattr(self, name))
        if value.size and value.dtype.kind == "f":
            extremes = [np.nan, np.inf, -np.inf, 1e-45, 1e-310, 3e38, -3e38, 0.0, -1.0]
            with np.errstate(over="ignore"):
                value.flat[self.rng.integers(value.size)] = self._choose(extremes)
            setattr(self, name, value)

    def _spoil_index(self):
        value = np.array(self.faces)
        if value.size and value.dtype == np.int32:
            wrong = [-1, -(2**31), 2**31 - 1, 2**30, 8, 100]
            value.flat[self.rng.integers(value.size)] = self._choose(wrong)
            self.faces = value

    def _spoil_sigma(self):
        self.sigma = self._choose([0.0, -1.0, np.nan, np.inf, -np.inf, 1e-45, 1e-320, "0.1", None])

    def _spoil_size(self):
        sizes = [0, -1, 1, 2**20, 2**36, 2**62, 2**63 - 1, -(2**63)]
        size = self._choose([*sizes, 2.5, "8", None, (3, 3), np.nan, True])
        setattr(self, self._choose(["height", "width"]), size)
        if self.rng.uniform() < 0.2:
            self.height = self.width = size

    def _spoil_near(self):
        self.near = self._choose([np.nan, np.inf, -np.inf, -1.0, 1e300, 1e-45, "near", None, [0.0]])

    def run(self):
        """The results of one of the five ways in."""
        attributes = {"height": self.height, "width": self.width, "near": self.near}
        size = (self.height, self.width)
        if self.way == 0:
            return soft_rasterize(
                self.vertices, self.faces, image_size=size, sigma=self.sigma, near=self.near
            )
        if self.way == 1:
            return rasterize_faces(self.vertices, self.faces, image_size=size, near=self.near)
        if self.way == 2:
            return library().softras_soft_rasterize(
                self.vertices, self.faces, self.sigma, **attributes
            )
        if self.way == 3:
            return library().softras_rasterize_faces(self.vertices, self.faces, **attributes)
        return library().softras_soft_rasterize_grad(
            self.vertices,
            self.faces,
            self.sigma,
            self.transparency,
            self.upstream,
            **attributes,
        )


def outcome(seed):
    """'valid', or the error's name. Anything else is raised."""
    call = Call(seed)
    try:
        results = call.run()
    except ERRORS as error:
        assert str(error).strip(), f"call {seed}: {type(error).__name__} says nothing"
        return type(error).__name__
    for result in results if isinstance(results, (tuple, list)) else [results]:
        if call.is_finite_if_valid:
            assert np.all(np.isfinite(result)), f"call {seed}: not finite"
    return "valid"


def limit_memory(megabytes=2048):
    """From now on, what does not fit in so much more memory fails to be allocated."""
    import resource

    outcome(0)
    pages = int(open("/proc/self/statm").read().split()[0])
    limit = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main(calls):
    limit_memory()
    counts = {}
    for seed in range(calls):
        print(seed, flush=True)
        name = outcome(seed)
        counts[name] = counts.get(name, 0) + 1
    print(json.dumps(counts))


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_random_calls_are_errors_or_finite_results_and_the_process_lives():
    script = f"from tests.ops.test_bad_calls import main; main({CALLS})"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    lines = result.stdout.split("\n")
    assert result.returncode == 0, f"{lines[-3:]}\n{result.stderr[-3000:]}"
    counts = json.loads(lines[-2])
    assert sum(counts.values()) == CALLS
    # Each kind is met, so that the test is about something.
    for name in ("valid", "InvalidArgumentError", "ResourceExhaustedError", "ValueError"):
        assert counts[name] > CALLS // 200, counts


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_scratch_that_does_not_fit_is_an_error():
    """Both where the op's own thread allocates it (faces) and where the pool's do (pixels)."""
    script = """
import resource
import numpy as np, tensorflow as tf
from tests.ops.test_bad_calls import limit_memory
from tf_softras.ops._library import library
grad = library().softras_soft_rasterize_grad
vertices = tf.ones([3, 3, 3])
many = tf.zeros([6000000, 3], tf.int32)  # 288 MB of corner gradients an item
image = tf.ones([3, 8, 8])
large = tf.ones([3, 5000, 5000])  # 125 MB of weights an item
limit_memory(megabytes=100)
for faces, picture in ((many, image), (many[:1], large)):
    try:
        side = picture.shape[1]
        grad(vertices, faces, 1e-3, picture, picture, height=side, width=side)
    except tf.errors.ResourceExhaustedError as error:
        print("scratch" in str(error))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.split() == ["True", "True"], result.stderr[-3000:]


if __name__ == "__main__":
    main(int(sys.argv[1]))
