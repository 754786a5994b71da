"""Makes more training objects out of few: deformed, recoloured copies of meshes."""

import dataclasses
import hashlib
from collections.abc import Iterator

import numpy as np

from tf_softras.datasets.shapenet_views.mesh_folder import MeshModel
from tf_softras.datasets.shapenet_views.object_views import Rendering, object_views
from tf_softras.datasets.shapenet_views.sources import Example, Problem
from tf_softras.geometry import Mesh, load_mesh

_X, _Y, _Z = range(3)
# Each axis is scaled by a factor from 1 / 1.5 to 1.5.
_LOG_SCALE = 0.4
# An axis is scaled along another one, from 1 - 0.35 at one end to 1 + 0.35 at the other. Nothing
# changes along x, so an object that is symmetric about x = 0 stays so.
_TAPERS = ((_X, _Y), (_Z, _Y), (_Y, _Z), (_X, _Z))
_TAPER = 0.35
# Along y or z the middle moves towards one end, in shares of half the extent.
_SHIFT = 0.15
# y or z bends along the other, in shares of half its extent.
_BEND = 0.2
_COLOR_GAIN = (0.6, 1.4)
_COLOR_SHIFT = 0.1


@dataclasses.dataclass(frozen=True)
class MeshVariant:
    """A deformed copy of a mesh file of the folder: a `Source`.

    Attributes:
        model: The file.
        number: int from 1. A file and a number always give the same variant.
    """

    model: MeshModel
    number: int

    @property
    def name(self) -> str:
        """SYNSET/MODEL~NUMBER: unique within a folder."""
        return f"{self.model.name}~{self.number}"

    @property
    def split(self) -> str:
        """The split of the file: variants never cross splits."""
        return self.model.split

    @property
    def label(self) -> str:
        """The name of its class."""
        return self.model.label

    def examples(self, rendering: Rendering) -> Iterator[Example | Problem]:
        """Yields its example, or the problem that there is with the file."""
        try:
            mesh = load_mesh(self.model.path, **rendering.limits(), warn=lambda sentence: None)
            digest = hashlib.sha256(self.name.encode()).digest()
            variant = deformed(mesh.normalized(), np.random.default_rng(list(digest)))
            views = object_views(variant, rendering, self.name)
        except (ValueError, OSError) as error:
            yield Problem(self.name, str(error))
            return
        model_id = self.name.removeprefix(f"{self.model.synset}/")
        yield self.name, {**views, "label": self.model.label, "model_id": model_id}


def with_variants(models: list[MeshModel], count: int) -> list[MeshModel | MeshVariant]:
    """Returns the models, each of split train followed by `count` variants of it."""
    sources: list[MeshModel | MeshVariant] = []
    for model in models:
        sources.append(model)
        if model.split == "train":
            sources += [MeshVariant(model, number) for number in range(1, count + 1)]
    return sources


def deformed(mesh: Mesh, random: np.random.Generator) -> Mesh:
    """Returns a copy of a mesh: scaled along its axes, tapered, bent, in other colours.

    A mesh that is symmetric about the plane x = 0 stays symmetric, and faces keep their winding.

    Args:
        mesh: A normalised mesh: centred, its longest side 1.
        random: Draws the numbers.
    """
    vertices = mesh.vertices.astype("float64")
    half = np.maximum(np.abs(vertices).max(axis=0), 1e-6)
    axis, along = _TAPERS[random.integers(len(_TAPERS))]
    vertices[:, axis] *= 1 + random.uniform(-_TAPER, _TAPER) * vertices[:, along] / half[along]
    along = random.choice([_Y, _Z])
    share = vertices[:, along] / half[along]
    vertices[:, along] += half[along] * random.uniform(-_SHIFT, _SHIFT) * np.sin(np.pi * share)
    bent, along = random.permutation([_Y, _Z])
    share = vertices[:, along] / half[along]
    vertices[:, bent] += half[bent] * random.uniform(-_BEND, _BEND) * share**2
    vertices *= np.exp(random.uniform(-_LOG_SCALE, _LOG_SCALE, 3))
    return dataclasses.replace(mesh, vertices=vertices, **_recolored(mesh, random))


def _recolored(mesh: Mesh, random: np.random.Generator) -> dict:
    """Returns the mesh's colours after one random change; textures stay as they are."""
    gain = random.uniform(*_COLOR_GAIN, 3)
    shift = random.uniform(-_COLOR_SHIFT, _COLOR_SHIFT, 3)
    order = random.permutation(3)

    def change(colors):
        colors = np.asarray(colors, "float64")
        changed = np.clip(colors[..., :3] * gain + shift, 0.0, 1.0)[..., order]
        return np.concatenate([changed, colors[..., 3:]], axis=-1)

    changes = {
        name: change(getattr(mesh, name))
        for name in ("face_colors", "vertex_colors")
        if getattr(mesh, name) is not None
    }
    materials = [
        dataclasses.replace(material, color=tuple(change(material.color).tolist()))
        for material in mesh.materials
    ]
    return {**changes, "materials": materials}
