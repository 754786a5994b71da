"""The soft rasteriser as a TensorFlow function, and its gradient."""

import tensorflow as tf

from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.ops._arguments import faces_tensor, floating_tensor, number, vertices_tensor
from tf_softras.ops._hard_silhouette import hard_silhouette
from tf_softras.ops._library import library
from tf_softras.ops._soft_rasterize_reference import soft_rasterize_reference

# Of eqs. 1 and 2.
IMPLEMENTATIONS = ("op", "reference")
SILHOUETTE_IMPLEMENTATIONS = (*IMPLEMENTATIONS, "n3mr")


def soft_rasterize(vertices, faces, *, image_size, sigma, near=0.0, implementation="op"):
    """Soft silhouettes of a batch of meshes that share their faces.

    Formula: ``D_j = sigmoid(s d^2 / sigma)``, ``S = 1 - prod_j (1 - D_j)``, where d is the distance
    from a pixel's centre to the boundary of face j on the image plane and s is +1 inside, -1
    outside. Differentiable once, with respect to `vertices` (x and y; depth has gradient 0).

    Args:
        vertices: float32 or float64 `[batch, num_vertices, 3]`; x and y on the image plane, whose
            shorter side spans [-1, 1], and camera depth in z (see `tf_softras.geometry`).
        faces: int32 `[num_faces, 3]`, vertex indices; either orientation.
        image_size: int, or (height, width) in pixels.
        sigma: positive scalar, squared image-plane units: the sharpness. May be a tensor, so that
            a schedule does not retrace.
        near: float; a face with a vertex at z <= near is left out, forward and backward.
        implementation: "op" (the custom op, which XLA compiles on CPUs) or "reference" (plain
            TensorFlow: slow, but XLA compiles it on every device and a graph holds no custom op;
            it does not check values). Or "n3mr", the baseline of the paper: hard silhouettes of
            2 x 2 samples a pixel, which take no notice of sigma, with the approximate gradient of
            the Neural 3D Mesh Renderer (`ops/hard_silhouette.py`); on CPUs, not under XLA.

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
        sigma = floating_tensor("sigma", sigma, vertices.dtype)
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
    gradient = library().softras_soft_rasterize_grad(
        vertices,
        faces,
        sigma,
        op.outputs[1],
        silhouette_gradient,
        height=op.get_attr("height"),
        width=op.get_attr("width"),
        near=op.get_attr("near"),
    )
    return gradient, None, None


@tf.RegisterGradient("Softras>SoftRasterizeGrad")
def _soft_rasterize_grad_grad(op, *gradients):
    del op, gradients
    raise NotImplementedError(
        "soft_rasterize has no second derivative: its gradient is piecewise smooth only. Use "
        "implementation='reference' where a Hessian is needed."
    )
