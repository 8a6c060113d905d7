"""Permutation nulls and intervals of neighbour statistics against what they must be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from matteralign.stats.neighbours import interval, standard_error
from matteralign.stats.permutation import permutation_null


def test_p_counts_the_observed_score_and_looks_one_way():
    permuted = [1.0, 2.0, 3.0, 4.0]
    small = permutation_null(2.0, permuted, smaller_is_closer=True)
    large = permutation_null(2.0, permuted, smaller_is_closer=False)
    assert (small.p, large.p) == (3 / 5, 4 / 5)
    assert small.mean == 2.5
    assert small.sd == pytest.approx(math.sqrt(5 / 3))
    assert permutation_null(0.0, permuted, smaller_is_closer=True).p == 1 / 5


def test_no_permutation_has_no_null_and_one_no_deviation():
    assert permutation_null(1.0, [], smaller_is_closer=True) is None
    assert permutation_null(1.0, [1.0, math.nan], smaller_is_closer=True) is None
    assert permutation_null(1.0, [1.0, math.inf], smaller_is_closer=True) is None
    assert permutation_null(1.0, [2.0], smaller_is_closer=True).sd is None


def test_terms_that_neighbours_share_count_as_one():
    rng = np.random.default_rng(0)
    own = rng.standard_normal(50)
    terms = np.repeat(own, 2)
    partner = np.arange(100) ^ 1
    # Each pair is one term of twice the size, however often it is named.
    expected = math.sqrt(np.sum((2 * own) ** 2))
    for nearest in (
        [partner],
        [partner, partner],
        [np.where(partner % 2 > 0, partner, -1), partner],
    ):
        assert standard_error(terms, nearest) == pytest.approx(expected)
    nobody = np.full(100, -1)
    assert standard_error(terms, [nobody]) == pytest.approx(math.sqrt(np.sum(terms**2)))
    low, high = interval(3.0, terms, [partner])
    assert (low + high) / 2 == pytest.approx(3.0)
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 10) * expected)


def test_rows_that_take_no_part_are_not_counted():
    terms = np.append(np.arange(40.0) - 19.5, np.zeros(60))
    partner = np.append(np.arange(40) ^ 1, np.full(60, -1))
    assert interval(0.0, terms, [partner]) == interval(0.0, terms[:40], [partner[:40]])
    assert interval(0.0, terms, [np.where(np.arange(100) < 31, partner, -1)]) is None


def test_what_has_no_spread_has_no_interval():
    alternating = np.tile([1.0, -1.0], 20)
    assert standard_error(alternating, [np.arange(40) ^ 1]) is None
    assert interval(0.0, np.full(40, np.nan), [np.arange(40) ^ 1]) is None
    assert interval(0.0, np.ones(31), [np.full(31, -1)]) is None
