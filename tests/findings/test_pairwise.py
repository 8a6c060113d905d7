"""Agreement of two matrices of scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from skbio import DistanceMatrix
from skbio.stats.distance import mantel

from matteralign.findings.pairwise import matrix_correlation


def symmetric(rng: np.random.Generator, size: int) -> np.ndarray:
    half = np.triu(rng.random((size, size)), 1)
    return half + half.T


@given(st.integers(3, 12), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_the_correlation_is_that_of_scipy_over_the_pairs(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = symmetric(rng, size), symmetric(rng, size)
    upper = np.triu_indices(size, 1)
    found = matrix_correlation(a, b, permutations=1)
    assert found.value == pytest.approx(spearmanr(a[upper], b[upper]).statistic, abs=1e-12)
    assert (found.models, found.pairs) == (size, size * (size - 1) // 2)


def test_the_p_value_is_near_that_of_an_independent_mantel_test() -> None:
    rng = np.random.default_rng(3)
    a = symmetric(rng, 10)
    b = 0.25 * a + symmetric(rng, 10)
    found = matrix_correlation(a, b, permutations=4999)
    told = mantel(DistanceMatrix(a), DistanceMatrix(b), method="spearman", permutations=4999)
    assert found.value == pytest.approx(told[0], abs=1e-12)
    # Two estimates of one probability from 5,000 draws each.
    assert abs(found.p - told[1]) < 4 * math.sqrt(2 * told[1] * (1 - told[1]) / 5000)


def test_the_interval_covers_the_correlation_of_all_models() -> None:
    # Models are points of a plane; the second distance sees the first coordinate alone.
    rng = np.random.default_rng(0)

    def matrices(size: int) -> tuple[np.ndarray, np.ndarray]:
        points = rng.normal(size=(size, 2))
        gaps = np.abs(points[:, None] - points[None])
        return np.hypot(gaps[..., 0], gaps[..., 1]), gaps[..., 0]

    truth = matrix_correlation(*matrices(400), permutations=1).value
    inside = 0
    for _ in range(120):
        found = matrix_correlation(*matrices(15), permutations=0)
        inside += found.low <= truth <= found.high
    assert inside / 120 > 0.88  # 0.95 less three standard errors and the bias of few models


def test_identical_matrices_agree_fully_and_constant_ones_have_no_correlation() -> None:
    a = symmetric(np.random.default_rng(1), 8)
    found = matrix_correlation(a, a)
    assert (found.value, found.p) == (1.0, pytest.approx(1 / 1000))
    assert found.low > 0.999
    assert math.isnan(matrix_correlation(a, np.ones((8, 8))).value)


def test_four_models_have_a_value_and_nothing_more() -> None:
    rng = np.random.default_rng(2)
    found = matrix_correlation(symmetric(rng, 4), symmetric(rng, 4))
    assert math.isfinite(found.value)
    assert math.isnan(found.low) and math.isnan(found.p)


def test_missing_pairs_are_refused() -> None:
    a = symmetric(np.random.default_rng(1), 6)
    a[0, 1] = a[1, 0] = np.nan
    with pytest.raises(ValueError, match="no finite score"):
        matrix_correlation(a, a)
