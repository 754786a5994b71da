"""The storeys and rooms of docs/architecture.md: who imports whom, and how full a folder is."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tf_softras"
# Stands outside the rooms: a name and two strings that any room may know.
FREE = ("version",)
MOST_FILES = 16


@pytest.fixture(scope="module")
def page():
    return (ROOT / "docs/architecture.md").read_text()


@pytest.fixture(scope="module")
def storeys(page):
    """Returns the storeys from the ground up, each a list of rooms."""
    (block,) = re.findall(r"^```\n(apps .*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = [line.split() for line in block.splitlines() if line]
    return {name: rooms for name, *rooms in reversed(lines)}


@pytest.fixture(scope="module")
def table(page):
    """Returns room -> the rooms that the page's table says it imports."""
    rows = re.findall(r"^\| `(\w+)(?:\.py|/)` \|[^|]+\|([^|]*)\|$", page, re.MULTILINE)
    return {room: set(re.findall(r"\w+", names)) for room, names in rows}


def room_of(module):
    """Returns the room of tf_softras.room.anything; None for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def imports(source, module, is_package):
    """Yields (line, name) of each module of tf_softras that a text imports, wherever in it."""
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


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        yield path, ".".join(parts[:-1] if is_package else parts), is_package


def arrows_up(source, module, storeys, *, is_package=False):
    """Yields 'line: name' of each import of the package itself, a higher storey or no room."""
    height = {room: level for level, rooms in enumerate(storeys.values()) for room in rooms}
    own = room_of(module)
    for line, name in imports(source, module, is_package):
        other = room_of(name)
        if other not in (own, *FREE) and (other not in height or height[other] > height[own]):
            yield f"{line}: {name}"


@pytest.fixture(scope="module")
def imported():
    """Returns room -> the other rooms that it imports."""
    found = {}
    for path, module, is_package in modules():
        room = room_of(module)
        if room is not None and room not in FREE:
            names = {room_of(name) for _, name in imports(path.read_text(), module, is_package)}
            found.setdefault(room, set()).update(names - {None, room, *FREE})
    return found


def test_every_room_stands_in_one_storey(storeys):
    built = {room_of(module) for _, module, _ in modules()} - {None, *FREE}
    assert sorted(room for rooms in storeys.values() for room in rooms) == sorted(built)


def test_no_storey_imports_from_above(storeys):
    found = {}
    for path, module, is_package in modules():
        if room_of(module) not in (None, *FREE):
            arrows = list(arrows_up(path.read_text(), module, storeys, is_package=is_package))
            if arrows:
                found[str(path.relative_to(ROOT))] = arrows
    assert not found


def test_rooms_of_a_storey_do_not_import_in_a_circle(imported):
    reached = {room: set(rooms) for room, rooms in imported.items()}
    for _ in reached:
        for rooms in reached.values():
            rooms.update(*(reached[other] for other in rooms))
    assert not [room for room, rooms in reached.items() if room in rooms]


def test_the_table_says_what_each_room_imports(imported, table):
    assert table == imported


def test_no_folder_is_too_full():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    full = {str(folder): len(list(folder.glob("*.py"))) for folder in folders}
    assert not {folder: files for folder, files in full.items() if files > MOST_FILES}


def test_no_exported_function_shadows_its_module():
    """`import tf_softras.training.train` would give a function or a module, as it happens."""
    shadows = []
    for init in PACKAGE.rglob("__init__.py"):
        for node in ast.walk(ast.parse(init.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = node.module.rsplit(".", 1)[-1]
                here = node.module == ".".join((*init.parent.relative_to(ROOT).parts, module))
                names = [alias.asname or alias.name for alias in node.names]
                shadows += [f"{init}: {module}" for name in names if here and name == module]
    assert not [shadow for shadow in shadows if "/cli/" not in shadow]


@pytest.mark.parametrize(
    "source, caught",
    [
        ("from tf_softras.training import train", True),
        ("from tf_softras import training", True),
        ("import tf_softras.training.train as t", True),
        ("def late():\n    from tf_softras.cli import main", True),
        ("from ..training import train", True),
        ("from .. import training", True),
        ("from tf_softras.nowhere import x", True),
        ("import tf_softras", True),
        ("from tf_softras.ops import soft_rasterize", False),
        ("from tf_softras.layers.cameras.perspective import Perspective", False),
        ("from . import perspective", False),
        ("from tf_softras.version import __version__", False),
        ("import keras", False),
    ],
)
def test_arrows_up_are_caught(storeys, source, caught):
    assert bool(list(arrows_up(source, "tf_softras.layers.look_at", storeys))) == caught
