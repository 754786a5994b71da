"""Means over objects and classes with bootstrap intervals, of one method or of a difference."""

import collections
import dataclasses

import numpy as np

_SAMPLES = 5000
# The share of the resampled means that lie in an interval.
_COVERED = 0.95


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean and the range that 95 % of its bootstrap samples lie in."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the range lies on one side of 0."""
        return self.low > 0 or self.high < 0

    def to_markdown(self) -> str:
        """Returns text such as ".377 (.350 to .404)"."""
        mean, low, high = (_text(value) for value in (self.mean, self.low, self.high))
        return f"{mean} ({low} to {high})"


def _text(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def intervals(per_object: dict[str, float], *, seed: int = 0) -> tuple[Interval, Interval]:
    """Returns the mean over classes and the mean over objects, with bootstrap intervals.

    Objects are drawn with replacement: within each class for the mean over classes, so that class
    sizes stay; among all objects for the mean over objects. A class of one object is then always
    that object, so the first interval is too narrow where there are such classes.

    Both means are linear in the values. For the difference of two methods give the differences of
    their values, object by object: that is the paired interval.

    Args:
        per_object: CLASS/MODEL -> value.
        seed: Seed of the draws.

    Raises:
        ValueError: There is no object.
    """
    if not per_object:
        raise ValueError("per_object: expected at least one object; received none")
    classes = collections.defaultdict(list)
    for name, value in per_object.items():
        classes[name.partition("/")[0]].append(value)
    random = np.random.default_rng(seed)
    of_classes = np.mean([_resampled(values, random) for values in classes.values()], axis=0)
    values = list(per_object.values())
    return (
        _interval(np.mean([np.mean(values) for values in classes.values()]), of_classes),
        _interval(np.mean(values), _resampled(values, random)),
    )


def _resampled(values, random) -> np.ndarray:
    """Returns the means of bootstrap samples."""
    values = np.asarray(values, float)
    return values[random.integers(len(values), size=(_SAMPLES, len(values)))].mean(axis=1)


def _interval(mean, samples) -> Interval:
    low, high = np.quantile(samples, [(1 - _COVERED) / 2, (1 + _COVERED) / 2])
    return Interval(float(mean), float(low), float(high))


def mean_over_runs(runs: list[dict[str, float]]) -> dict[str, float]:
    """Returns each object's mean over runs, such as seeds.

    Raises:
        ValueError: The runs were evaluated on different objects.
    """
    if any(run.keys() != runs[0].keys() for run in runs):
        raise ValueError("runs: expected the same objects in each; received different ones")
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def interval_table(methods: dict[str, list[dict[str, float]]], *, reference: str) -> str:
    """Returns a Markdown table of means with 95 % intervals, and what a reference is ahead by.

    Args:
        methods: Title -> for each seed CLASS/MODEL -> value.
        reference: The title that the others are compared with, object by object.
    """
    averaged = {title: mean_over_runs(runs) for title, runs in methods.items()}
    lines = [
        f"| run | seeds | over classes | over objects | {reference} ahead, classes | objects |",
        "| --- | ---: | --- | --- | --- | --- |",
    ]
    for title, values in averaged.items():
        cells = [interval.to_markdown() for interval in intervals(values)]
        ahead = ["", ""]
        if title != reference:
            differences = {name: averaged[reference][name] - values[name] for name in values}
            ahead = [
                f"**{one.to_markdown()}**" if one.excludes_zero else one.to_markdown()
                for one in intervals(differences)
            ]
        lines.append(f"| {' | '.join([title, str(len(methods[title])), *cells, *ahead])} |")
    return "\n".join(lines) + "\n"
