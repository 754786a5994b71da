"""Answers with the training object whose picture is nearest: a baseline that learns nothing."""

import keras
import numpy as np
import tensorflow as tf

# Cells along each side of a picture in its feature.
_FEATURE_SIDE = 16


@keras.saving.register_keras_serializable(package="Softras")
class RetrievalReconstructor(keras.Model):
    """Answers a picture with the voxels of the object that has the nearest picture.

    The feature of a picture is its alpha, averaged over 16 x 16 cells (4 x 4 pixels each at
    64 x 64); nearest is by Euclidean distance. (On 82 objects of ShapeNet and 521 to choose from,
    every fourth view: a mean 3D IoU of 0.349; 0.339 where colours, times alpha, are compared too.)
    The published row compares features of a network that was trained on photographs instead.

    Args:
        num_pictures: Pictures that are compared with.
        num_objects: Objects that they show.
        resolution: Cells along each side of the voxel grids.
        image_size: Height and width of the pictures in pixels, a multiple of 16.
        name: As in `keras.Model`.

    Raises:
        ValueError: `image_size` is no multiple of 16.
    """

    def __init__(
        self, num_pictures, num_objects, resolution, image_size, *, name="retrieval", **kwargs
    ):
        super().__init__(name=name, **kwargs)
        if image_size % _FEATURE_SIDE:
            raise ValueError(
                f"image_size: expected a multiple of {_FEATURE_SIDE} for retrieval; "
                f"received {image_size}"
            )
        self.num_pictures, self.num_objects = num_pictures, num_objects
        self.resolution, self.image_size = resolution, image_size
        self.features = self._table("features", (num_pictures, _FEATURE_SIDE**2), "float32")
        self.object_of_picture = self._table("object_of_picture", (num_pictures,), "int32")
        self.voxels = self._table("voxels", (num_objects, *[resolution] * 3), "bool")
        self.built = True

    def _table(self, name, shape, dtype):
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False
        )

    @classmethod
    def from_dataset(cls, dataset: tf.data.Dataset, *, image_size: int):
        """Returns a reconstructor that knows every view of every object of a data set.

        Args:
            dataset: Examples of `shapenet_views`, not batched.
            image_size: Side of its pictures, pixels.
        """
        features, objects, voxels = [], [], []
        for index, example in enumerate(dataset):
            images = tf.cast(example["images"], tf.float32) / 255.0
            features.append(_features(images).numpy())
            objects.append(np.full(len(images), index, np.int32))
            voxels.append(example["voxels"].numpy())
        pictures = np.concatenate(features)
        model = cls(len(pictures), len(voxels), voxels[0].shape[-1], image_size)
        model.features.assign(pictures)
        model.object_of_picture.assign(np.concatenate(objects))
        model.voxels.assign(np.stack(voxels))
        return model

    def call(self, images, training=None):
        """Returns bool [batch, r, r, r] for images float32 [batch, image_size, image_size, 4]."""
        seen = _features(images)
        # |a - b|^2 without |b|^2, which is the same for all that b is compared with.
        distances = tf.reduce_sum(tf.square(self.features), axis=1) - 2.0 * tf.matmul(
            seen, self.features, transpose_b=True
        )
        nearest = tf.gather(self.object_of_picture, tf.argmin(distances, axis=1))
        return tf.gather(self.voxels, nearest)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            "num_pictures": self.num_pictures,
            "num_objects": self.num_objects,
            "resolution": self.resolution,
            "image_size": self.image_size,
            "name": self.name,
        }


def _features(images):
    """Returns float32 [batch, 256] of pictures in [0, 1], alpha last."""
    cell = images.shape[1] // _FEATURE_SIDE
    pooled = tf.nn.avg_pool2d(images[..., 3:], cell, cell, "VALID")
    return tf.reshape(pooled, [-1, _FEATURE_SIDE**2])
