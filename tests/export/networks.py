"""Networks to export: slim ones, whose inputs and outputs have the default sizes."""

import keras
import numpy as np

from tf_softras.config import ModelConfig
from tf_softras.models import MeshReconstructor

SLIM = ModelConfig(convolution_filters=(4, 4, 4), encoder_units=(8, 6), decoder_units=(8,))


def network(seed=0):
    """A reconstructor with weights by which meshes differ from picture to picture."""
    keras.utils.set_random_seed(seed)
    model = MeshReconstructor(SLIM)
    random = np.random.default_rng(seed)
    for weight in model.weights:
        value = 0.2 * random.normal(size=weight.shape)
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.path else value)
    return model
