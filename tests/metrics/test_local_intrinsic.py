"""Intrinsic dimensions of many k from one list, and their replicates, against direct sums."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from matteralign.metrics import MetricInputError, MetricSpec
from matteralign.metrics.intrinsic import ListBlocks, estimates
from matteralign.stats.blocks import block_of


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


def test_values_and_replicates_equal_the_definitions():
    n = 200
    x = np.random.RandomState(0).standard_normal((n, 4))
    distance, index = lists(x, 45)
    block = block_of(n)
    found = estimates(SPECS, distance, ListBlocks(block, block[index]))
    for spec, score in zip(SPECS, found, strict=True):
        assert score.value == pytest.approx(direct(spec, distance), rel=1e-12)
        for lane in range(16):
            left = lists(x[block != lane], 20)[0]
            assert score.replicates[lane] == pytest.approx(direct(spec, left), rel=1e-10)
        row = score.scored()
        assert row.ci_low < row.value < row.ci_high


def test_intervals_cover_the_dimension_of_flat_data():
    hits = 0
    for seed in range(30):
        x = np.random.RandomState(seed).random_sample((1500, 2))
        distance, index = lists(x, 12)
        block = block_of(1500)
        row = estimates([MetricSpec("twonn")], distance, ListBlocks(block, block[index]))[0]
        low, high = row.scored().ci_low, row.scored().ci_high
        hits += low <= 2.0 <= high
    assert hits >= 23  # 95 % of 30 misses 8 in 1 of 10,000 runs


def test_what_cannot_be_estimated_says_why_and_spoils_no_other():
    x = np.random.RandomState(1).standard_normal((30, 2))
    distance, _ = lists(x, 29)
    specs = [MetricSpec("mle", params={"k": 40}), MetricSpec("mle", params={"k": 5})]
    first, second = estimates(specs, distance)
    assert "k = 40 needs at least 41 distinct rows, got 30" in first.reason
    assert second.value is not None
    assert second.scored().ci_low is None
    with pytest.raises(MetricInputError, match="lists of 25 distances, got 20"):
        estimates([MetricSpec("mle", params={"k": 25})], distance[:, :20])
    grid = np.ones((40, 6))
    assert "equally far" in estimates([MetricSpec("mle", params={"k": 4})], grid)[0].reason
    grid[3, 0] = 0.0
    for score in estimates(SPECS[1:], grid):
        assert "distance zero" in score.reason
