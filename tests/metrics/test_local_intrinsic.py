"""Intrinsic dimensions of many k from one list, and their replicates, against direct sums."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from matteralign.metrics import MetricInputError, MetricSpec
from matteralign.metrics.dimension.estimators import estimates


def lists(x, length):
    distance, index = cKDTree(x).query(x, length + 1)
    return distance[:, 1:], index[:, 1:]


def direct_mle(distance, k, average):
    """Levina & Bickel 2004, eq. 8, from the definition."""
    inverse = np.array([np.mean([np.log(r[k - 1] / r[j]) for j in range(k - 1)]) for r in distance])
    return 1.0 / inverse.mean() if average == "inverse_mean" else (1.0 / inverse).mean()


def direct_twonn(distance, fraction):
    mu = np.sort(distance[:, 1] / distance[:, 0])
    n = len(mu)
    kept = int(n * fraction)
    x, y = np.log(mu[:kept]), -np.log(1.0 - np.arange(1, kept + 1) / n)
    return np.linalg.lstsq(x[:, None], y, rcond=None)[0][0]


SPECS = [
    MetricSpec("mle", params={"k": 20}),
    MetricSpec("mle", params={"k": 5, "average": "mean"}),
    MetricSpec("twonn"),
    MetricSpec("mle", params={"k": 5}),
]


def direct(spec, distance):
    if spec.metric == "twonn":
        return direct_twonn(distance, 0.9)
    return direct_mle(distance, spec.integer("k"), spec.params["average"])


def test_values_equal_the_definitions():
    n = 200
    x = np.random.RandomState(0).standard_normal((n, 4))
    distance, index = lists(x, 45)
    for spec, scored in zip(SPECS, estimates(SPECS, distance, index), strict=True):
        assert scored.value == pytest.approx(direct(spec, distance), rel=1e-12)
        assert 0.0 < scored.ci_low < scored.value < scored.ci_high


def thick(n, rng):
    """Some rows on a line, others in a volume: places differ in dimension."""
    x = rng.normal(size=(n, 6))
    x[: n // 2, 1:] *= 0.02
    return x[rng.permutation(n)]


def groups(n, rng):
    """Groups of 6 to 70 rows: some are smaller than the k neighbours that are read."""
    sizes = np.geomspace(1.0, 12.0, 12)
    which = rng.choice(12, n, p=sizes / sizes.sum())
    return 3.0 * np.random.default_rng(7).normal(size=(12, 10))[which] + rng.normal(size=(n, 10))


DATA = {
    "groups": lambda rng: groups(400, rng),
    "flat": lambda rng: rng.uniform(size=(400, 2)),
    "wide": lambda rng: rng.normal(size=(400, 10)),
    "thick": lambda rng: thick(400, rng),
}


@pytest.mark.parametrize("data", DATA)
def test_intervals_are_as_wide_as_estimates_scatter(data):
    specs = [
        MetricSpec("twonn"),
        MetricSpec("mle", params={"k": 5}),
        MetricSpec("mle", params={"k": 30}),
    ]
    logs, widths = [], []
    for seed in range(60):
        found = estimates(specs, *lists(DATA[data](np.random.default_rng(seed)), 36))
        logs.append([np.log(s.value) for s in found])
        widths.append([np.log(s.ci_high / s.ci_low) / 4.0 for s in found])
    ratio = np.sqrt(np.square(widths).mean(axis=0)) / np.std(logs, axis=0, ddof=1)
    # The deviation of 60 values is itself known to a tenth.
    assert (ratio > 0.75).all(), ratio
    assert (ratio < 1.5).all(), ratio


def test_an_estimate_that_jumps_with_the_size_of_a_group_is_marked():
    rng = np.random.default_rng(3)
    x = 30.0 * rng.normal(size=(8, 10))[np.arange(400) % 8] + rng.normal(size=(400, 10))
    specs = [MetricSpec("mle", params={"k": k}) for k in (10, 25, 49)]
    for spec, scored in zip(specs, estimates(specs, *lists(x, 60)), strict=True):
        assert ("near the number of rows of a group" in scored.note) == (spec.integer("k") == 49)


def test_the_interval_of_a_few_rows_is_positive():
    x = np.random.default_rng(0).normal(size=(40, 3))
    for scored in estimates(
        [MetricSpec("twonn"), MetricSpec("mle", params={"k": 3})], *lists(x, 25)
    ):
        assert 0.0 < scored.ci_low < scored.value < scored.ci_high


def test_what_cannot_be_estimated_says_why_and_spoils_no_other():
    x = np.random.RandomState(1).standard_normal((30, 2))
    distance, _ = lists(x, 29)
    specs = [MetricSpec("mle", params={"k": 40}), MetricSpec("mle", params={"k": 5})]
    first, second = estimates(specs, distance)
    assert "k = 40 needs at least 41 distinct rows, got 30" in first.reason
    assert second.value is not None
    assert second.ci_low is None
    with pytest.raises(MetricInputError, match="lists of 25 distances, got 20"):
        estimates([MetricSpec("mle", params={"k": 25})], distance[:, :20])
    grid = np.ones((40, 6))
    assert "equally far" in estimates([MetricSpec("mle", params={"k": 4})], grid)[0].reason
    grid[3, 0] = 0.0
    for score in estimates(SPECS[1:], grid):
        assert "distance zero" in score.reason
