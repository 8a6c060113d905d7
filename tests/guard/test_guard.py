"""A change of structure changes no number: the tables of a fixed study are those of before."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from matteralign.metrics import METRICS
from tests.guard.fixed_study import KEPT, SCALINGS, N, digests, tables


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    return tables(tmp_path_factory.mktemp("guard"))


def test_every_table_is_the_one_of_before(found: dict[str, pd.DataFrame]) -> None:
    """Write ``python -m tests.guard FOLDER`` before and after a change to see what moved."""
    assert digests(found) == json.loads(KEPT.read_text(encoding="utf-8"))


def test_the_study_holds_all_that_a_table_can_hold(found: dict[str, pd.DataFrame]) -> None:
    scores, dimensions = found["scores"], found["dimensions"]
    definitions = {(m.name, d) for m in METRICS.values() for d in m.definitions}
    seen = pd.concat([scores, dimensions])
    assert set(seen[["metric", "definition"]].itertuples(index=False, name=None)) == definitions
    assert scores["scaling"].nunique() == len(SCALINGS) + 1
    assert {"ok", "not_applicable"} <= set(scores["status"])
    assert scores["n"].nunique() > 3
    assert scores["n"].max() == N
    statistics = ["debiased", "null_mean", "null_sd", "null_p", "p_holm", "ci_low", "debiased_low"]
    assert scores[statistics].notna().any().all()
    assert scores["note"].ne("").any()
    assert found["sweep"]["n"].nunique() > 3


def test_a_number_that_moves_is_seen(found: dict[str, pd.DataFrame]) -> None:
    moved = {name: table.copy() for name, table in found.items()}
    row = moved["scores"]["value"].first_valid_index()
    moved["scores"].loc[row, "value"] *= 1 + 2e-5
    before, after = digests(found), digests(moved)
    assert {name for name in before if before[name] != after[name]} == {"scores"}
