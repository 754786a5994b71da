"""Points on the surfaces of meshes, differentiable in the vertices."""

import numpy as np
import tensorflow as tf

from tf_softras._shared.faces import standardize_faces
from tf_softras.geometry._vectors import as_floating, cross


def sample_surface(vertices, faces, num_points, *, seed=None):
    """Returns points on the surfaces of meshes, uniform by area.

    Each point is fixed to its face: the gradient moves the face's corners. Which faces are drawn,
    by their areas, has no gradient.

    Args:
        vertices: Float `[batch, num_vertices, 3]`.
        faces: Int `[num_faces, 3]`, known; faces of three -1 are left out.
        num_points: Positive int.
        seed: None for other points at each call, or an int, for the same.

    Returns:
        Float `[batch, num_points, 3]`; points of any faces if a mesh has no area.

    Raises:
        ValueError: An argument is not as above, or there is no face.

    Example:
    >>> sphere = geometry.icosphere(3)
    >>> points = losses.sample_surface(sphere.vertices[None], sphere.faces, 100, seed=0)
    >>> radii = np.linalg.norm(points, axis=-1)               # on faces, not above them
    >>> tuple(points.shape), bool(0.98 < radii.min() <= radii.max() <= 1.0 + 1e-6)
    ((1, 100, 3), True)

    Source: Osada et al. 2002, "Shape distributions", section 3.1.
    """
    vertices = as_floating(vertices)
    faces = standardize_faces(faces, is_padded=True)
    faces = faces[faces[:, 0] >= 0]
    if not len(faces):
        raise ValueError("faces: expected at least one face; received none")
    if isinstance(num_points, bool) or int(num_points) != num_points or num_points < 1:
        raise ValueError(f"num_points: expected a positive int; received {num_points!r}")
    a, b, c = (tf.gather(vertices, corner, axis=1) for corner in faces.T)
    areas = tf.norm(tf.stop_gradient(cross(b - a, c - a)), axis=-1)
    # A face without area is drawn only from a mesh that has none.
    least = tf.fill(tf.shape(areas), tf.constant(np.finfo(np.float32).tiny, areas.dtype))
    logits = tf.math.log(tf.maximum(areas, least))
    seeds = tf.random.uniform([2, 2], maxval=2**31 - 1, dtype=tf.int32)
    if seed is not None:
        seeds = tf.constant([[seed, 0], [seed, 1]], tf.int32)
    drawn = tf.random.stateless_categorical(logits, int(num_points), seeds[0])
    place = tf.random.stateless_uniform(
        tf.concat([tf.shape(drawn), [2]], axis=0), seeds[1], dtype=vertices.dtype
    )
    root, share = tf.sqrt(place[..., :1]), place[..., 1:]
    weights = (1.0 - root, root * (1.0 - share), root * share)
    corners = (tf.gather(corner, drawn, axis=1, batch_dims=1) for corner in (a, b, c))
    return tf.add_n([weight * corner for weight, corner in zip(weights, corners, strict=True)])
