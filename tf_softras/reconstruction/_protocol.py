"""The protocol that every reconstructor follows."""

from typing import Literal, Protocol, runtime_checkable

from tf_softras._shared.errors import SoftrasError
from tf_softras.reconstruction._answers import Meshes, Voxels

Gives = Literal["meshes", "colored meshes", "voxels"]
"""The kinds of answer that a reconstructor gives."""


class ReconstructorError(SoftrasError, ValueError):
    """Something is no reconstructor, or gives another answer than the caller needs."""


MESHES: tuple[Gives, ...] = ("meshes", "colored meshes")
"""The kinds of answer that hold meshes."""


@runtime_checkable
class Reconstructor(Protocol):
    """Anything that turns images into meshes or voxels.

    A class of yours that has these three members works wherever a reconstructor is expected.
    """

    @property
    def image_size(self) -> int:
        """Height and width of the images, pixels."""

    @property
    def gives(self) -> Gives:
        """The kind of answer: "meshes", "colored meshes" or "voxels"."""

    def reconstruct(self, images) -> Meshes | Voxels:
        """Returns one mesh or one voxel grid for each image.

        Args:
            images: float32 `[batch, image_size, image_size, 4]` in [0, 1]: straight colours, 0
                where alpha is 0, alpha last.

        Raises:
            ValueError: The reconstructors of this package refuse other images.
        """


def require_answers(reconstructor: Reconstructor, *kinds: Gives) -> Reconstructor:
    """Returns the reconstructor, after checking that it gives one of these kinds of answer.

    Raises:
        ReconstructorError: It gives another kind.
    """
    if reconstructor.gives not in kinds:
        raise ReconstructorError(
            f"reconstructor: expected one that gives {' or '.join(kinds)}; received one that gives "
            f"{reconstructor.gives}"
        )
    return reconstructor


def meshes_of(reconstructor: Reconstructor, images, *, colored: bool = False) -> Meshes:
    """Returns one mesh for each image.

    Args:
        reconstructor: One that gives meshes.
        images: As for `Reconstructor.reconstruct`.
        colored: Whether the meshes must have colours.

    Raises:
        ReconstructorError: It gives voxels, or no colours where they are required.
    """
    kinds: tuple[Gives, ...] = ("colored meshes",) if colored else MESHES
    answer = require_answers(reconstructor, *kinds).reconstruct(images)
    if not isinstance(answer, Meshes) or (colored and answer.colors is None):
        raise ReconstructorError(
            f"reconstructor: expected {reconstructor.gives}, as its `gives` says; received "
            f"{type(answer).__name__}"
        )
    return answer
