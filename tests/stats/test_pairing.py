"""Moments over all pairings of rows against enumeration; tails against scipy's laws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from matteralign.stats.pairing import (
    gamma_p,
    moments_of_edges,
    normal_p,
    pairing_null,
)
from tests.stats.dense import moments_of_matrix


def enumerated(a, b):
    """Mean and population standard deviation of T over every permutation."""
    n = len(a)
    a, b = a - np.diag(np.diag(a)), b - np.diag(np.diag(b))
    values = []
    for order in itertools.permutations(range(n)):
        p = list(order)
        values.append(math.fsum((a * b[np.ix_(p, p)]).ravel()))
    return np.mean(values), np.std(values)


@pytest.mark.parametrize("n", [4, 5, 6])
@pytest.mark.parametrize("seed", range(3))
def test_null_equals_enumeration_of_asymmetric_matrices(n, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n, n)) + rng.normal(size=(2, 1, 1)) * 5
    mean, sd = pairing_null(moments_of_matrix(a), moments_of_matrix(b), n)
    expected_mean, expected_sd = enumerated(a, b)
    assert mean == pytest.approx(expected_mean, rel=1e-10, abs=1e-10)
    assert sd == pytest.approx(expected_sd, rel=1e-9)


square = hnp.arrays(np.float64, (5, 5), elements=st.integers(-3, 3).map(float))


@settings(max_examples=40, deadline=None)
@given(square, square)
def test_null_equals_enumeration_of_any_small_integers(a, b):
    mean, sd = pairing_null(moments_of_matrix(a), moments_of_matrix(b), 5)
    expected_mean, expected_sd = enumerated(a, b)
    assert mean == pytest.approx(expected_mean, abs=1e-10)
    assert sd == pytest.approx(expected_sd, abs=1e-6)


def test_a_constant_offset_costs_no_digits_of_the_deviation():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 6))
    plain = pairing_null(moments_of_matrix(a), moments_of_matrix(b), 6)[1]
    far = pairing_null(moments_of_matrix(a + 1e4), moments_of_matrix(b + 1e4), 6)[1]
    assert far == pytest.approx(plain, rel=1e-6)


@given(
    hnp.arrays(np.float64, (7, 7), elements=st.sampled_from([0.0, 0.0, 0.0, 1.0, -2.5])),
    st.randoms(use_true_random=False),
)
def test_edges_have_the_moments_of_their_matrix(a, random):
    np.fill_diagonal(a, 0.0)
    rows, cols = np.nonzero(a)
    order = list(range(len(rows)))
    random.shuffle(order)
    rows, cols = rows[order], cols[order]
    mine = moments_of_edges(7, rows, cols, a[rows, cols])
    expected = moments_of_matrix(a)
    for name in vars(expected):
        assert getattr(mine, name) == pytest.approx(getattr(expected, name), abs=1e-12)


def test_fewer_than_four_rows_have_no_null():
    moments = moments_of_matrix(np.ones((3, 3)))
    assert pairing_null(moments, moments, 3) is None


@pytest.mark.parametrize("z", [-3.0, -0.5, 0.0, 1.7, 6.0])
@pytest.mark.parametrize("skewness", [-0.8, -1e-7, 0.0, 1e-3, 0.3, 2.0])
def test_tails_equal_scipys_pearson3_and_normal(z, skewness):
    value = 2.0 + 0.5 * z
    expected = stats.pearson3.sf(z, skewness)
    assert gamma_p(value, 2.0, 0.5, skewness) == pytest.approx(expected, rel=1e-6, abs=1e-14)
    assert normal_p(value, 2.0, 0.5) == pytest.approx(stats.norm.sf(z), rel=1e-12)


def test_a_null_of_one_value_is_never_exceeded():
    assert normal_p(1.0 + 1e-15, 1.0, 0.0) == 1.0
    assert gamma_p(1.0, 1.0, 0.0, 0.5) == 1.0
