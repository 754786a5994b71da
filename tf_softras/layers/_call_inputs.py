"""What layers are called with."""

import numpy as np


def split_inputs(layer, inputs, names, *, reason=""):
    """The tensors that a layer is called with: one, or a list of as many as there are names.

    Raises:
        ValueError: there are more or fewer; the message says what each would be, and the reason.
    """
    is_list = isinstance(inputs, (list, tuple))
    given = tuple(inputs) if is_list else (inputs,)
    if len(given) != len(names) or is_list != (len(names) > 1):
        expected = f"[{', '.join(names)}]" if len(names) > 1 else names[0]
        raise ValueError(
            f"Invalid input of layer {layer.name!r}. Expected {expected}{reason}. "
            f"Received: {f'{len(given)} tensors' if is_list else 'one tensor'}"
        )
    return given


def floats(name, value, count):
    """A list of `count` floats.

    Raises:
        ValueError: the value is something else; the message names it.
    """
    try:
        components = [float(component) for component in value]
    except TypeError:
        components = []
    if len(components) != count:
        raise ValueError(f"Invalid {name}. Expected {count} floats. Received: {name}={value!r}")
    return components


def boolean(name, value):
    """The value, True or False.

    Raises:
        ValueError: the value is something else; the message names it.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"Invalid {name}. Expected True or False. Received: {name}={value!r}")
    return bool(value)
