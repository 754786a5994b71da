"""One build of a data set at a time, and nothing left over from one that was killed."""

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def only_build_of(folder) -> Iterator[None]:
    """Holds off other builds of the same data, and removes what killed ones have left.

    Args:
        folder: where tfds writes the data until they are whole: `incomplete.RANDOM_VERSION`. The
            system gives the lock back when a process ends, however it ends. On file systems without
            locks nothing is removed.
    """
    _, version = folder.name.rsplit("_", 1)
    try:
        descriptor = os.open(os.fspath(folder.parent), os.O_RDONLY)
    except OSError:  # An object store.
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"Expected no other process to prepare '{folder.parent}'; one does now."
            ) from None
        except OSError:
            yield
            return
        for left in folder.parent.glob(f"incomplete.*_{version}"):
            if left.name != folder.name:
                _logger.warning("%s, which a build that was cut off left, is removed.", left)
                shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)
