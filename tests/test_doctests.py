"""Examples in docstrings: every public layer, loss and metric has one, and it runs as printed."""

import doctest
import inspect
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry, layers, losses, metrics

GLOBALS = {
    "geometry": geometry,
    "keras": keras,
    "layers": layers,
    "losses": losses,
    "metrics": metrics,
    "np": np,
    "tf": tf,
}


def public(module):
    """Returns the public classes and functions of a room by name."""
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]
    return {f"{module.__name__.split('.')[-1]}.{name}": getattr(module, name) for name in names}


PUBLIC = {
    name: item for module in (layers, losses, metrics) for name, item in public(module).items()
}
# Other rooms may bring examples; those that they have run, too.
OTHERS = {
    name: item
    for name, item in public(geometry).items()
    if callable(item) and ">>> " in (inspect.getdoc(item) or "")
}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_layer_loss_and_metric_has_an_example(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert "\nExample:\n>>> " in text or "\nExample:\n\n>>> " in text


@pytest.mark.parametrize("name", {**PUBLIC, **OTHERS})
def test_examples_run_as_printed(name):
    item = {**PUBLIC, **OTHERS}[name]
    names = {**vars(sys.modules[item.__module__]), **GLOBALS}
    test = doctest.DocTestParser().get_doctest(item.__doc__ or "", names, name, None, 0)
    output = []
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=output.append)
    assert results.attempted and not results.failed, "".join(output)


def test_the_list_of_what_is_public_is_not_empty():
    assert {"layers.SoftRasterize", "losses.LaplacianLoss", "metrics.VoxelIoU"} <= set(PUBLIC)
    assert "metrics.tf" not in PUBLIC
