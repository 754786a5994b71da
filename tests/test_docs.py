"""The documentation: its Python runs as printed, its picture and its navigation are up to date."""

import doctest
import pathlib
import re
import runpy
import sys

import numpy as np
import PIL.Image
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
RUN = sorted(path for path in DOCS.rglob("*.md") if ">>> " in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", RUN, ids=lambda path: str(path.relative_to(DOCS)))
def test_python_of_the_documentation_runs_as_printed(path):
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    results = doctest.testfile(str(path), module_relative=False, optionflags=flags)
    assert results.attempted and not results.failed


def test_each_tutorial_is_run_or_points_to_commands():
    assert {path.stem for path in (DOCS / "tutorials").glob("*.md")} <= {path.stem for path in RUN}


def test_every_page_is_in_the_navigation():
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    named = set(re.findall(r"'([\w/]+\.md)'", str(config["nav"])))
    assert named == {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}


def test_picture_of_the_conventions_is_what_the_code_draws(tmp_path, monkeypatch):
    script = ROOT / "tools" / "draw_conventions.py"
    monkeypatch.setattr(sys, "argv", [script.name, str(tmp_path / "drawn.png")])
    runpy.run_path(str(script), run_name="__main__")
    drawn, kept = (
        np.asarray(PIL.Image.open(path).convert("L"), int)
        for path in (tmp_path / "drawn.png", DOCS / "images" / "conventions.png")
    )
    assert drawn.shape == kept.shape
    # Another matplotlib sets letters otherwise; a mirrored world or another camera is 5 % and more.
    assert (np.abs(drawn - kept) > 32).mean() < 0.02


def test_every_commands_help_is_named_in_the_documentation():
    from tf_softras.cli import main

    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    text = "".join(path.read_text(encoding="utf-8") for path in pages)
    assert not [name for name in main.commands if f"softras {name}" not in text]
