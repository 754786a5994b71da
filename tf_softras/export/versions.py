"""The folder that a server watches: BASE/1, BASE/2, ..., a SavedModel each."""

import pathlib
import re

from tf_softras._shared.errors import SoftrasError

_MODEL = "saved_model.pb"


class SavedModelError(SoftrasError, ValueError):
    """A folder is no SavedModel of a reconstructor, or stands where one is to be written."""


def saved_model_folder(path) -> pathlib.Path | None:
    """Returns the SavedModel that `path` is, or the newest of the versions in it, or None."""
    path = pathlib.Path(path)
    if (path / _MODEL).is_file():
        return path
    versions = [entry for entry in _versions(path) if (entry[1] / _MODEL).is_file()]
    return max(versions)[1] if versions else None


def free_version(base, version: int | None = None) -> int:
    """Returns the version to write: the given one, or the next behind the newest; 1 if none is.

    Raises:
        SavedModelError: The version is there already (a server may have it open), is not positive,
            or `base` is a file or a SavedModel itself.
    """
    base = pathlib.Path(base)
    if base.exists() and not base.is_dir():
        raise SavedModelError(f"Cannot export to '{base}'. Expected a folder, received a file.")
    if (base / _MODEL).exists():
        raise SavedModelError(
            f"Cannot export to '{base}'. Expected a folder of versions, or a new one; received a "
            "SavedModel itself."
        )
    taken = [number for number, _ in _versions(base)]
    if version is None:
        return max(taken, default=0) + 1
    if version < 1:
        raise SavedModelError(f"Invalid version. Expected at least 1, received {version}.")
    if version in taken:
        raise SavedModelError(
            f"Cannot export to '{base / str(version)}'. Expected a version that is free, received "
            "one that exists."
        )
    return version


def _versions(base: pathlib.Path) -> list[tuple[int, pathlib.Path]]:
    """Returns the entries whose names are whole numbers, as a server reads them: 007 is 7."""
    if not base.is_dir():
        return []
    entries = [path for path in base.iterdir() if re.fullmatch(r"[0-9]{1,18}", path.name)]
    return [(int(path.name), path) for path in entries]
