"""What is shown of a slice is of the results of today, or it is not shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from matteralign.cli.jobs import figures, report, tables
from matteralign.config.metrics import MetricRequest
from matteralign.core.errors import IntegrityError
from matteralign.report.contents import report_data
from matteralign.report.drawing import tree_of
from matteralign.report.drawn import read_drawn, write_drawn
from matteralign.report.slice_view import SliceView
from matteralign.stages.score import score_slice
from matteralign.stages.study.study import Study
from matteralign.stages.summarize import summarize_model

KEYS = ["alpha", "beta", "gamma"]
METRICS = {
    "pair": [{"metric": "cka", "definition": "plain"}],
    "model": [{"metric": "twonn", "definition": "fit"}],
}
FIGURE = {"stem": "a", "title": "A", "caption": "About a."}


def latents(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(40, 4))


@pytest.fixture
def done(tiny_study: Callable[..., Any]) -> Any:
    made = tiny_study(KEYS, 40, METRICS)
    for seed, key in enumerate(KEYS):
        made.write(key, latents(seed))
        summarize_model(made.study, made.layout, key, threads=1)
    score_slice(made.study, made.layout, report=lambda _: None)
    return made


def changed(study: Study, **settings: Any) -> Study:
    return Study(study.config.model_copy(update=settings), study.cards)


def test_dimensions_of_earlier_latents_are_not_shown(done: Any) -> None:
    """All scores are in the ledger, so nothing has looked at the neighbours since."""
    done.write("beta", latents(9))
    summarize_model(done.study, done.layout, "beta", threads=1)
    done.write("beta", latents(1))
    score_slice(done.study, done.layout, report=lambda _: None)
    view = SliceView(done.study, done.layout)
    assert len(view.scores) == 6
    with pytest.raises(IntegrityError, match=r"neighbors/beta\.npz: neighbours of other latents"):
        _ = view.dimensions


def test_dimensions_that_are_not_asked_for_are_not_shown(done: Any) -> None:
    asked = done.study.config.metrics.model_copy(update={"model": []})
    view = SliceView(changed(done.study, metrics=asked), done.layout)
    with pytest.raises(IntegrityError, match=r"neighbors/alpha\.npz: dimension .* not asked for"):
        _ = view.dimensions


def test_figures_of_other_results_or_settings_are_not_shown(done: Any) -> None:
    write_drawn(SliceView(done.study, done.layout), [FIGURE])
    assert read_drawn(SliceView(done.study, done.layout)) == [FIGURE]
    tree = done.study.config.tree.model_copy(update={"epsilon": 1e-3})
    with pytest.raises(IntegrityError, match="draw them again: `matteralign figures tiny`"):
        read_drawn(SliceView(changed(done.study, tree=tree), done.layout))
    done.write("beta", latents(9))
    summarize_model(done.study, done.layout, "beta", threads=1)
    score_slice(done.study, done.layout, report=lambda _: None)
    with pytest.raises(IntegrityError, match="figures are of other results"):
        read_drawn(SliceView(done.study, done.layout))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda side: side.pop("intrinsic"), "beta.json: lacks intrinsic; summarize this model"),
        (lambda side: side.pop("scalings"), "beta.json: lacks scalings; summarize this model"),
        (lambda side: side["intrinsic"][0].pop("n"), "beta.json: a dimension lacks n; summarize"),
        (lambda side: side.update(intrinsic=3), "beta.json: a dimension lacks its columns; "),
    ],
)
def test_a_summary_that_lacks_something_is_named(
    done: Any, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    path = done.layout.neighbors("beta").with_suffix(".json")
    sidecar = json.loads(path.read_text())
    change(sidecar)
    path.write_text(json.dumps(sidecar))
    with pytest.raises(IntegrityError) as caught:
        _ = SliceView(done.study, done.layout).tables
    assert message in str(caught.value)


@pytest.fixture
def verb(done: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Study], None]:
    """Call a verb on the finished slice, as a study says."""
    verbs = {"tables": tables.tables, "figures": figures.figures, "report": report.report}

    def call(name: str, study: Study) -> None:
        monkeypatch.setattr("matteralign.cli.shared.common.study_of", lambda _: study)
        verbs[name]("tiny")

    return call


def test_a_verb_removes_its_own_files_of_an_earlier_run_and_no_others(
    done: Any, verb: Callable[[str, Study], None]
) -> None:
    layout = done.layout
    for name, folder in (("tables", layout.tables), ("figures", layout.figures)):
        verb(name, done.study)
        first = {path.name for path in folder.iterdir()}
        mine = folder / "mine.csv"
        mine.write_text("a user's own")
        asked = done.study.config.metrics.model_copy(
            update={"pair": [MetricRequest(metric="dcor", definition="root")]}
        )
        other = changed(done.study, metrics=asked)
        score_slice(other, layout, report=lambda _: None)
        verb(name, other)
        second = {path.name for path in folder.iterdir()}
        assert mine.read_text() == "a user's own"
        gone = first - second
        assert gone
        assert all("cka" in name for name in gone)
        assert any("dcor" in name for name in second - first)
        score_slice(done.study, layout, report=lambda _: None)


def test_the_report_says_why_there_is_no_tree(
    done: Any, verb: Callable[[str, Study], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("tables", "figures"):
        verb(name, done.study)
    because = "it is made of CKNNA, which metrics.pair of the configuration does not ask for"
    assert f"no tree of the models: {because}" in capsys.readouterr().err
    data = report_data(SliceView(done.study, done.layout))
    assert f"There is no tree of the models: {because}." in data.notes
    assert data.newick == ""


def test_a_panel_of_baselines_says_who_is_left_for_a_tree(done: Any) -> None:
    asked = done.study.config.metrics.model_copy(
        update={"pair": [MetricRequest(metric="cknna", definition="text", params={"k": 5})]}
    )
    study = changed(done.study, metrics=asked)
    for key in KEYS:
        summarize_model(study, done.layout, key, threads=1)
    score_slice(study, done.layout, report=lambda _: None)
    assert tree_of(SliceView(study, done.layout)) == (
        "it takes at least 3 models that have a score with each other; here is none. Left out: "
        "alpha (a baseline), beta (a baseline), gamma (a baseline)"
    )


@pytest.mark.parametrize(
    ("scaling", "advice"),
    [("max", "prefer a definition on unit rows"), ("l2", "All rows have the same length")],
)
def test_a_hub_is_explained_by_what_makes_it(
    done: Any, verb: Callable[[str, Study], None], scaling: str, advice: str
) -> None:
    request = MetricRequest(
        metric="cknna",
        definition="text",
        params={"k": 20},
        normalize=scaling,  # type: ignore[arg-type]
    )
    asked = done.study.config.metrics.model_copy(update={"pair": [request]})
    study = changed(done.study, metrics=asked)
    for seed, key in enumerate(KEYS):
        # Row 0 is the direction about which all others lie, and the longest.
        rows = np.abs(latents(seed)) + np.array([3.0, 0, 0, 0])
        rows[0] = 20 * rows[1:].mean(axis=0)
        done.write(key, rows)
        summarize_model(study, done.layout, key, threads=1)
    score_slice(study, done.layout, report=lambda _: None)
    for name in ("tables", "figures"):
        verb(name, study)
    (note,) = [n for n in report_data(SliceView(study, done.layout)).notes if "CKNNA text" in n]
    assert f"(k = 20, {scaling} scaling): one structure" in note
    assert "alpha (" in note
    assert advice in note
