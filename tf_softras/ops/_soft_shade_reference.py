"""Faces blended by coverage and depth in plain TensorFlow: the definition of the kernels."""

import math

import tensorflow as tf

from tf_softras.geometry._vectors import roll
from tf_softras.ops._soft_rasterize_reference import (
    boundary_seen_from,
    nan_where_vertices_are_not_finite,
    pixel_centres,
    soft_rasterize_reference,
)


def soft_shade_reference(
    vertices,
    faces,
    attributes,
    *,
    image_size,
    sigma,
    gamma,
    epsilon,
    near,
    far,
    background,
    aggregation,
    min_coverage,
    interpolation,
    summed_channels,
):
    """The image and its alpha, straight from the formulas: every pixel against every face.

    Slow and large, of any floating dtype, made of TensorFlow's own operations alone. Arguments and
    results are those of `tf_softras.ops.soft_shade`, which checks them.
    """
    height, width = image_size
    vertices = tf.convert_to_tensor(vertices)
    dtype = vertices.dtype
    faces = tf.convert_to_tensor(faces, tf.int32)
    attributes = tf.cast(attributes, dtype)
    channels = tf.shape(attributes)[2]
    sigma, gamma, near_depth = (tf.cast(value, dtype) for value in (sigma, gamma, near))

    corners = tf.gather(vertices, faces, axis=1)  # [batch, faces, 3 corners, xyz]
    corner_attributes = tf.gather(attributes, faces, axis=1)  # [batch, faces, 3, channels]
    depths = corners[..., 2]
    in_front = tf.reduce_all(depths > near_depth, axis=-1)
    # Faces behind the near plane keep a depth that can be divided by.
    depths = tf.where(in_front[..., None], depths, tf.ones_like(depths))[:, None]
    seen = boundary_seen_from(tf.constant(pixel_centres(height, width), dtype), corners)

    interpolated = _linear if interpolation == "linear" else _perspective
    summed_weights = None
    if aggregation == "hard":
        weights, background_weight = _nearest_face(seen, depths, in_front[:, None], interpolated)
    else:
        weights, background_weight, summed_weights = _blended_faces(
            seen,
            depths,
            in_front[:, None],
            interpolated,
            sigma=sigma,
            gamma=gamma,
            epsilon=epsilon,
            near=near,
            far=far,
            min_coverage=min_coverage,
        )
    # [batch, pixels, faces, 3 corners], [batch, pixels]
    image = tf.einsum("bpfk,bfkc->bpc", weights, corner_attributes)
    background = tf.broadcast_to(
        tf.cast(background, dtype), [tf.shape(vertices)[0], height, width, channels]
    )
    image = tf.reshape(image, tf.shape(background))
    image += tf.reshape(background_weight, [-1, height, width, 1]) * background
    if summed_channels > 0:
        sums = tf.einsum("bpfk,bfkc->bpc", summed_weights, corner_attributes)
        sums = tf.reshape(sums, tf.shape(background))
        is_summed = tf.range(channels) >= channels - summed_channels
        image = tf.where(is_summed, sums, image)
    image = nan_where_vertices_are_not_finite(image, vertices)
    alpha = soft_rasterize_reference(vertices, faces, image_size=image_size, sigma=sigma, near=near)
    return image, alpha


def _perspective(coordinates, depths):
    """Returns weights of the corners `[..., 3]` and depth `[...]` at barycentric coordinates."""
    scaled = coordinates / depths
    inverse_depth = tf.reduce_sum(scaled, axis=-1)
    return scaled / inverse_depth[..., None], 1.0 / inverse_depth


def _linear(coordinates, depths):
    """Returns the same for parallel projection."""
    return coordinates, tf.reduce_sum(coordinates * depths, axis=-1)


def _own_coordinates(seen):
    """Returns the pixels' barycentric coordinates: corner k lies opposite edge k + 1."""
    area = tf.where(seen.area == 0, tf.ones_like(seen.area), seen.area)
    return roll(seen.across, -1, axis=-1) / area[..., None]


def _blended_faces(
    seen, depths, in_front, interpolated, *, sigma, gamma, epsilon, near, far, min_coverage
):
    x = seen.signed_squared_distance / sigma
    dtype = x.dtype
    counts = in_front & (x >= tf.cast(-math.log(1.0 / min_coverage - 1.0), dtype))

    # Outside, the closest point.
    fraction = tf.where(seen.nearest_edge, seen.fraction, 0.0)
    start = tf.where(seen.nearest_edge, 1.0 - seen.fraction, 0.0)
    closest = start + roll(fraction, 1, axis=-1)
    inside = seen.inside[..., None]
    own = tf.where(inside, _own_coordinates(seen), tf.ones_like(closest))
    corner_weights, depth = interpolated(tf.where(inside, own, closest), depths)

    level = (far - depth) / (far - near)
    logits = tf.where(counts, tf.math.log_sigmoid(x) + level / gamma, dtype.min)
    background_logit = tf.fill(tf.shape(logits[..., :1]), tf.cast(epsilon, dtype) / gamma)
    weights = tf.nn.softmax(tf.concat([logits, background_logit], axis=-1))
    coverage = tf.where(counts, tf.sigmoid(x), 0.0)
    return (
        weights[..., :-1, None] * corner_weights,
        weights[..., -1],
        coverage[..., None] * corner_weights,
    )


def _nearest_face(seen, depths, in_front, interpolated):
    # Closed: a pixel on an edge belongs to the face.
    oriented = seen.across * tf.sign(seen.area)[..., None]
    covered = in_front & (seen.area != 0) & tf.reduce_all(oriented >= 0, axis=-1)
    own = tf.where(covered[..., None], _own_coordinates(seen), tf.ones_like(seen.across))
    corner_weights, depth = interpolated(own, depths)
    depth = tf.where(covered, depth, depth.dtype.max)
    # The first of equals.
    nearest = tf.one_hot(
        tf.argmin(depth, axis=-1), tf.shape(depth)[-1], on_value=True, off_value=False
    )
    weights = tf.where((nearest & covered)[..., None], corner_weights, 0.0)
    return weights, 1.0 - tf.reduce_sum(tf.cast(nearest & covered, depth.dtype), axis=-1)
