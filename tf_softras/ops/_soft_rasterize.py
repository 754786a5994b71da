"""The soft rasteriser as a TensorFlow function, and its gradient."""

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
from tf_softras.ops._hard_silhouette import hard_silhouette
from tf_softras.ops._library import library
from tf_softras.ops._soft_rasterize_reference import soft_rasterize_reference

# The implementations of eqs. 1 and 2.
IMPLEMENTATIONS = ("op", "reference")
SILHOUETTE_IMPLEMENTATIONS = (*IMPLEMENTATIONS, "n3mr")


def soft_rasterize(vertices, faces, *, image_size, sigma, near=0.0, implementation="op"):
    """Returns soft silhouettes of a batch of meshes that share their faces.

    Formula: ``D_j = sigmoid(s d^2 / sigma)``, ``S = 1 - prod_j (1 - D_j)``, where d is the distance
    from a pixel's centre to the boundary of face j on the image plane and s is +1 inside, -1
    outside. Differentiable once, in reverse and in forward mode (`tf.autodiff.ForwardAccumulator`),
    with respect to `vertices` (x and y; depth has gradient 0) and `sigma`.

    Args:
        vertices: float32 or float64 `[batch, num_vertices, 3]`; x and y on the image plane, whose
            shorter side spans [-1, 1], and camera depth in z (see `tf_softras.geometry`).
        faces: int32 `[num_faces, 3]`, vertex indices; either orientation.
        image_size: int, or (height, width) in pixels.
        sigma: positive scalar, squared image-plane units: the sharpness. May be a tensor, so that
            a schedule does not retrace. A variable with `trainable=False` has no gradient here.
        near: float; a face with a vertex at z <= near is left out, forward and backward.
        implementation: "op" (the custom op, which XLA compiles on CPUs) or "reference" (plain
            TensorFlow: slow, but XLA compiles it on every device and a graph holds no custom op;
            of values it checks sigma alone, where it is known). Or "n3mr", the baseline of the
            paper: hard silhouettes of 2 x 2 samples a pixel, which take no notice of sigma, with
            the approximate gradient of the Neural 3D Mesh Renderer (`ops/hard_silhouette.py`); on
            CPUs, not under XLA.

    Returns:
        Silhouettes `[batch, height, width]` of the type of `vertices`, in [0, 1]; 0 where no face
        reaches. Row 0 is the top.

    Raises:
        ValueError: `image_size` or `implementation` is not one of the above; `vertices` or `sigma`
            hold no floating-point numbers, `vertices` have half precision, or `faces` hold no
            integers.
        tf.errors.InvalidArgumentError: shapes, indices, sigma or coordinates are not as above.

    Source: Liu et al. 2019, arXiv 1901.05567, eqs. 1 and 2; Kato et al. 2018, arXiv 1711.07566.
    """
    height, width = standardize_image_size(image_size)
    validate_implementation(implementation, SILHOUETTE_IMPLEMENTATIONS)
    with tf.name_scope("soft_rasterize"):
        vertices = vertices_tensor(vertices, any_precision=implementation == "reference")
        faces = faces_tensor(faces)
        given_sigma, sigma = sigma, floating_tensor("sigma", sigma, vertices.dtype)
        if implementation != "op":
            check_positive("sigma", given_sigma, sigma)
        near = number("near", near)
        if implementation == "reference":
            return soft_rasterize_reference(
                vertices, faces, image_size=(height, width), sigma=sigma, near=near
            )
        if implementation == "n3mr":
            return hard_silhouette(vertices, faces, image_size=(height, width), near=near)
        silhouette, _ = library().softras_soft_rasterize(
            vertices,
            faces,
            sigma,
            height=height,
            width=width,
            near=near,
        )
        return silhouette


def validate_implementation(implementation, implementations=IMPLEMENTATIONS):
    """Raises ValueError unless it is one of `implementations`."""
    if implementation not in implementations:
        raise ValueError(
            f"implementation: expected one of {implementations}; received {implementation!r}"
        )


@tf.RegisterGradient("Softras>SoftRasterize")
def _soft_rasterize_grad(op, silhouette_gradient, transparency_gradient):
    # The wrapper returns the silhouette alone: nothing can depend on the transparency.
    del transparency_gradient
    vertices, faces, sigma = op.inputs
    given = (vertices, faces, sigma, op.outputs[1], silhouette_gradient)
    ops, options = library(), _options(op)
    return (
        None if is_skipped(op, 0) else ops.softras_soft_rasterize_grad(*given, **options),
        None,
        None if is_skipped(op, 2) else ops.softras_soft_rasterize_sigma_grad(*given, **options),
    )


# The gradients are linear in the upstream one, so their derivative along it is that of the
# silhouette along a tangent. tf.autodiff.ForwardAccumulator asks for no other.
@tf.RegisterGradient("Softras>SoftRasterizeGrad")
def _soft_rasterize_grad_grad(op, vertices_tangent):
    jvp = _jvp(op, vertices_tangent, tf.zeros_like(op.inputs[2]))
    return *_second_order(op, vertices_tangent), jvp


@tf.RegisterGradient("Softras>SoftRasterizeSigmaGrad")
def _soft_rasterize_sigma_grad_grad(op, sigma_tangent):
    jvp = _jvp(op, tf.zeros_like(op.inputs[0]), sigma_tangent)
    return *_second_order(op, sigma_tangent), jvp


@tf.RegisterGradient("Softras>SoftRasterizeJvp")
def _soft_rasterize_jvp_grad(op, silhouette_gradient):
    given = (*op.inputs[:4], silhouette_gradient)
    ops, options = library(), _options(op)
    return (
        *_second_order(op, silhouette_gradient),
        None if is_skipped(op, 4) else ops.softras_soft_rasterize_grad(*given, **options),
        None if is_skipped(op, 5) else ops.softras_soft_rasterize_sigma_grad(*given, **options),
    )


def _jvp(op, vertices_tangent, sigma_tangent):
    return library().softras_soft_rasterize_jvp(
        *op.inputs[:4], vertices_tangent, sigma_tangent, **_options(op)
    )


def _options(op):
    return {name: op.get_attr(name) for name in ("height", "width", "near")}


def is_skipped(op, index):
    """Returns whether the gradient of an input is known to be unwanted.

    Tapes know it. A graph does not: it prunes unused operations, but uses all outputs of a backward
    function.
    """
    if isinstance(op, tf.Operation):
        return op.inputs[index].op.type in ("Const", "StopGradient")
    return index in (op.skip_input_indices or ())


def _second_order(op, upstream):
    """Returns gradients of the inputs 0 to 3, in which the op is not linear: none may be used.

    A graph does not say which gradients are wanted, so they cannot be an error there: NaN, unless
    they are multiplied by zeros.
    """
    if not isinstance(op, tf.Operation):
        if all(is_skipped(op, index) for index in (0, 2, 3)):
            return (None,) * 4
        raise NotImplementedError(
            "soft_rasterize: the op has first derivatives (reverse mode, and forward mode by "
            "tf.autodiff.ForwardAccumulator) and no second ones. Use implementation='reference' "
            "where a Hessian is needed."
        )
    unknown = tf.where(tf.reduce_any(upstream != 0), tf.cast(np.nan, upstream.dtype), 0.0)
    vertices, _, sigma, transparency = (
        tf.zeros_like(value) + unknown if value.dtype.is_floating else None
        for value in op.inputs[:4]
    )
    return vertices, None, sigma, transparency
