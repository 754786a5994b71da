"""Networks and functions as reconstructors, whatever their kind."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from tf_softras.models import MeshReconstructor, RetrievalReconstructor, VoxelReconstructor
from tf_softras.reconstruction._function import MeshFunction
from tf_softras.reconstruction._mesh_network import MeshNetwork
from tf_softras.reconstruction._protocol import Reconstructor, ReconstructorError
from tf_softras.reconstruction._voxel_network import VoxelNetwork


@runtime_checkable
class _CallableWithFaces(Protocol):
    faces: np.ndarray

    def __call__(self, images): ...


def as_reconstructor(network: Any, *, faces=None) -> Reconstructor:
    """Returns a `Reconstructor` that calls a network or a function.

    Args:
        network: A `Reconstructor`, which comes back as it is; a Keras network of
            `tf_softras.models`; or a callable from images to vertices. Wrap a function that gives
            voxels in `VoxelFunction`.
        faces: int32 `[num_faces, 3]` of a callable's meshes; by default its attribute `faces`.

    Raises:
        ReconstructorError: `network` is none of these, or has no faces.

    Example:
    >>> import numpy as np
    >>> from tf_softras.geometry import icosphere
    >>> from tf_softras.reconstruction import as_reconstructor
    >>> ball = icosphere(2)
    >>> balls = as_reconstructor(lambda images: np.stack([ball.vertices] * len(images)),
    ...                          faces=ball.faces)
    >>> balls.reconstruct(np.zeros([3, 64, 64, 4], np.float32))[2].vertices.shape
    (162, 3)
    """
    if faces is not None and callable(network):
        return MeshFunction(network, faces)
    if isinstance(network, MeshReconstructor):
        return MeshNetwork(network)
    if isinstance(network, VoxelReconstructor | RetrievalReconstructor):
        return VoxelNetwork(network)
    if isinstance(network, Reconstructor):
        return network
    if isinstance(network, _CallableWithFaces):
        return MeshFunction(network, network.faces)
    raise ReconstructorError(
        "reconstructor: expected a Reconstructor, a network of tf_softras.models, or a callable "
        f"that has `faces`; received {type(network).__name__}"
    )
