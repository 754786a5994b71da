"""Runs one stage of a fit: preconditioned steps of a surface and its colours."""

import functools
import math

import numpy as np
import tensorflow as tf

from tf_softras.geometry import (
    LaplacianPreconditioner,
    Mesh,
    pinhole,
    world_to_camera,
)
from tf_softras.ops import soft_rasterize, soft_shade

# Adam's decay of the mean gradient and of its square.
_MOMENTUM, _SECOND_MOMENT = 0.9, 0.999
# The share of a stage's steps in which sigma falls; in the rest it keeps its last value.
_SHARPENED = 0.7
# Gamma of the shader: the depth, as a share of its range, over which a face hides another.
_GAMMA = 1e-4
_FAR = 10.0


class UniformAdam:
    """Adam with one second moment for a whole array: steps keep the mean gradient's direction.

    Adam's own second moment, one for each coordinate, would undo the smoothing by preconditioning.

    Source: Nicolet et al. 2021, section 3.3 ("AdamUniform").
    """

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate
        self._steps, self._mean, self._square = 0, 0.0, 0.0

    def step(self, gradient, scale=1.0):
        """Returns the step to subtract for the next gradient, times `scale`."""
        self._steps += 1
        self._mean = _MOMENTUM * self._mean + (1.0 - _MOMENTUM) * gradient
        square = float(np.max(gradient**2, initial=0.0))
        self._square = _SECOND_MOMENT * self._square + (1.0 - _SECOND_MOMENT) * square
        mean = self._mean / (1.0 - _MOMENTUM**self._steps)
        size = math.sqrt(self._square / (1.0 - _SECOND_MOMENT**self._steps))
        return scale * self.learning_rate * mean / (size + 1e-12)


class SurfaceGradient:
    """Computes the loss of silhouettes and pictures, and its gradients, for views of an object.

    Args:
        crops: `Crops` in the object's frame.
        colored: Whether pictures are compared, beside silhouettes.
        supersampling: Samples along a side of a pixel. Masks of real pictures are averages.
        color_weight: Weight of the pictures' loss.
        area_weight: Weight of the surface's area. It flattens hollows that no silhouette shows.
    """

    def __init__(self, crops, *, colored, supersampling=1, color_weight=1.0, area_weight=0.0):
        self.crops, self.colored = crops, colored
        self._weights = np.array([color_weight, area_weight], np.float32)
        self._compiled = _compiled_gradients(crops.size, supersampling, colored)

    def __call__(self, vertices, faces, colors, light, views, sigma):
        """Returns the mean IoU and the gradients of vertices, colours and light.

        Args:
            vertices: float `[num_vertices, 3]`.
            faces: int `[num_faces, 3]`.
            colors: float `[num_vertices, 3]`.
            light: float `[10]`, see `shade`.
            views: int `[batch]`, indices of views.
            sigma: float, squared image-plane units.
        """
        crops = self.crops
        results = self._compiled(
            tf.constant(vertices, tf.float32),
            tf.constant(faces, tf.int32),
            tf.constant(colors, tf.float32),
            tf.constant(light, tf.float32),
            tf.constant(crops.rotations[views], tf.float32),
            tf.constant(crops.translations[views], tf.float32),
            tf.constant(crops.intrinsics[views], tf.float32),
            tf.constant(crops.pictures[views]),
            tf.constant(crops.valid[views]),
            tf.constant(sigma, tf.float32),
            tf.constant(self._weights),
        )
        return [result.numpy() for result in results]


@functools.lru_cache(maxsize=32)
def _compiled_gradients(size, supersampling, colored):
    """Returns the graph that `SurfaceGradient` runs; it serves all topologies and objects."""

    def gradients(vertices, faces, colors, light, *views_and_weights):
        with tf.GradientTape() as tape:
            tape.watch([vertices, colors, light])
            loss, iou = _loss(
                vertices,
                faces,
                colors if colored else None,
                light,
                *views_and_weights,
                size=size,
                supersampling=supersampling,
            )
        found = tape.gradient(
            loss, [vertices, colors, light], unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return (iou, *found)

    shapes = [(None, 3), (None, 3), (None, 3), (10,), (None, 3, 3), (None, 3), (None, 3, 3)]
    shapes += [(None, size, size, 4), (None, size, size), (), (2,)]
    types = {1: tf.int32, 7: tf.uint8, 8: tf.bool}
    signature = [
        tf.TensorSpec(shape, types.get(index, tf.float32)) for index, shape in enumerate(shapes)
    ]
    # No loop or branch depends on a tensor. Tracing without AutoGraph takes a fifth of the time.
    return tf.function(gradients, input_signature=signature, autograph=False)


def _loss(
    vertices,
    faces,
    colors,
    light,
    rotation,
    translation,
    intrinsics,
    square,
    valid,
    sigma,
    weights,
    *,
    size,
    supersampling,
):
    """Returns the loss of some views and their mean IoU; `colors` is None for masks alone."""
    square = tf.cast(square, tf.float32) / 255.0
    pictures, masks = square[..., :3], square[..., 3]
    valid = tf.cast(valid, tf.float32)
    batch, drawn = tf.shape(rotation)[0], size * supersampling
    world = tf.repeat(vertices[None], batch, axis=0)
    seen = world_to_camera(world, rotation, translation)
    plane = pinhole(seen, intrinsics, image_size=size, pixel_center=0.5)
    alpha = _pooled(soft_rasterize(plane, faces, image_size=drawn, sigma=sigma), supersampling)
    image = None
    if colors is not None:
        normals = _normals(vertices, faces)
        eyes = -tf.linalg.matvec(rotation, translation, transpose_a=True)
        shaded = colors[None] * shade(vertices, normals, eyes, light)
        # One sample a pixel is enough: colours change less within a pixel than coverage does, and
        # cost more.
        image, _ = soft_shade(
            plane, faces, shaded, image_size=size, sigma=sigma, gamma=_GAMMA, far=_FAR
        )
    overlap = tf.reduce_sum(valid * tf.minimum(masks, alpha), (1, 2))
    union = tf.reduce_sum(valid * tf.maximum(masks, alpha), (1, 2))
    iou = tf.reduce_mean(overlap / tf.maximum(union, 1e-6))
    # The loss takes minimum and maximum, not the products m a and m + a - m a. Products push every
    # pixel to all or nothing, and a wing that covers 0.4 of its pixels would vanish.
    loss = 1.0 - iou
    loss += weights[1] * _area(vertices, faces)
    if image is not None:
        # Compare colours where truth and fit are both opaque. The IoU above compares outlines.
        inside = valid * masks * tf.stop_gradient(alpha)
        error = tf.reduce_sum(inside * tf.reduce_sum((image - pictures) ** 2, -1))
        loss += weights[0] * error / (3.0 * tf.reduce_sum(inside) + 1e-6)
    return loss, iou


def _pooled(images, factor):
    """Returns means over `factor` x `factor` pixels."""
    if factor == 1:
        return images
    shape = tf.shape(images)
    channels = images.shape[3:]
    sides = [shape[0], shape[1] // factor, factor, shape[2] // factor, factor]
    return tf.reduce_mean(tf.reshape(images, [*sides, *channels]), (2, 4))


def shade(vertices, normals, eyes, light):
    """Returns the light on vertices, as each camera sees them: `[views, num_vertices, 1]`.

    The light has three parts: a constant one; one from the camera (a flash, or the renders of this
    package); and one from the world as spherical harmonics of order 1 and 2 (skies, lamps, windows
    far away).

    Args:
        vertices: float `[num_vertices, 3]`.
        normals: float `[num_vertices, 3]`, unit.
        eyes: float `[views, 3]`.
        light: float `[10]`: constant, camera, then the harmonics.
    """
    to_eye = tf.math.l2_normalize(eyes[:, None] - vertices[None], axis=-1)
    facing = tf.nn.relu(tf.reduce_sum(to_eye * normals[None], axis=-1))
    x, y, z = tf.unstack(normals, axis=-1)
    harmonics = tf.stack([x, y, z, x * y, y * z, z * x, x * x - y * y, 3.0 * y * y - 1.0], axis=-1)
    world = tf.linalg.matvec(harmonics, light[2:])
    return (light[0] + light[1] * facing + world[None])[..., None]


def _doubled_areas(vertices, faces):
    """Returns the faces' normals, as long as twice their area, `[num_faces, 3]`."""
    corners = tf.gather(vertices, faces)
    return tf.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _area(vertices, faces):
    """Returns the area of a surface; its gradient is finite for faces without area."""
    return 0.5 * tf.reduce_sum(
        tf.sqrt(tf.reduce_sum(_doubled_areas(vertices, faces) ** 2, -1) + 1e-20)
    )


def _normals(vertices, faces):
    """Returns unit normals of vertices.

    Unlike `geometry.vertex_normals` it takes faces of unknown number, so one graph serves all
    topologies.
    """
    of_faces = tf.repeat(_doubled_areas(vertices, faces), 3, axis=0)
    owners, count = tf.reshape(faces, [-1]), tf.shape(vertices)[0]
    total = tf.math.unsorted_segment_sum(of_faces, owners, count)
    return tf.math.l2_normalize(total, axis=-1)


def fit_surface(
    mesh,
    colors,
    light,
    gradient,
    *,
    steps,
    step_size,
    smoothness,
    sigma,
    batch,
    seed,
    color_step=0.02,
    after_step=None,
):
    """Returns the mesh, colours and light after some preconditioned steps.

    Args:
        mesh: The `Mesh` to start from, the object's frame.
        colors: float `[num_vertices, 3]`, the surface's colours.
        light: float `[10]`, see `shade`.
        gradient: A `SurfaceGradient`.
        steps: The number of steps.
        step_size: Size of the first step, in smooth coordinates; that of the last is a tenth.
        smoothness: Lambda of `LaplacianPreconditioner`.
        sigma: Sharpness of the first and of the last step, squared image-plane units.
        batch: Views a step.
        seed: Seed of the order of the views.
        color_step: Adam's step size for colours and light.
        after_step: None, or a function of (step, vertices, mean IoU), called after every step. The
            stage ends if it returns True.
    """
    smooth = LaplacianPreconditioner(mesh.faces, len(mesh.vertices), smoothness=smoothness)
    u = smooth.precondition(mesh.vertices.astype(np.float64))
    colors, light = np.array(colors, np.float64), np.array(light, np.float64)
    descent, color_descent, light_descent = (
        UniformAdam(step_size),
        UniformAdam(color_step),
        UniformAdam(color_step),
    )
    random = np.random.default_rng(seed)
    order: list[int] = []
    vertices = mesh.vertices.astype(np.float64)
    for step in range(steps):
        if len(order) < min(batch, len(gradient.crops)):
            order = list(random.permutation(len(gradient.crops)))
        views = np.array([order.pop() for _ in range(min(batch, len(gradient.crops)))])
        sharp = min(1.0, step / max(1.0, _SHARPENED * steps))
        now = math.exp((1 - sharp) * math.log(sigma[0]) + sharp * math.log(sigma[1]))
        iou, dv, dc, dl = gradient(vertices, mesh.faces, colors, light, views, now)
        scale = 1.0 - 0.9 * step / steps
        u = u - descent.step(smooth.restore(dv.astype(np.float64)), scale)
        if gradient.colored:
            colors = (colors - color_descent.step(dc.astype(np.float64), scale)).clip(0.0, 1.5)
            light = light - light_descent.step(dl.astype(np.float64), scale)
        vertices = smooth.restore(u)
        if after_step is not None and after_step(step, vertices, float(iou)):
            break
    return Mesh(vertices, mesh.faces), colors, light
