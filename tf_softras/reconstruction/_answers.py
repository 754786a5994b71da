"""The answers of a reconstructor for a batch of images: meshes or voxels."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from tf_softras.geometry import Mesh

# A cell with at least this occupancy is part of the object.
_OCCUPIED = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class Meshes:
    """One mesh for each image; all of them share their faces. `meshes[i]` is a `Mesh`.

    Attributes:
        vertices: float32 `[batch, num_vertices, 3]`, world space.
        faces: int32 `[num_faces, 3]`.
        colors: float32 `[batch, num_vertices, 3]`, sRGB in [0, 1]; or None.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.vertices)

    def __getitem__(self, index: int) -> Mesh:
        colors = None if self.colors is None else self.colors[index]
        return Mesh(vertices=self.vertices[index], faces=self.faces, vertex_colors=colors)

    def __iter__(self) -> Iterator[Mesh]:
        return (self[index] for index in range(len(self)))


@dataclasses.dataclass(frozen=True, eq=False)
class Voxels:
    """One grid for each image. `voxels[i]` is bool `[r, r, r]`, index order [x, y, z].

    Attributes:
        occupancies: `[batch, r, r, r]`, floating-point in [0, 1] or bool, over [-0.5, 0.5]^3.
    """

    occupancies: np.ndarray

    @property
    def occupied(self) -> np.ndarray:
        """The cells whose occupancy is above 0.5, bool `[batch, r, r, r]`."""
        return self.occupancies > _OCCUPIED

    def __len__(self) -> int:
        return len(self.occupancies)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.occupied[index]

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.occupied)
