"""The networks of the baselines, which give voxels, in this process."""

from tf_softras.models import RetrievalReconstructor, VoxelReconstructor
from tf_softras.reconstruction._answers import Voxels
from tf_softras.reconstruction._images import standardize_images
from tf_softras.reconstruction._inference import in_inference
from tf_softras.reconstruction._protocol import Gives


class VoxelNetwork:
    """A `VoxelReconstructor` or a `RetrievalReconstructor` as a `Reconstructor`.

    Args:
        network: Trained, untrained or in training; each call uses its present weights.

    Attributes:
        network: The same.
        image_size: Height and width of its images, pixels.
        gives: "voxels".
    """

    gives: Gives = "voxels"

    def __init__(self, network: VoxelReconstructor | RetrievalReconstructor):
        self.network = network
        if isinstance(network, RetrievalReconstructor):
            self.image_size: int = network.image_size
        else:
            self.image_size = network.config.image_size
        self._answer = in_inference(network, (self.image_size, self.image_size, 4))

    def reconstruct(self, images) -> Voxels:
        """Returns one voxel grid for each image; see `Reconstructor`."""
        images = standardize_images(images, image_size=self.image_size)
        return Voxels(self._answer(images).numpy())
