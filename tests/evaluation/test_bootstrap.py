"""Bootstrap intervals: against SciPy's, and what they say of differences."""

import numpy as np
import pytest
from scipy import stats

from tf_softras.evaluation._bootstrap import interval_table, intervals, mean_over_runs


def values(count=40, classes=("chair", "table"), seed=0):
    random = np.random.default_rng(seed)
    return {f"{classes[i % len(classes)]}/{i}": random.uniform() for i in range(count)}


def test_interval_over_objects_is_scipys_percentile_bootstrap():
    per_object = values()
    _, objects = intervals(per_object)
    sample = (list(per_object.values()),)
    expected = stats.bootstrap(
        sample, np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert objects.mean == pytest.approx(np.mean(sample))
    # The standard error is 0.05; a quantile of 5,000 draws is off by some hundredths of it.
    assert (objects.low, objects.high) == pytest.approx((expected.low, expected.high), abs=0.006)


def test_mean_over_classes_weighs_small_classes_as_much_as_large_ones():
    per_object = {"chair/1": 1.0, **{f"table/{i}": 0.0 for i in range(9)}}
    classes, objects = intervals(per_object)
    assert classes.mean == 0.5 and objects.mean == pytest.approx(0.1)
    # Within a class all objects are alike here.
    assert (classes.low, classes.high) == (0.5, 0.5) and objects.low == 0.0 < objects.high


def test_a_small_steady_difference_is_seen_only_in_pairs():
    one = values()
    other = {name: value - 0.01 - 0.001 * (i % 3) for i, (name, value) in enumerate(one.items())}
    separate = intervals(one)[1].low, intervals(other)[1].high
    assert separate[0] < separate[1]
    _, paired = intervals({name: one[name] - other[name] for name in one})
    assert paired.excludes_zero and paired.mean == pytest.approx(0.011, abs=1e-3)


def test_seeds_are_averaged_object_by_object():
    runs = [{"chair/1": 0.2, "chair/2": 0.4}, {"chair/1": 0.4, "chair/2": 0.4}]
    assert mean_over_runs(runs) == pytest.approx({"chair/1": 0.3, "chair/2": 0.4})
    with pytest.raises(ValueError, match="runs: expected the same objects"):
        mean_over_runs([*runs, {"chair/1": 0.1}])
    with pytest.raises(ValueError, match="per_object: expected at least one object"):
        intervals({})


def test_table_shows_means_intervals_and_certain_leads_in_bold():
    one = values()
    behind = {name: value - 0.1 for name, value in one.items()}
    table = interval_table({"voxel": [behind, behind], "softras": [one]}, reference="softras")
    _, _, voxel, softras = table.splitlines()
    assert voxel.startswith("| voxel | 2 | .") and "**.100 (.100 to .100)**" in voxel
    assert softras.startswith("| softras | 1 | .") and softras.endswith("|  |  |")
