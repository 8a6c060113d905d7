"""Null, interval and sweep of the reconstruction errors: exact parts exactly, rates by seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from matteralign.metrics import MetricSpec, compare
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.reconstruction.scores import gfre_all, lfre_all
from matteralign.metrics.reconstruction.splits import default_split
from matteralign.stats.permutation import row_order

K = 12


def gfre(x, y, **options):
    return gfre_all([x, y], [(0, 1)], **options)[0]


def lfre(x, y, **options):
    return lfre_all([x, y], [(0, 1)], [K], **options)[0][K]


ERRORS = pytest.mark.parametrize("error", [gfre, lfre])


def independent(n, seed):
    rng = np.random.default_rng([n, seed])
    return rng.standard_normal((n, 2)), rng.standard_normal((n, 3))


def correlated(n, seed):
    rng = np.random.default_rng([n, seed])
    x = rng.standard_normal((n, 3))
    return x, 0.8 * x + 0.6 * rng.standard_normal((n, 3))


@ERRORS
@pytest.mark.parametrize("threads", [1, 3])
def test_null_is_that_of_reordered_targets(error, threads):
    x, y = correlated(60, 0)
    found = error(x, y, permutations=5, seed=4, resources=Resources(threads=threads))
    again = [error(x, y[row_order(60, 4, q)], seed=4).value for q in range(5)]
    assert found.null_mean == pytest.approx(np.mean(again), rel=1e-12)
    assert found.null_sd == pytest.approx(np.std(again, ddof=1), rel=1e-9)
    assert found.null_p == (1 + sum(v <= found.value for v in again)) / 6
    orders = [row_order(60, 4, q) for q in range(5)]
    assert all(sorted(order) == list(range(60)) for order in orders)
    assert len({order.tobytes() for order in orders}) == 5


@ERRORS
def test_p_is_uniform_under_independence(error):
    ps = [error(*independent(40, s), permutations=19, seed=s).null_p for s in range(200)]
    # The p-values are multiples of 1 / 20.
    assert stats.kstest(np.array(ps) - 0.025, "uniform").pvalue > 0.01
    # 10 of 200 expected at the 5 % level.
    assert 3 <= (np.array(ps) <= 0.05).sum() <= 20


@ERRORS
def test_independent_data_is_at_its_floor(error):
    held = 0
    for seed in range(20):
        found = error(*independent(120, seed), permutations=19, intervals=True)
        assert abs(found.value - found.null_mean) < 4 * found.null_sd
        held += found.ci_low < found.null_mean < found.ci_high
    # 19 of 20 expected.
    assert held >= 16


@ERRORS
def test_correlated_data_is_detected(error):
    for seed in range(4):
        found = error(*correlated(200, seed), permutations=19)
        assert found.null_p == 0.05
        assert found.value < found.null_mean - 4 * found.null_sd


def test_each_direction_has_its_own_null():
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (300, 1))
    arrays = {"x": x, "both": np.hstack([x, x**2])}
    spec = MetricSpec("gfre", "", {"permutations": 19})
    there, back = (s.scored for s in compare(arrays, [("x", "both")], [spec]))
    assert there.value > 0.3 > 1e-9 > back.value
    assert there.null_p == back.null_p == 0.05
    assert there.null_mean != back.null_mean
    # A line does not give a square, neither does it look so.
    square = next(iter(compare({"x": x, "y": x**2}, [("x", "y")], [spec]))).scored
    assert square.null_p > 0.05


@ERRORS
@pytest.mark.parametrize("draw", [independent, correlated])
def test_interval_covers_at_its_rate(error, draw):
    found = [error(*draw(120, seed), intervals=True, seed=seed) for seed in range(200)]
    values = np.array([f.value for f in found])
    half = np.array([f.ci_high - f.ci_low for f in found]) / 2
    assert 0.88 <= (np.abs(values - values.mean()) < half).mean() <= 0.99
    # 2.13 is Student's t of 16 blocks. Without the scatter of the scaling this is 0.7.
    assert 0.85 <= np.sqrt((half**2).mean()) / 2.13 / values.std(ddof=1) <= 1.2


@ERRORS
def test_interval_is_that_of_blocks_left_out(error):
    x, y = correlated(64, 1)
    found = error(x, y, intervals=True)
    assert found.ci_low < found.value < found.ci_high
    assert found.value - found.ci_low == pytest.approx(found.ci_high - found.value)
    bare = error(x, y)
    assert (bare.value, bare.ci_low, bare.null_p) == (found.value, None, None)
    assert error(x[:31], y[:31], intervals=True).ci_low is None


@ERRORS
def test_statistics_can_be_left_out(error):
    x, y = correlated(64, 1)
    spec = MetricSpec(error.__name__, "", {"k": K} if error is lfre else {})
    options = {"statistics": False, "sweep": True}
    for s in compare({"x": x, "y": y}, [("x", "y")], [spec], **options):
        assert s.scored.null_mean is s.scored.null_p is s.scored.ci_low is None
        assert len(s.scored.sweep) > 1
    with_them = next(iter(compare({"x": x, "y": y}, [("x", "y")], [spec]))).scored
    assert with_them.null_p == pytest.approx(1 / 21)
    assert with_them.ci_low < with_them.value < with_them.ci_high


@ERRORS
def test_no_null_where_a_permutation_leaves_the_training_rows_constant(error):
    x, _ = independent(40, 0)
    known = []
    for row in default_split(40, 0).train:
        y = np.zeros((40, 1))
        y[row] = 1.0
        found = error(x, y, permutations=3)
        known.append(found.null_p is not None)
        # In each order the row that is not zero has to be a training row.
        there = [row in row_order(40, 0, q)[default_split(40, 0).train] for q in range(3)]
        assert known[-1] == all(there)
    assert any(known)
    assert not all(known)


@ERRORS
def test_a_row_beyond_all_measure_is_a_reason_and_no_number(error):
    x, y = correlated(60, 2)
    y[default_split(60, 0).test[3]] = 1e200
    found = error(x, y * 1e-100, permutations=5, intervals=True)
    assert found.value is None
    assert "overflows" in found.reason


@ERRORS
@pytest.mark.parametrize("turned", [False, True])
def test_a_test_row_that_leaves_nothing_of_the_training_rows_is_a_reason(error, turned):
    x, y = correlated(60, 0)
    x = x * 1e-30
    x[default_split(60, 0).test[0]] = 1e300
    found = error(*((y, x) if turned else (x, y)), permutations=2)
    assert found.value is None
    assert "overflows" in found.reason
