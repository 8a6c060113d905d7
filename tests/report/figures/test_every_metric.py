"""The report of a small slice draws every metric as its card says."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh

from matteralign.metrics import METRICS
from matteralign.report.analysis.matrices import cluster_order, score_matrix
from matteralign.report.drawing import Drawing, draw
from matteralign.report.figures.captions import heatmap_caption
from matteralign.report.figures.heatmap import clustered_heatmap
from matteralign.report.slice_view import SliceView
from matteralign.stages.score import score_slice
from matteralign.stages.summarize import summarize_model

N = 40
KEYS = ("one", "two", "three")
SMALL = {"k": 5, "permutations": 2}
STEMS = {"heat map": "heatmap_{}_", "plane": "plane_{}_", "bars": "intrinsic_dimension"}
PARAMS = '{"normalize":"max"}'


@pytest.fixture(scope="module")
def drawn(
    tmp_path_factory: pytest.TempPathFactory, tiny_study_at: Callable[..., Any]
) -> dict[str, Drawing]:
    asked: dict[str, list[dict[str, Any]]] = {"pair": [], "model": []}
    for info in METRICS.values():
        definition = info.definitions[info.default_definition]
        params = {name: value for name, value in SMALL.items() if name in definition.params}
        request = {"metric": info.name, "definition": definition.name, "params": params}
        asked[info.kind].append(request)
    tiny = tiny_study_at(tmp_path_factory.mktemp("every"), KEYS, N, asked)
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(N, 3))
    for width, key in enumerate(KEYS, 3):
        noise = 0.2 * rng.normal(size=(N, width))
        tiny.write(key, np.asarray(hidden @ rng.normal(size=(3, width)) + noise, np.float32), {})
        summarize_model(tiny.study, tiny.layout, key, threads=1)
    score_slice(tiny.study, tiny.layout, threads=1, report=lambda line: None)
    return {drawing.stem: drawing for drawing in draw(SliceView(tiny.study, tiny.layout))}


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_its_figure_or_a_reason(metric: str, drawn: dict[str, Drawing]) -> None:
    info = METRICS[metric]
    if info.figure is None:
        assert info.no_figure
        assert not [stem for stem in drawn if metric in stem]
        return
    start = STEMS[info.figure].format(metric)
    shown = [drawing for stem, drawing in drawn.items() if stem.startswith(start)]
    assert shown
    for drawing in shown:
        said = drawing.title if info.kind == "pair" else drawing.caption
        assert info.display_name in said
        assert info.figure == "bars" or info.display_name in drawing.caption


def scores(metric: str, values: dict[tuple[str, str], float]) -> pd.DataFrame:
    fixed = {
        "slice": "s", "metric": metric, "definition": METRICS[metric].default_definition,
        "params": PARAMS, "status": "ok", "reason": "", "n": 100, "note": "",
    }  # fmt: skip
    rows = [{"model_a": a, "model_b": b, "value": v, **fixed} for (a, b), v in values.items()]
    return pd.DataFrame(rows)


ERRORS = {
    ("a", "b"): 0.1, ("b", "a"): 0.3,
    ("a", "c"): 0.8, ("c", "a"): 500.0,
    ("b", "c"): 0.7, ("c", "b"): 0.9,
}  # fmt: skip


@pytest.mark.parametrize("metric", ["gfre", "lfre"])
def test_errors_keep_their_directions_and_dark_is_alike(metric: str) -> None:
    matrix = score_matrix(scores(metric, ERRORS), metric, METRICS[metric].default_definition)
    order = cluster_order(matrix).order
    assert {*order[:2]} == {"a", "b"} or {*order[1:]} == {"a", "b"}
    figure = clustered_heatmap(matrix, {})
    (mesh,) = figure.axes[0].findobj(QuadMesh)
    shown = pd.DataFrame(mesh.get_array().reshape(3, 3), index=order, columns=order)
    for (a, b), error in ERRORS.items():
        assert shown.loc[a, b] == error
    rgb = mesh.cmap(mesh.norm([0.1, 0.3, 0.7, 1.0, 500.0]))[:, :3].sum(axis=1)
    assert list(np.argsort(rgb[:4])) == [0, 1, 2, 3], "the larger, the paler"
    assert rgb[3] == rgb[4], "no error is worse than saying nothing"
    said = [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]
    assert "Row a, column b: error of b rebuilt from a." in said
    assert {"error", "0.10", "5e2"} <= set(said)
    caption = heatmap_caption(matrix, "qm9")
    assert "error of b rebuilt from a; 0 is perfect, 1 or more says nothing" in caption
    assert "mean of both directions" not in caption


def test_of_a_similarity_dark_is_alike_too(demo: SimpleNamespace) -> None:
    values = {("a", "b"): 0.9, ("b", "a"): 0.9}
    matrix = score_matrix(scores("idcor", values), "idcor", "basile2024")
    (mesh,) = clustered_heatmap(matrix, demo.labels).axes[0].findobj(QuadMesh)
    pale, dark = mesh.cmap(mesh.norm([0.1, 0.9]))[:, :3].sum(axis=1)
    assert dark < pale
    assert "ordered by average linkage on 1 − score" in heatmap_caption(matrix, "qm9")
    assert np.isnan(matrix.values.loc["a", "a"])
