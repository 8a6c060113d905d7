from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from matteralign.report.analysis.calibration import (
    COLUMNS,
    calibration_table,
    has_debiased,
    once_per_pair,
)
from matteralign.report.analysis.matrices import score_matrix
from matteralign.report.analysis.tables import ModelFacts, build_tables

MODELS = ["z", "a", "m"]
PARAMS = '{"normalize":"max"}'


def frame(debiased: bool = True) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for metric, definition in (("cka", "plain"), ("information_imbalance", "rank")):
        for i, (a, b) in enumerate(permutations(MODELS, 2)):
            pair = sum(MODELS.index(m) for m in (a, b))
            value = 0.5 + 0.1 * (pair if metric == "cka" else i)
            known = debiased and metric == "cka"
            rows.append(
                {
                    "slice": "s", "n": 10, "model_a": a, "model_b": b, "metric": metric,
                    "definition": definition, "params": PARAMS, "value": value, "status": "ok",
                    "reason": "", "null_mean": 0.2, "null_sd": 0.1, "null_p": 0.01,
                    "p_adjusted": 0.02, "p_holm": 0.03, "ci_low": 0.1, "ci_high": 0.9,
                    "debiased": value - 0.2 if known else np.nan,
                    "debiased_low": np.nan, "debiased_high": np.nan,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_a_pair_is_there_once_where_the_definition_is_symmetric() -> None:
    table = calibration_table(frame(), MODELS)
    assert list(table.columns) == COLUMNS
    pairs = list(zip(table["metric"], table["model_a"], table["model_b"], strict=True))
    symmetric = [("cka", "z", "a"), ("cka", "z", "m"), ("cka", "a", "m")]
    assert pairs[:3] == symmetric
    assert len(pairs) == 3 + 6
    assert table["debiased"].tolist()[:3] == pytest.approx([0.4, 0.5, 0.6])


def test_scores_that_are_not_ok_and_other_models_are_left_out() -> None:
    scores = frame()
    scores.loc[0, ["status", "reason", "value"]] = ["failed", "why", np.nan]
    assert len(calibration_table(scores, MODELS)) == 8
    assert set(once_per_pair(scores, ["z", "a"])["model_a"]) == {"z", "a"}
    assert calibration_table(scores.head(0), MODELS).empty


def test_a_table_without_statistics_keeps_its_columns() -> None:
    bare = frame().drop(columns=["debiased", "null_mean", "p_adjusted"])
    table = calibration_table(bare, MODELS)
    assert list(table.columns) == COLUMNS
    assert table["debiased"].isna().all()
    assert table["null_mean"].dtype == np.float64
    assert not has_debiased(bare, "cka", "plain", PARAMS)


def test_the_debiased_matrix_is_missing_what_has_no_debiased_value() -> None:
    scores = frame()
    scores.loc[[0, 2], "debiased"] = np.nan
    matrix = score_matrix(scores, "cka", "plain", models=MODELS, column="debiased")
    assert matrix.column == "debiased"
    assert matrix.values.at["a", "m"] == pytest.approx(0.6)
    assert np.isnan(matrix.values.at["z", "a"])
    assert matrix.values.at["z", "z"] == 1.0
    assert set(matrix.missing["reason"]) == {"no debiased value of this score"}
    raw = score_matrix(scores, "cka", "plain", models=MODELS)
    assert raw.missing.empty
    assert raw.values.at["z", "a"] == pytest.approx(0.6)


@pytest.mark.parametrize("debiased", [True, False])
def test_debiased_matrices_are_tables_where_there_are_any(debiased: bool) -> None:
    sidecar = {"sample_set_id": "s", "n_rows": 9, "n_valid": 9, "masked": [], "dim": 2}
    empty = ["model", "metric", "definition", "params", "value", "status", "reason", "n", "note"]
    tables = build_tables(
        frame(debiased),
        pd.DataFrame([], columns=empty),
        dict.fromkeys(MODELS, sidecar),
        [ModelFacts(m, m, "f", 1, "trained") for m in MODELS],
    )
    stem = "matrix_cka_plain_normalize-max"
    assert (f"{stem}_debiased" in tables) == debiased
    assert "matrix_information_imbalance_rank_normalize-max_debiased" not in tables
    assert stem in tables
