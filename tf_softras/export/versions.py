"""The folder that a server watches: BASE/1, BASE/2, ..., a SavedModel each."""

import pathlib

from tf_softras.reconstruction import SavedModelError
from tf_softras.reconstruction._exported import MODEL_FILE, versions_in


def free_version(base, version: int | None = None) -> int:
    """Returns the version to write: the given one, or the next behind the newest; 1 if none is.

    Raises:
        SavedModelError: The version is there already (a server may have it open), is not positive,
            or `base` is a file or a SavedModel itself.
    """
    base = pathlib.Path(base)
    if base.exists() and not base.is_dir():
        raise SavedModelError(f"'{base}': expected a folder; received a file")
    if (base / MODEL_FILE).exists():
        raise SavedModelError(
            f"'{base}': expected a folder of versions, or a new one; received a SavedModel itself"
        )
    taken = [number for number, _ in versions_in(base)]
    if version is None:
        return max(taken, default=0) + 1
    if version < 1:
        raise SavedModelError(f"version: expected at least 1; received {version}")
    if version in taken:
        raise SavedModelError(
            f"'{base / str(version)}': expected a version that is free; received one that exists"
        )
    return version
