"""The op library with GPU kernels in it, as `make cuda` builds it, on a machine without a GPU."""

import collections
import json
import pathlib
import re
import struct
import subprocess
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "build" / "cuda" / "_softras_ops.so"

pytestmark = pytest.mark.skipif(
    not LIBRARY.exists(), reason="the op library with GPU kernels is not built: make cuda"
)


def _run(script):
    """Standard output of a process in which the library with GPU kernels is the op library."""
    # `import tf_softras` loads its library by itself, so TensorFlow is what has to load another.
    prologue = f"""
        import tensorflow as tf
        load, loaded = tf.load_op_library, []
        tf.load_op_library = lambda path: loaded.append(path) or load({str(LIBRARY)!r})
        from tf_softras.ops import _library as library
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(prologue) + textwrap.dedent(script)],
        check=True,
        text=True,
        capture_output=True,
        cwd=ROOT,
    ).stdout


def _gpu_images(binary):
    """The (kind, compute capability) of each image in CUDA's fat binaries."""
    magic, kinds = b"\x50\xed\x55\xba", {1: "PTX", 2: "machine code"}
    for start in (match.start() for match in re.finditer(re.escape(magic), binary)):
        _, _, header_bytes, size = struct.unpack_from("<IHHQ", binary, start)
        position, end = start + header_bytes, start + header_bytes + size
        while header_bytes == 16 and position < end:
            kind, _, bytes_before, payload = struct.unpack_from("<HHIQ", binary, position)
            (capability,) = struct.unpack_from("<I", binary, position + 28)
            yield kinds.get(kind), capability
            position += bytes_before + payload


def test_holds_machine_code_from_turing_to_hopper_and_ptx_for_later_gpus():
    images = collections.Counter(_gpu_images(LIBRARY.read_bytes()))
    sources = len(list((ROOT / "cc" / "cuda").rglob("*.cu.cc")))
    code = {("machine code", capability): sources for capability in (75, 80, 86, 89, 90)}
    assert sources > 0 and images == {**code, ("PTX", 90): sources}


# A GPU's kernel reads these in host memory.
HOST_MEMORY = {
    "Softras>SoftRasterize": ["sigma"],
    "Softras>SoftRasterizeGrad": ["sigma"],
    "Softras>SoftShade": ["gamma", "sigma"],
    "Softras>SoftShadeGrad": ["gamma", "sigma"],
}


def test_registers_the_soft_ops_for_gpus_with_scalars_in_host_memory():
    registered = _run(f"""
        import json
        from tensorflow.python.framework import kernels
        library.library()
        print(json.dumps([
            [op, sorted(kernel.host_memory_arg), *kernel.constraint[0].allowed_values.list.type]
            for op in {list(HOST_MEMORY)!r}
            for kernel in kernels.get_registered_kernels_for_op(op).kernel
            if kernel.device_type == "GPU"
        ]))
    """)
    float32, float64 = 1, 2
    expected = [
        [op, scalars, dtype] for op, scalars in HOST_MEMORY.items() for dtype in (float32, float64)
    ]
    assert sorted(json.loads(registered)) == expected


def test_works_where_no_driver_is():
    """The promises that take little time, on the CPU, with this library loaded."""
    summary = _run("""
        import pytest
        assert pytest.main([
            "-q", "-p", "no:cacheprovider",
            "tests/ops/test_soft_rasterize.py", "tests/ops/test_soft_shade.py",
            "-k", "TestBadInput or TestEmpty or agrees_with_numeric_differences",
        ]) == 0
        assert loaded == [str(library.LIBRARY_PATH)]
    """)
    assert "passed" in summary
