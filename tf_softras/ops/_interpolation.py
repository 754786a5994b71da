"""How depth and attributes are interpolated over a face, by its name."""

import functools
import inspect

from tf_softras.ops._library import library

# What is linear over a face on the image plane: 1/z, or z itself for parallel projection.
INTERPOLATIONS = ("perspective", "linear")


def validate_interpolation(interpolation):
    """Raises ValueError for what is none of `INTERPOLATIONS`."""
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"interpolation: expected one of {INTERPOLATIONS}; received {interpolation!r}"
        )


@functools.lru_cache(1)
def attribute_names():
    """Names of the attribute: none with op libraries that were built before there was one."""
    is_known = "interpolation" in inspect.signature(library().softras_soft_shade).parameters
    return ("interpolation",) if is_known else ()


def attribute(interpolation):
    """The attribute for a call of an op, left out where it is the op's default."""
    return {} if interpolation == "perspective" else {"interpolation": interpolation}
