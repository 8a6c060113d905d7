"""Planes of two slices: tables, figure, what is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from matteralign.report.across.kinds import find
from matteralign.report.across.planes import POINT_COLUMNS
from tests.report.across.conftest import PANEL, View

PAIRS = len(PANEL) * (len(PANEL) - 1) // 2


def test_every_pair_has_both_directions_and_its_colour(view: View, across: object) -> None:
    found = find(view("planes"))
    points = found.tables["points"]
    assert list(points) == POINT_COLUMNS
    assert len(points) == 2 * 2 * PAIRS
    scores = pd.read_parquet(across.layout("omol25-syn").scores)  # type: ignore[attr-defined]
    known = scores.set_index(["metric", "model_a", "model_b"])["value"]
    own = points[(points["slice"] == "omol25-syn") & (points["colour_metric"] == "cka")]
    for row in own.to_dict("records"):
        a, b = row["model_a"], row["model_b"]
        assert row["forward"] == known["information_imbalance", a, b]
        assert row["backward"] == known["information_imbalance", b, a]
        assert row["colour"] == known["cka", a, b]
    corners = found.tables["corners"]
    assert (corners["pairs"] == (len(PANEL) - 1) * (len(PANEL) - 2) // 2).all()
    assert corners.groupby("slice")["share"].sum().tolist() == [1.0, 1.0]
    assert found.missing == []


def test_a_pair_without_a_colour_is_drawn_and_said(view: View) -> None:
    chosen = view("planes")
    scores = chosen.slices["omat24-syn"].scores
    hit = (scores["metric"] == "cka") & scores["model_a"].isin(PANEL[:2])
    hit &= scores["model_b"].isin(PANEL[:2])
    scores.loc[hit, ["value", "status", "reason"]] = [np.nan, "failed", "no reason"]
    found = find(chosen)
    assert found.tables["points"]["colour"].isna().sum() == 1
    assert set(found.tables["missing"]["reason"]) == {"no reason"}
    labels = [text.get_text() for text in found.drawings[0].figure.legends[0].get_texts()]
    assert "no score to colour by" in labels


def test_no_imbalance_at_all_gives_no_figure(view: View) -> None:
    chosen = view("planes")
    for of in chosen.slices.values():
        hit = of.scores["metric"] == "information_imbalance"
        of.scores.loc[hit, ["value", "status", "reason"]] = [np.nan, "failed", "all masked"]
    found = find(chosen)
    assert found.drawings == []
    assert "all masked" in set(found.tables["missing"]["reason"])
