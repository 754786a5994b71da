"""Checks of shapes, as far as they are known: errors that name the argument."""


def known_shape(values):
    """Returns the shape of an array or a tensor as a tuple, None for a size that is not known.

    None where a graph does not even know the number of dimensions.
    """
    try:
        return tuple(values.shape)
    except ValueError:
        return None


def check_shape(name, shape, expected):
    """Checks a shape, as far as it is known.

    Args:
        name: the argument's name, for the error.
        shape: a tuple of sizes, None for one that is not known; or None.
        expected: a tuple of sizes, and of names for sizes that may be any. "..." before them stands
            for any number of dimensions; the names that follow it may then be missing.

    Raises:
        ValueError: the shape is another one.
    """
    if shape is None:
        return
    last = expected
    if expected[0] == "...":
        last = tuple(size for size in expected if not isinstance(size, str))
        shape_of_last = shape[len(shape) - len(last) :] if len(shape) >= len(last) else ()
    else:
        shape_of_last = shape
    if len(shape_of_last) != len(last) or any(
        not isinstance(size, str) and given not in (None, size)
        for given, size in zip(shape_of_last, last, strict=True)
    ):
        wanted = ", ".join(map(str, expected))
        raise ValueError(f"{name}: expected shape [{wanted}]; received {list(shape)}")


def check_shapes_broadcast(shapes):
    """Checks that shapes broadcast against one another, as far as they are known.

    Args:
        shapes: a dict of tuples, or of None, by the arguments' names, for the error.

    Raises:
        ValueError: two of them do not.
    """
    given = [shape for shape in shapes.values() if shape is not None]
    for axis in range(-max(map(len, given), default=0), 0):
        sizes = {shape[axis] for shape in given if len(shape) >= -axis} - {None, 1}
        if len(sizes) > 1:
            *others, last = shapes
            received = ", ".join(
                f"{name} {'of unknown rank' if shape is None else list(shape)}"
                for name, shape in shapes.items()
            )
            raise ValueError(
                f"{', '.join(others)} and {last}: expected shapes that broadcast; "
                f"received {received}"
            )
