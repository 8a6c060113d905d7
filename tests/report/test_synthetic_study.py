"""Findings of a study whose answer was planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from matteralign.report.slice_view import SliceView
from matteralign.store.tidy import SCORES, read_frame
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
