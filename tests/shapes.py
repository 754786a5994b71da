"""A data set of ellipsoids, small enough to train on within seconds."""

import numpy as np
import tensorflow as tf

from tf_softras.config import ModelConfig, ReconstructionConfig
from tf_softras.datasets.shapenet_views.object_views import Rendering, object_views
from tf_softras.geometry import Mesh, icosphere

IMAGE_SIZE = 16
NUM_VIEWS = 6
VOXELS = 16
RENDERING = Rendering(
    image_size=IMAGE_SIZE,
    num_views=NUM_VIEWS,
    voxel_resolution=VOXELS,
    supersampling=2,
)
# Flat, long and round.
RADII = [(0.5, 0.15, 0.5), (0.15, 0.5, 0.15), (0.5, 0.5, 0.5), (0.5, 0.2, 0.2)]
# The classes of RADII, as indices of Table 1's classes: table, lamp, lamp, sofa.
LABELS = [10, 6, 6, 9]


def ellipsoid(radii, level=2):
    sphere = icosphere(level)
    return Mesh(vertices=sphere.vertices * np.float32(radii), faces=sphere.faces)


def ellipsoids(rendering=RENDERING):
    """Examples of `shapenet_views`, one for each of RADII."""
    examples = [object_views(ellipsoid(radii), rendering) for radii in RADII]
    stacked = tf.nest.map_structure(lambda *values: np.stack(values), *examples)
    return tf.data.Dataset.from_tensor_slices(
        {
            **stacked,
            "label": np.array(LABELS, np.int64),
            "model_id": [f"ellipsoid {i}" for i in range(len(RADII))],
        }
    )


def small_images():
    """The same in the size of the presets."""
    return ellipsoids(Rendering(num_views=NUM_VIEWS, voxel_resolution=VOXELS))


def tiny_config(**changes):
    """A network of 5,000 weights, and a run of 6 steps."""
    model = ModelConfig(
        convolution_filters=(4,),
        encoder_units=(16,),
        decoder_units=(16,),
        template_level=1,
        image_size=IMAGE_SIZE,
    )
    config = ReconstructionConfig(
        preset="tiny", model=model, sigma=1e-3, learning_rate=1e-3, batch_size=4, steps=6
    )
    return config.replace(**changes)
