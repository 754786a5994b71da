"""How networks, and anything else that makes objects out of pictures, are asked for them."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def predictor(reconstructor: Callable) -> Callable:
    """Returns a function from images to answers: a Keras model's in inference, traced once.

    Any other callable is returned as it is.
    """
    if not isinstance(reconstructor, keras.Model):
        return reconstructor
    return _traced(reconstructor, "__call__")


def faces_of(reconstructor: Any) -> np.ndarray:
    """Returns int32 `[num_faces, 3]`: the faces of a reconstructor's meshes.

    Raises:
        AttributeError: It is a callable that names none.
    """
    return reconstructor.faces


def gives_voxels(reconstructor: Any) -> bool:
    """Returns whether a reconstructor's answers are voxels, and not vertices: it says so itself."""
    return getattr(reconstructor, "gives_voxels", False)


def colored_predictor(reconstructor: Any) -> Callable:
    """Returns a function from images to (vertices, colors): as `predictor`, by `colored`."""
    if not isinstance(reconstructor, keras.Model):
        return reconstructor.colored
    return _traced(reconstructor, "colored")


# A network in training is asked every epoch; kept are those of the last two networks, which must
# not be many, for they keep the networks.
@functools.lru_cache(maxsize=2)
def _traced(reconstructor: keras.Model, method: str) -> Callable:
    ask = getattr(reconstructor, method)
    # Of any batch size: the last batch of a data set is a smaller one. What is not a functional
    # model may not know its shape.
    shape = getattr(reconstructor, "input_shape", None)
    signature = shape and [tf.TensorSpec((None, *shape[1:]), tf.float32)]
    return tf.function(
        lambda images: ask(images, training=False),
        input_signature=signature,
        reduce_retracing=True,
    )


def gives_colors(reconstructor: Any) -> bool:
    """Returns whether a reconstructor has `colored`: it says so itself."""
    return getattr(reconstructor, "gives_colors", False)
