"""The network that is used where no other is named."""

from tf_softras.models import MeshReconstructor, pretrained_names
from tf_softras.reconstruction._protocol import ReconstructorError

SHIPPED_NETWORK = "thirteen-classes"
"""The name of the network that comes with tf_softras, for `MeshReconstructor.from_preset`."""


def shipped_network() -> MeshReconstructor:
    """Returns the trained network that comes with tf_softras.

    Raises:
        ReconstructorError: This copy of the package holds no weights.
    """
    if SHIPPED_NETWORK not in pretrained_names():
        raise ReconstructorError(
            f"network: expected the weights '{SHIPPED_NETWORK}' that come with tf_softras; "
            "received none, as this copy has no weights in it: name a run instead"
        )
    return MeshReconstructor.from_preset(SHIPPED_NETWORK)
