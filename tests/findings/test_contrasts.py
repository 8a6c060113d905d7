"""Which scores stand on either side of a difference, and what is said where one is missing."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from matteralign.core.errors import IntegrityError
from matteralign.findings.replicates.contrasts import contrasts
from matteralign.findings.replicates.matrices import ScoreMatrix, with_replicates

MODELS = ["a", "b", "c", "d"]
PARAMS = '{"normalize":"max"}'


def tables(metric: str = "cka", **changes: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores and replicates; the score from i to j is i + 10 j in hundredths."""
    rng = np.random.default_rng(0)
    scores, left = [], []
    for first, second in permutations(range(len(MODELS)), 2):
        value = (first + 10 * second) / 100
        same = {
            "model_a": MODELS[first],
            "model_b": MODELS[second],
            "metric": metric,
            "definition": "plain" if metric == "cka" else "rank",
            "params": PARAMS,
            "sample_set_id": "s",
            "n": 100,
            "metric_version": 1,
            "latent_sha256_a": MODELS[first] * 64,
            "latent_sha256_b": MODELS[second] * 64,
        }
        scores.append(
            same | {"value": value, "debiased": value - 0.1, "note": "", "reason": ""} | changes
        )
        replicates = (value + 0.001 * rng.normal(size=16)).tolist()
        left.append(
            same | {"replicates": replicates, "debiased_replicates": None, "reason": "none at all"}
        )
    return pd.DataFrame(scores), pd.DataFrame(left)


def test_a_pair_of_a_symmetric_metric_is_the_mean_of_both_directions() -> None:
    found = contrasts(with_replicates(*tables()), MODELS, [["a", "b"]], [["c", "d"]])
    value, debiased = found.to_dict("records")
    assert (value["of"], debiased["of"]) == ("value", "debiased")
    assert value["value_a"] == pytest.approx(0.055)
    assert value["value_b"] == pytest.approx(0.275)
    assert value["difference"] == pytest.approx(-0.22)
    assert value["low"] < -0.22 < value["high"] < 0
    assert value["p"] < 1e-6
    assert value["p_adjusted"] == value["p_holm"] == value["p"]  # the only test
    assert debiased["difference"] == pytest.approx(-0.22)
    assert debiased["low"] != debiased["low"] and "no interval: none at all" in debiased["note"]


def test_a_pair_of_a_directed_metric_goes_from_the_first_to_the_second() -> None:
    rows = with_replicates(*tables("information_imbalance", debiased=None))
    found = contrasts(rows, MODELS, [["a", "b"]], [["b", "a"]])
    (row,) = found.to_dict("records")
    assert (row["value_a"], row["value_b"]) == pytest.approx((0.10, 0.01))
    assert (row["a"], row["b"]) == ("a → b", "b → a")


def test_a_group_is_the_mean_over_its_pairs() -> None:
    rows = with_replicates(*tables())
    (row, _) = contrasts(rows, MODELS, [["a", "b", "c"]], [["a", "d"]]).to_dict("records")
    assert row["value_a"] == pytest.approx(0.11)
    assert row["a"] == "mean of 3 models: a, b, c"


def test_every_group_meets_every_other_and_p_is_adjusted_for_all() -> None:
    rows = with_replicates(*tables(debiased=None))
    found = contrasts(rows, MODELS, [["a", "b"], ["a", "c"]], [["c", "d"], ["b", "d"]])
    assert len(found) == 4
    assert (found["p_holm"] >= found["p_adjusted"]).all()
    assert found["p_adjusted"].max() == pytest.approx(found["p"].max())
    assert found["p_holm"].min() == pytest.approx(min(1.0, 4 * found["p"].min()))


def test_a_missing_score_gives_its_reason() -> None:
    scores, left = tables(debiased=None)
    gone = (scores["model_a"] == "a") & (scores["model_b"] == "b")
    scores.loc[gone, ["value", "reason"]] = [np.nan, "k = 25 of 10 rows"]
    (row,) = contrasts(with_replicates(scores, left), MODELS, [["a", "b"]], [["c", "d"]]).to_dict(
        "records"
    )
    assert (row["status"], row["reason"]) == ("not_applicable", "a, b: k = 25 of 10 rows")
    assert row["difference"] is None or np.isnan(row["difference"])


def test_notes_of_the_scores_and_other_rows_are_told() -> None:
    scores, left = tables(debiased=None, note="few rows carry it")
    of_b = (scores["model_a"] == "b") | (scores["model_b"] == "b")
    for table in (scores, left):
        table.loc[of_b.to_numpy(), "n"] = 90
    (row,) = contrasts(with_replicates(scores, left), MODELS, [["a", "b"]], [["c", "d"]]).to_dict(
        "records"
    )
    assert (row["n_a"], row["n_b"]) == (90, 100)
    assert row["note"] == "few rows carry it; the pairs are scored on different rows"


@pytest.mark.parametrize("column", ["latent_sha256_a", "sample_set_id", "n", "metric_version"])
def test_replicates_of_other_scores_are_refused(column: str) -> None:
    scores, left = tables()
    left.loc[3, column] = 7 if column in ("n", "metric_version") else "other"
    with pytest.raises(IntegrityError, match="score them again"):
        with_replicates(scores, left)


def test_replicates_of_fewer_scores_are_refused() -> None:
    scores, left = tables()
    with pytest.raises(IntegrityError):
        with_replicates(scores, left.iloc[1:])
    with pytest.raises(IntegrityError):
        with_replicates(scores.iloc[1:], left)


def test_a_matrix_keeps_the_order_it_is_asked_for() -> None:
    rows = with_replicates(*tables()).sample(frac=1.0, random_state=1)
    matrix = ScoreMatrix.of(rows, ["d", "a"])
    assert matrix.values[0, 1] == pytest.approx(0.03)
    assert matrix.values[1, 0] == pytest.approx(0.30)
    assert np.isnan(np.diag(matrix.values)).all()
    both = matrix.undirected()
    assert both.values[0, 1] == both.values[1, 0] == pytest.approx(0.165)
    np.testing.assert_allclose(
        both.replicates[0, 1], (matrix.replicates[0, 1] + matrix.replicates[1, 0]) / 2
    )
