"""The third moment under random pairing, against every permutation there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from matteralign.stats import third
from matteralign.stats.pairing import pairing_null
from matteralign.stats.third import third_moment, thirds_of_edges, thirds_of_sample
from tests.stats.dense import moments_of_matrix


def thirds(a):
    rows, cols = np.nonzero(a)
    return thirds_of_edges(len(a), rows, cols, a[rows, cols])


@pytest.mark.parametrize("n", [6, 7])
@pytest.mark.parametrize("kind", ["sparse", "dense", "lists", "one column"])
def test_third_moment_equals_that_over_all_permutations(n, kind):
    rng = np.random.default_rng(n)
    pair = []
    for _ in range(2):
        a = rng.normal(size=(n, n)) ** 2
        if kind == "sparse":
            a *= rng.random((n, n)) < 0.5
        if kind == "lists":
            a = (np.argsort(a, axis=1).argsort(axis=1) < 3).astype(float)
        if kind == "one column":
            a[:, 2:] = 0.0
        np.fill_diagonal(a, 0.0)
        pair.append(a)
    a, b = pair
    orders = itertools.permutations(range(n))
    sums = np.array([(a * b[np.ix_(p, p)]).sum() for p in orders])
    expected = ((sums - sums.mean()) ** 3).mean()
    found = third_moment(thirds(a), thirds(b), n)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9 * sums.std() ** 3)


def test_third_moment_of_hubs_equals_that_of_drawn_permutations():
    rng = np.random.default_rng(0)
    n, draws = 80, 20_000
    pair = []
    for _ in range(2):
        weight = rng.gamma(0.3, size=n)
        a = (rng.random((n, n)) < 0.3 * weight / weight.max()).astype(float)
        np.fill_diagonal(a, 0.0)
        pair.append(a)
    a, b = pair
    orders = (rng.permutation(n) for _ in range(draws))
    sums = np.array([(a * b[np.ix_(p, p)]).sum() for p in orders])
    _, sd = pairing_null(moments_of_matrix(a), moments_of_matrix(b), n)
    found = third_moment(thirds(a), thirds(b), n) / sd**3
    assert found > 0.5
    assert found == pytest.approx(stats.skew(sums), rel=0.15)


def test_sums_of_all_rows_as_a_sample_are_the_exact_ones():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(9, 9)) ** 3
    np.fill_diagonal(a, 0.0)
    a -= a.sum() / 72 * (1 - np.eye(9))
    assert thirds_of_sample(a, 9) == pytest.approx(thirds(a), rel=1e-9, abs=1e-8)


def test_triangles_of_some_rows_stand_for_those_of_all(monkeypatch):
    rng = np.random.default_rng(2)
    group = rng.integers(0, 20, 600)
    a = ((group[:, None] == group) & (rng.random((600, 600)) < 0.5)).astype(float)
    np.fill_diagonal(a, 0.0)
    exact = third_moment(thirds(a), thirds(a), 600)
    monkeypatch.setattr(third, "_MOST_PRODUCTS", 1)
    assert third_moment(thirds(a), thirds(a), 600) == pytest.approx(exact, rel=0.1)
