"""Hard silhouettes with the approximate gradient of the Neural 3D Mesh Renderer."""

import tensorflow as tf

from tf_softras.ops._library import library
from tf_softras.ops._rasterize_faces import rasterize_faces

# Samples along each side of a pixel, in the authors' renderer.
_SAMPLES = 2


def hard_silhouette(vertices, faces, *, image_size, near=0.0):
    """Silhouettes of the nearest faces, `[batch, height, width]` in {0, 1/4, 1/2, 3/4, 1}.

    A pixel is the mean of 2 x 2 samples, as in the authors' renderer; a sample is 1 where
    `rasterize_faces` finds a face. The gradient of a sample is the authors' approximation: what
    would change, divided by how far a vertex has to move along x (or y) for it to change, wherever
    that lowers the loss. It is no derivative of the picture, which has none.

    Arguments are those of `tf_softras.ops.soft_rasterize`, which checks them.

    Source: Kato et al. 2018, arXiv 1711.07566, section 3.2.
    """
    height, width = image_size
    samples = _covered(vertices, faces, (_SAMPLES * height, _SAMPLES * width), near)
    samples = tf.reshape(samples, [-1, height, _SAMPLES, width, _SAMPLES])
    return tf.reduce_mean(samples, axis=[2, 4])


def _covered(vertices, faces, image_size, near):
    """Returns 1 where there is a face and 0 elsewhere, with the approximate gradient."""

    @tf.custom_gradient
    def covered(vertices):
        face_index, _ = rasterize_faces(vertices, faces, image_size=image_size, near=near)

        def gradient(upstream):
            return library().softras_hard_silhouette_grad(vertices, faces, face_index, upstream)

        return tf.cast(face_index >= 0, vertices.dtype), gradient

    return covered(vertices)
