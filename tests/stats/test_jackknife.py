"""Standard errors from values without a block, and draws that vary as samples do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from matteralign.stats.jackknife import evened, interval, resampled, standard_error, two_sided_p

B, ROWS = 16, 50


def means_without_each(x: np.ndarray) -> np.ndarray:
    """Return the mean of each column without each block of `ROWS` rows, shape (m, B)."""
    blocks = x.reshape(B, ROWS, -1)
    return (blocks.sum(axis=(0, 1)) - blocks.sum(axis=1)).T / (ROWS * (B - 1))


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(B * ROWS, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    return x.mean(axis=0), means_without_each(x)


def test_draws_spread_as_the_mean_of_another_sample(sample: tuple[np.ndarray, np.ndarray]) -> None:
    values, replicates = sample
    drawn = resampled(values, replicates, 40_000, seed=1)
    errors = [standard_error(r) for r in replicates]
    # Student's t has a variance of 15/13; the true error is 1/sqrt(800), known to a fifth.
    spread = drawn.std(axis=0) / math.sqrt(15 / 13)
    np.testing.assert_allclose(spread, errors, rtol=0.02)
    np.testing.assert_allclose(spread, 1 / math.sqrt(B * ROWS), rtol=0.4)
    np.testing.assert_allclose(drawn.mean(axis=0), values, atol=5e-4)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(np.corrcoef(replicates)[0, 1], abs=0.01)
    # The values without a block themselves lie four times nearer together.
    assert (replicates.std(axis=1, ddof=1) < 0.3 * np.asarray(errors)).all()


def test_ends_of_the_draws_are_those_of_the_interval(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    values, replicates = sample
    drawn = resampled(values, replicates, 40_000, seed=2)
    for value, left, column in zip(values, replicates, drawn.T, strict=True):
        ends = interval(value, left)
        assert ends is not None
        width = ends[1] - ends[0]
        np.testing.assert_allclose(np.quantile(column, [0.025, 0.975]), ends, atol=0.03 * width)


def test_the_same_seed_gives_the_same_draws(sample: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_array_equal(resampled(*sample, 5, 3), resampled(*sample, 5, 3))
    assert (resampled(*sample, 5, 3) != resampled(*sample, 5, 4)).all()


def test_evened_replicates_give_the_error_that_counts_each_term_once() -> None:
    left = [0.1, 0.3, 0.2, 0.25, 0.4]
    found, plain = standard_error(evened(left, 2.0)), standard_error(left)
    assert found is not None and plain is not None
    assert found == pytest.approx(plain / math.sqrt(2))
    assert np.mean(evened(left, 2.0)) == pytest.approx(0.25)
    assert evened((), 2.0) == ()


@pytest.mark.parametrize("t", [0.0, 1.3, -2.131449545559323, 12.0])
def test_p_is_that_of_student(t: float) -> None:
    assert two_sided_p(t * 0.3, 0.3, 15) == pytest.approx(2 * stats.t.sf(abs(t), 15))


def test_without_a_spread_only_a_zero_has_a_p_value() -> None:
    assert two_sided_p(1e-9, 1e-9, 15, nothing=1e-8) == 1.0
    assert two_sided_p(0.1, 0.0, 15) is None
