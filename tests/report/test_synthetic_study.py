"""Findings of a study whose answer was planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from matteralign.report.probe import write_probe
from matteralign.report.slice_findings import (
    findings_absent,
    findings_drawings,
    findings_tables,
)
from matteralign.report.slice_findings.results import SliceResults
from matteralign.report.slice_view import SliceView
from matteralign.store.tidy import SCORES, read_frame
from tests.docs.test_schemas_page import columns
from tests.synthetic import Planted, build, quality, slice_of

PANEL = [
    "mace-mp-small",
    "mace-mp-medium",
    "sevennet-0",
    "chgnet-0.3.0",
    "orb-v2",
    "uma-medium",
    "rxnfp-bert",
    "chemberta",
    "random",
]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    metrics = {
        "pair": [{"metric": "cknna", "definition": "huh2024", "params": {"k": 10}}],
        "model": [],
    }
    folder = tmp_path_factory.mktemp("planted")
    return build(folder, n=80, datasets=["qm9"], panel=PANEL, metrics=metrics)


def test_a_planted_study_is_of_today_and_can_be_shown(planted: Planted) -> None:
    name = slice_of("qm9")
    view = SliceView(planted.study, planted.layout(name))
    assert sorted(view.keys) == sorted(PANEL)
    assert set(view.tables) >= {"models", "coverage", "not_scored"}


def test_the_random_baseline_is_aligned_with_nothing(planted: Planted) -> None:
    frame = read_frame(planted.layout(slice_of("qm9")).scores, SCORES)
    random = frame[(frame.model_a == "random") | (frame.model_b == "random")]
    others = frame.drop(random.index)
    assert abs(random.debiased.mean()) < 0.05 < others.debiased.mean()


def test_better_models_are_planted_with_less_noise(planted: Planted) -> None:
    grades = [quality(planted.study.cards[key]) for key in ("chgnet-0.3.0", "uma-medium")]
    assert np.diff(grades)[0] > 0
    assert Path(planted.config).exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SliceResults:
    metrics = {
        "pair": [
            {"metric": "cknna", "definition": "huh2024", "params": {"k": [10, 5]}},
            {"metric": "dcor", "definition": "squared"},
            {"metric": "information_imbalance", "definition": "rank", "params": {"k": 1}},
        ],
        "model": [],
    }
    folder = tmp_path_factory.mktemp("whole")
    planted = build(folder, n=60, datasets=["qm9"], panel=PANEL, metrics=metrics)
    return SliceView(planted.study, planted.layout(slice_of("qm9"))).results


def test_every_finding_has_tables_and_figures(whole: SliceResults) -> None:
    assert findings_absent(whole) == []
    assert set(findings_tables(whole)) >= {
        "local_global",
        "local_global_correlation",
        "cknna_over_k",
        "cknna_over_k_order",
        "imbalance_aspects",
        "imbalance_aspects_difference",
        "variance",
    }
    stems = [drawing.stem for drawing in findings_drawings(whole)]
    assert len(set(stems)) == len(stems)
    assert {"condensed", "local_global", "cknna_over_k"} <= set(stems)


def test_local_and_global_scores_of_planted_models_agree(whole: SliceResults) -> None:
    row = findings_tables(whole)["local_global_correlation"].iloc[0]
    assert row["ci_low"] < row["spearman"] < row["ci_high"]
    assert row["spearman"] > 0.4
    assert row["models"] == len(PANEL) - 1  # the baseline is not counted


def test_curves_hold_both_values_of_k_once_for_each_pair(whole: SliceResults) -> None:
    curves = findings_tables(whole)["cknna_over_k"]
    pairs = len(PANEL) * (len(PANEL) - 1) // 2
    assert curves.groupby("k").size().to_dict() == {5: pairs, 10: pairs}
    assert not curves.duplicated(["k", "model_a", "model_b"]).any()


def test_variance_is_explained_by_trained_models_alone(whole: SliceResults) -> None:
    table = findings_tables(whole)["variance"]
    assert set(table["factor"]) == {"training data", "architecture", "input"}
    assert set(table["metric"]) == {"cknna", "dcor"}
    assert set(table["models"]) == {len(PANEL) - 1}
    assert set(table["left_out"]) == {"random"}
    told = table[table["reason"] == ""]
    assert ((told["p"] > 0) & (told["p"] <= 1)).all()
    assert (told["r2"] >= told["r2_adjusted"]).all()


def test_a_slice_without_some_scores_says_what_it_cannot_show(planted: Planted) -> None:
    view = SliceView(planted.study, planted.layout(slice_of("qm9")))
    told = " ".join(findings_absent(view.results))
    assert "no global score (Distance correlation or Linear CKA)" in told
    assert "at two values of k" in told
    assert "no information imbalance" in told


def test_the_page_of_schemas_has_the_columns_of_every_table_of_findings(
    whole: SliceResults,
) -> None:
    for stem, frame in findings_tables(whole).items():
        named = "condensed_<score>" if stem.startswith("condensed_") else stem
        assert sorted(columns(f"`tables/{named}.parquet`")) == sorted(frame.columns), stem


def test_energies_are_read_from_planted_latents(planted: Planted) -> None:
    layout = planted.layout(slice_of("qm9"))
    found = write_probe(
        planted.study, layout, PANEL, rows=500, permutations=9, report=lambda _: None
    ).set_index("model")
    assert sorted(columns("`probe/`")) == sorted([*found.columns, "model"])
    # The energy holds the first coordinate of the planted space, which all but the baseline see.
    assert found.at["uma-medium", "r2"] > 0.3 > 0.1 > found.at["random", "r2"]
    assert (layout.probe / "probe.svg").exists()
