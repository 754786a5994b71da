"""The two regularisers of eq. 6 as a layer, for models that are trained with `fit`."""

import threading

import keras
from keras import ops

from tf_softras._shared.array_text import array_to_text
from tf_softras.losses import FlatteningLoss, LaplacianLoss


@keras.saving.register_keras_serializable(package="Softras")
class MeshRegularization(keras.layers.Layer):
    """Hands vertices on unchanged and adds their weighted Laplacian and flattening loss.

    Keras wants a target for every output that `compile(loss=...)` names; these losses have none.
    Added from inside the model they need no dummy target in the data, and `fit` and `evaluate` log
    each of them, unweighted, as `laplacian_loss` and `flattening_loss`.

    Formula:

    ```python
    loss += laplacian_weight * mean(laplacian_loss(vertices, faces))
    loss += flattening_weight * mean(flattening_loss(vertices, faces))
    ```

    A sample weight given to `fit` does not reach them, as with every loss that a layer adds.

    Args:
        faces: Integers [num_faces, 3].
        laplacian_weight: lambda of eq. 6.
        flattening_weight: mu of eq. 6.
        **kwargs: For `keras.layers.Layer`.

    Raises:
        ValueError: `faces` are not such integers.

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
        # The replicas of one process are threads that share this layer, and its list of losses.
        self._thread_of_loss: dict[int, int] = {}
        # A mixed policy would hand the vertices over in half precision.
        self.autocast = False

    def _get_own_losses(self):
        """Returns the losses of the replica that asks."""
        here = threading.get_ident()
        return [
            loss
            for loss in super()._get_own_losses()
            if self._thread_of_loss.get(id(loss), here) == here
        ]

    def _clear_losses(self):
        super()._clear_losses()
        self._thread_of_loss.clear()

    def call(self, vertices):
        """Returns `vertices`, [batch, ..., num_vertices, 3]."""
        batch = ops.shape(vertices)[0]
        for loss, weight, tracker in (
            (self.laplacian, self.laplacian_weight, self.laplacian_tracker),
            (self.flattening, self.flattening_weight, self.flattening_tracker),
        ):
            # Not `loss(...)`: under `tf.distribute` that divides by the number of replicas, and the
            # trainer does so once more with what a layer adds.
            value = ops.mean(loss.call(None, vertices))
            weighted = weight * value
            self._thread_of_loss[id(weighted)] = threading.get_ident()
            self.add_loss(weighted)
            tracker.update_state(value, sample_weight=batch)
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
