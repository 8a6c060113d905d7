"""What alike models have in common."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from matteralign.findings.aspects import corner_shares, mean_difference, relation

MODELS = pd.DataFrame(
    {
        "model": ["a", "b", "c", "d", "e"],
        "training_sets": ["MPTrj", "MPTrj, sAlex", "sAlex, MPTrj", "SPICE", ""],
        "functional": ["PBE_MP", "PBE_MP", "none", "none", "none"],
    }
)


def test_training_sets_are_compared_as_sets() -> None:
    found = relation(MODELS, "training_sets")
    assert found.of("b", "c") == "same"
    assert found.of("a", "b") == "some"
    assert found.of("a", "d") == "other"
    assert found.of("a", "e") is None


def test_a_model_that_learnt_no_energies_has_no_level_of_theory() -> None:
    found = relation(MODELS, "functional")
    assert found.of("a", "b") == "same"
    assert found.of("c", "d") is None


def planted(same: float, other: float, noise: float = 0.02) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return models of two kinds and pairs whose imbalance depends on the kind alone."""
    kinds = ["MPTrj"] * 6 + ["SPICE"] * 6
    models = pd.DataFrame({"model": [f"m{i}" for i in range(12)], "training_sets": kinds})
    rng = np.random.default_rng(0)
    rows = []
    for i, j in itertools.combinations(range(12), 2):
        centre = same if kinds[i] == kinds[j] else other
        rows.append((f"m{i}", f"m{j}", *(centre + noise * rng.normal(size=2))))
    return pd.DataFrame(rows, columns=["model_a", "model_b", "forward", "backward"]), models


def test_a_planted_difference_is_found_with_its_sign() -> None:
    pairs, models = planted(0.2, 0.8)
    found = mean_difference(pairs, relation(models, "training_sets")).iloc[0]
    assert (found["same"], found["other"]) == (30, 36)
    assert found["difference"] == pytest.approx(-0.6, abs=0.01)
    # 462 ways to split 12 models into halves, each with its mirror image.
    assert found["p"] < 0.01


def test_shares_of_the_corners_are_counted() -> None:
    pairs, models = planted(0.2, 0.8)
    found = corner_shares(pairs, relation(models, "training_sets")).set_index("corner")
    assert found.loc["equivalent", ["pairs", "same", "share"]].tolist() == [30, 30, 1.0]
    assert found.loc["orthogonal", ["pairs", "same", "share"]].tolist() == [36, 0, 0.0]
    assert found.loc["one contains the other", "pairs"] == 0
    assert np.isnan(found.loc["one contains the other", "share"])
    assert found.loc["equivalent", "p"] < 0.01


def test_without_a_difference_p_values_are_uniform() -> None:
    low = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        pairs, models = planted(0.5, 0.5)
        pairs[["forward", "backward"]] = rng.random((len(pairs), 2))
        related = relation(models, "training_sets")
        low += mean_difference(pairs, related, permutations=99, seed=seed)["p"].iloc[0] <= 0.1
    assert low <= 14  # 6 expected, standard deviation 2.3


def test_one_kind_of_pairs_has_no_difference() -> None:
    pairs, models = planted(0.2, 0.8)
    models["training_sets"] = "MPTrj"
    found = mean_difference(pairs, relation(models, "training_sets")).iloc[0]
    assert np.isnan(found["difference"]) and np.isnan(found["p"])
