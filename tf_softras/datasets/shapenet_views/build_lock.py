"""One build of a data set at a time, and nothing left over from one that was killed."""

import contextlib
import logging
import shutil
from collections.abc import Iterator

import filelock

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def only_build_of(folder) -> Iterator[None]:
    """Holds off other builds of the same data, and removes what killed ones have left.

    Args:
        folder: where tfds writes the data until they are whole: `incomplete.RANDOM_VERSION`. The
            lock is a file beside it. The system gives the lock back when a process ends, however
            it ends. On file systems without locks, such as object stores, nothing is removed.

    Raises:
        ValueError: Another process prepares the same data.
    """
    _, version = folder.name.rsplit("_", 1)
    lock = filelock.FileLock(str(folder.parent / f".lock_{version}"), blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ValueError(
            f"'{folder.parent}': expected no other process that prepares it; received one that does"
        ) from None
    except (OSError, NotImplementedError):
        yield
        return
    try:
        for left in folder.parent.glob(f"incomplete.*_{version}"):
            if left.name != folder.name:
                _logger.warning("%s, which a build that was cut off left, is removed.", left)
                shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release()
