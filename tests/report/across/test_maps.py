"""Maps of two slices, by slice and by the error of energies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matteralign.config.analyses import Maps
from matteralign.report.across.kinds import find
from matteralign.report.across.maps import COORDINATE_COLUMNS, MAP_COLUMNS
from matteralign.stages.study.study import Study
from matteralign.store.latents import read_sidecar
from matteralign.store.structures import read_structures
from tests.report.across.conftest import View


def test_every_row_of_both_slices_has_its_place(view: View, across: Any) -> None:
    found = find(view("maps"))
    table = found.tables["coordinates"]
    assert list(table) == COORDINATE_COLUMNS
    assert len(table) == 120
    for name, rows in table.groupby("slice"):
        ids = [s.id for s in read_structures(across.layout(name).structures).structures]
        assert rows["id"].tolist() == [ids[row] for row in rows["row"]]
        assert sorted(rows["row"]) == list(range(60))
    assert np.isfinite(table[["x", "y"]].to_numpy()).all()
    (about,) = found.tables["maps"].to_dict("records")
    assert list(about) == MAP_COLUMNS
    assert (about["n"], about["masked"], about["neighbors"]) == (120, 0, 15)
    assert about["found_by"] == "exact search"
    assert 0.5 < about["trustworthiness"] <= 1.0
    assert len(found.tables["separation"]) == 2
    assert found.missing == []
    assert [d.stem for d in found.drawings] == ["maps"]


def changed(across: Any, name: str, **changes: Any) -> Study:
    asked = across.study.analysis(name).model_copy(update=changes)
    config = across.study.config.model_copy(update={"analyses": {name: asked}})
    return Study(config, across.study.cards)


def test_one_slice_uses_the_lists_that_it_has_and_they_give_the_same_map(
    view: View, across: Any, tmp_path: Path
) -> None:
    # The other metrics of this study read lists of 10 of max-scaled latents, and some spare.
    asked = changed(across, "maps", slices=["omat24-syn"], neighbors=8)
    found = find(view("maps", asked)).tables
    assert found["maps"]["found_by"].tolist() == ["lists of the slice"]
    searched = changed(across, "maps", slices=["omat24-syn"], neighbors=8)
    chosen = view("maps", searched)
    sidecar = chosen.slices["omat24-syn"].layout.neighbors_sidecar("orb-v2")
    kept = sidecar.read_text()
    try:
        sidecar.unlink()
        again = find(chosen).tables
    finally:
        sidecar.write_text(kept)
    assert again["maps"]["found_by"].tolist() == ["exact search"]
    # The fuzzy graph is the same within rounding; the layout is chaotic, its trust is not.
    assert again["maps"]["trustworthiness"].iloc[0] == pytest.approx(
        found["maps"]["trustworthiness"].iloc[0], abs=0.05
    )


def test_the_first_rows_alone_are_taken_and_masked_rows_are_left_out(
    view: View, across: Any
) -> None:
    study = changed(across, "maps", models=["mace-mp-small"], rows=30, neighbors=5)
    found = find(view("maps", study)).tables
    masked = 0
    for name in ("omat24-syn", "omol25-syn"):
        sidecar = read_sidecar(across.layout(name).latent("mace-mp-small"))
        gone = {m["row"] for m in sidecar["masked"] if m["row"] < 30}
        masked += len(gone)
        rows = found["coordinates"].query("slice == @name")["row"]
        assert set(rows) == set(range(30)) - gone
    (about,) = found["maps"].to_dict("records")
    assert (about["n"], about["masked"]) == (60 - masked, masked)


def test_a_model_with_too_few_rows_has_no_map(view: View, across: Any) -> None:
    study = changed(across, "maps")
    chosen = view("maps", study)
    too_few = Maps.model_construct(
        **{**dict(chosen.section(Maps)), "rows": 3, "kind": "maps"}  # fewer than a user can ask
    )
    chosen = view("maps", Study(
        study.config.model_copy(update={"analyses": {"maps": too_few}}), study.cards
    ))  # fmt: skip
    found = find(chosen)
    assert found.tables["coordinates"].empty
    assert found.drawings == []
    assert "fewer than 8 rows" in found.missing[0].reason


def test_errors_are_those_of_the_slices_per_atom(view: View, across: Any) -> None:
    chosen = view("energy-maps")
    found = find(chosen)
    table = found.tables["coordinates"]
    errors = found.tables["errors"].set_index("slice")
    for name in ("omat24-syn", "omol25-syn"):
        rows = table[(table["slice"] == name) & (table["model"] == "mace-mp-small")]
        assert errors.loc[name, "mae_per_atom"] == pytest.approx(
            rows["error_per_atom"].abs().mean()
        )
        regression = chosen.slices[name].energies.regressions["mace-mp-small"]
        assert errors.loc[name, "n"] == regression.n
    # The composition baseline predicts no energy: it has a map and no error.
    assert table.loc[table["model"] == "composition", "error_per_atom"].isna().all()
    assert {row.model_a for row in found.missing} == {"composition"}
    assert [d.stem for d in found.drawings] == ["energy_maps"]


def test_no_energies_at_all_are_said(view: View, across: Any) -> None:
    found = find(view("energy-maps", changed(across, "energy-maps", models=["composition"])))
    assert found.drawings == []
    assert found.tables["errors"].empty
    assert len(found.missing) == 2
