"""An analysis of pairs in two slices: its tables, its figure, what it says is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from matteralign.report.across.kinds import find
from matteralign.report.across.paired_scores import PAIRED_COLUMNS
from matteralign.stages.study.study import Study
from tests.report.across.conftest import PANEL, View


def test_every_pair_of_both_slices_stands_in_the_table_with_its_own_scores(
    view: View, across: Any
) -> None:
    found = find(view("in-and-out"))
    pairs = found.tables["pairs"]
    assert list(pairs) == PAIRED_COLUMNS
    own = pairs[pairs["metric"] == "cka"]
    count = len(PANEL) * (len(PANEL) - 1) // 2
    assert len(own) == count
    scores = pd.read_parquet(across.layout("omol25-syn").scores)
    scores = scores[scores["metric"] == "cka"].set_index(["model_a", "model_b"])["value"]
    for a, b, value in own[["model_a", "model_b", "value_2"]].itertuples(index=False, name=None):
        assert value == scores[(a, b)]
    assert (own["difference_low"] <= own["difference"]).all()
    assert (own["difference"] <= own["difference_high"]).all()
    assert found.missing == []
    assert len(found.drawings) == 1
    # The random baseline is in the table and not in the summary.
    summary = found.tables["summary"].set_index("metric")
    assert summary.loc["cka", "models"] == len(PANEL) - 1


def test_a_definition_with_two_directions_stands_with_their_mean(view: View, across: Any) -> None:
    pairs = find(view("in-and-out")).tables["pairs"]
    own = pairs[pairs["metric"] == "cknna"].set_index(["model_a", "model_b"])
    assert len(own) == len(PANEL) * (len(PANEL) - 1) // 2
    scores = pd.read_parquet(across.layout("omat24-syn").scores)
    scores = scores[scores["metric"] == "cknna"].set_index(["model_a", "model_b"])["value"]
    for (a, b), row in own.iterrows():
        assert row["value_1"] == pytest.approx((scores[(a, b)] + scores[(b, a)]) / 2)


def test_one_slice_alone_says_what_it_lacks(view: View) -> None:
    found = find(view("alone"))
    assert found.drawings == []
    assert found.tables["pairs"].empty
    (row,) = found.tables["missing"].to_dict("records")
    assert row["what"] == "second slice"
    assert "needs two slices" in row["reason"]


def test_a_model_that_one_slice_lacks_is_missing_with_the_reason(view: View, across: Any) -> None:
    config = across.study.config
    fewer = config.slices["omol25-syn"].model_copy(update={"panel": PANEL[1:]})
    study = type(across.study)(
        config.model_copy(update={"slices": {**config.slices, "omol25-syn": fewer}}),
        across.study.cards,
    )
    chosen = view("in-and-out", study)
    assert chosen.models_in("omol25-syn") == [k for k in chosen.models if k != PANEL[0]]
    (row,) = chosen.not_on_panels()
    assert (row.slice, row.model_a) == ("omol25-syn", PANEL[0])
    assert "not on the list of the panel" in row.reason


def test_scores_without_a_value_are_missing_with_their_reason(view: View) -> None:
    chosen = view("in-and-out")
    scores = chosen.slices["omol25-syn"].scores
    hit = (scores["model_a"] == "orb-v2") | (scores["model_b"] == "orb-v2")
    scores.loc[hit, ["value", "status", "reason"]] = [np.nan, "not_applicable", "all masked"]
    found = find(chosen)
    missing = found.tables["missing"]
    assert set(missing["reason"]) == {"all masked"}
    assert len(missing) == 2 * (len(PANEL) - 1)
    assert "orb-v2" not in set(found.tables["pairs"]["model_a"])
    assert len(found.drawings) == 1


def test_no_pair_with_a_score_gives_no_figure_and_no_crash(view: View) -> None:
    chosen = view("in-and-out")
    scores = chosen.slices["omat24-syn"].scores
    scores[["value", "status", "reason"]] = [np.nan, "failed", "all masked"]
    found = find(chosen)
    assert found.drawings == []
    assert "no pair of models has a score in both" in set(found.tables["missing"]["reason"])


def test_slices_of_one_dataset_may_share_structures_and_have_no_interval_over_them(
    view: View, across: Any
) -> None:
    config = across.study.config
    same = config.slices["omol25-syn"].model_copy(update={"dataset": "omat24@train"})
    study = Study(
        config.model_copy(update={"slices": {**config.slices, "omol25-syn": same}}),
        across.study.cards,
    )
    read = view("in-and-out")
    chosen = view("in-and-out", study)
    vars(chosen)["slices"] = read.slices
    found = find(chosen)
    assert found.tables["pairs"]["difference_low"].isna().all()
    assert found.tables["summary"]["difference_structures_low"].isna().all()
    assert "both slices draw from one dataset" in set(found.tables["missing"]["reason"])
