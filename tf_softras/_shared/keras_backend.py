"""Importing this module checks the one Keras backend that the package runs on.

Raises:
    ImportError: Keras runs on another backend.
"""

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "tf_softras's layers run on Keras's TensorFlow backend, but the backend is "
        f"{keras.backend.backend()!r}: set KERAS_BACKEND=tensorflow before importing keras."
    )
