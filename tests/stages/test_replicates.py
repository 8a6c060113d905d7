"""Scores without each block of rows: they are kept, and they give the intervals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from matteralign.core.errors import IntegrityError
from matteralign.metrics import procrustes_similarity
from matteralign.report.slice_view import SliceView
from matteralign.stages.score import score_slice
from matteralign.stages.study.standing import Standing
from matteralign.stages.summarize import summarize_model
from matteralign.stats.blocks import block_of
from matteralign.stats.jackknife import interval
from matteralign.store.replicates import BOTH, packed, read_replicates, unpacked

N = 96
KEYS = ["a", "b", "c"]
MASKED = {"b": [3, 50, 51]}
METRICS = {
    "pair": [
        {"metric": "cka", "definition": "plain"},
        {"metric": "cka", "definition": "debiased"},
        {"metric": "dcor", "definition": "root"},
        {"metric": "mutual_knn", "definition": "euclidean", "params": {"k": 5}},
        {"metric": "cknna", "definition": "huh2024", "params": {"k": 5}},
        {"metric": "information_imbalance", "definition": "rank", "params": {"k": 3}},
        {"metric": "gfre", "definition": "goscinski2021", "params": {"permutations": 2}},
        {"metric": "procrustes", "definition": "nuclear", "params": {"permutations": 2}},
        {"metric": "idcor", "definition": "basile2024", "params": {"permutations": 2}},
    ],
    "model": [],
}


def latents(key: str) -> np.ndarray:
    shared = np.random.default_rng(0).normal(size=(N, 5))
    rng = np.random.default_rng(ord(key))
    return (shared @ rng.normal(size=(5, 6)) + rng.normal(size=(N, 6))).astype(np.float32)


def fill(tiny: Any, keys: list[str] = KEYS) -> Any:
    for key in keys:
        tiny.write(key, latents(key), dict.fromkeys(MASKED.get(key, []), "element Na"))
        summarize_model(tiny.study, tiny.layout, key, threads=1)
    return tiny


def score(tiny: Any) -> Any:
    return score_slice(tiny.study, tiny.layout, report=lambda _: None)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, tiny_study_at: Callable[..., Any]) -> Any:
    made = fill(tiny_study_at(tmp_path_factory.mktemp("kept"), KEYS, N, METRICS))
    score(made)
    return made


def test_they_give_the_intervals_of_the_scores(scored: Any) -> None:
    rows = SliceView(scored.study, scored.layout).replicates
    assert len(rows) == 6 * len(METRICS["pair"])
    for row in rows.to_dict("records"):
        if row["metric"] == "idcor":
            assert row["replicates"] is None
            assert row["why_no_replicates"] == "its interval is not made from blocks of rows"
            continue
        assert row["why_no_replicates"] == ""
        ends = interval(row["value"], row["replicates"])
        assert ends == pytest.approx((row["ci_low"], row["ci_high"]), rel=1e-3, abs=1e-5)
        if np.isnan(row["debiased"]):
            assert row["debiased_replicates"] is None
        elif row["definition"] != "root":  # there the ends are roots, not the interval of roots
            ends = interval(row["debiased"], row["debiased_replicates"])
            wanted = row["debiased_low"], row["debiased_high"]
            assert ends == pytest.approx(wanted, rel=1e-3, abs=1e-5)


def test_every_pair_leaves_out_the_same_structures_masked_or_not(scored: Any) -> None:
    rows = SliceView(scored.study, scored.layout).replicates
    block, kept = block_of(N), np.ones(N, bool)
    kept[MASKED["b"]] = False
    for a, b, there in (("a", "c", np.ones(N, bool)), ("a", "b", kept)):
        (row,) = rows.query(
            "metric == 'procrustes' and model_a == @a and model_b == @b",
            local_dict={"a": a, "b": b},
        ).to_dict("records")
        for number in (0, 7, 15):
            left = there & (block != number)
            known = procrustes_similarity(latents(a)[left], latents(b)[left])
            assert row["replicates"][number] == pytest.approx(known, rel=1e-6)


def test_a_model_that_comes_later_gives_the_same_bytes_as_the_ledger(
    tiny_study: Callable[..., Any],
) -> None:
    fill(tiny_study(KEYS[:2], N, METRICS), KEYS[:2])
    first = tiny_study(KEYS[:2], N, METRICS)
    score(first)
    whole = fill(tiny_study(KEYS, N, METRICS))
    done = score(whole)
    assert (done.computed, done.reused) == (2, 1)
    before = whole.layout.replicates.read_bytes()
    whole.layout.replicates.unlink()
    assert score(whole).computed == 0
    assert whole.layout.replicates.read_bytes() == before


def test_a_ledger_of_an_earlier_version_is_computed_again_once(
    tiny_study: Callable[..., Any],
) -> None:
    tiny = fill(tiny_study(KEYS, N, METRICS))
    score(tiny)
    scores, kept = tiny.layout.scores.read_bytes(), tiny.layout.replicates.read_bytes()
    lines = [json.loads(line) for line in tiny.layout.ledger.read_text().splitlines()]
    for line in lines:
        for entry in line["batch"].values():
            for name in BOTH:
                del entry[name]
    tiny.layout.ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert score(tiny).computed == 3
    assert score(tiny).computed == 0
    assert tiny.layout.scores.read_bytes() == scores
    assert tiny.layout.replicates.read_bytes() == kept


def test_without_statistics_there_are_none_and_the_reason_is_told(
    tiny_study: Callable[..., Any],
) -> None:
    tiny = fill(tiny_study(KEYS, N, METRICS | {"statistics": False}))
    score(tiny)
    found = read_replicates(tiny.layout.replicates)
    assert found["replicates"].isna().all()
    assert set(found["reason"]) == {"the study asks for no statistics (metrics.statistics)"}
    assert score(tiny).computed == 0


def test_too_few_rows_have_none(tiny_study: Callable[..., Any]) -> None:
    tiny = tiny_study(KEYS[:2], 24, METRICS)
    for key in KEYS[:2]:
        tiny.write(key, latents(key)[:24])
        summarize_model(tiny.study, tiny.layout, key, threads=1)
    score(tiny)
    found = read_replicates(tiny.layout.replicates)
    told = set(found["reason"][found["metric"] != "idcor"])
    assert told == {"fewer than 32 rows"}


def test_replicates_of_other_scores_are_not_shown(tiny_study: Callable[..., Any]) -> None:
    tiny = fill(tiny_study(KEYS, N, METRICS))
    score(tiny)
    old = tiny.layout.replicates.read_bytes()
    tiny.write("c", latents("z"))
    summarize_model(tiny.study, tiny.layout, "c", threads=1)
    score(tiny)
    tiny.layout.replicates.write_bytes(old)
    view = SliceView(tiny.study, tiny.layout)
    with pytest.raises(IntegrityError, match=r"replicates\.parquet: scores of different latents"):
        _ = view.replicates


def test_a_slice_without_the_table_is_scored_again(scored: Any) -> None:
    (result,) = [r for r in Standing(scored.study, scored.layout).results() if r.stage == "score"]
    assert scored.layout.replicates in result.outputs


def test_single_precision_as_text_and_back() -> None:
    numbers = np.random.default_rng(0).normal(size=16).astype(np.float32).tolist()
    assert unpacked(packed(numbers)) == numbers
    assert packed(()) is None and unpacked(None) is None
    assert packed((1.0, float("nan"))) is None
