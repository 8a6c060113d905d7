"""What lies in a slice's folder is of today's configuration, or it is said what differs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from matteralign.core.errors import IntegrityError
from matteralign.core.files import read_json, write_json
from matteralign.registry.card import ModelCard
from matteralign.stages.score import score_slice
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.standing import Standing, differences, require_today
from matteralign.stages.study.study import Study
from matteralign.stages.study.wanted import settle_record, settle_slice
from matteralign.stages.summarize import summarize_model

KEYS = ["alpha", "beta"]
METRICS = {
    "pair": [{"metric": "cknna", "definition": "text", "params": {"k": 5}}],
    "model": [],
}


@pytest.fixture
def done(tiny_study: Callable[..., Any]) -> Any:
    made = tiny_study(KEYS, 40, METRICS)
    for seed, key in enumerate(KEYS):
        made.write(key, np.random.default_rng(seed).normal(size=(40, 4)))
        summarize_model(made.study, made.layout, key, threads=1)
    score_slice(made.study, made.layout, report=lambda _: None)
    return made


def with_slice(study: Study, **changes: Any) -> Study:
    slices = {"tiny": study.slice("tiny").model_copy(update=changes)}
    return Study(study.config.model_copy(update={"slices": slices}), study.cards)


def told(study: Study, layout: Layout) -> dict[str, str]:
    found = {r.name: r.differs() for r in Standing(study, layout).results()}
    return {name: why for name, why in found.items() if why is not None}


def test_a_finished_slice_is_of_today(done: Any) -> None:
    assert told(done.study, done.layout) == {}
    require_today(done.study, done.layout)


def test_another_seed_is_said_with_both(done: Any) -> None:
    other = with_slice(done.study, seed=7)
    assert told(other, done.layout) == {"sample": "was drawn with seed 0, now 7"}
    with pytest.raises(IntegrityError, match=r"structures\.parquet: was drawn with seed 0, now 7"):
        require_today(other, done.layout)


def test_another_k_concerns_lists_and_scores(done: Any) -> None:
    metrics = done.study.config.metrics.model_copy(
        update={"pair": [done.study.config.metrics.pair[0].model_copy(update={"params": {"k": 9}})]}
    )
    other = Study(done.study.config.model_copy(update={"metrics": metrics}), done.study.cards)
    found = told(other, done.layout)
    assert set(found) == {"summarize alpha", "summarize beta", "score"}
    require_today(other, done.layout)


def test_a_model_that_is_not_there_yet_is_no_difference(
    done: Any, make_card: Callable[..., Any]
) -> None:
    cards = {**done.study.cards, "gamma": make_card("gamma", 2)}
    other = with_slice(Study(done.study.config, cards), panel=["alpha", "gamma"])
    # What is missing is no difference: it is made, and what follows from it after it.
    assert told(other, done.layout) == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wrapper_version": 0}, "wrapper_version 0, now 1"),
        ({"environment": "0" * 64}, "another environment"),
        ({"card": "0" * 64}, "another card"),
    ],
)
def test_latents_of_another_card_wrapper_or_environment_are_told(
    done: Any, change: dict[str, Any], said: str
) -> None:
    path = done.layout.latent_sidecar("beta")
    sidecar = read_json(path)
    write_json(path, sidecar | {"made_by": sidecar["made_by"] | change})
    assert said in told(done.study, done.layout)["embed beta"]
    with pytest.raises(IntegrityError, match="latents/beta"):
        require_today(done.study, done.layout)


def test_latents_of_before_say_what_made_them_in_other_words(done: Any) -> None:
    path = done.layout.latent_sidecar("beta")
    sidecar = read_json(path)
    by = sidecar.pop("made_by")
    older = {
        "card_sha256": by["card"],
        "wrapper_version": by["wrapper_version"],
        "environment": {"lock_sha256": by["environment"]},
    }
    write_json(path, sidecar | older)
    assert "embed beta" not in told(done.study, done.layout)
    write_json(path, sidecar | older | {"card_sha256": "0" * 64})
    assert "another card" in told(done.study, done.layout)["embed beta"]


def test_weights_that_were_fetched_since_are_told(done: Any) -> None:
    record = done.layout.weights_record("beta", "trained")
    write_json(record, {"model": "beta", "weights": "none", "files": {}})
    assert told(done.study, done.layout) == {}
    write_json(record, {"model": "beta", "weights": "trained", "files": {}})
    assert "weights that are none, now trained" in told(done.study, done.layout)["embed beta"]


def test_a_cut_array_and_a_damaged_sidecar_are_told(done: Any) -> None:
    array = done.layout.latent("alpha")
    array.write_bytes(array.read_bytes()[:200])
    done.layout.latent_sidecar("beta").write_text("{")
    found = told(done.study, done.layout)
    assert found["embed alpha"] == "the array is cut off"
    assert "not valid JSON" in found["embed beta"]


def test_scores_of_other_latents_are_told(done: Any) -> None:
    done.write("beta", np.random.default_rng(9).normal(size=(40, 4)))
    found = told(done.study, done.layout)
    assert found["score"] == "was made from another latents.beta"
    assert "neighbours of other latents" in found["summarize beta"]


def times(done: Any) -> dict[str, int]:
    root = done.layout.root
    return {
        p.relative_to(root).as_posix(): p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()
    }


def test_nothing_is_asked_again_of_a_slice_of_today(done: Any) -> None:
    said: list[str] = []
    settle_slice(done.study, done.layout, said.append)
    before = times(done)
    settle_slice(done.study, done.layout, said.append)
    assert times(done) == before
    assert said == []
    wanted = done.layout.wanted("embed", "alpha")
    assert wanted.stat().st_mtime_ns < done.layout.latent("alpha").stat().st_mtime_ns


def test_a_copy_that_lost_its_order_of_times_gets_it_back(done: Any) -> None:
    """As of ``cp -r``: no records of the workflow, files in any order."""
    settle_slice(done.study, done.layout, lambda _: None)
    results = list(Standing(done.study, done.layout).results())
    for age, result in enumerate(results):
        for path in (done.layout.wanted(result.stage, result.model), *result.outputs):
            if path.exists():
                os.utime(path, (2e9 - age, 2e9 - age))
    said: list[str] = []
    settle_slice(done.study, done.layout, said.append)
    assert said == []
    for result in (r for r in results if r.there):
        oldest = min(p.stat().st_mtime_ns for p in result.outputs)
        inputs = [p for p in result.inputs if p.exists()]
        inputs.append(done.layout.wanted(result.stage, result.model))
        assert all(p.stat().st_mtime_ns <= oldest for p in inputs), result.name


def test_what_was_made_from_a_file_that_is_gone_is_asked_again(done: Any) -> None:
    settle_slice(done.study, done.layout, lambda _: None)
    done.layout.structures.unlink()
    said: list[str] = []
    settle_slice(done.study, done.layout, said.append)
    embeds = [line for line in said if "embed alpha" in line]
    assert embeds and "structures.parquet, which is missing; to be made again" in embeds[0]
    wanted = done.layout.wanted("embed", "alpha")
    assert wanted.stat().st_mtime_ns > done.layout.latent("alpha").stat().st_mtime_ns


def test_a_result_of_which_one_file_is_gone_is_asked_again(done: Any) -> None:
    settle_slice(done.study, done.layout, lambda _: None)
    done.layout.latent("alpha").unlink()
    said: list[str] = []
    settle_slice(done.study, done.layout, said.append)
    assert said[0].endswith("latents/alpha.npy is missing; to be made again")
    assert said[1].startswith("tiny: then what is made from it, as far as it changes: summarize")
    wanted = done.layout.wanted("embed", "alpha")
    assert wanted.stat().st_mtime_ns > done.layout.latent_sidecar("alpha").stat().st_mtime_ns


def test_what_differs_is_asked_again_by_a_newer_file_of_other_content(done: Any) -> None:
    settle_slice(done.study, done.layout, lambda _: None)
    wanted = done.layout.wanted("sample")
    before = wanted.read_bytes()
    other = with_slice(done.study, seed=7)
    said: list[str] = []
    settle_slice(other, done.layout, said.append)
    assert said == [
        "tiny, sample: was drawn with seed 0, now 7; to be made again",
        "tiny: then what is made from it, as far as it changes: embed (2 models), "
        "summarize (2 models), score, tables, figures, report",
    ]
    assert wanted.read_bytes() != before
    assert wanted.stat().st_mtime_ns > done.layout.structures.stat().st_mtime_ns
    # A job that failed puts the old file back, with a new time: it is asked again.
    os.utime(done.layout.structures, (2e9, 2e9))
    os.utime(wanted, (1e9, 1e9))
    asked = wanted.read_bytes()
    settle_slice(other, done.layout, said.append)
    assert wanted.read_bytes() != asked
    # The configuration of before: what is there is of it again.
    settle_slice(done.study, done.layout, said.append)
    assert wanted.stat().st_mtime_ns < done.layout.structures.stat().st_mtime_ns
    assert len(said) == 4


def test_what_follows_of_one_model_is_named(done: Any, make_card: Callable[..., ModelCard]) -> None:
    cards = dict(done.study.cards) | {"beta": make_card("beta", 1, options={"seed": 9})}
    said: list[str] = []
    settle_slice(Study(done.study.config, cards), done.layout, said.append)
    assert [line.partition(":")[0] for line in said] == ["tiny, embed beta", "tiny"]
    assert said[-1].endswith("as far as it changes: summarize beta, score, tables, figures, report")


def test_records_of_what_is_shared_are_asked_again_when_their_card_changes(done: Any) -> None:
    record = done.layout.environment_record("main")
    wanted = settle_record(done.layout, record, {"lock": "a"})
    assert read_json(wanted) == {"identity": {"lock": "a"}}
    write_json(record, {"name": "main", "asked": {"lock": "a"}})
    settle_record(done.layout, record, {"lock": "a"})
    assert wanted.stat().st_mtime_ns < record.stat().st_mtime_ns
    settle_record(done.layout, record, {"lock": "b"})
    assert wanted.stat().st_mtime_ns > record.stat().st_mtime_ns


def test_differences_are_told_in_words() -> None:
    assert differences({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": (1,)}}) == ""
    assert differences({"a": 1}, {"a": 2, "b": None}) == "a 1, now 2; no b"
    assert differences({"f": {"c": 0}}, {"f": {"c": 1}}) == "f.c 0, now 1"
    assert differences({"x": "a" * 64}, {"x": "b" * 64}) == "another x"
    assert differences({"x": 1}, {}) == "x 1, now none"


def test_of_long_lists_only_what_differs_is_told() -> None:
    def measure(metric: str, k: int) -> dict[str, object]:
        params = f'{{"k":{k},"normalize":"max"}}'
        return {"metric": metric, "definition": "text", "params": params, "version": 6}

    same = [measure("mutual_knn", k) for k in range(2, 12)]
    told = differences(
        {"measures": [*same, measure("cknna", 25)]}, {"measures": [*same, measure("cknna", 10)]}
    )
    assert told == (
        'measures: cknna text {"k":25,"normalize":"max"} 6 no more; '
        'now cknna text {"k":10,"normalize":"max"} 6'
    )
    assert differences({"m": list("ab" * 50)}, {"m": list("ba" * 50)}) == "m: another order"
    more = differences({"measures": []}, {"measures": same})
    assert more.startswith("measures: now mutual_knn text")
    assert more.endswith("and 7 more")


def test_what_is_there_for_the_same_metrics_is_not_summarized_again(done: Any) -> None:
    path = done.layout.neighbors("alpha")
    before = path.stat().st_mtime_ns
    assert "kept" in summarize_model(done.study, done.layout, "alpha", threads=1)
    assert path.stat().st_mtime_ns == before
    path.write_bytes(path.read_bytes()[:-1])
    assert "kept" not in summarize_model(done.study, done.layout, "alpha", threads=1)
    done.write("alpha", np.random.default_rng(8).normal(size=(40, 4)))
    assert "kept" not in summarize_model(done.study, done.layout, "alpha", threads=1)


def test_a_smaller_panel_concerns_the_scores(done: Any, tiny_study: Callable[..., Any]) -> None:
    made = tiny_study([*KEYS, "gamma"], 40, METRICS, root="larger")
    shutil.copytree(done.layout.root, made.layout.root, dirs_exist_ok=True)
    made.write("gamma", np.random.default_rng(5).normal(size=(40, 4)))
    summarize_model(made.study, made.layout, "gamma", threads=1)
    assert told(made.study, made.layout) == {"score": "was made from no latents.gamma"}


def test_a_card_that_changes_what_decides_its_latents_is_another(
    done: Any, make_card: Callable[..., ModelCard]
) -> None:
    cards = {**done.study.cards, "beta": make_card("beta", 1, options={"seed": 3})}
    found = told(Study(done.study.config, cards), done.layout)
    assert found == {"embed beta": "was made with another card"}
