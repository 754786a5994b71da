"""The passes of the shader over a scene: the surface at each sample, and how much it covers."""

import dataclasses
from typing import Any, NamedTuple

import keras
import numpy as np

from tf_softras.layers._renderer.scene import Scene, packed, unpacked
from tf_softras.ops._soft_shade import soft_shade

# Attributes that are not averaged over the faces that share a sample.
_WITHOUT_MEAN = ("uv", "texture", "footprint", "sides")
# A gamma, in units of the near plane's depth, by which the nearer of two faces has all the weight.
_ONE_DEPTH = 1e-6
# Equally near faces are moved apart by up to this share of their depth: enough, and not visible.
_LARGEST_MOVE = 1e-3
_GOLDEN_RATIO = 0.6180339887498949
# The default gamma: with the default sigma, and at most. At far = 100 the largest blends surfaces
# that are 0.03 apart, far less than the front and the back of an object of size 1.
_SHARP_GAMMA, _SOFT_GAMMA = 1e-5, 3e-4


def gamma_for(sigma: float, sharp_sigma: float) -> float:
    """Returns the default gamma beside a sigma.

    A tilted face's neighbour has a point nearer to the camera by (slope x d) within a distance d of
    the sample, at the cost of exp(-d^2 / sigma) in D. So it outweighs the sample's own face up to a
    distance in proportion to sigma / gamma. Growing together they keep that at about a pixel.

    Args:
        sigma: the layer's.
        sharp_sigma: the layer's default, as sharp as anti-aliasing.
    """
    return min(_SHARP_GAMMA * max(1.0, sigma / sharp_sigma), _SOFT_GAMMA)


class Surface(NamedTuple):
    """The surface at each sample.

    Attributes:
        attributes: dict of float `[batch, height, width, channels]`, means over the faces there.
        hit: bool `[batch, height, width, 1]`, whether there is a surface.
        alpha: float `[batch, height, width, 1]`, the silhouette.
        coverage: float `[batch, height, width, 1]`, the share of the background it hides.
    """

    attributes: dict[str, Any]
    hit: Any
    alpha: Any
    coverage: Any


@dataclasses.dataclass(frozen=True)
class Passes:
    """The shader with the options of one `Renderer`.

    Attributes:
        image_size: (height, width) in samples.
        near: the depth that the scene was cut at.
        others: see `Renderer`.
    """

    image_size: tuple[int, int]
    sigma: float
    gamma: float
    near: float
    far: float
    aggregation: str
    interpolation: str
    implementation: str

    def surface(self, scene: Scene) -> Surface:
        """Returns the mean surface at each sample."""
        names = [name for name in scene.attributes if name not in _WITHOUT_MEAN]
        if self.aggregation == "soft":
            sums, alpha = self._drawn(scene, names, "soft", summed=("sides",))
            coverage = _coverage(sums.pop("sides"))
        else:
            sums, alpha = self._drawn(scene, names, "hard")
        hit = sums["share"] > 0.0
        # The background has a weight, too. Division by the share gives the surface's mean.
        share = keras.ops.where(hit, sums["share"], 1.0)
        means = {name: value / share for name, value in sums.items()}
        if self.aggregation == "soft":
            return Surface(means, hit, alpha[..., None], coverage)
        alpha = keras.ops.cast(hit, alpha.dtype)
        return Surface(means, hit, alpha, alpha)

    def one_face(self, scene: Scene, names):
        """Returns attributes of a single face at each sample, for those that have no mean.

        Texture coordinates are such: the mean over faces that do not continue one another in the
        texture lies anywhere in it. A sample on the mesh shows the nearest face; a sample beside
        the mesh, within reach of soft edges, shows one of the faces there, where it is closest.
        """
        on_face, _ = self._drawn(scene, names, "hard")
        if self.aggregation == "hard":
            return on_face
        # Faces beside one another may be equally near: each is moved by a depth of its own.
        plane = scene.vertices
        number = np.arange(plane.shape[1] // 4).repeat(4)
        moved = 1.0 + _LARGEST_MOVE * ((number * _GOLDEN_RATIO) % 1.0)
        moved = keras.ops.convert_to_tensor(moved[:, None], plane.dtype)
        plane = keras.ops.concatenate([plane[..., :2], plane[..., 2:] * moved], axis=-1)
        apart = scene._replace(vertices=plane)
        beside, _ = self._drawn(apart, names, "soft", gamma=_ONE_DEPTH, far=self.near)
        is_on_face = on_face["share"] > 0.0
        return {name: keras.ops.where(is_on_face, on_face[name], beside[name]) for name in names}

    def _drawn(self, scene: Scene, names, aggregation, summed=(), **options):
        """Returns a dict of attributes at each sample, and the silhouette.

        Attributes of the names `summed` are sums over the faces, each times its coverage.
        """
        chosen = {name: scene.attributes[name] for name in (*names, *summed)}
        buffer, silhouette = soft_shade(
            scene.vertices,
            scene.faces,
            packed(chosen),
            image_size=self.image_size,
            sigma=self.sigma,
            aggregation=aggregation,
            interpolation=self.interpolation,
            summed_channels=sum(chosen[name].shape[-1] for name in summed),
            implementation=self.implementation,
            **{"gamma": self.gamma, "far": self.far, **options},
        )
        return unpacked(buffer, chosen), silhouette


def _coverage(sides):
    """Returns ``min(1, sum_j D_j)``, float `[batch, height, width, 1]`.

    Beside an edge that two faces share, D of one and of the other add up to 1, where eq. 2 has
    1 - D (1 - D), 0.75 on the edge: the background would shine through. The front and the back
    of a closed mesh cover the same pixels, and each edge of its outline has a face of either:
    the larger of their two sums counts, or outlines would be wider than edges.

    Args:
        sides: float `[batch, height, width, 2]`, sums of D_j over the faces of either side.
    """
    return keras.ops.minimum(keras.ops.max(sides, axis=-1, keepdims=True), 1.0)
