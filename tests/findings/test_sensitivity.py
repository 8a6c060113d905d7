from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.findings.sensitivity import shuffled, verdicts
from matteralign.metrics import compare
from matteralign.metrics.base.specs import MetricSpec


def scores(
    values: list[float], metric: str = "cknna", reasons: list[str] | None = None
) -> pd.DataFrame:
    named = {"model": "m", "change": "rattle", "metric": metric, "definition": "d", "params": "{}"}
    told = reasons or [""] * len(values)
    rows = [
        named | {"level": level, "value": value, "reason": why}
        for level, (value, why) in enumerate(zip(values, told, strict=True))
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


@pytest.mark.parametrize(
    ("values", "metric", "expected", "verdict", "wrong"),
    [
        ([1.0, 0.8, 0.5, 0.1], "cknna", "falls", "monotone", 0),
        # Noise on the floor: 0.02 of an answer of 0.95.
        ([1.0, 0.5, 0.05, 0.07, 0.06], "cknna", "falls", "monotone", 0),
        ([1.0, 0.5, 0.7, 0.1], "cknna", "falls", "not monotone", 1),
        ([0.0, 0.3, 0.9], "information_imbalance", "rises", "monotone", 0),
        ([0.0, 0.9, 0.3], "information_imbalance", "rises", "not monotone", 1),
        ([1.0, 1.0, 1.0], "cknna", "falls", "no answer", 0),
        ([0.5, 0.6, 0.7], "cknna", "falls", "no answer", 0),
    ],
)  # fmt: skip
def test_a_metric_must_go_one_way(
    values: list[float], metric: str, expected: str, verdict: str, wrong: int
) -> None:
    row = verdicts(scores(values, metric)).iloc[0]
    assert (row["expected"], row["verdict"], row["wrong_steps"]) == (expected, verdict, wrong)
    assert (row["first"], row["last"], row["levels"]) == (values[0], values[-1], len(values))


def test_the_largest_wrong_step_is_a_share_of_the_answer() -> None:
    row = verdicts(scores([1.0, 0.4, 0.6, 0.2])).iloc[0]
    assert row["largest_wrong_step"] == pytest.approx(0.2 / 0.8)


def test_a_level_without_a_value_gives_no_verdict_and_says_why() -> None:
    row = verdicts(scores([1.0, np.nan, 0.5], reasons=["", "too few rows", ""])).iloc[0]
    assert (row["verdict"], row["reason"]) == ("not applicable", "too few rows")
    assert "levels" in verdicts(scores([1.0, 0.5])).iloc[0]["reason"]


@given(st.integers(2, 60), st.floats(0, 1), st.integers(0, 9))
def test_shuffling_moves_the_share_of_rows_and_no_more(rows: int, share: float, seed: int) -> None:
    latents = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    moved = shuffled(latents, share, seed)
    assert sorted(moved[:, 0]) == sorted(latents[:, 0])
    changed = (moved != latents).any(axis=1)
    asked = round(share * rows)
    assert changed.sum() == (asked if asked > 1 else 0)
    less = (shuffled(latents, share / 2, seed) != latents).any(axis=1)
    assert not (less & ~changed).any()


def test_a_share_is_a_share() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        shuffled(np.zeros((3, 1), np.float32), 1.5)


def test_scores_of_shuffled_rows_reach_the_floor() -> None:
    latents = np.random.default_rng(0).normal(size=(150, 5)).astype(np.float32)
    arrays = {"whole": latents, "all": shuffled(latents, 1.0)}
    spec = MetricSpec("cknna", "huh2024", {"k": 10})
    found = next(iter(compare(arrays, [("whole", "all")], [spec], normalize="l2"))).scored
    assert found.value == pytest.approx(found.null_mean, abs=0.05)
