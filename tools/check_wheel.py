"""Checks the files of a wheel against the source tree: python tools/check_wheel.py WHEEL [ANOTHER].

With two wheels, their files must also have the same names.
"""

import pathlib
import re
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILT = {"tf_softras/ops/_built_for.txt", "tf_softras/ops/_softras_ops.so"}
# Needed beside Python: types, the data set's own files, the pages.
DATA = {".typed", ".md", ".bib", ".txt", ".tsv", ".zip", ".html", ".css", ".js"}


def files(path: pathlib.Path) -> set[str]:
    """Returns the names in a wheel, without its metadata and the files that auditwheel adds."""
    with zipfile.ZipFile(path) as wheel:
        assert wheel.testzip() is None, f"{path} is damaged"
        names = (name for name in wheel.namelist() if not name.endswith("/"))
        return {name for name in names if ".dist-info/" not in name}


def expected() -> set[str]:
    """Returns the expected names: Python modules, and the files that are read at run time."""
    package = ROOT / "tf_softras"
    found = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file()
        and (path.suffix == ".py" or path.suffix in DATA)
        and not {"dummy_data", "__pycache__"} & set(path.parts)
    }
    return found | BUILT


def check(path: pathlib.Path) -> None:
    """Raises AssertionError unless the wheel holds the expected files."""
    names = files(path)
    optional = {name for name in names if re.fullmatch(r"tf_softras/ops/_softras_\w+\.so", name)}
    missing, unknown = expected() - names, names - expected() - optional
    assert not missing, f"{path} lacks {sorted(missing)}"
    assert not unknown, f"{path} holds {sorted(unknown)}"
    with zipfile.ZipFile(path) as wheel:
        (metadata,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        facts = wheel.read(metadata).decode()
        version = re.search(r'__version__ = "(.+)"', (ROOT / "tf_softras/version.py").read_text())
        assert f"\nVersion: {version[1]}\n" in facts
        for line in ("License-Expression: Apache-2.0", "Provides-Extra: page"):
            assert line in facts, f"{path}'s METADATA lacks {line}"
        assert any(n.endswith(".dist-info/licenses/LICENSE") for n in wheel.namelist())
        for library in sorted(name for name in names if name.endswith(".so")):
            content = wheel.read(library)
            for place in (str(ROOT).encode(), b"/.cache/bazel", b"/.venv/"):
                assert place not in content, f"{library} names a folder of the build: {place}"


def main() -> None:
    """Checks the wheels of the command line."""
    paths = [pathlib.Path(argument) for argument in sys.argv[1:]]
    for path in paths:
        check(path)
        print(f"{path.name}: {len(files(path))} files, {path.stat().st_size / 1e6:.1f} MB")
    assert len({frozenset(files(path)) for path in paths}) == 1, "the wheels hold other files"


if __name__ == "__main__":
    main()
