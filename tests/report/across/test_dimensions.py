"""Intrinsic dimensions of several slices: tables, figures, what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from matteralign.report.across.dimensions import DIMENSION_COLUMNS
from matteralign.report.across.kinds import find
from tests.report.across.conftest import PANEL, View


def test_every_model_of_every_slice_has_its_dimension(view: View) -> None:
    chosen = view("dimensions")
    found = find(chosen)
    table = found.tables["dimensions"]
    assert list(table) == DIMENSION_COLUMNS
    assert len(table) == 2 * len(PANEL)
    (own,) = table.query("slice == 'omol25-syn' and model == 'orb-v2'")["value"]
    of = chosen.slices["omol25-syn"].dimensions.set_index("model")
    assert own == of.loc["orb-v2", "value"]
    assert found.missing == []
    assert len(found.drawings) == 1


def test_the_bands_leave_the_baseline_out_and_show_its_value(view: View) -> None:
    bands = find(view("dimensions")).tables["bands"]
    all_models = bands[bands["embedding"] == "all"]
    assert (all_models["models"] == len(PANEL) - 1).all()
    # Random vectors fill more dimensions than any planted latents do.
    assert (all_models["baseline"] > all_models["most"]).all()


def test_the_models_of_the_analysis_are_enough(view: View, across: Any, tmp_path: Path) -> None:
    asked = across.study.analysis("dimensions").model_copy(update={"models": ["orb-v2"]})
    config = across.study.config.model_copy(update={"analyses": {"dimensions": asked}})
    chosen = view("dimensions", type(across.study)(config, across.study.cards))
    assert {path.stem for path in map(Path, chosen.made_of()["inputs"])} == {"structures", "orb-v2"}
    found = find(chosen)
    assert set(found.tables["dimensions"]["model"]) == {"orb-v2"}
    assert len(found.drawings) == 1


def test_a_dimension_without_a_value_is_missing_with_its_reason(view: View) -> None:
    chosen = view("dimensions")
    rows = chosen.slices["omat24-syn"].dimensions
    rows.loc[rows["model"] == "orb-v2", ["status", "reason"]] = ["failed", "all masked"]
    found = find(chosen)
    (row,) = found.tables["missing"].to_dict("records")
    assert (row["slice"], row["model_a"], row["reason"]) == ("omat24-syn", "orb-v2", "all masked")


@pytest.mark.parametrize("name", ["omat24-syn", "omol25-syn"])
def test_a_slice_without_any_dimension_does_not_stop_the_other(view: View, name: str) -> None:
    chosen = view("dimensions")
    rows = chosen.slices[name].dimensions
    rows[["status", "reason"]] = ["failed", "all masked"]
    found = find(chosen)
    assert len(found.drawings) == 1
    assert len(found.missing) == len(PANEL)


def test_no_dimension_at_all_gives_no_figure(view: View) -> None:
    chosen = view("dimensions")
    for of in chosen.slices.values():
        of.dimensions[["status", "reason"]] = ["failed", "all masked"]
    found = find(chosen)
    assert found.drawings == []
    assert found.tables["dimensions"].empty
