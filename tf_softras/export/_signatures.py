"""The signatures of a served network, one function each."""

import dataclasses

import numpy as np
import tensorflow as tf

from tf_softras.export._checks import batch_of, coordinates, images_in_range, same_batch
from tf_softras.export._glb_graph import GlbWriter
from tf_softras.export._picture_graph import framed_images, picture_limits
from tf_softras.geometry import look_at, perspective
from tf_softras.models import MeshReconstructor
from tf_softras.ops import soft_rasterize
from tf_softras.ops._soft_rasterize_reference import soft_rasterize_by_rows
from tf_softras.pictures._checks import require

DEFAULT = "serving_default"
# An eye this near to the origin, which it looks at, looks nowhere.
_NEAREST_EYE = 1e-3


def signatures(
    reconstructor: MeshReconstructor, *, sigma: float, implementation: str, max_pixels: int
) -> dict:
    """Returns name -> (function, its `tf.TensorSpec`s).

    Every output has the batch as its first dimension, as REST's row format and a server's batching
    want it.

    Args:
        reconstructor: The network.
        sigma: The sharpness of silhouettes.
        implementation: "reference" draws silhouettes by TensorFlow's own operations, "op" by ours.
        max_pixels: The most pixels of a picture or a mask.
    """
    size = reconstructor.config.image_size
    limits = picture_limits(max_pixels)
    faces = tf.constant(reconstructor.faces, tf.int32)
    num_vertices = len(reconstructor.template.vertices)
    template = reconstructor.template
    has_colors = reconstructor.color_decoder is not None
    if has_colors:
        template = dataclasses.replace(template, vertex_colors=np.zeros_like(template.vertices))
    write_glb = GlbWriter(template)

    def outputs_of(images):
        if not has_colors:
            return {"vertices": reconstructor(images, training=False)}
        vertices, colors = reconstructor.colored(images, training=False)
        return {"vertices": vertices, "colors": colors}

    def mesh(images):
        outputs = outputs_of(images)
        batch = tf.shape(outputs["vertices"])[0]
        return {**outputs, "faces": tf.tile(faces[None], [batch, 1, 1])}

    # Two signatures share it: traced once.
    @tf.function(autograph=False)
    def framed(image_bytes, mask_bytes):
        image_bytes, mask_bytes = same_batch(
            image_bytes=batch_of("image_bytes", image_bytes, []),
            mask_bytes=batch_of("mask_bytes", mask_bytes, []),
        )
        return framed_images(image_bytes, mask_bytes, image_size=size, limits=limits)

    def serving_default(images):
        return mesh(images_in_range("images", images, size))

    def encoded(image_bytes, mask_bytes):
        return mesh(framed(image_bytes, mask_bytes))

    def glb(image_bytes, mask_bytes):
        return {"glb_bytes": write_glb(**outputs_of(framed(image_bytes, mask_bytes)))}

    def silhouettes(vertices, eyes):
        vertices, eyes = same_batch(
            vertices=coordinates("vertices", vertices, [num_vertices, 3]),
            eyes=_eyes_apart("eyes", coordinates("eyes", eyes, [3])),
        )
        seen = perspective(look_at(vertices, eyes))
        options = {"image_size": (size, size), "sigma": sigma}
        if implementation == "op":
            return {"silhouettes": soft_rasterize(seen, faces, **options)}
        return {"silhouettes": soft_rasterize_by_rows(seen, faces, **options)}

    def numbers(name, *shape):
        return tf.TensorSpec([None, *shape], tf.float32, name=name)

    def files(name):
        return tf.TensorSpec([None], tf.string, name=name)

    pictures = [files("image_bytes"), files("mask_bytes")]
    return {
        DEFAULT: (serving_default, [numbers("images", size, size, 4)]),
        "encoded": (encoded, pictures),
        "glb": (glb, pictures),
        "silhouettes": (
            silhouettes,
            [numbers("vertices", num_vertices, 3), numbers("eyes", 3)],
        ),
    }


def _eyes_apart(name: str, eyes):
    """Returns eyes none of which is in the point that it looks at."""
    distance = tf.reduce_min(tf.norm(eyes, axis=-1))
    return require(
        eyes,
        (
            distance >= _NEAREST_EYE,
            f"{name}: expected eyes at least {_NEAREST_EYE:g} from the origin; received one at:",
            distance,
        ),
    )
