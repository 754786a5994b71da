"""Reads the inputs and the arguments of layers: inputs by name, numbers of known shapes."""

import math

import numpy as np


def split_inputs(layer, inputs, names, *, optional=(), trailing=(), reason=""):
    """Returns a dict of the tensors that a layer is called with.

    Args:
        layer: The layer; its name is in the error.
        inputs: One tensor where there is one name, else a list in the order of the names; or a
            dict.
        names: The names of what has to be there.
        optional: The names of what a dict may hold beside it.
        trailing: Those of them that may stand at a list's end, too, in this order.
        reason: Why these are expected, for the error.

    Raises:
        ValueError: Something is missing or has no meaning.
    """
    if isinstance(inputs, dict):
        given = inputs
        received = f"a dict of {sorted(given)}"
    else:
        is_list = isinstance(inputs, (list, tuple))
        values = tuple(inputs) if is_list else (inputs,)
        received = f"{len(values)} tensors" if is_list else "one tensor"
        listed = (*names, *trailing)
        is_whole = len(names) <= len(values) <= len(listed) and is_list == (len(listed) > 1)
        given = dict(zip(listed, values, strict=False)) if is_whole else {}
    if not set(names) <= set(given) <= {*names, *optional}:
        expected = f"[{', '.join(names)}]" if len(names) > 1 else names[0]
        either = f", or a dict of them and perhaps {', '.join(optional)}" if optional else ""
        raise ValueError(
            f"Input of layer {layer.name!r}: expected {expected}{either}{reason}; "
            f"received {received}"
        )
    return {name: value for name, value in given.items() if value is not None}


def shapes_by_name(layer, shapes, names, **options):
    """Returns a dict of shapes from what `compute_output_shape` is called with."""
    is_one = not isinstance(shapes, dict) and all(
        size is None or isinstance(size, (int, np.integer)) for size in shapes
    )
    # A shape is a tuple, too: one alone must not be taken for a list of inputs.
    return split_inputs(layer, {names[0]: tuple(shapes)} if is_one else shapes, names, **options)


def broadcast_batch(layer, shapes):
    """Returns the batch size of inputs of these shapes, where a batch of 1 fits any; None unknown.

    Args:
        layer: The layer; its name is in the error.
        shapes: A dict from names to shapes.

    Raises:
        ValueError: Two inputs have different batch sizes, none of them 1.
    """
    # A shape of one axis is that of a constant for all items.
    sizes = {name: shape[0] for name, shape in shapes.items() if len(shape) > 1}
    known = set(sizes.values()) - {None, 1}
    if len(known) > 1:
        raise ValueError(
            f"Input of layer {layer.name!r}: expected batches of one size, or of 1; "
            f"received {sizes}"
        )
    if known:
        return known.pop()
    return None if None in sizes.values() else 1


def numbers(name, value, shape, *, is_batched=False):
    """Returns finite floats as nested lists.

    Args:
        name: The argument's name, for the error.
        value: Numbers of the shape; with `is_batched` also of [items, *shape].
        shape: A tuple; () for one number.
        is_batched: Whether one an item is taken.

    Raises:
        ValueError: Something else.
    """
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, NotImplementedError):
        array = np.asarray(math.nan)
    if array.shape != shape and not (is_batched and array.ndim and array.shape[1:] == shape):
        array = np.asarray(math.nan)
    if not np.all(np.isfinite(array)) or not array.size:
        items = f", or one an item {['items', *shape]}".replace("'", "") if is_batched else ""
        kind = f"floats {list(shape)}" if shape else "a float"
        raise ValueError(f"{name}: expected {kind}{items}, finite; received {value!r}")
    return array.tolist()


def boolean(name, value):
    """Returns the value, True or False.

    Raises:
        ValueError: The value is something else.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name}: expected True or False; received {value!r}")
    return bool(value)


def positive(name, value):
    """Returns a positive finite number as a float.

    Raises:
        ValueError: It is not one.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 < number < math.inf:
        raise ValueError(f"{name}: expected a positive finite number; received {value!r}")
    return number
