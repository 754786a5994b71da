"""A mesh network whose answers are fitted to the silhouettes of their pictures."""

import dataclasses
import functools
import inspect

from tf_softras.fitting import fit_codes
from tf_softras.reconstruction._answers import Meshes
from tf_softras.reconstruction._images import standardize_images
from tf_softras.reconstruction._mesh_network import MeshNetwork
from tf_softras.reconstruction._protocol import Reconstructor, ReconstructorError


class RefinedNetwork:
    """A `MeshNetwork` whose meshes are fitted to the alpha of their pictures by `fit_codes`.

    Its pictures are like the training renders: the object is at its own place and has its own size,
    seen from a known height and distance. Those that `pictures.frame_object` has centred and
    brought to one size are not. Colours, if there are any, stay those of the network.

    Args:
        reconstructor: A `MeshNetwork`.
        **options: Arguments of `fitting.fit_codes`, such as `elevation` or `steps`.

    Attributes:
        network: The `MeshReconstructor`.
        image_size: Height and width of its images, pixels.
        gives: "meshes" or "colored meshes".

    Raises:
        ReconstructorError: The reconstructor is of another kind: a server or a SavedModel gives
            meshes, and no codes.
        TypeError: An option that `fit_codes` does not have.

    Example:
        >>> network = reconstruction.as_reconstructor(models.MeshReconstructor("paper"))
        >>> refined = reconstruction.RefinedNetwork(network, steps=2)
        >>> images = np.zeros([1, 64, 64, 4], np.float32)
        >>> images[:, 20:44, 24:40] = 1.0
        >>> refined.reconstruct(images).vertices.shape
        (1, 642, 3)
    """

    def __init__(self, reconstructor: Reconstructor, **options):
        if not isinstance(reconstructor, MeshNetwork):
            raise ReconstructorError(
                "reconstructor: expected a run or a network that makes meshes of codes; received "
                f"{type(reconstructor).__name__}, which gives {reconstructor.gives}"
            )
        self.network = reconstructor.network
        self.image_size = reconstructor.image_size
        self.gives = reconstructor.gives
        self._answers = reconstructor
        inspect.signature(fit_codes).bind_partial(**options)
        self._options = options

    def reconstruct(self, images, eyes=None) -> Meshes:
        """Returns one mesh for each image; see `Reconstructor`.

        Args:
            images: As there.
            eyes: float `[batch, 3]`, the cameras of the images; None to find their azimuths.

        Raises:
            ValueError: As for `Reconstructor.reconstruct` and `fitting.fit_codes`.
        """
        images = standardize_images(images, image_size=self.image_size)
        answer = self._answers.reconstruct(images)
        fit = fit_codes(
            functools.partial(self.network.decoder, training=False),
            self.network.faces,
            self.network.encoder(images, training=False),
            images[..., 3],
            eyes=eyes,
            **self._options,
        )
        return dataclasses.replace(answer, vertices=fit.vertices)
