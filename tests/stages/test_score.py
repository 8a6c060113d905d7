"""How a slice is scored: batches, passes that go on, sweeps, what the engine is handed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from matteralign.core.errors import IntegrityError
from matteralign.metrics import PairScore, Scored
from matteralign.metrics.base.specs import SweepPoint
from matteralign.stages.score import score_slice
from matteralign.stages.summarize import summarize_model
from matteralign.store.passes import PassFile
from matteralign.store.tidy import SCORES, SWEEP, read_rows

N = 24
KEYS = ["a", "b", "c"]
METRICS = {
    "pair": [
        {"metric": "cka", "definition": "plain"},
        {"metric": "information_imbalance", "definition": "rank", "params": {"k": [1, 3]}},
        {"metric": "cknna", "definition": "huh2024", "params": {"k": 4}},
    ],
    "model": [],
}


class Killed(BaseException):
    """The process ends here."""


class Engine:
    """Stands in for `compare`: keeps its calls, gives made-up scores, dies when told to."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.resumed: list[dict[str, np.ndarray] | None] = []
        self.dies_in: int | None = None

    def __call__(self, members: Any, pairs: Any, specs: Any, **options: Any) -> Iterator[PairScore]:
        place = len(self.calls)
        self.calls.append({"members": members, "pairs": list(pairs), "specs": specs, **options})
        pass_state: PassFile = options["pass_state"]
        self.resumed.append(pass_state.load())
        pass_state.save({"rows": np.array([place])})
        options["progress"](0.5)
        for number, spec in enumerate(specs):
            if self.dies_in == place and number == len(specs) - 1:
                raise Killed
            for a, b in pairs:
                for x, y in ((a, b), (b, a)):
                    yield PairScore(x, y, spec, self.scored(x, y, options["sweep"]))

    @staticmethod
    def scored(a: str, b: str, sweep: bool) -> Scored:
        points = (SweepPoint(12, 0.5, 0.25), SweepPoint(24, 0.75, None)) if sweep else ()
        p = {"a": 0.01, "b": 0.02, "c": 0.03}
        return Scored.ok(
            0.75, N, debiased=0.5, debiased_low=0.25, debiased_high=0.625, null_mean=0.25,
            null_sd=0.125, null_p=min(p[a], p[b]), ci_low=0.5, ci_high=0.875, sweep=points,
        )  # fmt: skip


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr("matteralign.metrics.compare", made)
    return made


def fill(tiny: Any) -> Any:
    rng = np.random.default_rng(0)
    for key in KEYS:
        tiny.write(key, rng.normal(size=(N, 5)), {3: "element Na"} if key == "b" else {})
        summarize_model(tiny.study, tiny.layout, key, threads=1)
    return tiny


@pytest.fixture
def tiny(tiny_study: Callable[..., Any]) -> Any:
    return fill(tiny_study(KEYS, N, METRICS))


def score(tiny: Any, lines: list[str] | None = None) -> tuple[int, int]:
    said = [] if lines is None else lines
    done = score_slice(tiny.study, tiny.layout, threads=3, report=said.append)
    return done.computed, done.reused


def test_one_call_for_each_scaling_with_everything_in_it(engine: Engine, tiny: Any) -> None:
    assert score(tiny) == (3, 0)
    assert [call["normalize"] for call in engine.calls] == ["max", "l2"]
    for call in engine.calls:
        assert call["pairs"] == [("a", "b"), ("a", "c"), ("b", "c")]
        assert list(call["members"]) == KEYS
        assert call["members"]["b"].dtype == np.float32
        assert np.flatnonzero(~call["valid"]["b"]).tolist() == [3]
        assert (call["threads"], call["memory_bytes"]) == (3, 4 * 1024**3)
        assert (call["statistics"], call["sweep"]) == (True, False)
    assert [len(call["specs"]) for call in engine.calls] == [3, 1]
    # The imbalance reads distances up to k = 3, CKNNA of unit rows their products, k = 4.
    assert engine.calls[0]["neighbors"]["a"].euclid_index.shape[1] >= 3
    assert engine.calls[1]["neighbors"]["a"].inner_index.shape[1] >= 4


def test_neighbour_lists_are_opened_only_when_the_engine_asks(engine: Engine, tiny: Any) -> None:
    path = tiny.layout.neighbors("a")
    path.write_bytes(path.read_bytes()[:-1])
    score(tiny)
    with pytest.raises(IntegrityError, match=r"neighbors/a\.npz: bytes do not match"):
        engine.calls[0]["neighbors"]["a"]
    assert engine.calls[0]["neighbors"]["b"].euclid_index.shape[1] >= 3


def test_every_column_of_a_score_reaches_the_table(engine: Engine, tiny: Any) -> None:
    score(tiny)
    rows = read_rows(tiny.layout.scores, SCORES)
    assert len(rows) == 6 * 4
    for row in rows:
        assert (row["value"], row["debiased"]) == (0.75, 0.5)
        assert (row["debiased_low"], row["debiased_high"]) == (0.25, 0.625)
        assert (row["null_mean"], row["null_sd"]) == (0.25, 0.125)
        assert (row["ci_low"], row["ci_high"]) == (0.5, 0.875)
    # Three unordered pairs of a symmetric metric, six ordered ones of a directed one.
    cka = {frozenset((r["model_a"], r["model_b"])): r for r in rows if r["metric"] == "cka"}
    assert cka[frozenset("bc")]["p_holm"] == pytest.approx(0.03)
    assert cka[frozenset("ab")]["p_adjusted"] == pytest.approx(0.015)
    directed = [r for r in rows if r["metric"] == "information_imbalance"]
    assert max(r["p_adjusted"] for r in directed) == pytest.approx(0.02)
    assert min(r["p_holm"] for r in directed) == pytest.approx(0.06)


@pytest.mark.parametrize("dies_in", [0, 1])
def test_a_kill_inside_a_batch_leaves_no_part_of_it_and_the_pass_goes_on(
    engine: Engine, tiny: Any, tiny_study: Callable[..., Any], dies_in: int
) -> None:
    whole = fill(tiny_study(KEYS, N, METRICS, root="whole"))
    score(whole)
    engine.calls.clear()
    engine.resumed.clear()
    engine.dies_in = dies_in
    with pytest.raises(Killed):
        score(tiny)
    assert len(tiny.layout.ledger.read_bytes().splitlines()) == dies_in
    assert len(list(tiny.layout.passes.iterdir())) == 1
    engine.dies_in = None
    lines: list[str] = []
    assert score(tiny, lines) == (3, 0)
    assert engine.resumed[: dies_in + 1] == [None] * (dies_in + 1)
    assert engine.resumed[dies_in + 1] == {"rows": np.array([dies_in])}
    assert any("continuing from there" in line for line in lines)
    assert not tiny.layout.passes.exists()
    assert tiny.layout.ledger.read_bytes() == whole.layout.ledger.read_bytes()
    assert tiny.layout.scores.read_bytes() == whole.layout.scores.read_bytes()


def test_the_pass_of_other_latents_is_not_taken_up(engine: Engine, tiny: Any) -> None:
    engine.dies_in = 0
    with pytest.raises(Killed):
        score(tiny)
    tiny.write("c", np.random.default_rng(9).normal(size=(N, 5)))
    summarize_model(tiny.study, tiny.layout, "c", threads=1)
    engine.dies_in = None
    score(tiny)
    assert engine.resumed == [None] * 3
    assert not tiny.layout.passes.exists()


def test_a_damaged_pass_is_left_aside_with_a_line(engine: Engine, tiny: Any) -> None:
    engine.dies_in = 0
    with pytest.raises(Killed):
        score(tiny)
    (state,) = tiny.layout.passes.iterdir()
    state.write_bytes(state.read_bytes()[:-80])
    engine.dies_in = None
    lines: list[str] = []
    assert score(tiny, lines) == (3, 0)
    assert engine.resumed == [None] * 3
    assert any("this pass starts again" in line for line in lines)


def test_a_new_model_is_compared_with_the_others_and_nothing_else(
    engine: Engine, tiny: Any, tiny_study: Callable[..., Any]
) -> None:
    smaller = tiny_study(KEYS[:2], N, METRICS)
    assert score(smaller) == (1, 0)
    engine.calls.clear()
    assert score(tiny) == (2, 1)
    assert [call["pairs"] for call in engine.calls] == [[("a", "c"), ("b", "c")]] * 2


def test_models_that_share_no_structure_are_not_handed_over(engine: Engine, tiny: Any) -> None:
    tiny.write("c", np.zeros((N, 5)), dict.fromkeys(range(N), "element Na"))
    summarize_model(tiny.study, tiny.layout, "c", threads=1)
    assert score(tiny) == (3, 0)
    assert all(list(call["members"]) == ["a", "b"] for call in engine.calls)
    rows = [r for r in read_rows(tiny.layout.scores, SCORES) if r["model_b"] == "c"]
    assert {(r["status"], r["n"]) for r in rows} == {("not_applicable", 0)}
    assert {r["p_adjusted"] for r in rows} == {None}


def test_a_sweep_has_a_row_for_every_size(
    engine: Engine, tiny: Any, tiny_study: Callable[..., Any]
) -> None:
    swept = tiny_study(KEYS, N, METRICS | {"sweep": True})
    score(swept)
    rows = read_rows(swept.layout.sweep, SWEEP)
    assert len(rows) == 6 * 4 * 2
    assert {(r["n"], r["value"], r["debiased"]) for r in rows} == {
        (12, 0.5, 0.25),
        (24, 0.75, None),
    }
    assert {r["sample_set_id"] for r in rows} == {tiny.sample_set_id}
    pairs = {(r["model_a"], r["model_b"]) for r in rows}
    assert len(pairs) == 6
    engine.calls.clear()
    assert score(tiny) == (0, 3)
    assert not engine.calls


def test_a_score_that_the_engine_leaves_out_is_an_error(
    engine: Engine, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lazy(*arguments: Any, **options: Any) -> Iterator[PairScore]:
        scores = list(engine(*arguments, **options))
        return iter(scores[:-1])

    monkeypatch.setattr("matteralign.metrics.compare", lazy)
    with pytest.raises(IntegrityError, match=r"scores\.parquet: .* of c and b is missing"):
        score(tiny)
    assert not tiny.layout.scores.exists()


def test_a_ledger_line_is_one_batch(engine: Engine, tiny: Any) -> None:
    score(tiny)
    lines = tiny.layout.ledger.read_text().splitlines()
    assert [len(json.loads(line)["batch"]) for line in lines] == [6 * 3, 6]
