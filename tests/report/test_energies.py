"""Energies of a slice: whose they are, what is shown of them, what is said where there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from matteralign.config.slices import Convergence
from matteralign.core.errors import IntegrityError, UserError
from matteralign.report.analysis.energies import SliceEnergies
from matteralign.report.contents import report_data
from matteralign.report.drawing import draw
from matteralign.report.figures.findings.energy_bars import error_bars
from matteralign.report.figures.findings.energy_panels import composition_figures, deviation_figures
from matteralign.report.figures.render import render
from matteralign.report.figures.style import ModelLabel, labels_of
from matteralign.report.page.energies_html import energies_html, no_energies
from matteralign.report.slice_findings import convergence, findings_absent
from matteralign.report.slice_view import SliceView
from matteralign.stages.score import score_slice
from matteralign.stages.study.standing import require_today
from matteralign.stages.study.study import Study
from matteralign.stages.summarize import summarize_model
from matteralign.store.predictions import read_energies, write_predictions
from matteralign.store.structures import Compositions, read_compositions
from matteralign.store.tidy import CSV_ROWS, write_table
from tests.synthetic import Planted, build, quality, slice_of

PANEL = ["mace-mp-small", "chgnet-0.3.0", "orb-v2", "uma-medium", "chemberta", "random"]
WITH = PANEL[:4]
METRICS: dict[str, Any] = {
    "pair": [
        {"metric": "cka", "definition": "plain"},
        {"metric": "dcor", "definition": "squared"},
    ],
    "model": [],
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("energies")
    return build(folder, n=120, datasets=["qm9"], panel=PANEL, metrics=METRICS)


@pytest.fixture(scope="module")
def view(planted: Planted) -> SliceView:
    return SliceView(planted.study, planted.layout(slice_of("qm9")))


def test_planted_errors_are_found_and_others_are_not_applicable(view: SliceView) -> None:
    table = view.tables["energy_regression"].set_index("model")
    assert list(table.index) == view.keys
    for key in WITH:
        row, sigma = table.loc[key], 0.3 * (1.1 - quality(view.study.cards[key]))
        assert row["status"] == "ok"
        assert row["mae_left_out"] == pytest.approx(sigma * np.sqrt(2 / np.pi), rel=0.25)
        assert row["mae_low"] < row["mae"] < row["mae_high"]
        assert row["level_of_theory"] == "synthetic"
    assert table.loc["mace-mp-small", "n"] == 114  # six of its rows are masked
    for key in ("chemberta", "random"):
        assert table.loc[key, "status"] == "not_applicable"
        assert table.loc[key, "reason"] == "this model predicts no energy"
        assert np.isnan(table.loc[key, "mae"])
    assert table.loc["uma-medium", "mae"] == table["mae"].min()


def test_deviations_give_the_mae_again(view: SliceView) -> None:
    table = view.tables["energy_regression"].set_index("model")
    deviations = view.tables["energy_deviations"]
    assert set(deviations["model"]) == set(WITH)
    for key, rows in deviations.groupby("model", observed=True):
        error = (rows["deviation"] - rows["dft_deviation"]).abs()
        assert len(rows) == table.loc[str(key), "n"]
        assert error.mean() == pytest.approx(table.loc[str(key), "mae"], rel=1e-5)
        per_atom = (error / rows["atoms"]).mean()
        assert per_atom == pytest.approx(table.loc[str(key), "mae_per_atom"], rel=1e-5)


def test_the_figures_and_their_captions(view: SliceView) -> None:
    drawn = {d.stem: d for d in draw(view) if d.stem.startswith("energies_")}
    assert list(drawn) == ["energies_composition", "energies_deviations", "energies_errors"]
    for drawing in drawn.values():
        assert "n = 114–120 by model" in drawing.caption
        assert b"image/png;base64" in render(drawing.figure, "a").svg or "errors" in drawing.stem
    assert "DFT: synthetic." in drawn["energies_errors"].caption
    assert "(uma-medium) it is PBE_OMat24 of task omat" in drawn["energies_errors"].caption
    texts = [t.get_text() for ax in drawn["energies_deviations"].figure.axes for t in ax.texts]
    assert any("slope" in t and "n = 114" in t for t in texts)


def test_a_slice_without_dft_energies_says_so(tmp_path: Path) -> None:
    panel = ["random", "uma-medium"]
    planted = build(tmp_path, n=40, datasets=["rcsb@entries"], panel=panel, metrics=METRICS)
    proteins = SliceView(planted.study, planted.layout(slice_of("rcsb@entries")))
    assert not [stem for stem in proteins.tables if stem.startswith("energy_")]
    assert not [d for d in draw(proteins) if d.stem.startswith("energies_")]
    told = "energies: the structures of this slice have no DFT energies"
    assert told in findings_absent(proteins.results)
    assert no_energies(None, {}) == "Not applicable: the notes at the top say why."
    assert len(energies_html(None, {})) == 0


def test_the_report_lists_errors_and_who_has_none(view: SliceView) -> None:
    table = view.tables["energy_regression"]
    shown = energies_html(table, {"orb-v2": "Orb v2"})
    assert len(shown) == len(WITH)
    assert {row[0][0].text for row in shown.rows} == {*WITH, "Orb v2"} - {"orb-v2"}
    told = no_energies(table, {"chemberta": "BERT"})
    assert told == "Not applicable: this model predicts no energy: random, BERT."


@pytest.fixture
def done(tiny_study: Callable[..., Any]) -> Any:
    made = tiny_study(["alpha", "beta"], 40, METRICS)
    for seed, key in enumerate(("alpha", "beta")):
        made.write(key, np.random.default_rng(seed).normal(size=(40, 4)), energies=np.arange(40.0))
        summarize_model(made.study, made.layout, key, threads=1)
    score_slice(made.study, made.layout, report=lambda _: None)
    return made


def rewrite(done: Any, energies: np.ndarray, **changes: str) -> None:
    told = {
        "model": "beta",
        "slice": "tiny",
        "sample_set_id": done.sample_set_id,
        "card_sha256": done.study.cards["beta"].digest(),
    }
    ids = [s.id for s in done.structures][: len(energies)]
    write_predictions(done.layout.predictions("beta"), ids, energies, {}, told | changes)


def test_other_energies_make_tables_and_figures_out_of_date(done: Any) -> None:
    before = SliceView(done.study, done.layout).identity
    rewrite(done, np.arange(40.0))
    assert SliceView(done.study, done.layout).identity == before
    rewrite(done, np.arange(40.0) ** 2)
    assert SliceView(done.study, done.layout).identity != before
    done.layout.predictions("beta").unlink()
    with pytest.raises(IntegrityError, match=r"predictions/beta\.parquet: file is missing"):
        _ = SliceView(done.study, done.layout).identity


@pytest.mark.parametrize("name", ["model", "sample_set_id", "card_sha256"])
def test_energies_of_other_latents_are_refused(done: Any, name: str) -> None:
    rewrite(done, np.arange(40.0), **{name: "0" * 64})
    with pytest.raises(IntegrityError, match=rf"beta\.parquet: its {name} is '0000"):
        _ = SliceView(done.study, done.layout).tables
    with pytest.raises(IntegrityError, match="has energies of other latents"):
        require_today(done.study, done.layout)


def test_rows_and_status_of_energies_are_checked(done: Any, tmp_path: Path) -> None:
    rewrite(done, np.arange(39.0))
    with pytest.raises(IntegrityError, match="rows are not those of the structures"):
        _ = SliceView(done.study, done.layout).energies
    rewrite(done, np.where(np.arange(40) == 3, np.nan, 1.0))
    with pytest.raises(IntegrityError, match=r"row 3 \(w3\) has the energy nan and the status"):
        _ = SliceView(done.study, done.layout).energies


def test_energies_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(path, ["a", "b"], np.array([-1.5, 2.0]), {1: "element: Na"}, {"model": "m"})
    found = read_energies(path, ["a", "b"], {"model": "m"})
    assert found is not None
    assert found[0] == -1.5
    assert np.isnan(found[1])
    write_predictions(path, ["a", "b"], None, {0: "smiles: none"}, {})
    assert read_energies(path, ["a", "b"], {}) is None


def test_compositions_are_those_of_the_structures(done: Any) -> None:
    found = read_compositions(done.layout.structures)
    assert list(found.ids) == [s.id for s in done.structures]
    assert [n.tolist() for n in found.numbers] == [s.numbers.tolist() for s in done.structures]
    assert np.isnan(found.energies).all()


def test_a_model_of_which_every_row_is_masked_has_a_reason() -> None:
    structures = Compositions(["a", "b"], [np.array([1], np.uint8)] * 2, np.array([1.0, 2.0]))
    found = SliceEnergies(structures, {"m": np.full(2, np.nan)}, "", {}).regressions
    assert found["m"].reason == "no structure has both energies"


def test_59_models_are_drawn_on_pages_with_untrained_ones_marked(view: SliceView) -> None:
    row = view.tables["energy_regression"].set_index("model").loc[["orb-v2"]].reset_index()
    points = view.tables["energy_deviations"]
    points = points[points["model"] == "orb-v2"].head(20)
    names = [f"m{i}" for i in range(59)]
    table = pd.concat([row.assign(model=name, mae=0.1 + i) for i, name in enumerate(names)])
    deviations = pd.concat([points.assign(model=name) for name in names])
    labels = {n: ModelLabel(n, "family", untrained=i > 50) for i, n in enumerate(names)}
    for made in (composition_figures, deviation_figures):
        pages = made(table, deviations, labels)
        assert [len(page.axes) for page in pages] == [30, 29]
    bars = error_bars(table, labels)
    assert bars is not None
    assert len(bars.axes[0].get_yticks()) == 59


def test_nothing_to_draw_draws_nothing(view: SliceView) -> None:
    table = view.tables["energy_regression"].assign(status="not_applicable")
    none = view.tables["energy_deviations"].head(0)
    labels = labels_of(view.tables["models"])
    assert composition_figures(table, none, labels) == []
    assert deviation_figures(table, none, labels) == []
    assert error_bars(table, labels) is None


def test_long_tables_have_no_csv(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.zeros(CSV_ROWS + 1)})
    assert write_table(frame, tmp_path / "long") == (tmp_path / "long.parquet",)
    assert len(write_table(frame.head(3), tmp_path / "short")) == 2


def test_the_report_says_why_there_are_none(done: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from matteralign.cli.jobs import figures, tables

    monkeypatch.setattr("matteralign.cli.shared.common.study_of", lambda _: done.study)
    tables.tables("tiny")
    figures.figures("tiny")
    data = report_data(SliceView(done.study, done.layout))
    assert data.energies is None  # the structures are copies of water without an energy
    assert any("energies: the structures of this slice have no DFT" in note for note in data.notes)


def test_alignment_to_the_best_model(view: SliceView) -> None:
    points = view.tables["convergence"].set_index("model")
    told = view.tables["convergence_correlation"]
    assert set(points.index) == set(WITH)
    assert list(points.index[points["best"]]) == ["uma-medium"]
    assert np.isnan(points.loc["uma-medium", "value"])
    assert set(told["metric"]) == {"dcor"}
    assert set(told["column"]) == {"value", "debiased"}
    assert set(told["chosen_by"]) == {"smallest MAE"}
    scores = view.scores[view.scores["metric"] == "dcor"]
    pair = scores[(scores["model_a"] == "orb-v2") & (scores["model_b"] == "uma-medium")].iloc[0]
    for name, column in (("value", "value"), ("floor", "null_mean"), ("debiased", "debiased")):
        assert points.loc["orb-v2", name] == pytest.approx(pair[column])
    (drawn,) = [d for d in draw(view) if d.stem == "convergence"]
    assert "UMA medium 1.1 has the smallest error" in drawn.caption
    assert len(drawn.figure.axes) == 2
    render(drawn.figure, "a")


def test_a_named_best_model_and_a_score_that_is_not_there(
    planted: Planted, view: SliceView
) -> None:
    name = slice_of("qm9")

    def study(**asked_of: Any) -> Study:
        asked = Convergence.model_validate(asked_of)
        chosen = planted.study.slice(name).model_copy(update={"convergence": asked})
        config = planted.study.config.model_copy(update={"slices": {name: chosen}})
        return Study(config, planted.study.cards)

    cka = {"metric": "cka", "definition": "plain"}
    other = SliceView(study(score=cka, best="orb-v2"), planted.layout(name))
    told = other.tables["convergence_correlation"]
    assert set(told["best"]) == {"orb-v2"}
    assert set(told["metric"]) == {"cka"}
    with pytest.raises(UserError, match=r"convergence\.best: unknown model 'orb-v'.*'orb-v2'"):
        study(score=cka, best="orb-v").convergence(name)
    with pytest.raises(UserError, match=r"convergence\.score: must be one score of the slice's"):
        study(score={"metric": "cka", "definition": "debiased"}).convergence(name)
    results = replace(view.results, convergence=(view.results.convergence[0], "chemberta"))
    assert "chemberta, which convergence.best names" in str(convergence.absent(results))


def test_untrained_models_are_drawn_and_not_correlated(view: SliceView) -> None:
    facts = [
        replace(fact, weights="untrained") if fact.model == "uma-medium" else fact
        for fact in view.results.facts
    ]
    results = replace(view.results, facts=facts)
    made = convergence.tables(results)
    points = made["convergence"].set_index("model")
    assert not points.loc["uma-medium", "best"]
    assert not points.loc["uma-medium", "correlated"]
    assert np.isfinite(points.loc["uma-medium", "value"])
    (drawn,) = convergence.drawings(results)
    assert "untrained weights are drawn and not correlated" in drawn.caption
    every = replace(results, facts=[replace(fact, weights="untrained") for fact in facts])
    (drawn,) = convergence.drawings(every)
    assert "No model is trained" in drawn.caption
