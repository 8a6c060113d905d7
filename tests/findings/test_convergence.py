"""Errors of energies and alignment to the best model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from matteralign.findings.energies import convergence as module
from matteralign.findings.energies.convergence import Convergence, convergence


def planted(m: int, slope: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return errors, and scores that fall with the error of both models as much as asked."""
    rng = np.random.default_rng(seed)
    errors = np.sort(rng.uniform(0.01, 1.0, size=m))
    noise = rng.normal(size=(m, m)) * 0.1
    scores = 0.5 - slope * (errors[:, None] + errors[None]) / 2 + (noise + noise.T) / 2
    np.fill_diagonal(scores, 1.0)
    return errors, scores


def first(found: tuple[int, list[Convergence]]) -> Convergence:
    return found[1][0]


def test_the_correlation_is_that_of_scipy_without_the_best_model() -> None:
    errors, scores = planted(12, 0.5)
    order = np.random.default_rng(1).permutation(12)
    errors, scores = errors[order], scores[np.ix_(order, order)]
    best, found = convergence(errors, scores, ["a"] * 12)
    assert best == int(np.argmin(errors))
    others = np.delete(np.arange(12), best)
    expected = stats.spearmanr(errors[others], scores[best, others])
    assert found[0].spearman == pytest.approx(expected.statistic)
    exact = stats.permutation_test(
        (errors[others],),
        lambda x: stats.spearmanr(x, scores[best, others]).statistic,
        permutation_type="pairings",
        n_resamples=2000,
        rng=np.random.default_rng(0),
    )
    assert found[0].p == pytest.approx(exact.pvalue, abs=0.02)
    assert found[0].models == 11
    assert found[0].low <= found[0].spearman <= found[0].high


def test_a_planted_relation_is_found_and_none_is_not() -> None:
    errors, scores = planted(30, 1.0)
    strong = first(convergence(errors, scores, ["a"] * 30))
    assert strong.spearman < -0.8
    assert strong.p < 0.001
    assert strong.high < 0.0
    ps = [first(convergence(*planted(15, 0.0, seed), ["a"] * 15)).p for seed in range(40)]
    assert 0.2 < np.mean(ps) < 0.8  # uniform
    assert np.mean(np.array(ps) < 0.05) < 0.2


def test_the_models_own_score_of_one_does_not_count() -> None:
    errors, scores = planted(10, 0.3)
    before = convergence(errors, scores, ["a"] * 10)
    np.fill_diagonal(scores, 99.0)
    assert convergence(errors, scores, ["a"] * 10) == before


def test_a_named_model_is_compared_with_and_kept_in_every_resample() -> None:
    errors, scores = planted(14, 0.4)
    best, found = convergence(errors, scores, ["a"] * 14, best=6)
    others = np.delete(np.arange(14), 6)
    expected = stats.spearmanr(errors[others], scores[6, others]).statistic
    assert best == 6
    assert found[0].spearman == pytest.approx(expected)


def test_families_that_differ_as_a_whole_show_nothing_within() -> None:
    """Two families: one better and alike, one worse; inside each no relation."""
    rng = np.random.default_rng(0)
    errors = np.r_[rng.uniform(0.1, 0.2, 12), rng.uniform(0.8, 0.9, 12)]
    level = np.r_[np.full(12, 0.8), np.full(12, 0.2)]
    scores = np.tile(level, (24, 1)) + rng.normal(size=(24, 24)) * 0.01
    scores = np.minimum(scores, scores.T)
    _, found = convergence(errors, scores, ["a"] * 12 + ["b"] * 12)
    by_scope = {one.scope: one for one in found}
    assert list(by_scope) == ["all models", "within families", "a", "b"]
    assert by_scope["all models"].spearman < -0.7
    assert abs(by_scope["within families"].spearman) < 0.45
    assert by_scope["within families"].p > 0.05
    assert by_scope["a"].models + by_scope["b"].models == 23


def test_within_one_family_is_the_correlation_of_it() -> None:
    errors, scores = planted(9, 0.5)
    _, found = convergence(errors, scores, ["a"] * 9)
    assert found[1].scope == "within families"
    assert found[1].spearman == pytest.approx(found[2].spearman)
    assert found[1].spearman == pytest.approx(found[0].spearman)


def test_few_models_have_neither_interval_nor_p() -> None:
    one = first(convergence(*planted(4, 0.5), ["a", "b", "c", "d"]))
    assert np.isfinite(one.spearman)
    assert np.isnan([one.low, one.high, one.p]).all()
    assert "3 models beside the best are too few" in one.note


def test_two_models_are_always_in_order_and_have_no_correlation() -> None:
    one = first(convergence(*planted(3, 0.5), ["a"] * 3))
    assert np.isnan(one.spearman)
    assert one.note == "2 models beside the best are too few for a correlation"


def test_pairs_without_a_score_and_equal_scores() -> None:
    errors, scores = planted(12, 0.5)
    scores[0, 5] = scores[5, 0] = np.nan
    assert first(convergence(errors, scores, ["a"] * 12)).models == 10
    _, flat = convergence(errors, np.ones((12, 12)), ["a"] * 12)
    assert np.isnan(flat[0].spearman)
    assert np.isnan(flat[0].p)
    assert flat[1].note == "no family has models that differ"


def test_two_sided_p_values_never_reach_zero_and_agree_with_all_orders() -> None:
    """Of six models, 720 orders: the p-value of a perfect order is 2/720."""
    x = np.arange(6.0)
    p = module._permuted([(x, x)], np.random.default_rng(0))
    assert p == pytest.approx(2 / 720, abs=0.002)
    assert p > 0


@pytest.mark.parametrize(
    ("errors", "scores"),
    [(np.zeros(3), np.zeros((2, 2))), (np.array([0.1, np.nan]), np.zeros((2, 2)))],
)
def test_what_does_not_fit_is_refused(errors: np.ndarray, scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match="errors of"):
        convergence(errors, scores, ["a"] * len(errors))
