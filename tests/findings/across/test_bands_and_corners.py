"""Bands of dimensions, and corners of the imbalance plane, on cases with known answers."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from matteralign.findings.across.bands import dimension_bands
from matteralign.findings.corners import CORNERS, corner_of, corner_table, share_over_models


def test_quartiles_are_those_of_the_models_without_the_baseline() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 90.0]
    table = pd.DataFrame(
        {
            "slice": "s",
            "dataset": "d",
            "metric": "mle",
            "definition": "levina_bickel",
            "params": "{}",
            "model": list("abcdef"),
            "embedding": ["invariant", "invariant", "vanilla", "vanilla", "vanilla", "random"],
            "baseline": [False] * 5 + [True],
            "value": values,
        }
    )
    bands = dimension_bands(table).set_index("embedding")
    row = bands.loc["all"]
    assert row[["least", "quarter", "median", "three_quarters", "most"]].tolist() == [1, 2, 3, 4, 5]
    assert row["baseline"] == 90.0
    assert bands.loc["invariant", "median"] == 1.5
    assert bands.loc["vanilla", "models"] == 3
    assert "random" not in bands.index


def test_a_pair_lies_in_the_corner_of_both_its_imbalances() -> None:
    forward, backward = np.array([0.1, 0.1, 0.9, 0.9, 0.5]), np.array([0.2, 0.8, 0.2, 0.8, 0.5])
    assert corner_of(forward, backward, 0.5).tolist() == [
        "equivalent", "one contains the other", "one contains the other", "orthogonal",
        "orthogonal",
    ]  # fmt: skip


def points(inside: dict[tuple[str, str], bool], name: str) -> pd.DataFrame:
    rows = [
        {"slice": name, "dataset": "d", "model_a": a, "model_b": b,
         "forward": 0.1 if low else 0.9, "backward": 0.1 if low else 0.9}
        for (a, b), low in inside.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_planted_collapse_is_found_with_its_sign() -> None:
    pairs = list(itertools.combinations("abcdefgh", 2))
    first = points({pair: pair[0] in "abc" for pair in pairs}, "in")
    second = points(dict.fromkeys(pairs, True), "out")
    table = corner_table(pd.concat([first, second]), 0.5).set_index(["slice", "corner"])
    assert table.loc[("out", "equivalent"), "share"] == 1.0
    assert table.loc[("in", "equivalent"), "share"] == pytest.approx(18 / 28)
    row = table.loc[("out", "equivalent")]
    assert row["difference"] == pytest.approx(10 / 28)
    assert row["common_pairs"] == 28
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert np.isnan(table.loc[("in", "equivalent"), "difference"])
    assert set(table.index.get_level_values(1)) == set(CORNERS)


def test_a_share_of_all_pairs_is_not_certain() -> None:
    a, b = np.array(list(itertools.combinations("abcdefghij", 2))).T
    share, low, high = share_over_models(np.ones(len(a), bool), a, b)
    assert (share, high) == (1.0, 1.0)
    # Five disjoint pairs that all agree say little.
    assert 0.3 < low < 0.7


def test_few_models_have_no_interval() -> None:
    a, b = np.array([("a", "b"), ("a", "c"), ("b", "c")]).T
    share, low, high = share_over_models(np.array([True, False, True]), a, b)
    assert share == pytest.approx(2 / 3)
    assert np.isnan([low, high]).all()


def test_the_interval_of_a_share_covers_it_when_models_are_drawn() -> None:
    rng = np.random.default_rng(0)
    one, two = np.triu_indices(16, 1)
    a, b = one.astype(str), two.astype(str)

    def inside(effect: np.ndarray) -> np.ndarray:
        return effect[..., one] + effect[..., two] > 0.8

    truth = inside(rng.normal(size=(4000, 16))).mean()
    hits = 0
    for _ in range(150):
        _, low, high = share_over_models(inside(rng.normal(size=16)), a, b)
        hits += low <= truth <= high
    # 95 % of 150 less three standard errors; as if pairs were independent it is about 70 %.
    assert hits >= 135
