"""Sources of the builder. A source knows its split and yields examples, or says why it cannot.

A source is small and can be pickled, so Beam can hand it to a worker on any machine.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from tf_softras._shared.errors import SoftrasError
from tf_softras.datasets.shapenet_views.object_views import Rendering

# An example of tfds: a key that is unique in the split, and the features.
Example = tuple[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something that is not in the data set, and why."""

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Note:
    """Something about an object of the data set: a part of it that is left out, and why."""

    name: str
    reason: str


class BadObjectError(SoftrasError, ValueError):
    """The first problem of a strict build."""

    @classmethod
    def of(cls, problem: Problem) -> "BadObjectError":
        """Returns the error that a problem is where none is allowed."""
        return cls(f"{problem.name}: {problem.reason}")


class Source(Protocol):
    """A mesh file, or a file of many objects."""

    @property
    def name(self) -> str:
        """The source's name in problems."""

    @property
    def split(self) -> str:
        """The split of its examples."""

    def examples(self, rendering: Rendering) -> Iterator[Example | Problem | Note]:
        """Yields its examples, the problems that there are instead, and notes on examples."""


def examples_or_problems(
    source: Source, rendering: Rendering, *, strict: bool
) -> Iterator[Example | Problem | Note]:
    """Yields what a source gives.

    Raises:
        BadObjectError: `strict`, and the next is a problem.
    """
    for item in source.examples(rendering):
        if strict and isinstance(item, Problem):
            raise BadObjectError.of(item)
        yield item


def beam_examples(sources: Iterable[Source], rendering: Rendering, *, problems_path, strict: bool):
    """Returns a `beam.PTransform` from nothing to examples: each source is a unit of work.

    Args:
        sources: of one split.
        rendering: for those that are meshes.
        problems_path: file for the problems, a JSON object a line; beside the data, where the
            runner's workers write as well.
        strict: whether a problem fails the pipeline.
    """
    import apache_beam as beam

    def tagged(source):
        for item in examples_or_problems(source, rendering, strict=strict):
            is_said = isinstance(item, Problem | Note)
            yield beam.pvalue.TaggedOutput("problems", item) if is_said else item

    @beam.ptransform_fn
    def transform(pipeline):
        outputs = (
            pipeline
            | "Sources" >> beam.Create(list(sources))
            # Else the runner may fuse all that follows into one worker.
            | "Spread" >> beam.Reshuffle()
            | "RenderAndVoxelize" >> beam.FlatMap(tagged).with_outputs("problems", main="examples")
        )
        _ = (
            outputs.problems
            | "ToJson" >> beam.Map(_as_json)
            | "Report"
            >> beam.io.WriteToText(str(problems_path), num_shards=1, shard_name_template="")
        )
        return outputs.examples

    return transform()


def _as_json(said: Problem | Note) -> str:
    return json.dumps({"kind": type(said).__name__, **dataclasses.asdict(said)})


def read_problems(problems_path) -> list[Problem | Note]:
    """Returns what `beam_examples` has written, in the order of names, and removes the file."""
    kinds: dict[str, type[Problem] | type[Note]] = {"Problem": Problem, "Note": Note}
    rows = [json.loads(line) for line in problems_path.read_text().splitlines()]
    problems_path.unlink()
    return sorted(
        (kinds[row.pop("kind", "Problem")](**row) for row in rows), key=lambda one: one.name
    )
