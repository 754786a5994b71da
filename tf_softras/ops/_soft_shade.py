"""The soft shader as a TensorFlow function, and its gradient."""

import numpy as np
import tensorflow as tf

from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.ops._arguments import (
    check_positive,
    faces_tensor,
    floating_tensor,
    number,
    vertices_tensor,
)
from tf_softras.ops._interpolation import validate_interpolation
from tf_softras.ops._library import library
from tf_softras.ops._soft_rasterize import is_skipped, validate_implementation
from tf_softras.ops._soft_shade_reference import soft_shade_reference

AGGREGATIONS = ("soft", "hard")
# Lower than any level that a face has: depths of a billion times `far` are as good as any.
BEHIND_EVERY_FACE = -1e9


def soft_shade(
    vertices,
    faces,
    attributes,
    *,
    image_size,
    sigma,
    gamma=1e-4,
    epsilon=None,
    near=0.0,
    far=100.0,
    background=0.0,
    aggregation="soft",
    min_coverage=1e-4,
    interpolation="perspective",
    summed_channels=0,
    implementation="op",
):
    """Pictures of vertices' attributes (colours, normals, features), and their alpha.

    Formula, for the faces j with every vertex at z > near::

        image = sum_j w_j C_j + w_b background      (weights that sum to 1)
        w_j ~ D_j exp(l_j / gamma) where D_j >= min_coverage, else 0
        w_b ~ exp(epsilon / gamma)
        l = (far - z) / (far - near)

    D_j is the coverage of `soft_rasterize`. C_j and z are those of face j at the pixel's centre or,
    from outside, at the face's closest point to it on the image plane: interpolated with
    perspective (1/z is linear there), or linearly for parallel projection. So `gamma` says how much
    nearer a face must be to hide another one, as a share of far - near; with defaults, 0.01 of
    depth is a factor e.

    `far` is a unit for gamma and cuts nothing off: a point beyond it has a negative l. The
    background has no weight at pixels where a face counts, however far away the face is. With
    `epsilon` the background has a level and hides faces beyond it; alpha does not change.

    `min_coverage` ends a face's reach at
    sqrt(sigma log(1 / min_coverage - 1)) from its boundary. The image jumps there, from the face's
    attributes to the background, since exp(l / gamma) of any face is far above that of the
    background; it is what keeps faces from colouring the whole picture.

    With `aggregation="hard"` the image is the nearest face's attributes (`rasterize_faces` says
    which one that is), and the background where no face covers the pixel's centre: then the
    gradient goes through the interpolation alone, and `alpha` is what learns where the face ends.

    The last `summed_channels` channels are sums instead: ``sum_j D_j C_j`` over the faces with
    D_j >= min_coverage, whatever their depth, without the background. Blended and summed channels
    of one call cost little more than the blended ones alone.

    Differentiable once, in reverse mode, with respect to `vertices` (x, y and z), `attributes`,
    `background`, `sigma` and `gamma`.

    Args:
        vertices: float32 or float64 `[batch, num_vertices, 3]`; x and y on the image plane, whose
            shorter side spans [-1, 1], and camera depth in z (see `tf_softras.geometry`).
        faces: int32 `[num_faces, 3]`, vertex indices; either orientation.
        attributes: float `[batch, num_vertices, channels]`.
        image_size: int, or (height, width) in pixels.
        sigma: positive scalar, squared image-plane units: the sharpness. May be a tensor. A
            variable with `trainable=False` has no gradient here.
        gamma: positive scalar, a share of far - near: the sharpness in depth. May be a tensor, as
            sigma may.
        epsilon: None for a background behind every face, or a float, its level l (the paper's
            renderer has 1e-3).
        near: float, not negative; a face with a vertex at z <= near is left out.
        far: float above near, of the depths' unit; nothing is cut off there.
        background: float, a scalar, `[channels]` or `[batch, height, width, channels]`.
        aggregation: "soft", or "hard" for the nearest face alone.
        min_coverage: float in (0, 0.5], the smallest D that counts in the image (not in alpha).
        interpolation: "perspective", or "linear" for what `orthographic` projects: depth and
            attributes are linear over a face on the image plane.
        summed_channels: int, how many of the channels, the last ones, are summed; 0 with
            `aggregation="hard"`.
        implementation: "op" (the custom op) or "reference" (plain TensorFlow: slow, and float32
            leaves it few digits of l / gamma; of values it checks sigma and gamma alone, where they
            are known).

    Returns:
        image: `[batch, height, width, channels]` of the type of `vertices`; row 0 is the top.
        alpha: `[batch, height, width]` in [0, 1], what `soft_rasterize` returns; 0 where no face
            reaches.

    Raises:
        ValueError: `image_size`, `aggregation`, `interpolation`, `summed_channels` or
            `implementation` is not as above; `vertices`, `sigma` or `gamma` hold no floating-point
            numbers, `vertices` have half precision, or `faces` hold no integers.
        tf.errors.InvalidArgumentError: shapes, indices or numbers are not as above.

    Source: Liu et al. 2019, arXiv 1904.01786, the aggregate function for colours.
    """
    image_size = standardize_image_size(image_size)
    validate_implementation(implementation)
    validate_aggregation(aggregation)
    validate_interpolation(interpolation)
    _validate_summed_channels(summed_channels, aggregation)
    epsilon = BEHIND_EVERY_FACE if epsilon is None else epsilon
    # The op's own type for them, so that both implementations see the same numbers.
    numbers = {
        name: float(np.float32(number(name, value)))
        for name, value in (
            ("near", near),
            ("far", far),
            ("epsilon", epsilon),
            ("min_coverage", min_coverage),
        )
    }
    with tf.name_scope("soft_shade"):
        vertices = vertices_tensor(vertices, any_precision=implementation == "reference")
        faces = faces_tensor(faces)
        given = {"sigma": sigma, "gamma": gamma}
        sigma, gamma = (
            floating_tensor(name, value, vertices.dtype) for name, value in given.items()
        )
        if implementation != "op":
            check_positive("sigma", given["sigma"], sigma)
            check_positive("gamma", given["gamma"], gamma)
        attributes, background = (
            _cast(value, vertices.dtype) for value in (attributes, background)
        )
        if background.shape.rank == 0:
            background = tf.broadcast_to(background, tf.shape(attributes)[-1:])
        if implementation == "reference":
            return soft_shade_reference(
                vertices,
                faces,
                attributes,
                image_size=image_size,
                sigma=sigma,
                gamma=gamma,
                background=background,
                aggregation=aggregation,
                interpolation=interpolation,
                summed_channels=summed_channels,
                **numbers,
            )
        image, alpha, _, _ = library().softras_soft_shade(
            vertices,
            faces,
            sigma,
            gamma,
            attributes,
            background,
            height=image_size[0],
            width=image_size[1],
            aggregation=aggregation,
            interpolation=interpolation,
            summed_channels=summed_channels,
            **numbers,
        )
        return image, alpha


def validate_aggregation(aggregation):
    """Raises ValueError unless it is one of `AGGREGATIONS`."""
    if aggregation not in AGGREGATIONS:
        raise ValueError(f"aggregation: expected one of {AGGREGATIONS}; received {aggregation!r}")


def _validate_summed_channels(summed_channels, aggregation):
    is_count = isinstance(summed_channels, int) and not isinstance(summed_channels, bool)
    if not is_count or summed_channels < 0:
        raise ValueError(
            f"summed_channels: expected an int that is not negative; received {summed_channels!r}"
        )
    if summed_channels > 0 and aggregation == "hard":
        raise ValueError(
            f"summed_channels: expected 0 with aggregation='hard'; received {summed_channels!r}"
        )


def _cast(value, dtype):
    # Python numbers not by way of float32, which is what tf.cast makes of them.
    if not hasattr(value, "dtype"):
        return tf.convert_to_tensor(value, dtype)
    return tf.cast(value, dtype)


@tf.RegisterGradient("Softras>SoftShade")
def _soft_shade_grad(op, image_gradient, alpha_gradient, *others):
    # The wrapper keeps transparency and state to itself: nothing can depend on them.
    del others
    numbers = ("height", "width", "near", "far", "epsilon", "min_coverage")
    names = (*numbers, "aggregation", "interpolation", "summed_channels")
    options = {name: op.get_attr(name) for name in names}
    image, _, transparency, state = op.outputs
    given = (*op.inputs, transparency, image, state, image_gradient, alpha_gradient)
    ops = library()
    vertices_gradient, attributes_gradient, background_gradient = ops.softras_soft_shade_grad(
        *given, **options
    )
    sigma_gradient = gamma_gradient = None
    if not (is_skipped(op, 2) and is_skipped(op, 3)):
        sigma_gradient, gamma_gradient = ops.softras_soft_shade_scales_grad(*given, **options)
    return (
        vertices_gradient,
        None,
        sigma_gradient,
        gamma_gradient,
        attributes_gradient,
        background_gradient,
    )


@tf.RegisterGradient("Softras>SoftShadeScalesGrad")
@tf.RegisterGradient("Softras>SoftShadeGrad")
def _soft_shade_grad_grad(op, *gradients):
    del op, gradients
    raise NotImplementedError(
        "soft_shade: the op has first derivatives in reverse mode (tf.GradientTape), and neither "
        "forward mode (tf.autodiff.ForwardAccumulator) nor second derivatives. Use "
        "implementation='reference', which has both."
    )
