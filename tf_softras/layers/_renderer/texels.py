"""Samples the textures of a scene."""

import keras

from tf_softras.layers._renderer.passes import Passes
from tf_softras.layers._renderer.scene import Scene
from tf_softras.shading.mipmaps import uv_derivatives
from tf_softras.shading.texture import sample_texture


def texels_of_samples(passes: Passes, scene: Scene, textures, wrap):
    """Returns linear colours, float `[batch, height, width, 3]`.

    Args:
        passes: the shader.
        scene: on the image plane, with the attribute "uv"; with "footprint" for mip-mapping, and
            "texture" where faces choose one of several. A face whose "texture" is -1 shows 1.
        textures: linear colours, float `[batch, height, width, 3]` or, with the attribute
            "texture", `[batch, num_textures, height, width, 3]`.
        wrap: the texture beyond [0, 1]; see `sample_texture`.
    """
    given = [name for name in ("uv", "texture", "footprint") if name in scene.attributes]
    at = passes.one_face(scene, ["share", "depth", *given])
    slopes = None
    if "footprint" in at:
        depth = at["depth"] if passes.interpolation == "perspective" else 1.0
        slopes = uv_derivatives(at["uv"], depth, at["footprint"], image_size=passes.image_size)
    if "texture" not in at:
        return sample_texture(textures, at["uv"], slopes, wrap=wrap)
    # Beside the mesh a sample shows one face, but for a rest of others: rounding drops it.
    index = keras.ops.cast(keras.ops.round(at["texture"]), "int32")
    index = keras.ops.where(at["share"] > 0.0, index, -1)
    chosen = keras.ops.clip(index[..., 0], 0, textures.shape[1] - 1)
    texels = sample_texture(textures, at["uv"], slopes, wrap=wrap, texture_index=chosen)
    return keras.ops.where(index >= 0, texels, keras.ops.ones_like(texels))
