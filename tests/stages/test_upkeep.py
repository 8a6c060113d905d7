"""The ledger of a slice does not grow for ever, and loses nothing that can be asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from matteralign.config.metrics import MetricRequest
from matteralign.stages.score import ScoreResult, score_slice
from matteralign.stages.study.study import Study
from matteralign.stages.summarize import summarize_model

KEYS = ["alpha", "beta", "gamma"]
METRICS = {"pair": [{"metric": "cka", "definition": "plain"}], "model": []}
SCORES = 6


@pytest.fixture
def made(tiny_study: Callable[..., Any]) -> Any:
    tiny = tiny_study(KEYS, 40, METRICS)
    for seed, key in enumerate(KEYS):
        embed(tiny, key, seed)
    return tiny


def embed(tiny: Any, key: str, seed: int) -> None:
    tiny.write(key, np.random.default_rng(seed).normal(size=(40, 4)))
    summarize_model(tiny.study, tiny.layout, key, threads=1)


def score(tiny: Any, study: Study | None = None) -> tuple[ScoreResult, list[str]]:
    lines: list[str] = []
    return score_slice(study or tiny.study, tiny.layout, report=lines.append), lines


def written(tiny: Any) -> int:
    lines = tiny.layout.ledger.read_text().splitlines()
    return sum(len(json.loads(line)["batch"]) for line in lines)


def test_scores_of_earlier_latents_go_when_they_are_more_than_half(made: Any) -> None:
    score(made)
    embed(made, "beta", 7)
    score(made)
    # Four of ten are of no use.
    assert written(made) == SCORES + 4
    embed(made, "beta", 8)
    _, lines = score(made)
    assert written(made) == SCORES
    assert any("8 scores of earlier latents or versions dropped" in line for line in lines)
    before = made.layout.scores.read_bytes()
    assert score(made)[0] == ScoreResult(0, 3)
    assert made.layout.scores.read_bytes() == before


def test_what_may_come_back_stays(made: Any) -> None:
    """A model off the panel and a metric out of the configuration cost nothing when back."""
    asked = made.study.config.metrics.model_copy(
        update={"pair": [MetricRequest(metric="dcor", definition=d) for d in ("root", "squared")]}
    )
    other = Study(made.study.config.model_copy(update={"metrics": asked}), made.study.cards)
    chosen = made.study.config.slices["tiny"].model_copy(update={"panel": KEYS[:2]})
    few = made.study.config.model_copy(update={"slices": {"tiny": chosen}})
    score(made)
    score(made, other)
    score(made, Study(few, made.study.cards))
    assert written(made) == 3 * SCORES
    assert score(made)[0] == score(made, other)[0] == ScoreResult(0, 3)


def test_a_damaged_sidecar_of_another_model_drops_nothing(made: Any) -> None:
    for seed in (7, 8):
        score(made)
        embed(made, "beta", seed)
    made.layout.latent_sidecar("off-the-panel").write_text("{")
    _, lines = score(made)
    assert written(made) == SCORES + 8
    assert any("not shortened" in line and "off-the-panel.json" in line for line in lines)
