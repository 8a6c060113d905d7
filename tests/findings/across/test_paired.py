"""The same score of the same pairs in two slices."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from matteralign.findings.across.paired import (
    difference_summary,
    independent_interval,
    paired,
)
from matteralign.findings.pairwise import over_models

SCORE = {"metric": "cka", "definition": "plain", "params": "{}"}


def table(values: dict[tuple[str, str], float], slice_name: str, **changes: object) -> pd.DataFrame:
    rows = [
        {
            **SCORE,
            "slice": slice_name,
            "model_a": a,
            "model_b": b,
            "weights_a": "trained",
            "weights_b": "trained",
            "n": 100,
            "value": value,
            "ci_low": value - 0.1,
            "ci_high": value + 0.1,
            "null_mean": 0.05,
            "status": "ok",
            **changes,
        }
        for (a, b), value in values.items()
    ]
    return pd.DataFrame(rows)


def test_pairs_are_matched_by_their_models_and_the_difference_has_the_sign_of_the_second() -> None:
    first = table({("a", "b"): 0.5, ("a", "c"): 0.2, ("b", "c"): 0.4}, "in")
    second = table({("b", "c"): 0.1, ("a", "b"): 0.9}, "out")
    both = paired(first, second).set_index(["model_a", "model_b"])
    assert len(both) == 2
    assert both.loc[("a", "b"), "difference"] == pytest.approx(0.4)
    assert both.loc[("b", "c"), "difference"] == pytest.approx(-0.3)
    assert (both.loc[("b", "c"), ["slice_1", "slice_2"]] == ["in", "out"]).all()


def test_a_score_without_a_value_in_either_slice_is_no_pair() -> None:
    first = table({("a", "b"): 0.5, ("a", "c"): 0.2}, "in")
    first.loc[0, ["value", "status"]] = [np.nan, "failed"]
    second = table({("a", "b"): 0.5, ("a", "c"): 0.2}, "out")
    second.loc[1, ["value", "status"]] = [np.nan, "not_applicable"]
    assert paired(first, second).empty
    assert difference_summary(paired(first, second)).empty


def test_untrained_weights_of_either_slice_are_said() -> None:
    first = table({("a", "b"): 0.5}, "in", weights_a="untrained")
    second = table({("a", "b"): 0.5}, "out", weights_b="untrained")
    (row,) = paired(first, second).to_dict("records")
    assert (row["weights_a"], row["weights_b"]) == ("untrained", "untrained")


def planted(models: int, shift: float, rng: np.random.Generator) -> pd.DataFrame:
    """Paired scores whose difference is `shift`, plus an effect of each model, plus noise."""
    names = [f"m{i:02d}" for i in range(models)]
    own = dict(zip(names, rng.normal(0, 0.05, models), strict=True))
    pairs = list(itertools.combinations(names, 2))
    first = {pair: rng.uniform(0.2, 0.8) for pair in pairs}
    second = {(a, b): first[a, b] + shift + own[a] + own[b] + rng.normal(0, 0.02) for a, b in pairs}
    return paired(table(first, "in"), table(second, "out"))


def test_a_planted_difference_is_found_with_its_sign() -> None:
    pairs = planted(20, -0.2, np.random.default_rng(0))
    (row,) = difference_summary(pairs).to_dict("records")
    assert (row["pairs"], row["models"]) == (190, 20)
    assert row["difference_low"] < -0.2 < row["difference_high"] < 0
    assert row["difference"] == pytest.approx(pairs["difference"].mean())
    expected = stats.spearmanr(pairs["value_1"], pairs["value_2"]).statistic
    assert row["rank_correlation"] == pytest.approx(expected)
    assert row["share_lower"] == pytest.approx((pairs["difference"] < 0).mean())


def test_the_interval_covers_the_planted_difference() -> None:
    rng = np.random.default_rng(1)
    one, two = np.triu_indices(12, 1)
    a, b = one.astype(str), two.astype(str)
    hits = 0
    for _ in range(200):
        own = rng.normal(0, 0.05, 12)
        difference = 0.1 + own[one] + own[two] + rng.normal(0, 0.02, len(one))
        value, low, high = over_models(lambda kept, d=difference: float(d[kept].mean()), a, b)
        assert low < value < high
        hits += low <= 0.1 <= high
    # 95 % of 200, within three standard errors of a binomial; naive intervals cover a third.
    assert 181 <= hits <= 199


def test_baselines_are_left_out_and_few_models_have_no_interval() -> None:
    first = table({("a", "b"): 0.5, ("a", "r"): 0.0, ("b", "r"): 0.0}, "in")
    second = table({("a", "b"): 0.6, ("a", "r"): 0.0, ("b", "r"): 0.0}, "out")
    (row,) = difference_summary(paired(first, second), ["r"]).to_dict("records")
    assert (row["pairs"], row["models"]) == (1, 2)
    assert row["difference"] == pytest.approx(0.1)
    assert np.isnan(row["difference_low"])
    assert np.isnan(row["rank_correlation"])


def replicates(value: float, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Return 16 values without a block each, of a mean whose standard error is `spread`."""
    blocks = value + spread * 4.0 * rng.normal(size=16)
    return (blocks.sum() - blocks) / 15.0


def test_the_interval_over_structures_covers_the_planted_difference() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(400):
        first, second = replicates(0.4, 0.01, rng), replicates(0.3, 0.02, rng)
        low, high = independent_interval(second.mean() - first.mean(), first, second)
        hits += low <= -0.1 <= high
    assert 367 <= hits <= 393  # 95 % of 400, three standard errors


def test_its_width_is_that_of_welch() -> None:
    rng = np.random.default_rng(3)
    one, two = rng.normal(size=16), rng.normal(size=16) * 3
    left = [(blocks.sum() - blocks) / 15.0 for blocks in (one, two)]
    low, high = independent_interval(two.mean() - one.mean(), *left)
    expected = stats.ttest_ind(two, one, equal_var=False).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_slices_that_may_share_structures_have_no_interval_over_structures() -> None:
    rng = np.random.default_rng(4)
    sides = [
        table({("a", "b"): 0.5}, name).assign(replicates=[replicates(0.5, 0.01, rng)])
        for name in ("in", "out")
    ]
    assert paired(*sides)["difference_low"].notna().all()
    assert paired(*sides, independent=False)["difference_low"].isna().all()
    summary = difference_summary(paired(*sides))
    assert summary["difference_structures_low"].notna().all()
