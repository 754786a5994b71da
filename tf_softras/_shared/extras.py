"""Packages that an installation may lack, because an extra of pyproject.toml brings them."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def needs(extra: str, purpose: str) -> Iterator[None]:
    """Turns the failed import of a package into a sentence that names the extra to install.

    Args:
        extra: The extra of pyproject.toml that brings the package.
        purpose: The thing that needs it, as the beginning of a sentence: "An MP4".

    Raises:
        ModuleNotFoundError: An import inside the block failed.

    Example:
        >>> with needs("film", "An MP4"):
        ...     import a_package_that_nobody_has
        Traceback (most recent call last):
        ...
        ModuleNotFoundError: An MP4 needs the package a_package_that_nobody_has: pip install \
'tf-softras[film]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        # Ours that is missing is a fault of ours; what names its extra already says enough.
        if error.name is None or error.name.startswith("tf_softras") or "pip install" in str(error):
            raise
        raise ModuleNotFoundError(
            f"{purpose} needs the package {error.name}: pip install 'tf-softras[{extra}]'",
            name=error.name,
        ) from error
