"""Draws what a network answers, as training compares it: meshes, coloured meshes or voxels."""

import keras
from keras import ops

from tf_softras.config import ReconstructionConfig
from tf_softras.layers import LookAt, Perspective, ProjectVoxels, SoftRasterize, SoftShade
from tf_softras.models import VoxelReconstructor


def drawing(reconstructor, config: ReconstructionConfig) -> keras.layers.Layer:
    """Returns the layer that draws the answers of a network.

    Each takes a list, [answers..., eyes [count, 3]], and returns {"silhouettes": float32
    [count, height, width] in [0, 1]}; a coloured one also {"pictures": [count, height, width, 3]}.
    Its attribute `rasterize` is a `SoftRasterize` layer, or None for voxels.

    Args:
        reconstructor: A `MeshReconstructor` or `VoxelReconstructor`.
        config: Method and sigma.

    Raises:
        ValueError: The rays of voxels do not divide the picture's pixels.
    """
    image_size = reconstructor.config.image_size
    if isinstance(reconstructor, VoxelReconstructor):
        return DrawVoxels(image_size, min(image_size, reconstructor.resolution), name="drawing")
    if reconstructor.color_decoder is not None:
        # The aggregation is soft: a wrong colour then moves faces from behind others and across
        # their edges, which the nearest face alone does not. For 64 pictures of 64 x 64 it takes
        # 0.14 s of one core, forward and backward; the nearest face alone takes 0.06 s, and
        # silhouettes alone take 0.02 s.
        rasterize = SoftShade(reconstructor.faces, image_size, config.sigma)
        return DrawColoredMeshes(rasterize, name="drawing")
    rasterize = SoftRasterize(
        reconstructor.faces,
        image_size,
        config.sigma,
        implementation="n3mr" if config.method == "n3mr" else "op",
    )
    return DrawMeshes(rasterize, name="drawing")


class DrawMeshes(keras.layers.Layer):
    """Draws the silhouettes of [vertices [count, num_vertices, 3], eyes [count, 3]]."""

    def __init__(self, rasterize, **kwargs):
        # A mixed policy would hand the vertices over in half precision.
        super().__init__(autocast=False, **kwargs)
        self.look_at = LookAt()
        self.perspective = Perspective()
        self.rasterize = rasterize

    def call(self, inputs):
        """Returns {"silhouettes": [count, height, width]}."""
        vertices, eyes = inputs
        return {"silhouettes": self.rasterize(self.perspective(self.look_at([vertices, eyes])))}


class DrawColoredMeshes(DrawMeshes):
    """Draws [vertices [count, num_vertices, 3], colors of the same shape, eyes [count, 3]]."""

    def call(self, inputs):
        """Returns {"silhouettes": [count, height, width], "pictures": [..., 3]}."""
        vertices, colors, eyes = inputs
        on_plane = self.perspective(self.look_at([vertices, eyes]))
        pictures, silhouettes = self.rasterize([on_plane, colors])
        return {"silhouettes": silhouettes, "pictures": pictures}


class DrawVoxels(keras.layers.Layer):
    """Draws the silhouettes of [voxels [count, r, r, r], eyes [count, 3]].

    There is a ray for each voxel along a side, or for each pixel if those are fewer.
    """

    rasterize = None

    def __init__(self, image_size, rays, **kwargs):
        super().__init__(**kwargs)
        if image_size % rays:
            raise ValueError(
                f"image_size: expected a multiple of the {rays} voxels along a side; "
                f"received {image_size}"
            )
        self.project = ProjectVoxels(rays)
        self.pixels_per_ray = image_size // rays

    def call(self, inputs):
        """Returns {"silhouettes": [count, height, width]}."""
        silhouettes = self.project(inputs)
        for axis in (1, 2):
            silhouettes = ops.repeat(silhouettes, self.pixels_per_ray, axis=axis)
        return {"silhouettes": silhouettes}
