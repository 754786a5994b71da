"""Numeric derivatives that no code of the package has a part in."""

import numpy as np


def directional_derivative(function, point, direction, step):
    """Central difference of a scalar function along a direction, with one Richardson step.

    The error falls with the fourth power of `step` where the function is smooth.
    """

    def central(h):
        return (function(point + h * direction) - function(point - h * direction)) / (2 * h)

    return (4 * central(step / 2) - central(step)) / 3


def numeric_gradient(function, point, step):
    """All partial derivatives of a scalar function, by central differences."""
    gradient = np.zeros_like(point)
    for index in np.ndindex(point.shape):
        direction = np.zeros_like(point)
        direction[index] = 1.0
        gradient[index] = directional_derivative(function, point, direction, step)
    return gradient
