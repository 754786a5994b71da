"""Soft rasterisation for TensorFlow and Keras: silhouettes that are smooth in the vertices.

Importing the package registers its ops with TensorFlow, and its layers, losses, metrics and models
with Keras. After ``import tf_softras``, ``tf.saved_model.load``, ``TFSMLayer`` and
``keras.models.load_model`` load models that use them.

Example:
    >>> import tf_softras
    >>> tf_softras.geometry.icosphere(3).faces.shape
    (1280, 3)
"""

import contextlib
import importlib
import pathlib
import sys
import typing

from tf_softras._shared.errors import SoftrasError
from tf_softras.version import __version__

if typing.TYPE_CHECKING:
    from tf_softras import fitting, geometry, layers, losses, metrics, models, ops, shading

__all__ = [
    "SoftrasError",
    "__version__",
    "fitting",
    "geometry",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "shading",
]
# The console script of pyproject.toml. It answers --help and wrong options without TensorFlow, and
# otherwise loads TensorFlow itself, quietly (cli/command.py).
_COMMAND = "softras"


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module 'tf_softras' has no attribute {name!r}")
    return importlib.import_module(f"tf_softras.{name}")


if pathlib.PurePath(sys.argv[0] if sys.argv else "").stem != _COMMAND:
    for _room in ("geometry", "layers", "losses", "metrics", "models", "shading"):
        importlib.import_module(f"tf_softras.{_room}")
    # A library that cannot be loaded is an error of the first op that is called, which says why.
    with contextlib.suppress(ImportError):
        importlib.import_module("tf_softras.ops").register_ops()
