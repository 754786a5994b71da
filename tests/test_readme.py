"""The README's Python runs as it is printed."""

import doctest
import pathlib

README = pathlib.Path(__file__).parents[1] / "README.md"


def test_readme_examples_run_as_printed():
    results = doctest.testfile(str(README), module_relative=False)
    assert results.attempted >= 10 and results.failed == 0


def test_readme_links_lead_somewhere():
    import re

    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text()):
        assert (README.parent / target).exists(), target
