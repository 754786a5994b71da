"""The network as it is trained: two views in, four silhouettes out."""

import keras
from keras import ops

from tf_softras.config import ReconstructionConfig
from tf_softras.layers import LookAt, Perspective, ProjectVoxels, SoftRasterize, SoftShade
from tf_softras.losses import color_loss
from tf_softras.models import MeshReconstructor, MeshRegularization, VoxelReconstructor


@keras.saving.register_keras_serializable(package="Softras")
class ViewPairModel(keras.Model):
    """Reconstructs an object from each of two views and draws each answer from both views.

    Input, as `datasets.view_pairs` gives it: {"images": float32 [batch, 2, height, width, 4],
    "eyes": float32 [batch, 2, 3] in world space}. Output: {"silhouettes": float32
    [batch, 4, height, width] in [0, 1]}: (answer a, view a), (answer a, view b),
    (answer b, view a), (answer b, view b).

    Meshes are rasterised; the regularisers of eq. 6 are added from inside, so `compile` needs the
    silhouettes' loss only. So is the colours' loss, where the reconstructor gives colours: each
    mesh is compared with the pictures of both views; `fit` logs it, unweighted, as `color_loss`.
    Voxels are projected by as many rays as they have cells, or as there are pixels if those are
    fewer.

    Args:
        reconstructor: The `MeshReconstructor` or `VoxelReconstructor` that is trained.
        config: A `ReconstructionConfig` or its `to_dict()`: method, sigma, the weights of eq. 6
            and of colours.
        **kwargs: For `keras.Model`.

    Attributes:
        reconstructor: The network; after training it is all that is needed.
        rasterize: The `SoftRasterize` layer, whose `sigma` a schedule may change; voxels have none.
            With colours it is a `SoftShade`, whose alpha is the silhouette. Its aggregation is
            soft: a colour that is wrong then moves faces from behind others, and across their
            edges, which the nearest face alone does not. Of 64 pictures of 64 x 64 it takes 0.14 s
            of one core, forward and backward (the nearest face alone 0.06 s, silhouettes alone
            0.02 s).

    Raises:
        ValueError: The rays of voxels do not divide the picture's pixels.

    Source: "Soft Rasterizer", section 5.1; the pairs follow the authors' released code.
    """

    def __init__(self, reconstructor: MeshReconstructor | VoxelReconstructor, config, **kwargs):
        super().__init__(**kwargs)
        if isinstance(config, dict):
            config = ReconstructionConfig.from_dict(config)
        self.config = config
        self.reconstructor = reconstructor
        image_size = reconstructor.config.image_size
        if isinstance(reconstructor, VoxelReconstructor):
            rays = min(image_size, reconstructor.resolution)
            if image_size % rays:
                raise ValueError(
                    f"Invalid image_size. Expected: a multiple of the {rays} voxels along a side. "
                    f"Received: {image_size}"
                )
            self.project = ProjectVoxels(rays)
            self.pixels_per_ray = image_size // rays
            return
        self.regularization = MeshRegularization(
            reconstructor.faces,
            laplacian_weight=config.laplacian_weight,
            flattening_weight=config.flattening_weight,
        )
        self.look_at = LookAt()
        self.perspective = Perspective()
        faces, sigma = reconstructor.faces, config.sigma
        if _has_colors(reconstructor):
            self.rasterize = SoftShade(faces, image_size, sigma)
            self.color_tracker = keras.metrics.Mean(name="color_loss")
            return
        self.rasterize = SoftRasterize(
            faces,
            image_size,
            sigma,
            implementation="n3mr" if config.method == "n3mr" else "op",
        )

    def call(self, inputs, training=None):
        """Returns {"silhouettes": ...}; see the class."""
        images, eyes = inputs["images"], inputs["eyes"]
        pictures = ops.reshape(images, (-1, *images.shape[2:]))
        colors = None
        if _has_colors(self.reconstructor):
            answers, colors = self.reconstructor.colored(pictures, training=training)
        else:
            answers = self.reconstructor(pictures, training=training)
        answers = ops.reshape(answers, (-1, 2, *answers.shape[1:]))
        if not isinstance(self.reconstructor, VoxelReconstructor):
            answers = self.regularization(answers)
        answers = _beside_both_views(answers)
        views = ops.reshape(ops.tile(eyes, (1, 2, 1)), (-1, 3))
        if colors is None:
            silhouettes = self._silhouettes(answers, views)
        else:
            colors = _beside_both_views(ops.reshape(colors, (-1, 2, *colors.shape[1:])))
            on_plane = self.perspective(self.look_at([answers, views]))
            rendered, silhouettes = self.rasterize([on_plane, colors])
            self._add_color_loss(images, rendered)
        return {"silhouettes": ops.reshape(silhouettes, (-1, 4, *silhouettes.shape[1:]))}

    def _silhouettes(self, answers, eyes):
        if not isinstance(self.reconstructor, VoxelReconstructor):
            return self.rasterize(self.perspective(self.look_at([answers, eyes])))
        silhouettes = self.project([answers, eyes])
        for axis in (1, 2):
            silhouettes = ops.repeat(silhouettes, self.pixels_per_ray, axis=axis)
        return silhouettes

    def _add_color_loss(self, images, rendered):
        """Compares colours [4 batch, height, width, 3] with the pictures of the same views."""
        rendered = ops.reshape(rendered, (-1, 4, *rendered.shape[1:]))
        losses = color_loss(ops.tile(images, (1, 2, 1, 1, 1)), rendered)
        self.add_loss(self.config.color_weight * ops.mean(losses))
        self.color_tracker.update_state(losses)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "reconstructor": keras.saving.serialize_keras_object(self.reconstructor),
            "config": self.config.to_dict(),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the model that `get_config` described, untrained."""
        reconstructor = keras.saving.deserialize_keras_object(
            config.pop("reconstructor"), custom_objects=custom_objects
        )
        return cls(reconstructor, **config)


def _has_colors(reconstructor) -> bool:
    is_mesh = isinstance(reconstructor, MeshReconstructor)
    return is_mesh and reconstructor.color_decoder is not None


def _beside_both_views(values):
    """Returns [4 batch, ...] of [batch, 2, ...]: a, a, b, b beside the views a, b, a, b."""
    return ops.reshape(ops.repeat(values, 2, axis=1), (-1, *values.shape[2:]))
