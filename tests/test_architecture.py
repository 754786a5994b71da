"""The rooms of docs/architecture.md: a module imports only from the rooms to its left."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tf_softras"
# Stands outside the rooms: a name and two strings that any of them may know.
FREE = ("version",)


@pytest.fixture(scope="module")
def order():
    """Room -> its place from the left."""
    text = (ROOT / "docs/architecture.md").read_text()
    (arrow,) = re.findall(r"^config -> .*$", text, re.MULTILINE)
    return {room: place for place, room in enumerate(re.split(r" -> |, ", arrow))}


def room_of(module):
    """The room of tf_softras.room.anything; None for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def imports(source, module, is_package):
    """The modules of tf_softras that a text imports, wherever in it, with their lines."""
    base = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            prefix = base[: len(base) - node.level + 1] if node.level else []
            origin = ".".join(prefix + ([node.module] if node.module else []))
            # `from tf_softras import losses` imports a room, not the package.
            names = [f"{origin}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "tf_softras":
                yield node.lineno, name


def arrows_back(source, module, order, *, is_package=False):
    """'line: name' of what a module must not import."""
    own = room_of(module)
    for line, name in imports(source, module, is_package):
        other = room_of(name)
        if other in (own, *FREE):
            continue
        if other not in order or order[other] >= order[own]:
            yield f"{line}: {name}"


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        yield path, ".".join(parts[:-1] if is_package else parts), is_package


def test_no_module_imports_from_its_right(order):
    found = {}
    for path, module, is_package in modules():
        room = room_of(module)
        if room is None or room in FREE:
            continue
        assert room in order, f"docs/architecture.md knows no room {room!r} ({path})"
        back = list(arrows_back(path.read_text(), module, order, is_package=is_package))
        if back:
            found[str(path.relative_to(ROOT))] = back
    assert not found


def test_every_room_of_the_picture_is_built(order):
    built = {room_of(module) for _, module, _ in modules()} - {None, *FREE}
    assert set(order) == built


def test_the_table_tells_of_the_rooms_in_the_same_order(order):
    text = (ROOT / "docs/architecture.md").read_text()
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    names = [name for cell in cells for name in re.findall(r"`(\w+?)(?:\.py|/)`", cell)]
    assert names == list(order)


@pytest.mark.parametrize(
    "source, caught",
    [
        ("from tf_softras.models import MeshReconstructor", True),
        ("from tf_softras import models", True),
        ("import tf_softras.training.train as t", True),
        ("def late():\n    from tf_softras.cli import main", True),
        ("from ..models import MeshReconstructor", True),
        ("from .. import models", True),
        ("from tf_softras.nowhere import x", True),
        ("import tf_softras", True),
        ("from tf_softras.ops import soft_rasterize", False),
        ("from tf_softras.layers.perspective import Perspective", False),
        ("from . import perspective", False),
        ("from tf_softras.version import __version__", False),
        ("import keras", False),
    ],
)
def test_arrows_back_are_caught(order, source, caught):
    assert bool(list(arrows_back(source, "tf_softras.layers.look_at", order))) == caught
