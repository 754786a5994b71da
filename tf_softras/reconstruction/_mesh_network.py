"""A mesh network in this process."""

from tf_softras.models import MeshReconstructor
from tf_softras.reconstruction._answers import Meshes
from tf_softras.reconstruction._images import standardize_images
from tf_softras.reconstruction._inference import in_inference
from tf_softras.reconstruction._protocol import Gives


class MeshNetwork:
    """A `MeshReconstructor` as a `Reconstructor`: colours too, if the network gives them.

    Args:
        network: Trained, untrained or in training; each call uses its present weights.

    Attributes:
        network: The same.
        image_size: Height and width of its images, pixels.
        gives: "meshes" or "colored meshes".
    """

    def __init__(self, network: MeshReconstructor):
        self.network = network
        self.image_size: int = network.config.image_size
        has_colors = network.color_decoder is not None
        self.gives: Gives = "colored meshes" if has_colors else "meshes"
        answer = network.colored if has_colors else network
        self._answer = in_inference(answer, tuple(network.input_shape[1:]))

    def reconstruct(self, images) -> Meshes:
        """Returns one mesh for each image; see `Reconstructor`."""
        answer = self._answer(standardize_images(images, image_size=self.image_size))
        vertices, colors = answer if self.gives == "colored meshes" else (answer, None)
        return Meshes(
            vertices=vertices.numpy(),
            faces=self.network.faces,
            colors=None if colors is None else colors.numpy(),
        )
