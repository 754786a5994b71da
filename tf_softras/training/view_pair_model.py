"""The network as it is trained: two views in, four silhouettes out."""

import keras
from keras import ops

from tf_softras.config import ReconstructionConfig
from tf_softras.layers import LookAt, Perspective, SoftRasterize
from tf_softras.models import MeshReconstructor, MeshRegularization


@keras.saving.register_keras_serializable(package="Softras")
class ViewPairModel(keras.Model):
    """Reconstructs a mesh from each of two views and renders each mesh from both views.

    Input, as `datasets.view_pairs` gives it: {"images": float32 [batch, 2, height, width, 4],
    "eyes": float32 [batch, 2, 3] in world space}. Output: {"silhouettes": float32
    [batch, 4, height, width] in [0, 1]}: (mesh a, view a), (mesh a, view b), (mesh b, view a),
    (mesh b, view b). The regularisers of eq. 6 are added from inside, so `compile` needs the
    silhouettes' loss only.

    Args:
        reconstructor: The `MeshReconstructor` that is trained.
        config: A `ReconstructionConfig` or its `to_dict()`: sigma and the weights of eq. 6.
        **kwargs: For `keras.Model`.

    Attributes:
        reconstructor: The network; after training it is all that is needed.
        rasterize: The `SoftRasterize` layer, whose `sigma` a schedule may change.

    Source: "Soft Rasterizer", section 5.1; the pairs follow the authors' released code.
    """

    def __init__(self, reconstructor: MeshReconstructor, config, **kwargs):
        super().__init__(**kwargs)
        if isinstance(config, dict):
            config = ReconstructionConfig.from_dict(config)
        self.config = config
        self.reconstructor = reconstructor
        self.regularization = MeshRegularization(
            reconstructor.faces,
            laplacian_weight=config.laplacian_weight,
            flattening_weight=config.flattening_weight,
        )
        self.look_at = LookAt()
        self.perspective = Perspective()
        self.rasterize = SoftRasterize(
            reconstructor.faces, reconstructor.config.image_size, config.sigma
        )

    def call(self, inputs, training=None):
        """Returns {"silhouettes": ...}; see the class."""
        images, eyes = inputs["images"], inputs["eyes"]
        vertices = self.reconstructor(
            ops.reshape(images, (-1, *images.shape[2:])), training=training
        )
        vertices = self.regularization(ops.reshape(vertices, (-1, 2, *vertices.shape[1:])))
        # a, a, b, b beside the views a, b, a, b.
        meshes = ops.reshape(ops.repeat(vertices, 2, axis=1), (-1, *vertices.shape[2:]))
        views = ops.reshape(ops.tile(eyes, (1, 2, 1)), (-1, 3))
        silhouettes = self.rasterize(self.perspective(self.look_at([meshes, views])))
        return {"silhouettes": ops.reshape(silhouettes, (-1, 4, *silhouettes.shape[1:]))}

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "reconstructor": keras.saving.serialize_keras_object(self.reconstructor),
            "config": self.config.to_dict(),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the model that `get_config` described, untrained."""
        reconstructor = keras.saving.deserialize_keras_object(
            config.pop("reconstructor"), custom_objects=custom_objects
        )
        return cls(reconstructor, **config)
