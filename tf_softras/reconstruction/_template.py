"""The baseline that answers every picture with the same mesh."""

import numpy as np

from tf_softras.geometry import Mesh
from tf_softras.reconstruction._answers import Meshes
from tf_softras.reconstruction._protocol import Gives


class TemplateBaseline:
    """Reconstructs every picture as the same mesh: the least that training has to beat.

    Args:
        template: The `Mesh`, for example `MeshReconstructor.template`.
        image_size: Height and width that pictures are framed to.
    """

    gives: Gives = "meshes"

    def __init__(self, template: Mesh, *, image_size: int = 64):
        self.template = template
        self.image_size = image_size

    @property
    def faces(self) -> np.ndarray:
        """int32 `[num_faces, 3]`."""
        return self.template.faces

    def __call__(self, images) -> np.ndarray:
        """Returns the template's vertices for each image, float32 `[batch, num_vertices, 3]`."""
        return np.broadcast_to(self.template.vertices, (len(images), *self.template.vertices.shape))

    def reconstruct(self, images) -> Meshes:
        """Returns the template for each image; see `Reconstructor`."""
        return Meshes(vertices=self(images), faces=self.faces)
