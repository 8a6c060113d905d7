"""What is shown of a slice is of the results of today, or it is not shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matteralign.align.score import score_slice
from matteralign.align.study import Study
from matteralign.align.summary import summarize_model
from matteralign.cli.drawn import read_drawn, remove_others, write_drawn
from matteralign.cli.slice_view import SliceView
from matteralign.core.errors import IntegrityError

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


def test_files_of_an_earlier_run_go(tmp_path: Path) -> None:
    kept, old = tmp_path / "kept.csv", tmp_path / "old.csv"
    for path in (kept, old):
        path.touch()
    remove_others(tmp_path, [kept])
    assert list(tmp_path.iterdir()) == [kept]
