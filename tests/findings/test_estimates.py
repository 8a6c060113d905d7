"""Differences, ratios, means and slopes of scores: closed forms, coverage, unlucky orders."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from matteralign.findings.replicates.estimates import (
    Estimate,
    NoEstimate,
    difference,
    estimate,
    mean,
    ratio,
    slope,
)
from matteralign.findings.replicates.ranking import ranks
from matteralign.metrics import MetricSpec, compare

B, ROWS = 16, 20


def scores_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of columns and the same without each block of rows."""
    blocks = x.reshape(B, ROWS, -1)
    left = (blocks.sum(axis=(0, 1)) - blocks.sum(axis=1)).T / (ROWS * (B - 1))
    return x.mean(axis=0), left


@pytest.fixture(scope="module")
def columns() -> np.ndarray:
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(B * ROWS, 1))
    return 2.0 + shared + 0.3 * rng.normal(size=(B * ROWS, 4))


def test_the_difference_of_two_means_is_the_paired_t_test_of_their_blocks(
    columns: np.ndarray,
) -> None:
    values, left = scores_of(columns)
    found = difference(values[:2], left[:2])
    apart = columns.reshape(B, ROWS, -1).mean(axis=1) @ np.array([1.0, -1.0, 0.0, 0.0])
    known = stats.ttest_1samp(apart, 0.0)
    low, high = known.confidence_interval(0.95)
    assert found.value == pytest.approx(apart.mean())
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p == pytest.approx(known.pvalue)
    # As if they were independent it would be three times as wide.
    each = [estimate(lambda s, i=i: float(s[i]), values, left).error for i in (0, 1)]
    assert found.error is not None and None not in each
    assert found.error < 0.5 * math.hypot(*each)


def test_means_and_slopes_are_those_of_their_combination_of_columns(columns: np.ndarray) -> None:
    values, left = scores_of(columns)
    x = np.array([1.0, 2.0, 4.0, 7.0])
    for found, weights in (
        (mean(values, left), np.full(4, 0.25)),
        (slope(x, values, left), (x - x.mean()) / ((x - x.mean()) ** 2).sum()),
    ):
        one, its = scores_of(columns @ weights)
        known = estimate(lambda s: float(s[0]), one[None] if one.ndim == 0 else one, its)
        assert (found.value, found.low, found.high) == pytest.approx(
            (known.value, known.low, known.high)
        )
    assert slope(x, values, left).value == pytest.approx(stats.linregress(x, values).slope)


def test_a_ratio_is_the_difference_of_logarithms(columns: np.ndarray) -> None:
    values, left = scores_of(columns)
    found, logs = ratio(values[:2], left[:2]), difference(np.log(values[:2]), np.log(left[:2]))
    assert found.value == pytest.approx(math.exp(logs.value))
    assert (found.low, found.high) == pytest.approx((math.exp(logs.low), math.exp(logs.high)))
    assert found.p == pytest.approx(logs.p)
    assert found.null == 1.0


def test_what_cannot_be_had_is_said() -> None:
    left = np.zeros((2, B))
    with pytest.raises(NoEstimate, match="one sign"):
        ratio(np.array([1.0, -1.0]), left)
    with pytest.raises(NoEstimate, match="not finite"):
        ratio(np.array([1.0, 0.0]), left)
    with pytest.raises(NoEstimate, match="two different numbers"):
        slope(np.ones(2), np.ones(2), left)


def test_without_replicates_there_is_a_value_and_no_interval() -> None:
    assert difference(np.array([0.5, 0.2]), None) == Estimate(0.3, None, None, None, None)


def test_equal_scores_do_not_differ() -> None:
    left = np.tile(np.random.default_rng(0).normal(size=B), (2, 1)).astype(np.float32)
    found = difference(np.array([0.5, 0.5]), left.astype(np.float64))
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


SPECS = [MetricSpec("cka"), MetricSpec("mutual_knn", "euclidean", {"k": 10})]
NOISE = {"clear": 1.0, "as clear": 1.0, "dim": 3.0}
SAMPLES = 50


@pytest.fixture(scope="module")
def differences() -> dict[tuple[str, str], list[Estimate]]:
    """Differences in samples of one population, by metric and by what is taken off "clear".

    Rows are things of many sizes, sorted by size, and how well x is seen depends on the size.
    """
    found: dict[tuple[str, str], list[Estimate]] = {}
    weights = np.random.default_rng(9).normal(size=(5, 8))
    for seed in range(SAMPLES):
        rng = np.random.default_rng(seed)
        size = np.sort(rng.exponential(size=(240, 1)), axis=0)
        x = (0.5 + size) * rng.normal(size=(240, 5))
        seen = {
            name: x @ weights + amount * (1.0 + size) * rng.normal(size=(240, 8))
            for name, amount in NOISE.items()
        }
        scores = compare({"x": x, **seen}, [("x", name) for name in seen], SPECS)
        scored = {(s.spec.metric, s.b): s.scored for s in scores}
        for spec in SPECS:
            one = scored[spec.metric, "clear"]
            for name in ("as clear", "dim"):
                two = scored[spec.metric, name]
                values = np.array([one.value, two.value])
                left = np.array([one.replicates, two.replicates])
                found.setdefault((spec.metric, name), []).append(difference(values, left))
    return found


@pytest.mark.parametrize("metric", ["cka", "mutual_knn"])
@pytest.mark.parametrize("other", ["as clear", "dim"])
def test_intervals_of_differences_hold_the_mean_difference(
    differences: dict[tuple[str, str], list[Estimate]], metric: str, other: str
) -> None:
    """At the same n, of rows sorted by size: 95 of 100 should, and 86 and more do by chance."""
    found = differences[metric, other]
    true = np.mean([one.value for one in found]) if other == "dim" else 0.0
    held = np.mean([one.low <= true <= one.high for one in found])
    assert held >= 0.86
    spread = np.std([one.value for one in found], ddof=1)
    width = np.sqrt(np.mean([one.error**2 for one in found])) / spread
    assert 0.75 < width < 2.0  # neighbours: too wide, see docs/statistics.md
    if other == "dim":  # planted, and never with the wrong sign
        assert not [one for one in found if one.high < 0]
        assert np.mean([one.low > 0 for one in found]) > 0.5
    else:
        assert np.mean([one.p < 0.05 for one in found]) <= 0.14


def test_ranks_are_those_of_the_planted_order() -> None:
    rng = np.random.default_rng(5)
    shared = rng.normal(size=(B * ROWS, 1))
    true = np.array([0.0, 0.02, 1.0, 1.5, 0.5])
    values, left = scores_of(true + shared + 0.5 * rng.normal(size=(B * ROWS, 5)))
    found = ranks(list("abcde"), values, left).set_index("name")
    assert found.loc["d", ["rank", "rank_low", "rank_high"]].tolist() == [1, 1, 1]
    assert found.loc["d", "p_best"] > 0.99
    assert found.loc["c", ["rank_low", "rank_high"]].tolist() == [2, 2]
    for name in "ab":  # not to be told apart
        assert found.loc[name, ["rank_low", "rank_high"]].tolist() == [4, 5]
    assert found["p_best"].sum() == pytest.approx(1.0)
    errors = ranks(list("abcde"), values, left, larger_is_better=False).set_index("name")
    assert (errors["rank"] + found["rank"] == 6).all()
    assert errors.loc["d", "p_best"] < 0.01


def test_all_ranks_lie_in_their_intervals_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """At least 95 of 100 times; 90 and more by chance."""
    monkeypatch.setattr("matteralign.findings.replicates.ranking.DRAWS", 10)
    true = np.array([0.0, 0.1, 0.1, 0.2, 0.3, 0.3])
    least, most = 1 + (true[:, None] < true).sum(axis=1), (true[:, None] <= true).sum(axis=1)
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        shared = rng.normal(size=(B * ROWS, 1))
        values, left = scores_of(true + shared + 0.4 * rng.normal(size=(B * ROWS, 6)))
        found = ranks(list("abcdef"), values, left).set_index("name").loc[list("abcdef")]
        low, high = found["rank_low"].to_numpy(), found["rank_high"].to_numpy()
        held += bool(((low <= least) & (most <= high)).all())
    assert held >= 90
