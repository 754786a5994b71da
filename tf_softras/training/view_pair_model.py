"""Trains a network: pictures in, the silhouettes of every mesh in every view out, eq. 6."""

import keras
import tensorflow as tf
from keras import ops

from tf_softras.config import ReconstructionConfig
from tf_softras.datasets.view_pairs import MeshViewPairs
from tf_softras.losses import (
    MeshTopology,
    color_loss,
    flattening_loss,
    laplacian_loss,
    silhouette_iou_loss,
)
from tf_softras.metrics import SilhouetteIoU
from tf_softras.models import MeshReconstructor, VoxelReconstructor
from tf_softras.training._drawing import drawing


@keras.saving.register_keras_serializable(package="Softras")
class ViewPairModel(keras.Model):
    """Reconstructs an object from each of its pictures and draws each answer in each view.

    Inputs, as `datasets.view_pairs` gives them: {"images": float32 [batch, pictures, height, width,
    4], "eyes": float32 [batch, views, 3] in world space}. The paper has two pictures of an object
    and compares each mesh in both of their views; `config.views_per_mesh` may ask for more.

    Outputs, all float32: {"silhouettes": [batch, pictures * views, height, width] in [0, 1], in the
    order of `datasets.view_pairs.MeshViewPairs`} and, for a `MeshReconstructor`,
    {"vertices": [batch, pictures, num_vertices, 3] in object units}; if it gives colours also
    {"colors": [batch, pictures, num_vertices, 3], "pictures": [batch, pictures * views, height,
    width, 3]}, sRGB.

    Formula (eq. 6, with the colours' term where there are colours):

    ```python
    loss = mean(silhouette_iou_loss(true_silhouettes, silhouettes))
    loss += laplacian_weight * mean(laplacian_loss(vertices, faces))
    loss += flattening_weight * mean(flattening_loss(vertices, faces))
    loss += color_weight * mean(color_loss(true_pictures, pictures))
    ```

    The model holds this formula itself, so `compile` takes an optimizer and no loss. `fit` logs
    each term, unweighted, and `silhouette_iou`.

    Args:
        reconstructor: The `MeshReconstructor` or `VoxelReconstructor` that is trained.
        config: A `ReconstructionConfig` or its `to_dict()`: method, sigma, the weights of eq. 6
            and of colours.
        **kwargs: For `keras.Model`.

    Attributes:
        reconstructor: The network. After training it is all that is needed.
        drawing: The layer that draws its answers; see `tf_softras.training._drawing`.
        rasterize: The `SoftRasterize` layer in it, whose `sigma` a schedule may change; None for
            voxels. With colours it is a `SoftShade`, whose alpha is the silhouette.

    Raises:
        ValueError: The rays of voxels do not divide the picture's pixels.

    Source: "Soft Rasterizer", eq. 6 and section 5.1; the pairs follow the authors' released code.
    """

    def __init__(self, reconstructor: MeshReconstructor | VoxelReconstructor, config, **kwargs):
        super().__init__(**kwargs)
        if isinstance(config, dict):
            config = ReconstructionConfig.from_dict(config)
        self.config = config
        self.reconstructor = reconstructor
        self.drawing = drawing(reconstructor, config)
        self.rasterize = self.drawing.rasterize
        self.topology = None
        if isinstance(reconstructor, MeshReconstructor):
            self.topology = MeshTopology.from_faces(reconstructor.faces)
        self.silhouette_iou = SilhouetteIoU()
        self.trackers = {
            name: keras.metrics.Mean(name=name) for name in self._weights() if name != "silhouettes"
        }

    def _weights(self) -> dict[str, float]:
        """Returns the terms of the loss, by name, and their weights."""
        weights = {"silhouettes": 1.0}
        if isinstance(self.reconstructor, MeshReconstructor):
            weights["laplacian_loss"] = self.config.laplacian_weight
            weights["flattening_loss"] = self.config.flattening_weight
            if self.reconstructor.color_decoder is not None:
                weights["color_loss"] = self.config.color_weight
        return weights

    def call(self, inputs, training=None):
        """Returns the silhouettes and the meshes; see the class."""
        images, eyes = inputs["images"], inputs["eyes"]
        pairs = MeshViewPairs(images.shape[1], eyes.shape[1])
        answers = {
            name: _unflat(value, pairs.num_meshes)
            for name, value in self._answers(_flat(images), training).items()
        }
        beside = [*map(pairs.of_meshes, answers.values()), pairs.of_views(eyes)]
        drawn = self.drawing([_flat(values) for values in beside])
        return answers | {name: _unflat(value, pairs.count) for name, value in drawn.items()}

    def _answers(self, images, training) -> dict:
        """Returns what the network makes of pictures [count, height, width, 4]."""
        if not isinstance(self.reconstructor, MeshReconstructor):
            return {"voxels": self.reconstructor(images, training=training)}
        if self.reconstructor.color_decoder is None:
            return {"vertices": self.reconstructor(images, training=training)}
        vertices, colors = self.reconstructor.colored(images, training=training)
        return {"vertices": vertices, "colors": colors}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns eq. 6, and notes its terms for the logs.

        Args:
            x: Not used.
            y: The targets of `datasets.view_pairs`.
            y_pred: What `call` returned.
            sample_weight: None.
            training: Not used.

        Raises:
            ValueError: `compile` got a loss, or there are sample weights: eq. 6 has neither.
        """
        del x, training
        if self.loss is not None:
            raise ValueError(
                "loss: expected none in `compile`, because a ViewPairModel holds eq. 6 itself; "
                f"received {self.loss!r}"
            )
        if sample_weight is not None:
            raise ValueError("sample_weight: expected None; received weights")
        total = 0.0
        weights = self._weights()
        for name, values in self._terms(y, y_pred).items():
            if name in self.trackers:
                self.trackers[name].update_state(values)
            total += weights[name] * ops.mean(values)
        # Keras adds up the gradients of the replicas, each of which sees its part of the batch.
        return total / tf.distribute.get_strategy().num_replicas_in_sync

    def _terms(self, y, y_pred) -> dict:
        """Returns the terms of eq. 6, unweighted, each [batch]."""
        terms = {"silhouettes": silhouette_iou_loss(y["silhouettes"], y_pred["silhouettes"])}
        if self.topology is not None:
            vertices = y_pred["vertices"]
            terms["laplacian_loss"] = laplacian_loss(vertices, self.topology)
            terms["flattening_loss"] = flattening_loss(vertices, self.topology)
        if "pictures" in y_pred:
            pairs = MeshViewPairs(y_pred["vertices"].shape[1], y["pictures"].shape[1])
            terms["color_loss"] = color_loss(pairs.of_views(y["pictures"]), y_pred["pictures"])
        return terms

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Returns the logs of a step: the loss, its terms, and the silhouettes' IoU."""
        self.silhouette_iou.update_state(y["silhouettes"], y_pred["silhouettes"])
        return super().compute_metrics(x, y, y_pred, sample_weight)

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


def _flat(values):
    """Returns [batch * count, ...] of [batch, count, ...]."""
    return ops.reshape(values, (-1, *values.shape[2:]))


def _unflat(values, count: int):
    """Returns [batch, count, ...] of [batch * count, ...]."""
    return ops.reshape(values, (-1, count, *values.shape[1:]))
