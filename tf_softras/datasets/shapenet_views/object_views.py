"""Turns a mesh into the data set's features: pictures from all sides, cameras and voxels."""

import dataclasses
import hashlib

import numpy as np

from tf_softras.geometry import Mesh, voxelize
from tf_softras.geometry.cameras import (
    N3MR_DISTANCE,
    N3MR_ELEVATION,
    N3MR_NUM_VIEWS,
    eye_from_angles,
)
from tf_softras.rendering import render_views

# Typical angles of photographs. Nearer than 2.3 the corners of a cube leave the picture.
_RANDOM_ELEVATIONS = (-10.0, 60.0)
_RANDOM_DISTANCES = (2.3, 3.5)


@dataclasses.dataclass(eq=False, kw_only=True)
class Rendering:
    """The settings by which meshes are rendered and voxelised.

    Workers on other machines unpickle it. The builder's configuration would not do, because `tfds
    build` imports the builder under another name, `shapenet_views`.

    Attributes:
        image_size: side of the square pictures, pixels.
        num_views: cameras in all, a multiple of the number of elevations.
        elevations: elevations of the cameras above the x-z plane, degrees. Each elevation has the
            same number of cameras, equally spaced about the object, the first on the side of +x.
            Views are sorted by elevation, in the given order.
        distance: distance of the cameras from the object's centre; the object's longest side is 1.
        random_cameras: whether each object has random cameras instead. They are uniform: azimuths
            all around, elevations from -10 to 60 degrees, distances from 2.3 to 3.5.
        supersampling: samples along each side of a pixel.
        voxel_resolution: cells along each side of the voxel grid.
        max_faces: the most triangles that a mesh may have.
        max_bytes: the most bytes that a mesh file, and each file beside it, may have.
    """

    image_size: int = 64
    num_views: int = N3MR_NUM_VIEWS
    elevations: tuple[float, ...] = (N3MR_ELEVATION,)
    distance: float = N3MR_DISTANCE
    supersampling: int = 4
    voxel_resolution: int = 32
    max_faces: int = 1_000_000
    max_bytes: int = 128 * 2**20
    random_cameras: bool = False

    def limits(self) -> dict:
        """Returns arguments of `load_mesh`: limits, and that paths may not leave the folder."""
        return {
            "max_faces": self.max_faces,
            "max_bytes": self.max_bytes,
            "foreign_files": "error",
        }

    def cameras(self, name: str = "") -> dict[str, np.ndarray]:
        """Returns `distance`, `elevation` and `azimuth` (degrees), float32 `[num_views]` each.

        Args:
            name: the object's name. It is the seed of random cameras.

        Raises:
            ValueError: `num_views` is not a positive multiple of the number of elevations.
        """
        if self.random_cameras:
            random = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
            drawn = {
                "distance": random.uniform(*_RANDOM_DISTANCES, self.num_views),
                "elevation": random.uniform(*_RANDOM_ELEVATIONS, self.num_views),
                "azimuth": random.uniform(0.0, 360.0, self.num_views),
            }
            return {key: values.astype(np.float32) for key, values in drawn.items()}
        azimuths, rest = divmod(self.num_views, max(1, len(self.elevations)))
        if rest or azimuths < 1 or not self.elevations:
            raise ValueError(
                "num_views: expected a positive multiple of the number of elevations, "
                f"{len(self.elevations)}; received {self.num_views}"
            )
        around = np.arange(azimuths, dtype=np.float32) * np.float32(360.0 / azimuths)
        return {
            "distance": np.full(self.num_views, self.distance, np.float32),
            "elevation": np.repeat(np.array(self.elevations, np.float32), azimuths),
            "azimuth": np.tile(around, len(self.elevations)),
        }


def object_views(mesh: Mesh, rendering: Rendering, name: str = "") -> dict:
    """Normalises a mesh and returns its features `images`, `voxels` and `cameras`.

    Args:
        mesh: the mesh.
        rendering: how it is rendered.
        name: the object's name. It is the seed of random cameras.

    Raises:
        ValueError: the mesh is empty, or no view shows anything of it.
    """
    mesh = mesh.normalized()
    cameras = rendering.cameras(name)
    images = render_views(
        mesh,
        eye_from_angles(**cameras),
        image_size=rendering.image_size,
        supersampling=rendering.supersampling,
    )
    if not images[..., 3].any():
        raise ValueError(
            "mesh: expected faces with an area; received a mesh of which no view shows anything"
        )
    voxels = voxelize(mesh.vertices, mesh.faces, resolution=rendering.voxel_resolution)
    return {"images": images, "voxels": voxels, "cameras": cameras}
