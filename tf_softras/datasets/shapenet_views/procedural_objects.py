"""Procedural objects as a source of the data set: there is no file to read."""

import dataclasses
from collections.abc import Iterator

from tf_softras.datasets.procedural import PROCEDURAL_CLASSES, procedural_mesh
from tf_softras.datasets.shapenet_views.class_names import CLASS_SYNSETS
from tf_softras.datasets.shapenet_views.object_views import Rendering, object_views
from tf_softras.datasets.shapenet_views.sources import Example

# The last of every ten objects of a class is in split val.
_OF_TEN = 10


@dataclasses.dataclass(frozen=True)
class ProceduralObject:
    """An object that is made of numbers: a `Source`.

    Attributes:
        label: One of `PROCEDURAL_CLASSES`.
        number: int from 0. A label and a number always give the same object.
    """

    label: str
    number: int

    @property
    def name(self) -> str:
        """SYNSET/procedural-NUMBER."""
        return f"{CLASS_SYNSETS[self.label]}/{self._model_id}"

    @property
    def split(self) -> str:
        """`val` for one of ten, else `train`."""
        return "val" if self.number % _OF_TEN == _OF_TEN - 1 else "train"

    @property
    def _model_id(self) -> str:
        return f"procedural-{self.number:05d}"

    def examples(self, rendering: Rendering) -> Iterator[Example]:
        """Yields its example."""
        views = object_views(procedural_mesh(self.label, self.number), rendering, self.name)
        yield self.name, {**views, "label": self.label, "model_id": self._model_id}


def procedural_objects(count: int) -> list[ProceduralObject]:
    """Returns `count` objects of each class."""
    return [
        ProceduralObject(label, number) for label in PROCEDURAL_CLASSES for number in range(count)
    ]
