"""The layers of the C++ in docs/architecture.md: which folder includes from which."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
MOST_FILES = 16
# The folders that know nothing of TensorFlow.
PASSES = ("cc/geometry", "cc/raster", "cc/cpu", "cc/cuda")


@pytest.fixture(scope="module")
def layers():
    """Returns the folders of the page's table, from the lowest layer up."""
    page = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| (`cc/[^|]+) \|", page, re.MULTILINE)
    return [folder for row in rows for folder in re.findall(r"cc/\w+", row)]


def sources():
    """Yields (folder, path, is_test) of each C++ file below a folder of cc."""
    for path in sorted((ROOT / "cc").rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.suffix in (".h", ".cc") and len(parts) > 2:
            is_test = path.name.endswith("_test.cc") or path.name.startswith("test_")
            yield "/".join(parts[:2]), path, is_test


def includes(text):
    """Returns the files that a text includes by quotes: ours, and those of other libraries."""
    return re.findall(r'^\s*#include "([^"]+)"', text, re.MULTILINE)


def arrows_up(folder, text, layers):
    """Returns the files that a text includes from a higher layer; for GPUs, also the CPU's."""
    low = layers[: layers.index(folder) + 1]
    if folder == "cc/cuda":
        low = [layer for layer in low if layer != "cc/cpu"]
    return [
        name
        for name in includes(text)
        if name.startswith("cc/") and "/".join(name.split("/")[:2]) not in low
    ]


def test_every_folder_is_a_layer(layers):
    folders = {f"cc/{path.name}" for path in (ROOT / "cc").iterdir() if path.is_dir()}
    assert folders == set(layers)


def test_no_layer_includes_from_above(layers):
    up = {
        str(path.relative_to(ROOT)): found
        for folder, path, is_test in sources()
        if not is_test and (found := arrows_up(folder, path.read_text(), layers))
    }
    assert not up


def test_passes_know_no_tensorflow():
    strangers = [
        (str(path.relative_to(ROOT)), name)
        for folder, path, _ in sources()
        for name in includes(path.read_text())
        if folder in PASSES and re.match("tensorflow/|tsl/|xla/|absl/", name)
    ]
    assert not strangers


def test_no_folder_is_too_full():
    counts = {}
    for _, path, _ in sources():
        counts[path.parent] = counts.get(path.parent, 0) + 1
    assert {str(folder): n for folder, n in counts.items() if n > MOST_FILES} == {}


@pytest.mark.parametrize(
    "folder, name",
    [
        ("cc/geometry", "cc/raster/inputs.h"),
        ("cc/raster", "cc/cpu/simd.h"),
        ("cc/cuda", "cc/cpu/face_batch.h"),
        ("cc/cpu", "cc/reference/scenes.h"),
    ],
)
def test_arrows_up_are_caught(layers, folder, name):
    assert arrows_up(folder, f'#include "{name}"\n', layers) == [name]
