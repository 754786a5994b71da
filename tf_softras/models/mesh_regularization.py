"""Adds the two regularisers of eq. 6 inside a functional model that is trained with `fit`."""

import keras
import tensorflow as tf
from keras import ops

from tf_softras._shared.array_text import array_to_text
from tf_softras.losses import FlatteningLoss, LaplacianLoss


@keras.saving.register_keras_serializable(package="Softras")
class MeshRegularization(keras.layers.Layer):
    """Returns vertices unchanged and adds their weighted Laplacian and flattening loss.

    Keras wants a target for every output that `compile(loss=...)` names; these losses have none.
    This layer adds them from inside the model, so the data need no dummy target. `fit` and
    `evaluate` log each of them, unweighted, as `laplacian_loss` and `flattening_loss`.

    The layer is for one device: the replicas of a `tf.distribute.Strategy` would share its list of
    losses. `training.train` spreads a run over devices; it holds eq. 6 in its own model.

    Formula:

    ```python
    loss += laplacian_weight * mean(laplacian_loss(vertices, faces))
    loss += flattening_weight * mean(flattening_loss(vertices, faces))
    ```

    A sample weight given to `fit` does not reach them; Keras does so with all losses of layers.

    Args:
        faces: Integers [num_faces, 3].
        laplacian_weight: lambda of eq. 6.
        flattening_weight: mu of eq. 6.
        **kwargs: For `keras.layers.Layer`.

    Raises:
        ValueError: `faces` are not such integers; or, in a call, there are several replicas.

    Example:
        >>> from tf_softras import geometry, losses
        >>> sphere = geometry.icosphere(1)
        >>> layer = MeshRegularization(sphere.faces, laplacian_weight=1.0, flattening_weight=0.0)
        >>> vertices = layer(sphere.vertices[None])
        >>> bool(layer.losses[0] == losses.laplacian_loss(vertices, sphere.faces)[0])
        True

    Source: "Soft Rasterizer", eq. 6.
    """

    def __init__(self, faces, *, laplacian_weight, flattening_weight, **kwargs):
        super().__init__(**kwargs)
        self.laplacian = LaplacianLoss(faces)
        self.flattening = FlatteningLoss(faces)
        self.laplacian_weight = laplacian_weight
        self.flattening_weight = flattening_weight
        self.laplacian_tracker = keras.metrics.Mean(name="laplacian_loss")
        self.flattening_tracker = keras.metrics.Mean(name="flattening_loss")
        # A mixed policy would hand the vertices over in half precision.
        self.autocast = False

    def call(self, vertices):
        """Returns `vertices`, [batch, ..., num_vertices, 3]."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if replicas > 1:
            raise ValueError(
                f"MeshRegularization: expected one device; received {replicas} replicas. Compute "
                "the losses in `compute_loss` of a model instead, or call `training.train`"
            )
        for loss, weight, tracker in (
            (self.laplacian, self.laplacian_weight, self.laplacian_tracker),
            (self.flattening, self.flattening_weight, self.flattening_tracker),
        ):
            values = loss.call(None, vertices)
            self.add_loss(weight * ops.mean(values))
            tracker.update_state(values)
        return vertices

    def compute_output_shape(self, vertices_shape):
        """Returns the shape of the vertices."""
        return vertices_shape

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "faces": array_to_text(self.laplacian.faces),
            "laplacian_weight": self.laplacian_weight,
            "flattening_weight": self.flattening_weight,
        }
