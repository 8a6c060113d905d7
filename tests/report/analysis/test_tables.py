from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from matteralign.core.errors import IntegrityError, MatterAlignError
from matteralign.registry.load import load_cards
from matteralign.report.analysis.coverage import coverage_table, masked_reasons, masked_rows
from matteralign.report.analysis.dimensions import dimension_estimates, dimension_table
from matteralign.report.analysis.tables import (
    ModelFacts,
    build_tables,
    facts_of,
    models_table,
    spec_slug,
    told_apart,
)

WEIGHTS = {"b": "trained", "a": "untrained"}
MASKED = [
    {"row": 1, "id": "q1", "code": "element", "reason": "Na"},
    {"row": 2, "id": "q2", "code": "smiles", "reason": "empty"},
    {"row": 5, "id": "q5", "code": "smiles", "reason": "cannot be parsed"},
]


def sidecar(masked: list[dict[str, Any]], sample: str = "s1") -> dict[str, Any]:
    return {
        "sample_set_id": sample,
        "n_rows": 10,
        "n_valid": 10 - len(masked),
        "dim": 4,
        "masked": masked,
    }


def intrinsic(rows: list[tuple[str, str, str, str, float, str]]) -> pd.DataFrame:
    columns = ["model", "metric", "definition", "params", "value", "status"]
    return pd.DataFrame(rows, columns=columns).assign(reason="", n=100, note="")


def test_coverage_counts_rows_and_reasons() -> None:
    sidecars = {"a": sidecar(MASKED), "b": sidecar([])}
    table = coverage_table(sidecars)
    assert table["n_masked"].tolist() == [3, 0]
    assert table["coverage"].tolist() == [0.7, 1.0]
    reasons = masked_reasons(sidecars)
    assert reasons[["model", "code", "count", "example_id"]].to_numpy().tolist() == [
        ["a", "smiles", 2, "q2"],
        ["a", "element", 1, "q1"],
    ]
    assert masked_rows(sidecars)["id"].tolist() == ["q1", "q2", "q5"]
    assert masked_rows({"b": sidecar([])}).empty


def test_sidecars_that_disagree_are_refused() -> None:
    with pytest.raises(IntegrityError, match=r"latents/a.json.*10.*embed"):
        coverage_table({"a": {**sidecar(MASKED), "n_valid": 10}})
    with pytest.raises(IntegrityError, match="s2"):
        coverage_table({"a": sidecar([]), "b": sidecar([], "s2")})
    with pytest.raises(IntegrityError, match="'masked' is missing"):
        masked_rows({"a": {}})


def test_dimensions_are_wide_with_failures_missing() -> None:
    table = intrinsic(
        [
            ("a", "mle", "lb", '{"k":50}', 5.5, "ok"),
            ("a", "twonn", "facco", "{}", 5.0, "ok"),
            ("b", "twonn", "facco", "{}", 7.0, "failed"),
        ]
    )
    wide = dimension_table(table, ["b", "a"])
    assert wide.columns.tolist() == ["model", "TwoNN", "MLE (k = 50)"]
    assert wide["model"].tolist() == ["b", "a"]
    assert wide.iloc[1, 1:].tolist() == [5.0, 5.5]
    assert wide.iloc[0, 1:].isna().all()
    assert dimension_estimates(table)["status"].tolist() == ["ok", "ok", "failed", "absent"]


def test_estimators_that_read_alike_are_told_apart() -> None:
    table = intrinsic(
        [
            ("a", "twonn", "facco", '{"fraction":0.9}', 5.0, "ok"),
            ("a", "twonn", "facco", '{"fraction":1.0}', 6.0, "ok"),
            ("a", "twonn", "other", "{}", 7.0, "ok"),
        ]
    )
    assert len(set(dimension_estimates(table)["estimator"])) == 3
    with pytest.raises(MatterAlignError, match="twice"):
        dimension_estimates(pd.concat([table, table]))


def test_models_table_keeps_unknown_counts_unknown() -> None:
    table = models_table(
        [ModelFacts("a", "A", "f", 7, "trained"), ModelFacts("b", "B", "f", None, "none")]
    )
    assert table["parameters"].dtype == "Int64"
    assert table["parameters"].tolist() == [7, pd.NA]
    assert models_table([]).columns.tolist() == table.columns.tolist()


def test_slugs_are_file_names_and_differ_by_parameters() -> None:
    assert spec_slug("cknna", "huh2024", '{"k":25,"normalize":"max"}') == (
        "cknna_huh2024_k-25_normalize-max"
    )
    assert "/" not in spec_slug("cka", "plain", '{"x":"a/../b c"}')


def test_models_of_one_name_are_shown_by_their_keys() -> None:
    names = ["Same", "Same", "Other"]
    facts = [ModelFacts(f"k{i}", name, "f", 1, "none") for i, name in enumerate(names)]
    assert [fact.name for fact in told_apart(facts)] == ["k0", "k1", "Other"]


def test_build_tables_gives_every_table_of_a_slice(tmp_path: Any) -> None:
    rows = []
    for a, b in (("a", "b"), ("b", "a")):
        for metric, definition in (("cknna", "huh2024"), ("information_imbalance", "rank")):
            rows.append(
                {
                    "slice": "s",
                    "n": 10,
                    "model_a": a,
                    "model_b": b,
                    "metric": metric,
                    "definition": definition,
                    "params": '{"k":2}',
                    "value": 0.5,
                    "status": "ok",
                    "reason": "",
                }
            )
    scores = pd.DataFrame(rows)
    scores.loc[3, ["value", "status", "reason"]] = [np.nan, "failed", "why"]
    facts = [ModelFacts(key, key.upper(), "f", 1, kind) for key, kind in WEIGHTS.items()]
    tables = build_tables(
        scores,
        intrinsic([("a", "twonn", "facco", "{}", 5.0, "ok")]),
        {"a": sidecar(MASKED), "b": sidecar([])},
        facts,
    )
    assert set(tables) == {
        "models",
        "coverage",
        "masked_reasons",
        "masked_rows",
        "not_scored",
        "intrinsic_dimension",
        "intrinsic_dimension_wide",
        "calibration",
        "matrix_cknna_huh2024_k-2",
        "matrix_information_imbalance_rank_k-2",
        "information_imbalance_pairs_rank_k-2",
    }
    matrix = tables["matrix_cknna_huh2024_k-2"]
    assert matrix.columns.tolist() == ["model", "weights", "b", "a"]
    assert matrix["weights"].tolist() == ["trained", "untrained"]
    for name in ("information_imbalance_pairs_rank_k-2", "not_scored"):
        for side in "ab":
            named = tables[name][f"model_{side}"]
            assert (tables[name][f"weights_{side}"] == named.map(WEIGHTS)).all()
    wide = tables["intrinsic_dimension_wide"]
    assert wide.columns.tolist() == ["model", "weights", "TwoNN"]
    assert wide["weights"].tolist() == ["trained", "untrained"]
    assert tables["not_scored"]["reason"].tolist() == ["why"]
    assert tables["information_imbalance_pairs_rank_k-2"]["status"].tolist() == ["failed"]
    for name, table in tables.items():
        table.to_parquet(tmp_path / f"{name}.parquet")


def test_the_count_of_the_study_stands_beside_the_one_that_ran() -> None:
    card = load_cards()["mace-mp-medium"]
    ran = {"checkpoint": {"weights": "untrained", "parameters": 11}}
    row = models_table([facts_of(card, ran)]).iloc[0]
    assert (row["parameters"], row["parameters_study"]) == (11, 1_428_368)
    assert row["parameters_card"] == 4_688_656
    assert "MACE-OFF23 medium" in row["parameters_note"]
    assert (row["group"], row["functional"], row["printed"]) == ("MACE", "PBE_MP", "")


def test_what_table_1_prints_otherwise_is_told_with_the_reason() -> None:
    facts = facts_of(load_cards()["orb-v3-conservative-20-mpa"])
    assert facts.embedding == "vanilla"
    assert facts.training_sets == "MPTrj, Alexandria"
    assert facts.printed.startswith("embedding equivariant; training_sets MPTrj, sAlex (")
