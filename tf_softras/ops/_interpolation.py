"""The two ways in which depth and attributes are interpolated over a face."""

# Linear over a face on the image plane: 1/z under perspective, z itself under parallel projection.
INTERPOLATIONS = ("perspective", "linear")


def validate_interpolation(interpolation):
    """Checks the name of an interpolation.

    Raises:
        ValueError: It is none of `INTERPOLATIONS`.
    """
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"interpolation: expected one of {INTERPOLATIONS}; received {interpolation!r}"
        )
