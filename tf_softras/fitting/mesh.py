"""Fits a mesh to silhouettes, and its colours to pictures."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_softras.fitting._descent import between, descend
from tf_softras.fitting._pictures import checked_pictures
from tf_softras.geometry import Mesh, srgb_from_linear
from tf_softras.losses import FlatteningLoss, LaplacianLoss, silhouette_iou_loss
from tf_softras.ops import soft_rasterize, soft_shade


class FittedMesh(NamedTuple):
    """The result of `fit_mesh`.

    Attributes:
        mesh: The mesh, world space; its faces are the template's.
        vertex_colors: float32 `[num_vertices, 3]` in [0, 1], sRGB; None without pictures.
        losses: float32 `[steps]`.
        silhouette_iou: float, the mean over views in the last step.
    """

    mesh: Mesh
    vertex_colors: np.ndarray | None
    losses: np.ndarray
    silhouette_iou: float


def fit_mesh(
    template,
    project,
    masks,
    pictures=None,
    *,
    steps=300,
    learning_rate=0.01,
    sigma=(1e-3, 3e-5),
    gamma=1e-4,
    laplacian_weight=0.01,
    flattening_weight=1e-4,
    color_weight=1.0,
):
    """Returns a mesh whose silhouettes match the masks, and whose colours match the pictures.

    The loss is the sum of four terms: the mean over views of 1 - IoU (eq. 3), the Laplacian and the
    flattening loss (eqs. 4 and 6), and the mean squared difference of sRGB values over the masks.
    Colours include the light, which is not told apart from them.

    Args:
        template: A `Mesh` to start from, such as an icosphere of about the object's size.
        project: The cameras, see `tf_softras.fitting`.
        masks: float `[views, height, width]` in [0, 1].
        pictures: None, or float `[views, height, width, 3]` in [0, 1], sRGB.
        steps: The number of steps.
        learning_rate: Adam's learning rate, world units. Colours move five times as fast.
        sigma: Sharpness of the first and the last step, squared image-plane units.
        gamma: Sharpness in depth.
        laplacian_weight: Weight of the Laplacian loss.
        flattening_weight: Weight of the flattening loss.
        color_weight: Weight of the colours' loss.

    Returns:
        A `FittedMesh`.

    Raises:
        ValueError: Shapes are not as above, or the fit diverges.
    """
    pictures, masks = checked_pictures(pictures, masks)
    views, *image_size = masks.shape
    image_size, faces = tuple(image_size), template.faces
    laplacian, flattening = LaplacianLoss(faces), FlatteningLoss(faces)
    vertices = tf.Variable(template.vertices)
    # Logits of linear colours, scaled so that one learning rate serves vertices and colours.
    logits = tf.Variable(tf.zeros_like(vertices), trainable=pictures is not None)
    last_iou = tf.Variable(0.0, trainable=False)

    def linear_colors():
        return tf.sigmoid(5.0 * logits)

    def color_loss(image):
        difference = srgb_from_linear(image) - pictures
        return tf.reduce_sum(masks[..., None] * difference**2) / (3.0 * tf.reduce_sum(masks) + 1e-6)

    def loss(progress):
        options = {"image_size": image_size, "sigma": between(sigma, progress)}
        plane = project(vertices[None])
        value = laplacian_weight * laplacian(None, vertices[None])
        value += flattening_weight * flattening(None, vertices[None])
        if pictures is None:
            alpha = soft_rasterize(plane, faces, **options)
        else:
            colors = tf.repeat(linear_colors()[None], views, axis=0)
            image, alpha = soft_shade(plane, faces, colors, gamma=gamma, **options)
            value += color_weight * color_loss(image)
        iou_loss = tf.reduce_mean(silhouette_iou_loss(masks, alpha))
        last_iou.assign(1.0 - iou_loss)
        return value + iou_loss

    variables = [vertices] if pictures is None else [vertices, logits]
    losses = descend(loss, variables, steps=steps, learning_rate=learning_rate)
    colors = None if pictures is None else srgb_from_linear(linear_colors()).numpy()
    return FittedMesh(Mesh(vertices.numpy(), faces), colors, losses, float(last_iou))
