"""Files that are written whole or not at all."""

import contextlib
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def replaced_whole(path) -> Iterator[pathlib.Path]:
    """Gives a path beside `path` to write to; it takes the place of `path` if nothing is raised.

    The suffix is kept, for writers that choose a format by it.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A folder of its own: mkstemp would make a file that only its owner can read.
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
        written = pathlib.Path(scratch) / path.name
        yield written
        os.replace(written, path)


def write_json(path, value) -> None:
    """Writes `value` as indented JSON, whole or not at all.

    Raises:
        ValueError: It holds NaN or infinity, which JSON has not.
    """
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with replaced_whole(path) as written:
        written.write_text(text, encoding="utf-8")
