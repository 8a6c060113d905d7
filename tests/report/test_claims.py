"""Verdicts on claims."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from matteralign.config.load import load_config
from matteralign.findings.across.claims import (
    DEPENDS,
    FAILS,
    HOLDS,
    SPECIFICATION_COLUMNS,
    UNDECIDED,
    UNTESTED,
    deciding,
    outcome,
    verdict,
)
from matteralign.report.across.analysis_view import AnalysisView
from matteralign.report.across.claims import CLAIMS, find
from matteralign.stages.study.layout import AnalysisLayout
from matteralign.stages.study.study import open_study
from tests.synthetic import build

ATOMS = ["mace-mp-small", "mace-mp-medium", "mace-mp-large-equivariant", "orb-v2"]
ATOMS += ["orb-v3-conservative-inf-omat", "orb-v3-direct-inf-omat", "uma-medium", "esen-omat"]
TEXT = ["chemberta", "molformer-xl"]
PROTEINS = ["esm2-650m", "esm2-8m", "proteinmpnn", "esm-if1"]


def rows(*outcomes: str, **choices: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(index=range(len(outcomes)), columns=SPECIFICATION_COLUMNS)
    frame["outcome"], frame["reason"] = outcomes, ""
    for name, values in choices.items():
        frame[name] = values
    return frame


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0.1, 0.3, HOLDS), (-0.3, -0.1, FAILS), (-0.1, 0.1, UNDECIDED), (np.nan, 0.1, UNTESTED)],
)
def test_the_side_of_the_interval_decides(low: float, high: float, told: str) -> None:
    assert outcome(0.0 if np.isnan(low) else (low + high) / 2, low, high, 0.0) == told


def test_all_specifications_must_agree() -> None:
    assert verdict(rows(HOLDS, HOLDS))[0] == HOLDS
    assert verdict(rows(FAILS))[0] == FAILS
    assert verdict(rows(HOLDS, UNDECIDED))[0] == DEPENDS
    assert verdict(rows(HOLDS, UNTESTED))[0] == HOLDS
    told, why = verdict(rows(UNDECIDED, UNDECIDED))
    assert told == UNTESTED and "every interval contains the border" in why


def test_the_choice_that_decides_is_named() -> None:
    table = rows(
        HOLDS, HOLDS, FAILS, FAILS, k=["25", "50", "25", "50"], metric=["a", "a", "b", "b"]
    )
    assert deciding(table) == "metric"
    assert "depends most on metric" in verdict(table)[1]


def test_nothing_computed_says_why() -> None:
    table = rows(UNTESTED)
    table["reason"] = "no slice of rcsb"
    assert verdict(table) == (UNTESTED, "no slice of rcsb")


METRICS = {
    "pair": [
        {"metric": "cknna", "definition": "huh2024", "params": {"k": 10}, "normalize": "l2"},
        {"metric": "dcor", "definition": "squared", "normalize": "l2"},
        {"metric": "information_imbalance", "definition": "rank", "params": {"k": 1}},
    ],
    "model": [{"metric": "twonn", "definition": "fit"}],
}


def view_of(folder: Path, datasets: list[str], panel: dict[str, list[str]]) -> AnalysisView:
    slices = [f"{d.partition('@')[0]}-syn" for d in datasets]
    extra = {"analyses": {"claims": {"kind": "claims", "slices": slices}}}
    planted = build(folder, n=60, datasets=datasets, panel=panel, metrics=METRICS, extra=extra)
    study = open_study(load_config(planted.config))
    return AnalysisView(study, AnalysisLayout(Path(study.config.results), "claims"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> AnalysisView:
    panel = {
        "qm9": [*ATOMS, *TEXT, "mace-off23-small", "mace-off23-medium", "sevennet-0", "random"],
        "omat24": [*ATOMS, "random"],
        "omol25": [*ATOMS, "random"],
        "rcsb@entries": [*PROTEINS, "random"],
    }
    return view_of(tmp_path_factory.mktemp("claims"), list(panel), panel)


def test_every_claim_has_a_verdict_and_every_tested_one_a_figure(whole: AnalysisView) -> None:
    found = find(whole)
    claims = found.tables["claims"].set_index("claim")
    assert list(claims.index) == list(CLAIMS)
    assert set(claims["verdict"]) <= {HOLDS, FAILS, DEPENDS, UNTESTED}
    assert (claims["why"] != "").all()
    # Planted: one structure space, so models of different input are alike, and so are metrics.
    assert claims.at["C1a", "verdict"] == HOLDS
    assert claims.at["C3", "value"] > 0.5
    tested = set(found.tables["specifications"].query("outcome != @UNTESTED")["claim"])
    assert {d.stem for d in found.drawings} == {f"specifications_{name}" for name in tested}
    assert {"C1a", "C1b", "C3", "C5", "C7"} <= tested


def test_every_number_says_of_how_many_models_and_structures(whole: AnalysisView) -> None:
    table = find(whole).tables["specifications"]
    tested = table[table["outcome"] != UNTESTED]
    assert (tested["n"] >= 50).all() and (tested["models"] >= 3).all()
    assert not tested.duplicated(
        ["claim", "slice", "metric", "definition", "params", "column", "value"]
    ).any()
    assert (table.loc[table["outcome"] == UNTESTED, "reason"] != "").all()


def test_without_a_dataset_a_claim_says_so(tmp_path: Path) -> None:
    view = view_of(tmp_path, ["qm9"], {"qm9": ["mace-mp-small", "orb-v2", "random"]})
    claims = find(view).tables["claims"].set_index("claim")
    assert claims.at["C7", "verdict"] == UNTESTED
    assert "no slice of rcsb" in claims.at["C7", "why"]
    assert "no slice of omat24" in claims.at["C6", "why"]
