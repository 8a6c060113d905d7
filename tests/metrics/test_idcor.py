"""IdCor against brute force in float64, the calibration of its p-value, and its bad input.

Tolerance: 1e-9 relative for dimensions (1e-7 where the float64 reference itself loses
digits: near-duplicates at 1e-7 of the spread).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import kstest, t

from matteralign.metrics import (
    MetricInputError,
    MetricSpec,
    MetricSpecError,
    NotApplicable,
    compare,
)
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.dimension.correlation import idcor, idcor_all
from matteralign.metrics.dimension.joint import GROUP, TILE, permutations

N = TILE + 150  # two tiles and three groups


def standardised(x):
    x = x - x.mean(axis=0)
    x = x - x.mean(axis=0)
    sd = x.std(axis=0)
    return x[:, sd > 0] / sd[sd > 0]


def twonn_slope(mu, fraction=0.9):
    kept = int(len(mu) * fraction)
    rise = -np.log1p(-np.arange(1, kept + 1) / len(mu))
    mu = np.sort(mu)[:kept]
    return (mu @ rise) / (mu @ mu)


def brute_dimension(z, fraction=0.9):
    """TwoNN as in Facco et al., from all distances of the distinct rows."""
    distances = cdist(*(2 * [np.unique(z, axis=0)]))
    np.fill_diagonal(distances, np.inf)
    distances.sort(axis=1)
    return twonn_slope(np.log(distances[:, 1] / distances[:, 0]), fraction)


def brute(x, y, fraction=0.9):
    a, b = standardised(x), standardised(y)
    return [brute_dimension(z, fraction) for z in (a, b, np.hstack([a, b]))]


def curved(n=N, seed=0, dx=20, dy=35):
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((n, 3))
    x = np.tanh(hidden @ rng.standard_normal((3, dx)))
    y = np.cos(hidden @ rng.standard_normal((3, dy)))
    return x, y, rng


def stress(case):
    x, y, rng = curved()
    n = len(x)
    if case == "offset":
        return x + 1e6, y - 1e7
    if case == "outlier column":
        return x * np.r_[1e6, np.ones(x.shape[1] - 1)], y
    if case == "outlier row":
        x[17] *= 1e4
    if case == "near duplicates":
        x = np.repeat(x[: n // 10 + 1], 10, axis=0)[:n] + 1e-7 * rng.standard_normal(x.shape)
        y = np.repeat(y[: n // 10 + 1], 10, axis=0)[:n] + 1e-7 * rng.standard_normal(y.shape)
    if case == "duplicates of both":
        x[-100:], y[-100:] = x[:100], y[:100]
    if case == "duplicates of one":
        x[-100:] = x[:100]
    if case == "constant column":
        x[:, 3] = 7.0
    if case == "one dimension":
        return x[:, :1], np.sin(3 * x[:, :1])
    if case == "wide":
        return rng.standard_normal((60, 300)), rng.standard_normal((60, 200))
    if case == "huge":
        return x * 1e200, y * 1e-200
    if case == "lattice":
        return rng.integers(0, 6, (n, 4)).astype(float), y
    return x, y


CASES = ["plain", "offset", "outlier column", "outlier row", "near duplicates", "wide", "huge",
         "duplicates of both", "duplicates of one", "constant column", "one dimension"]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_equals_brute_force(case):
    x, y = stress(case)
    found = idcor(x, y, permutations=0)
    scale = {"huge": (1e-200, 1e200)}.get(case, (1.0, 1.0))
    i1, i2, i12 = brute(x * scale[0], y * scale[1])
    rel = 1e-7 if case == "near duplicates" else 1e-9
    assert (found.i1, found.i2, found.i12) == pytest.approx((i1, i2, i12), rel=rel)
    assert found.value == pytest.approx((i1 + i2 - i12) / max(i1, i2), rel=10 * rel)
    assert found.duplicates == (100 if case == "duplicates of both" else 0)
    assert found.n == len(x) - found.duplicates


@pytest.mark.parametrize("case", ["plain", "offset", "duplicates of one", "near duplicates"])
def test_null_equals_brute_force(case):
    x, y = stress(case)
    if case == "duplicates of one":
        y[5:40] = y[4]
    found = idcor(x, y, permutations=4, seed=3)
    _, partners = permutations(len(x), 4, 3)
    values = []
    below = 0
    for partner in partners:
        i1, i2, i12 = brute(x, y)
        shuffled = brute(x, y[partner])[2]
        values.append((i1 + i2 - shuffled) / max(i1, i2))
        below += shuffled <= i12
    rel = 1e-6 if case == "near duplicates" else 1e-8
    assert found.null_mean == pytest.approx(np.mean(values), rel=rel)
    assert found.null_sd == pytest.approx(np.std(values, ddof=1), rel=1e-4)
    assert found.null_p == (1 + below) / 5


def test_permutations_are_permutations_within_groups():
    groups, partners = permutations(N, 3, 1)
    assert sorted(np.concatenate(groups)) == list(range(N))
    assert max(map(len, groups)) <= GROUP
    for partner in partners:
        assert all(set(partner[group]) == set(group) for group in groups)
    assert len({partner.tobytes() for partner in partners}) == 3
    # Groups are drawn, so sorted rows do not stay among their likes.
    assert np.ptp(groups[0]) > N // 2


def test_all_pairs_equal_single_pairs_whatever_the_threads_and_memory():
    x, y, rng = curved(300)
    embeddings = [x, y, rng.standard_normal((300, 4)), np.sin(x[:, :6])]
    pairs = list(combinations(range(4), 2))
    told = []
    together = idcor_all(
        embeddings, pairs, permutations=5, resources=Resources(progress=told.append)
    )
    assert told == sorted(set(told))
    assert told[-1] == 1.0
    assert together == [idcor(embeddings[a], embeddings[b], permutations=5) for a, b in pairs]
    assert together == idcor_all(embeddings, pairs, permutations=5, resources=Resources(threads=3))
    assert together == idcor_all(
        embeddings, pairs, permutations=5, resources=Resources(memory_bytes=1)
    )


def test_p_is_uniform_under_independence():
    def p(seed):
        rng = np.random.default_rng(seed)
        x, y = rng.standard_normal((60, 2)), rng.uniform(size=(60, 3))
        return idcor(x, y, permutations=19, seed=seed).null_p

    ps = np.array([p(seed) for seed in range(200)])
    assert kstest(ps - 0.025, "uniform").pvalue > 0.01
    # 10 of 200 expected at the 5 % level.
    assert 3 <= (ps <= 0.05).sum() <= 20


def test_independent_data_is_at_its_null():
    rng = np.random.default_rng(5)
    found = idcor(rng.standard_normal((900, 3)), rng.standard_normal((900, 3)), permutations=30)
    assert abs(found.value - found.null_mean) < 4 * found.null_sd
    assert found.null_p > 0.02


def test_the_floor_is_in_the_interval_of_independent_data():
    held = 0
    for seed in range(20):
        rng = np.random.default_rng([seed, 3])
        x, y = rng.standard_normal((150, 3)), rng.standard_normal((150, 4))
        found = idcor(x, y, permutations=19, seed=seed)
        held += found.ci_low < found.null_mean < found.ci_high
    # 19 of 20 expected.
    assert held >= 16


@pytest.mark.parametrize("function", [np.sin, np.square, np.cos])
def test_dependence_without_linear_correlation_is_detected(function):
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (700, 2))
    y = function(4 * x) + 0.02 * rng.standard_normal(x.shape)
    found = idcor(x, y, permutations=49)
    assert found.null_p == 0.02
    assert found.value > found.null_mean + 5 * found.null_sd


def brute_interval(x, y):
    """The interval from all distances, leaving rows out one by one."""
    a, b = standardised(x), standardised(y)
    n = len(x)
    dimensions, pulls, links = [], [], set()
    for z in (a, b, np.hstack([a, b])):
        first = np.sort(np.unique(z, axis=0, return_index=True)[1])
        distances = cdist(z[first], z[first])
        np.fill_diagonal(distances, np.inf)
        links |= {frozenset((i, first[j])) for i, j in zip(first, distances.argmin(1), strict=True)}
        near = np.sort(distances, axis=1)
        mu = np.log(near[:, 1] / near[:, 0])
        dimensions.append(twonn_slope(mu))
        without = np.array([twonn_slope(np.delete(mu, i)) for i in range(len(mu))])
        pull = np.zeros(n)
        pull[first] = without.mean() - without
        pulls.append(pull)
    i1, i2, i12 = dimensions
    value = (i1 + i2 - i12) / max(i1, i2)
    pull = pulls[0] + pulls[1] - pulls[2] - value * pulls[int(i2 > i1)]
    pull /= max(i1, i2)
    variance = np.sum(pull**2) + 2 * sum(np.prod(pull[list(pair)]) for pair in links)
    half = t.ppf(0.975, len(first) / 10) * np.sqrt(variance)
    return value - half, value + half


@pytest.mark.parametrize("case", ["plain", "duplicates of both", "duplicates of one"])
def test_interval_equals_brute_force(case):
    x, y = stress(case)
    x, y = x[-220:], y[-220:]
    if case.startswith("duplicates"):
        x[:30] = x[40:70]
    if case == "duplicates of both":
        y[:30] = y[40:70]
    found = idcor(x, y, permutations=0)
    assert (found.ci_low, found.ci_high) == pytest.approx(brute_interval(x, y), rel=1e-7)


@pytest.mark.parametrize(("relation", "most"), [("apart", 1.2), ("alike", 1.2), ("the same", 2.0)])
def test_interval_covers_at_its_rate(relation, most):
    def draw(seed):
        rng = np.random.default_rng([seed, 7])
        x, noise = rng.standard_normal((150, 4)), rng.standard_normal((150, 4))
        near = {"apart": noise[:, :3], "alike": 0.8 * x + 0.6 * noise, "the same": x + 0.02 * noise}
        return idcor(x, near[relation], permutations=0)

    found = [draw(seed) for seed in range(250)]
    values = np.array([f.value for f in found])
    half = np.array([f.ci_high - f.ci_low for f in found]) / 2
    covered = (np.abs(values - values.mean()) < half).mean()
    assert 0.91 <= covered <= (0.985 if most < 2.0 else 1.0)
    # Of equal dimensions either is the larger, which overstates what little is left to vary.
    assert 0.85 <= np.sqrt((half**2).mean()) / t.ppf(0.975, 15) / values.std(ddof=1) <= most


def test_a_sweep_ends_at_the_value_and_has_no_statistics_unasked():
    x, y, _ = curved(300)
    spec = MetricSpec("idcor", "", {"permutations": 9})
    options = {"sweep": True, "statistics": False}
    there, back = (s.scored for s in compare({"x": x, "y": y}, [("x", "y")], [spec], **options))
    assert there == back
    assert there.null_p is there.null_mean is there.ci_low is None
    assert [p.n for p in there.sweep] == [18, 37, 75, 150, 300]
    assert there.sweep[-1].value == there.value
    assert there.sweep[2].value == idcor(x[:75], y[:75], permutations=0).value
    full = next(iter(compare({"x": x, "y": y}, [("x", "y")], [spec]))).scored
    assert full.sweep == ()
    assert (full.value, full.null_p) == (there.value, 0.1)
    assert full.null_sd > 0.0
    assert full.ci_low < full.value < full.ci_high


def test_interval_covers_the_value_and_shrinks():
    narrow, wide = (idcor(*curved(n)[:2], permutations=0) for n in (1500, 150))
    for found in (narrow, wide):
        assert found.ci_low < found.value < found.ci_high
    assert narrow.ci_high - narrow.ci_low < wide.ci_high - wide.ci_low
    assert idcor(*curved(31)[:2], permutations=0).ci_low is None
    x, y, _ = curved(150)
    (bare,) = idcor_all([x, y], [(0, 1)], permutations=0, intervals=False)
    assert bare == replace(wide, ci_low=None, ci_high=None)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), n=st.integers(4, 90), dx=st.integers(1, 5), dy=st.integers(1, 5))
def test_claimed_properties(seed, n, dx, dy):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, dx)), rng.standard_normal((n, dy))
    info = MetricSpec("idcor").definition_info
    plain = idcor(x, y, permutations=0)
    assert info.symmetric
    assert idcor(y, x, permutations=0).value == pytest.approx(plain.value, rel=1e-12, abs=1e-12)
    assert info.invariances == {"permutation", "scale", "translation"}
    moved = idcor(3.7 * x - 2.0, 0.01 * y + 5.0, permutations=0)
    assert moved.value == pytest.approx(plain.value, rel=1e-6, abs=1e-8)
    order = rng.permutation(n)
    ordered = idcor(x[order], y[order], permutations=0)
    assert ordered.value == pytest.approx(plain.value, rel=1e-9, abs=1e-10)
    assert info.identical == pytest.approx(idcor(x, x, permutations=0).value, rel=1e-9)


def test_no_value():
    x, y, _ = curved(40)
    with pytest.raises(NotApplicable, match="y is constant"):
        idcor(x, np.ones((40, 3)))
    with pytest.raises(NotApplicable, match="at least 3"):
        idcor(x[:2], y[:2])
    with pytest.raises(NotApplicable, match="x is constant"):
        idcor(x[:1], y[:1])
    with pytest.raises(NotApplicable, match="x: twonn: r2 = r1"):
        idcor(np.arange(40.0)[:, None], y)
    with pytest.raises(NotApplicable, match=r"x: twonn .*at least 3 rows, got 2"):
        idcor(np.repeat([[0.0], [1.0]], 20, axis=0), y)
    rest = idcor_all([x, np.ones((40, 1)), y], [(0, 1), (0, 2)], permutations=0, names="abc")
    assert isinstance(rest[0], NotApplicable)
    assert "b is constant" in str(rest[0])
    assert rest[1] == idcor(x, y, permutations=0)


def test_bad_input():
    x, y, _ = curved(40)
    hole = x.copy()
    hole[3, 1] = np.nan
    for bad in (hole, x.astype(complex), x[:, :0], x[0]):
        with pytest.raises(MetricInputError):
            idcor(bad, y)
    with pytest.raises(MetricInputError, match="x has 39 rows"):
        idcor(x[:39], y)
    for wrong in ({"fraction": 1.0}, {"permutations": -1}, {"seed": -1}):
        with pytest.raises(MetricSpecError):
            idcor(x, y, **wrong)
    for wrong in ({"threads": 0}, {"memory_bytes": 0}):
        with pytest.raises(MetricInputError):
            idcor(x, y, **wrong)
    for pair in ((0, 0), (0, 2), (-1, 0)):
        with pytest.raises(MetricInputError, match="pair"):
            idcor_all([x, y], [pair])
    assert idcor_all([], []) == []
