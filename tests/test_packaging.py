"""pyproject.toml, constraints.txt, version.py and the build agree with one another."""

import pathlib
import platform
import re

import pytest
import tensorflow as tf
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tf_softras.version import TENSORFLOW_MINOR, __version__

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no reader of TOML")

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def pins():
    """Name -> version, of the lines that hold for this Python."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
    }


def accepted(project):
    extras = project["project"]["optional-dependencies"]
    lines = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    lines += [line for extra, names in extras.items() if extra != "tensorflow" for line in names]
    return [Requirement(line) for line in lines if not line.startswith("tf-softras[")]


def test_tested_versions_are_ones_that_the_package_accepts(project, pins):
    for requirement in accepted(project):
        pin = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), f"{requirement} against {pin}"


def test_tensorflow_is_bound_to_one_minor_version_everywhere(project, pins):
    major, minor = map(int, TENSORFLOW_MINOR.split("."))
    extras = project["project"]["optional-dependencies"]
    lines = [*extras["tensorflow"], *extras["tensorflow-cpu"], *project["build-system"]["requires"]]
    bounds = [
        Requirement(line).specifier for line in lines if re.match(r"tensorflow(-cpu)?\b", line)
    ]

    assert len(bounds) == 3
    for specifier in bounds:
        assert specifier.contains(f"{major}.{minor}.0") and specifier.contains(f"{major}.{minor}.9")
        assert not specifier.contains(f"{major}.{minor - 1}.9")
        assert not specifier.contains(f"{major}.{minor + 1}.0")
    assert Version(pins["tensorflow-cpu"]).release[:2] == (major, minor)
    serving = Requirement((ROOT / "tests/serving/requirements.txt").read_text().splitlines()[-1])
    assert serving.specifier.contains(f"{major}.{minor}.0")


def test_bazel_compiles_with_the_flags_that_tensorflow_was_compiled_with():
    flags = [flag.lstrip("-") for flag in tf.sysconfig.get_compile_flags() if "-I" not in flag]
    build = (ROOT / "cc/bazel/tensorflow.bzl").read_text() + (ROOT / ".bazelrc").read_text()

    assert flags
    for flag in flags:
        assert flag.removeprefix("D") in build


def test_citation_is_of_this_version_and_licence(project):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["license"] == project["project"]["license"]


def test_bootstrap_accepts_the_pythons_that_the_package_accepts(project):
    low, high = re.search(
        r"\((\d+, \d+)\) <= sys.version_info\[:2\] < \((\d+, \d+)\)",
        (ROOT / "tools/bootstrap.sh").read_text(),
    ).groups()

    expected = f">={low},<{high}".replace(", ", ".")
    assert project["project"]["requires-python"] == expected
    assert Requirement(f"python{expected}").specifier.contains(platform.python_version())
