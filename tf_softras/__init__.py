"""Soft rasterisation for TensorFlow and Keras: silhouettes that are smooth in the vertices."""

import keras as _keras

if _keras.backend.backend() != "tensorflow":
    raise ImportError(
        "tf_softras's layers run on Keras's TensorFlow backend, but the backend is "
        f"{_keras.backend.backend()!r}: set KERAS_BACKEND=tensorflow before importing keras."
    )

from tf_softras import fitting, geometry, layers, losses, metrics, models, ops, shading  # noqa: E402
from tf_softras.version import __version__  # noqa: E402

__all__ = [
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
