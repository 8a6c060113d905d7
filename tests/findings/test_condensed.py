"""Matrices with the models of one group averaged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from matteralign.findings.condensed import condense

KEYS = ["a1", "a2", "b1", "c1"]
GROUPS = {"a1": "A", "a2": "A", "b1": "B", "c1": "C"}


def scores() -> pd.DataFrame:
    values = np.array(
        [
            [1.0, 0.8, 0.3, 0.1],
            [0.8, 1.0, 0.5, 0.2],
            [0.3, 0.5, 1.0, np.nan],
            [0.1, 0.2, np.nan, 1.0],
        ]
    )
    return pd.DataFrame(values, index=KEYS, columns=KEYS)


def test_cells_are_means_over_pairs_of_different_models() -> None:
    found = condense(scores(), GROUPS)
    assert found.values.at["A", "A"] == pytest.approx(0.8)
    assert found.values.at["A", "B"] == pytest.approx(0.4)
    assert np.isnan(found.values.at["B", "B"])
    assert found.pairs.at["A", "A"] == 2
    assert found.members["A"] == ("a1", "a2")


def test_the_printed_mean_counts_each_model_with_itself() -> None:
    found = condense(scores(), GROUPS).printed
    assert found.at["A", "A"] == pytest.approx((1 + 1 + 0.8 + 0.8) / 4)
    assert found.at["B", "B"] == 1
    assert found.at["A", "B"] == pytest.approx(0.4)


def test_pairs_without_a_score_are_counted_and_left_out() -> None:
    found = condense(scores(), GROUPS)
    assert found.missing.at["B", "C"] == 1
    assert np.isnan(found.values.at["B", "C"])


def test_a_metric_without_a_value_for_identical_inputs_has_no_printed_diagonal() -> None:
    values = scores().mask(np.eye(4, dtype=bool))
    found = condense(values, GROUPS)
    assert np.isnan(found.printed.at["A", "A"])
    assert found.values.at["A", "A"] == pytest.approx(0.8)


def test_the_interval_of_a_mean_is_the_jackknife_of_its_replicates() -> None:
    rng = np.random.default_rng(0)
    replicates = rng.normal(0.4, 0.01, size=(4, 4, 16))
    replicates += replicates.swapaxes(0, 1)
    found = condense(scores(), GROUPS, replicates)
    left = (replicates[0, 2] + replicates[1, 2]) / 2
    error = np.sqrt(15 / 16 * ((left - left.mean()) ** 2).sum())
    half = float(t.ppf(0.975, 15)) * error
    assert found.low.at["A", "B"] == pytest.approx(0.4 - half)
    assert found.high.at["A", "B"] == pytest.approx(0.4 + half)
    assert np.isnan(condense(scores(), GROUPS).low.at["A", "B"])
