"""The stages after the models, on latents written by the test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matteralign.core.errors import IntegrityError
from matteralign.metrics import cka, cknna, dcor, information_imbalance, normalize
from matteralign.stages.score import score_slice
from matteralign.stages.summarize import summarize_model
from matteralign.store.neighbors import read_neighbors_sidecar
from matteralign.store.tidy import SCORES, STATISTICS, read_rows

N = 40
KEYS = ["alpha", "beta", "gamma", "delta", "void", "flat"]
MASKED = {"beta": [3, 17], "gamma": [17, 30, 31], "void": list(range(N))}
METRICS = {
    "pair": [
        {"metric": "cknna", "definition": "huh2024", "params": {"k": 5}},
        {"metric": "cknna", "definition": "text", "params": {"k": 5}},
        {"metric": "dcor", "definition": "root"},
        {"metric": "cka", "definition": "plain"},
        {"metric": "information_imbalance", "definition": "rank", "params": {"k": 1}},
    ],
    "model": [{"metric": "twonn", "definition": "fit"}],
}
SYMMETRIC = {("cknna", "text"), ("dcor", "root"), ("cka", "plain")}
WEIGHTS = {"beta": "untrained", "gamma": "none"}
Row = dict[str, Any]


def arrays() -> dict[str, np.ndarray]:
    """Two related models, one with repeated rows, one unrelated, one masked, one constant."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(N, 4))
    repeated = shared @ rng.normal(size=(4, 6))
    repeated[10:20] = repeated[0]
    return {
        "alpha": np.hstack([shared, 0.1 * rng.normal(size=(N, 3))]),
        "beta": repeated,
        "gamma": rng.normal(size=(N, 9)) * 1e3,
        "delta": np.tanh(shared) * 1e-3,
        "void": rng.normal(size=(N, 3)),
        "flat": np.ones((N, 5)),
    }


def fill(tiny: Any) -> None:
    for key, values in arrays().items():
        if key not in tiny.study.cards:
            continue
        masked = dict.fromkeys(MASKED.get(key, []), "element Na")
        tiny.write(key, values, masked, weights=WEIGHTS.get(key, "trained"))


def score(tiny: Any) -> tuple[int, int]:
    """Score the slice and return how many pairs were computed and reused."""
    done = score_slice(tiny.study, tiny.layout, report=lambda _: None)
    return done.computed, done.reused


def run(tiny: Any) -> tuple[int, int]:
    """Run every stage and return how many pairs were computed and reused."""
    for card in tiny.study.panel("tiny"):
        summarize_model(tiny.study, tiny.layout, card.key, threads=1)
    return score(tiny)


def merged(tiny: Any) -> list[Row]:
    return read_rows(tiny.layout.scores, SCORES)


def pick(rows: list[Row], a: str, b: str, metric: str, definition: str) -> Row:
    wanted = (a, b, metric, definition)
    found = [
        r for r in rows if (r["model_a"], r["model_b"], r["metric"], r["definition"]) == wanted
    ]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def tiny(tiny_study: Callable[..., Any]) -> Any:
    made = tiny_study(KEYS, N, METRICS)
    fill(made)
    return made


@pytest.fixture(scope="module")
def finished(tiny_study_at: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = tiny_study_at(tmp_path_factory.mktemp("finished"), KEYS, N, METRICS)
    fill(made)
    assert run(made) == (15, 0)
    return made


@pytest.fixture
def complete(finished: Any, tiny_study: Callable[..., Any]) -> Any:
    """Return a copy of the finished study that the test may damage."""
    made = tiny_study(KEYS, N, METRICS)
    shutil.copytree(finished.layout.root, made.layout.root, dirs_exist_ok=True)
    return made


def _common(a: str, b: str) -> np.ndarray:
    return np.array([r not in MASKED.get(a, []) and r not in MASKED.get(b, []) for r in range(N)])


def test_the_table_has_every_ordered_pair_once(complete: Any) -> None:
    rows = merged(complete)
    keys = [(r["model_a"], r["model_b"], r["metric"], r["definition"]) for r in rows]
    assert len(set(keys)) == len(keys) == 6 * 5 * 5
    assert {r["sample_set_id"] for r in rows} == {complete.sample_set_id}
    assert {r["dataset"] for r in rows} == {"g2"}
    assert {r["slice"] for r in rows} == {"tiny"}


def test_every_score_says_what_weights_it_is_of(complete: Any) -> None:
    for row in merged(complete):
        expected = [WEIGHTS.get(row[f"model_{side}"], "trained") for side in "ab"]
        assert [row["weights_a"], row["weights_b"]] == expected


def test_n_is_the_number_of_rows_both_models_took(complete: Any) -> None:
    for row in merged(complete):
        assert row["n"] == _common(row["model_a"], row["model_b"]).sum()
    assert pick(merged(complete), "beta", "gamma", "cka", "plain")["n"] == N - 4


def test_symmetric_metrics_are_equal_both_ways_and_directed_ones_are_not(complete: Any) -> None:
    rows = merged(complete)
    for row in rows:
        back = pick(rows, row["model_b"], row["model_a"], row["metric"], row["definition"])
        if (row["metric"], row["definition"]) in SYMMETRIC:
            assert row["value"] == back["value"]
        assert (row["status"], row["n"]) == (back["status"], back["n"])
        assert row["latent_sha256_a"] == back["latent_sha256_b"]
    there = pick(rows, "alpha", "gamma", "information_imbalance", "rank")
    back = pick(rows, "gamma", "alpha", "information_imbalance", "rank")
    assert there["value"] != back["value"]


@pytest.mark.parametrize(("a", "b"), [("alpha", "delta"), ("beta", "gamma"), ("alpha", "gamma")])
def test_values_are_those_of_the_functions_on_the_common_rows(
    complete: Any, a: str, b: str
) -> None:
    rows, common = merged(complete), _common(a, b)
    scaled: dict[str, list[np.ndarray]] = {"max": [], "l2": []}
    for mode, both in scaled.items():
        for key in (a, b):
            own = np.array([r not in MASKED.get(key, []) for r in range(N)])
            values = normalize(arrays()[key].astype(np.float32)[own], mode)
            both.append(values[common[own]])
    x, y = scaled["max"]
    expected = {
        # On unit rows, as its authors use it; the others on the study's scaling.
        ("cknna", "huh2024"): cknna(*scaled["l2"], k=5, definition="huh2024"),
        ("cknna", "text"): cknna(x, y, k=5, definition="text"),
        ("dcor", "root"): dcor(x, y),
        ("cka", "plain"): cka(x, y),
        ("information_imbalance", "rank"): information_imbalance(x, y, k=1),
    }
    # The order of repeated rows is drawn once over all rows of a model, so it is another one
    # for an array of fewer rows.
    redrawn = "beta" in (a, b) and not common.all()
    for (metric, definition), value in expected.items():
        found = pick(rows, a, b, metric, definition)
        assert found["status"] == "ok"
        if redrawn and metric in ("cknna", "information_imbalance"):
            continue
        assert found["value"] == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_what_cannot_be_scored_is_a_row_with_a_reason(complete: Any) -> None:
    rows = merged(complete)
    for row in rows:
        models = {row["model_a"], row["model_b"]}
        assert (row["status"] == "ok") == (row["value"] is not None) == (row["reason"] == "")
        if models & {"void", "flat"}:
            assert row["status"] == "not_applicable"
            assert row["value"] is None
        if "void" in models:
            assert "no structure in common" in row["reason"]
        elif "flat" in models:
            assert "flat" in row["reason"]
            assert "constant" in row["reason"]
        else:
            assert row["status"] == "ok"


def test_k_not_below_n_is_not_applicable_with_its_reason(tiny_study: Callable[..., Any]) -> None:
    pair = [
        {"metric": "cknna", "definition": "text", "params": {"k": 12}},
        {"metric": "cka", "definition": "plain"},
    ]
    made = tiny_study(["alpha", "gamma"], 12, {"pair": pair, "model": METRICS["model"]})
    for key in ("alpha", "gamma"):
        made.write(key, arrays()[key][:12])
    run(made)
    rows = merged(made)
    failed = pick(rows, "alpha", "gamma", "cknna", "text")
    assert (failed["status"], failed["value"], failed["n"]) == ("not_applicable", None, 12)
    assert "12" in failed["reason"]
    assert pick(rows, "alpha", "gamma", "cka", "plain")["status"] == "ok"


def test_a_second_run_computes_nothing_and_changes_no_byte(complete: Any) -> None:
    before = _bytes(complete)
    assert run(complete) == (0, 15)
    assert _bytes(complete) == before


def _bytes(tiny: Any) -> dict[str, bytes]:
    return {
        path.relative_to(tiny.layout.root).as_posix(): path.read_bytes()
        for path in sorted(tiny.layout.root.rglob("*"))
        if path.is_file()
    }


def same_scores(found: list[Row], expected: list[Row]) -> bool:
    """Whether two tables agree: values to what depends on which pairs were made together."""
    numbers = {"value", *STATISTICS}
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            if name in numbers and None not in (one[name], other[name]):
                assert one[name] == pytest.approx(other[name], rel=1e-9, abs=1e-12)
            else:
                assert one[name] == other[name], name
    return True


def test_an_edited_latent_recomputes_only_its_pairs(
    complete: Any, tiny_study: Callable[..., Any]
) -> None:
    edited = arrays()["gamma"] + 1.0
    gone = dict.fromkeys(MASKED["gamma"], "element Na")
    before = {(r["model_a"], r["model_b"]): r for r in merged(complete) if r["metric"] == "cka"}
    complete.write("gamma", edited, gone)
    assert run(complete) == (5, 10)
    after = {(r["model_a"], r["model_b"]): r for r in merged(complete) if r["metric"] == "cka"}
    for pair, row in after.items():
        assert (row["value"] == before[pair]["value"]) == (
            "gamma" not in pair or "void" in pair or "flat" in pair
        )
        assert (row["latent_sha256_a"] == before[pair]["latent_sha256_a"]) == (pair[0] != "gamma")
    fresh = tiny_study(KEYS, N, METRICS, root="fresh")
    fill(fresh)
    fresh.write("gamma", edited, gone)
    run(fresh)
    assert same_scores(merged(fresh), merged(complete))


def test_models_that_join_one_by_one_give_the_table_of_all_at_once(
    complete: Any, tiny_study: Callable[..., Any]
) -> None:
    for count in range(2, len(KEYS) + 1):
        made = tiny_study(KEYS[:count], N, METRICS, root="grown")
        fill(made)
        for name in KEYS[:count]:
            if count == 2 or name == KEYS[count - 1]:
                summarize_model(made.study, made.layout, name, threads=1)
        pairs = count * (count - 1) // 2
        assert score(made) == (count - 1, pairs - count + 1)
        assert len(merged(made)) == 2 * pairs * 5
    assert same_scores(merged(made), merged(complete))


def batches(tiny: Any) -> list[bytes]:
    return tiny.layout.ledger.read_bytes().splitlines(keepends=True)


def test_a_killed_job_goes_on_at_the_first_batch_that_is_not_whole(complete: Any) -> None:
    ledger, table = complete.layout.ledger, complete.layout.scores
    lines, final = batches(complete), table.read_bytes()
    # One batch for each scaling, with every pair both ways.
    assert [len(json.loads(line)["batch"]) for line in lines] == [15 * 2, 15 * 2 * 4]
    for kept in (0, 1, 2):
        for tail in (b"", b'{"batch": {"torn', lines[kept][:-1] if kept < 2 else b"\0"):
            ledger.write_bytes(b"".join(lines[:kept]) + tail)
            table.unlink()
            assert score(complete) == ((0, 15) if kept == 2 else (15, 0))
            assert table.read_bytes() == final
            assert batches(complete) == lines


def test_other_parameters_do_not_reuse_scores(
    complete: Any, tiny_study: Callable[..., Any]
) -> None:
    other = tiny_study(KEYS, N, METRICS | {"normalize": "l2"})
    assert run(other) == (15, 0)
    # The metric that is on unit rows in both studies was there.
    assert [len(json.loads(line)["batch"]) for line in batches(other)[2:]] == [15 * 2 * 4]
    assert run(complete) == (0, 15)


@pytest.mark.parametrize("name", ["statistics", "sweep"])
def test_what_a_score_has_beside_its_value_is_part_of_what_was_asked(
    complete: Any, tiny_study: Callable[..., Any], name: str
) -> None:
    other = tiny_study(KEYS, N, METRICS | {name: name == "sweep"})
    assert score(other) == (15, 0)
    assert score(other) == (0, 15)
    assert other.layout.sweep.exists() == (name == "sweep")
    # A score with a sweep serves where none is asked for; its table would be a stale one.
    assert score(complete) == (0, 15)
    assert not complete.layout.sweep.exists()


def test_a_metric_added_later_computes_only_itself(
    complete: Any, tiny_study: Callable[..., Any]
) -> None:
    more = {**METRICS, "pair": [*METRICS["pair"], {"metric": "dcor", "definition": "squared"}]}
    other = tiny_study(KEYS, N, more)
    key = ("model_a", "model_b", "metric", "definition")
    before = {tuple(r[k] for k in key): r["value"] for r in merged(complete)}
    assert run(other) == (15, 0)
    assert [len(json.loads(line)["batch"]) for line in batches(other)[2:]] == [15 * 2]
    rows = merged(other)
    assert len(rows) == 6 * 5 * 6
    for row in rows:
        if row["definition"] != "squared":
            assert row["value"] == before[tuple(row[k] for k in key)]


def test_a_list_of_k_is_one_score_for_each(complete: Any, tiny_study: Callable[..., Any]) -> None:
    pair = [{"metric": "cknna", "definition": "text", "params": {"k": [3, 5, 7]}}]
    known = pick(merged(complete), "alpha", "beta", "cknna", "text")
    other = tiny_study(KEYS[:2], N, {"pair": pair, "model": METRICS["model"]})
    run(other)
    rows = merged(other)
    assert [json.loads(r["params"])["k"] for r in rows] == [3, 5, 7, 3, 5, 7]
    assert rows[1]["value"] == pytest.approx(known["value"], rel=1e-9)
    assert len({r["value"] for r in rows}) == 3


def test_latents_of_another_sample_set_are_refused(tiny: Any) -> None:
    for key in KEYS:
        summarize_model(tiny.study, tiny.layout, key, threads=1)
    tiny.write("beta", arrays()["beta"], sample_set_id="f" * 64)
    for stage in (
        lambda: summarize_model(tiny.study, tiny.layout, "beta", threads=1),
        lambda: score(tiny),
    ):
        with pytest.raises(IntegrityError, match=r"latents/beta\.json: made for sample set ffff"):
            stage()


def test_changed_bytes_are_refused_by_name_even_when_every_pair_is_known(complete: Any) -> None:
    path: Path = complete.layout.latent("alpha")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    for stage in (
        lambda: summarize_model(complete.study, complete.layout, "alpha", threads=1),
        lambda: score(complete),
    ):
        with pytest.raises(IntegrityError, match=r"latents/alpha\.npy: bytes hash to"):
            stage()


def test_stale_neighbours_are_refused(complete: Any) -> None:
    complete.write("alpha", arrays()["alpha"] + 1)
    with pytest.raises(IntegrityError, match=r"neighbors/alpha\.npz: neighbours of other latents"):
        score(complete)


def test_the_summary_says_what_it_saw(complete: Any) -> None:
    beta = read_neighbors_sidecar(complete.layout.neighbors("beta"))
    assert (beta["n_valid"], beta["model"]) == (N - 2, "beta")
    assert set(beta["scalings"]) == {"max", "l2"}
    for facts in beta["scalings"].values():
        assert facts["k"] == 5
        # Rows 10 to 19 repeat row 0; row 17 is masked.
        assert facts["duplicates"] > 0
        assert 0 < facts["largest_hub"] <= 1
    assert beta["intrinsic"][0]["status"] in ("ok", "not_applicable")
    void = read_neighbors_sidecar(complete.layout.neighbors("void"))
    assert void["intrinsic"][0]["status"] == "not_applicable"
    assert "took no structure" in void["intrinsic"][0]["reason"]
    flat = read_neighbors_sidecar(complete.layout.neighbors("flat"))
    assert flat["intrinsic"][0]["value"] is None
    assert flat["intrinsic"][0]["reason"]
    json.dumps([beta, void, flat], allow_nan=False)


def test_the_largest_hub_is_counted_among_the_neighbours_that_cknna_reads(
    tiny_study: Callable[..., Any],
) -> None:
    """Neighbours by distance, of which another metric reads more, are no votes."""
    imbalance = {"metric": "information_imbalance", "definition": "rank", "params": {"k": 20}}
    hubs = []
    for pair in (METRICS["pair"][1:2], [METRICS["pair"][1], imbalance]):
        made = tiny_study(["alpha", "gamma"], N, METRICS | {"pair": pair}, root=str(len(pair)))
        made.write("alpha", arrays()["alpha"])
        summarize_model(made.study, made.layout, "alpha", threads=1)
        facts = read_neighbors_sidecar(made.layout.neighbors("alpha"))["scalings"]["max"]
        hubs.append((facts["k"], facts["largest_hub"]))
    assert hubs[0] == hubs[1]
    x = arrays()["alpha"].astype(np.float32).astype(float)
    products = x @ x.T
    np.fill_diagonal(products, -np.inf)
    nearest = np.argsort(-products, axis=1)[:, :5]
    assert hubs[0] == (5, np.bincount(nearest.ravel()).max() / (N - 1))
