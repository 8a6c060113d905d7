from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure

from matteralign.core.errors import UserError
from matteralign.report.analysis.calibration import calibration_table, once_per_pair
from matteralign.report.analysis.dimensions import dimension_estimates
from matteralign.report.analysis.imbalance import imbalance_pairs
from matteralign.report.analysis.matrices import score_matrix
from matteralign.report.analysis.tree import model_tree
from matteralign.report.figures.bars import dimension_bars
from matteralign.report.figures.calibration import calibration_figure
from matteralign.report.figures.captions import (
    calibration_caption,
    dimension_caption,
    heatmap_caption,
    subtitle,
    told_apart,
)
from matteralign.report.figures.grid import plot_titles
from matteralign.report.figures.heatmap import MISSING_NOTE, clustered_heatmap
from matteralign.report.figures.phylogram import tree_figure
from matteralign.report.figures.placement import Box, place_labels
from matteralign.report.figures.plane import imbalance_plane
from matteralign.report.figures.render import render
from matteralign.report.figures.style import (
    UNTRAINED_NOTE,
    UNTRAINED_PAIR,
    family_colours,
    label_for,
    shorten,
)
from matteralign.report.figures.sweep import sweep_figure

HOSTILE = 'A <b>"name"</b> & $\\frac{1$ --> ]]> \x07 \n tail'


def texts(figure: Figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text"))]


def all_figures(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame, labels: Any = None
) -> dict[str, Callable[[], Figure]]:
    labels = labels or demo.labels
    matrix = score_matrix(scores, "cknna", "huh2024", models=demo.KEYS)
    return {
        "heatmap": lambda: clustered_heatmap(matrix, labels),
        "plane": lambda: imbalance_plane(imbalance_pairs(scores, models=demo.KEYS), labels),
        "bars": lambda: dimension_bars(dimension_estimates(intrinsic, demo.KEYS), labels),
        "tree": lambda: tree_figure(model_tree(matrix, exclude=["random"]), labels),
        "calibration": lambda: calibrated(demo, scores, labels),
        "sweep": lambda: swept(demo, scores, labels),
    }


def calibrated(demo: SimpleNamespace, scores: pd.DataFrame, labels: Any) -> Figure:
    figure = calibration_figure(calibration_table(demo.calibrate(scores), demo.KEYS), labels)
    assert figure is not None
    return figure


def swept(demo: SimpleNamespace, scores: pd.DataFrame, labels: Any) -> Figure:
    rows = once_per_pair(demo.sweep(demo.calibrate(scores)), demo.KEYS)
    figure = sweep_figure(rows, labels)
    assert figure is not None
    return figure


@pytest.mark.parametrize("kind", ["heatmap", "plane", "bars", "tree", "calibration", "sweep"])
def test_same_input_gives_the_same_bytes(
    demo: SimpleNamespace, kind: str, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    draw = all_figures(demo, scores, intrinsic)[kind]
    first, second = render(draw(), kind), render(draw(), kind)
    assert first == second
    assert first.png.startswith(b"\x89PNG")
    assert b"<dc:date>" not in first.svg


def test_user_settings_do_not_change_a_figure_and_are_kept(
    demo: SimpleNamespace,
    scores: pd.DataFrame,
    intrinsic: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = all_figures(demo, scores, intrinsic)["bars"]
    plain = render(draw(), "bars")
    monkeypatch.setitem(rcParams, "font.size", 30.0)
    monkeypatch.setitem(rcParams, "svg.fonttype", "none")
    assert render(draw(), "bars") == plain
    assert rcParams["font.size"] == 30.0


@pytest.mark.parametrize("kind", ["heatmap", "plane", "bars", "tree"])
def test_hostile_names_are_drawn_as_they_are(
    demo: SimpleNamespace, kind: str, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    labels = dict(demo.labels)
    labels["orb-d3-xs-v2"] = replace(labels["orb-d3-xs-v2"], name=HOSTILE, family=HOSTILE)
    figure = all_figures(demo, scores, intrinsic, labels)[kind]()
    ET.fromstring(render(figure, kind).svg)
    assert any('A <b>"name"</b> & $\\frac' in t for t in texts(figure))


Drawn = Callable[[str], tuple[Figure, Figure]]


@pytest.fixture
def plain_and_marked(demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame) -> Drawn:
    """Return a figure as it is, and as it is with SevenNet-0 untrained."""
    labels = dict(demo.labels)
    labels["sevennet-0"] = replace(labels["sevennet-0"], untrained=True)

    def draw(kind: str) -> tuple[Figure, Figure]:
        plain = all_figures(demo, scores, intrinsic)[kind]()
        return plain, all_figures(demo, scores, intrinsic, labels)[kind]()

    return draw


@pytest.mark.parametrize("kind", ["heatmap", "plane", "bars", "tree"])
def test_untrained_models_carry_a_mark_and_a_footnote(plain_and_marked: Drawn, kind: str) -> None:
    plain, marked = plain_and_marked(kind)
    assert UNTRAINED_NOTE in texts(marked)
    assert any("SevenNet-0 †" in t for t in texts(marked))
    assert not any("†" in t for t in texts(plain))


@pytest.mark.parametrize("kind", ["calibration", "sweep"])
def test_points_and_curves_of_untrained_models_are_told_apart(
    plain_and_marked: Drawn, kind: str
) -> None:
    plain, marked = plain_and_marked(kind)
    assert any(UNTRAINED_PAIR in t for t in texts(marked))
    assert not any("†" in t for t in texts(plain))

    def told_apart(figure: Figure) -> int:
        """Count hollow points of pairs of models, or dotted curves."""
        lines = figure.axes[0].lines
        if kind == "sweep":
            return sum(line.get_linestyle() == ":" for line in lines)
        hollow = [m for m in lines if (m.get_marker(), m.get_markerfacecolor()) == ("o", "none")]
        return sum(len(m.get_xdata()) for m in hollow)

    # Both ways with seven other models; the pair with the random baseline is grey as before.
    assert (told_apart(plain), told_apart(marked)) == (0, 14 if kind == "calibration" else 28)


def test_missing_pairs_are_hatched_with_a_footnote(
    demo: SimpleNamespace, scores: pd.DataFrame
) -> None:
    whole = clustered_heatmap(score_matrix(scores, "cknna", "huh2024"), demo.labels)
    holed = clustered_heatmap(
        score_matrix(demo.fail_pair(scores, "ecfp4", "chgnet-0.3.0", "why"), "cknna", "huh2024"),
        demo.labels,
    )

    def hatched(figure: Figure) -> int:
        return sum(bool(p.get_hatch()) for p in figure.axes[0].patches)

    assert (hatched(whole), hatched(holed)) == (0, 2)
    assert MISSING_NOTE in texts(holed)
    assert MISSING_NOTE not in texts(whole)


def test_cells_show_their_scores(demo: SimpleNamespace, scores: pd.DataFrame) -> None:
    matrix = score_matrix(scores, "cknna", "huh2024")
    shown = [
        t for t in texts(clustered_heatmap(matrix, demo.labels)) if re.fullmatch(r"\d\.\d\d", t)
    ]
    upper = matrix.values.to_numpy()[np.triu_indices(9, 1)]
    assert sorted(shown) == sorted([f"{v:.2f}" for v in upper] * 2)


def test_two_models_and_no_pair_at_all_still_draw(
    demo: SimpleNamespace, scores: pd.DataFrame
) -> None:
    two = score_matrix(scores, "cknna", "huh2024", models=demo.KEYS[:2])
    assert render(clustered_heatmap(two, demo.labels), "two").png
    nothing = score_matrix(scores, "cknna", "huh2024", models=["x", "y"])
    assert render(clustered_heatmap(nothing, {}), "nothing").png
    pairs = imbalance_pairs(scores, models=["x", "y"])
    assert render(imbalance_plane(pairs, {}), "empty").png


def test_heatmap_of_a_direction_is_refused(demo: SimpleNamespace, scores: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="no heat map is drawn"):
        clustered_heatmap(score_matrix(scores, "information_imbalance", "rank"), demo.labels)


def test_plane_numbers_every_pair_without_baseline_and_counts_the_missing(
    demo: SimpleNamespace, scores: pd.DataFrame
) -> None:
    shown = texts(imbalance_plane(imbalance_pairs(scores, models=demo.KEYS), demo.labels))
    assert {str(i) for i in range(1, 29)} <= set(shown)
    assert "29" not in shown
    holed = imbalance_pairs(
        demo.fail_pair(scores, "ecfp4", "chgnet-0.3.0", "why"), models=demo.KEYS
    )
    assert "Not shown, no score: 1 of 36 pairs." in texts(imbalance_plane(holed, demo.labels))


def test_a_far_baseline_is_cut_and_its_value_written(
    demo: SimpleNamespace, intrinsic: pd.DataFrame
) -> None:
    figure = dimension_bars(dimension_estimates(intrinsic, demo.KEYS), demo.labels)
    assert figure.axes[0].get_xlim()[1] < 30
    assert "61.0" in texts(figure)


def test_a_failed_estimate_is_said_not_drawn(
    demo: SimpleNamespace, intrinsic: pd.DataFrame
) -> None:
    hit = (intrinsic["model"] == "ecfp4") & (intrinsic["metric"] == "mle")
    intrinsic.loc[hit, ["value", "status"]] = [np.nan, "failed"]
    figure = dimension_bars(dimension_estimates(intrinsic, demo.KEYS), demo.labels)
    assert any("no value: failed" in t for t in texts(figure))


def test_every_score_has_a_plot_against_its_floor(
    demo: SimpleNamespace, scores: pd.DataFrame
) -> None:
    figure = calibrated(demo, scores, demo.labels)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == [
        "CKNNA huh2024, k = 25", "CKNNA text, k = 25", "dCor root", "CKA plain",
        "Information imbalance rank, k = 1",
    ]  # fmt: skip
    known = demo.calibrate(scores)
    cka = known[(known["metric"] == "cka") & (known["model_a"] < known["model_b"])]
    ax = figure.axes[3]
    drawn = [len(line.get_xdata()) for line in ax.lines]
    assert drawn == [28, 8, 2]
    assert sorted(ax.lines[0].get_ydata()) == pytest.approx(
        sorted(cka[(cka["model_a"] != "random") & (cka["model_b"] != "random")]["value"])
    )
    assert len(figure.axes[4].lines[0].get_xdata()) == 56


def test_plots_of_one_score_on_two_scalings_are_told_apart() -> None:
    max_, l2 = (f'{{"k":25,"normalize":"{mode}"}}' for mode in ("max", "l2"))
    titles = plot_titles(
        [("cknna", "text", max_), ("cknna", "text", l2), ("cka", "plain", '{"normalize":"max"}')]
    )
    assert titles == [
        "CKNNA text, k = 25, normalize = max", "CKNNA text, k = 25, normalize = l2", "CKA plain",
    ]  # fmt: skip


def test_matrices_of_one_definition_are_told_apart_and_their_scaling_is_in_words(
    scores: pd.DataFrame,
) -> None:
    params = '{"k":25,"normalize":"row_max"}'
    again = scores[(scores["metric"] == "cknna") & (scores["definition"] == "text")]
    both = pd.concat([scores, again.assign(params=params)], ignore_index=True)
    max_ = '{"k":25,"normalize":"max"}'
    shown = [score_matrix(both, "cknna", "text", p) for p in (max_, params)]
    other = score_matrix(both, "cka", "plain")
    assert told_apart([*shown, other]) == [
        "k = 25, normalize = max",
        "k = 25, normalize = row_max",
        "",
    ]
    first, second = (heatmap_caption(matrix, "qm9") for matrix in shown)
    assert "normalize = max (whole array divided by its largest absolute element)" in first
    assert "normalize = row_max (each row divided by its largest element)" in second


def test_scores_without_a_floor_and_an_empty_sweep_have_no_figure(
    demo: SimpleNamespace, scores: pd.DataFrame
) -> None:
    assert calibration_figure(calibration_table(scores, demo.KEYS), demo.labels) is None
    assert sweep_figure(demo.sweep(scores).head(0), demo.labels) is None


def test_a_sweep_draws_a_curve_for_each_pair(demo: SimpleNamespace, scores: pd.DataFrame) -> None:
    figure = swept(demo, scores, demo.labels)
    assert len(figure.axes) == 5
    # Two lines a pair; that of the debiased value is empty where there is none.
    assert len(figure.axes[3].lines) == 36 * 2
    for line in figure.axes[3].lines:
        assert list(line.get_xdata()) == [250, 500, 1000]
    assert "debiased" in texts(figure)
    plain = sweep_figure(once_per_pair(demo.sweep(scores), demo.KEYS), demo.labels)
    assert plain is not None
    assert "debiased" not in texts(plain)


def test_a_debiased_heatmap_says_so(demo: SimpleNamespace, scores: pd.DataFrame) -> None:
    known = demo.calibrate(scores)
    known.loc[known["model_a"].isin(["random"]) & (known["metric"] == "cka"), "debiased"] = -0.01
    known.loc[known["model_b"].isin(["random"]) & (known["metric"] == "cka"), "debiased"] = -0.01
    shown = texts(
        clustered_heatmap(score_matrix(known, "cka", "plain", column="debiased"), demo.labels)
    )
    assert "Linear CKA, debiased" in shown
    assert "−0.01" in shown
    assert any(t.startswith("debiased · definition plain") for t in shown)


def test_labels_avoid_points_and_each_other() -> None:
    rng = np.random.default_rng(3)
    anchors = rng.uniform(60, 240, (30, 2))
    points = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in anchors]
    spots = place_labels(anchors, [(9.0, 7.0)] * 30, points, Box(0, 0, 300, 300))
    boxes = [Box(x - 4.5, y - 3.5, x + 4.5, y + 3.5) for x, y in spots]
    for i, box in enumerate(boxes):
        assert all(box.overlap(p) == 0 for p in points)
        assert all(box.overlap(other) == 0 for other in boxes[:i])


def test_families_have_distinct_colours_and_unknown_models_a_label(demo: SimpleNamespace) -> None:
    colours = family_colours(demo.labels)
    assert len(set(colours.values())) == len({v.family for v in demo.labels.values()})
    assert label_for(demo.labels, "new-model").text == "new-model"
    assert shorten("a\nb\x00c" + "x" * 99, 10) == "a b cxxxx…"


def test_written_files_are_the_rendered_bytes(
    demo: SimpleNamespace, scores: pd.DataFrame, tmp_path: Path
) -> None:
    done = render(clustered_heatmap(score_matrix(scores, "cka", "plain"), demo.labels), "cka")
    svg, png = done.write(tmp_path / "figures" / "cka.v1")
    assert (svg.name, png.name) == ("cka.v1.svg", "cka.v1.png")
    assert (svg.read_bytes(), png.read_bytes()) == (done.svg, done.png)


def test_captions_say_what_is_shown(scores: pd.DataFrame) -> None:
    mean = "mean of both directions"
    assert mean in heatmap_caption(score_matrix(scores, "cknna", "huh2024"), "qm9")
    assert mean not in heatmap_caption(score_matrix(scores, "cknna", "text"), "qm9")


def test_a_matrix_without_a_score_says_why_and_claims_no_number_of_structures(
    scores: pd.DataFrame,
) -> None:
    reason = "k = 25 is more than half of 30 rows"
    none = scores.assign(value=np.nan, status="not_applicable", reason=reason)
    caption = heatmap_caption(score_matrix(none, "cknna", "huh2024"), "qm9")
    assert "No pair of models on qm9 has a score here" in caption
    assert reason in caption
    assert "n = 0" not in caption
    assert "mean of both directions" not in caption
    assert subtitle(score_matrix(none, "cknna", "huh2024")).endswith("no score")


def test_the_caption_of_dimensions_names_what_has_values_and_says_why_others_have_none() -> None:
    few, repeat = "fewer than 32 rows: chance moves it", "1 of 30 rows left out: they repeat"
    estimates = pd.DataFrame(
        [
            ("a", "TwoNN", 3.0, "ok", "", 29, f"{repeat}; {few}"),
            ("a", "MLE (k = 50)", np.nan, "not_applicable", "k = 50 needs 51 rows", 29, ""),
            ("b", "TwoNN", 4.0, "ok", "", 30, few),
            ("b", "MLE (k = 50)", np.nan, "not_applicable", "k = 50 needs 51 rows", 30, ""),
        ],
        columns=["model", "estimator", "value", "status", "reason", "n", "note"],
    )
    caption = dimension_caption(estimates, {"a": "Model A"}, "qm9")
    assert "estimated by TwoNN. " in caption
    assert "MLE (k = 50) has no value for 2 models; the reason for Model A: k = 50 needs" in caption
    assert f"Model A: {repeat}; {few}. " in caption
    assert "n = 29–30 by model" in caption


def test_no_interval_is_promised_where_there_is_none() -> None:
    assert "Vertical bars" in calibration_caption("n = 1,000", "qm9")
    assert "Vertical bars" not in calibration_caption("n = 30", "qm9", intervals=False)
