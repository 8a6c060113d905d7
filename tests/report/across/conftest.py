"""A small synthetic study of three slices with analyses of each kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from matteralign.config.load import load_config
from matteralign.report.across.analysis_view import AnalysisView
from matteralign.stages.study.layout import AnalysisLayout
from matteralign.stages.study.study import Study, open_study
from tests.synthetic import Planted, build

PANEL = ["mace-mp-small", "sevennet-0", "chgnet-0.3.0", "orb-v2", "composition", "random"]
METRICS: dict[str, Any] = {
    "pair": [
        {"metric": "cknna", "definition": "huh2024", "params": {"k": 10}},
        {"metric": "cka", "definition": "plain"},
        {"metric": "information_imbalance", "definition": "rank", "params": {"k": 1}},
    ],
    "model": [{"metric": "mle", "definition": "levina_bickel", "params": {"k": 10}}],
}
ANALYSES: dict[str, Any] = {
    "in-and-out": {
        "kind": "paired_scores",
        "slices": ["omat24-syn", "omol25-syn"],
        "scores": [
            {"metric": "cka", "definition": "plain"},
            {"metric": "cknna", "definition": "huh2024", "params": {"k": 10}},
        ],
    },
    "dimensions": {
        "kind": "dimensions",
        "slices": ["omat24-syn", "omol25-syn"],
        "estimates": METRICS["model"],
    },
    "planes": {
        "kind": "planes",
        "slices": ["omat24-syn", "omol25-syn"],
        "plane": {"metric": "information_imbalance", "definition": "rank", "params": {"k": 1}},
        "colours": METRICS["pair"][:2],
    },
    "maps": {"kind": "maps", "slices": ["omat24-syn", "omol25-syn"], "models": ["orb-v2"]},
    "energy-maps": {
        "kind": "energy_maps",
        "slices": ["omat24-syn", "omol25-syn"],
        "models": ["mace-mp-small", "composition"],
        "normalize": "l2",
    },
    "alone": {
        "kind": "paired_scores",
        "slices": ["omat24-syn"],
        "scores": [{"metric": "cka", "definition": "plain"}],
    },
}
View = Callable[..., AnalysisView]


@pytest.fixture(scope="session")
def across(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Two crystal slices with one panel, up to their scores."""
    return build(
        tmp_path_factory.mktemp("across"),
        n=60,
        datasets=["omat24", "omol25"],
        panel=PANEL,
        metrics=METRICS,
        extra={"analyses": ANALYSES},
    )


def study_of(planted: Planted) -> Study:
    """Return the study as its configuration is now."""
    return open_study(load_config(planted.config))


@pytest.fixture
def view(across: Planted) -> View:
    """Return the view of an analysis; changes of the study are by keyword."""

    def make(name: str, study: Study | None = None) -> AnalysisView:
        chosen = across.study if study is None else study
        return AnalysisView(chosen, AnalysisLayout(Path(chosen.config.results), name))

    return make
