"""The stages after the models, on latents written by the test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matteralign.align.merge import merge_rows
from matteralign.align.row import score_row
from matteralign.align.summary import summarize_model
from matteralign.core.errors import IntegrityError, UserError
from matteralign.metrics import cka, cknna, dcor, information_imbalance, normalize
from matteralign.store.latents import read_latent
from matteralign.store.neighbors import read_neighbors_sidecar
from matteralign.store.tidy import SCORES, read_rows

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
        tiny.write(key, values, dict.fromkeys(MASKED.get(key, []), "element Na"))


def run(tiny: Any) -> dict[str, tuple[int, int]]:
    """Run every stage and return how many pairs were computed and reused, by row."""
    done = {}
    for key in KEYS:
        summarize_model(tiny.study, tiny.layout, key, threads=1)
    for key in KEYS:
        result = score_row(tiny.study, tiny.layout, key)
        done[key] = (result.computed, result.reused)
    merge_rows(tiny.study, tiny.layout)
    return done


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
    assert run(made) == {key: (position, 0) for position, key in enumerate(KEYS)}
    return made


@pytest.fixture
def complete(finished: Any, tiny_study: Callable[..., Any]) -> Any:
    """Return a copy of the finished study that the test may damage."""
    made = tiny_study(KEYS, N, METRICS)
    shutil.copytree(finished.layout.root, made.layout.root, dirs_exist_ok=True)
    return made


def _common(a: str, b: str) -> np.ndarray:
    return np.array([r not in MASKED.get(a, []) and r not in MASKED.get(b, []) for r in range(N)])


def test_the_merged_table_has_every_ordered_pair_once(complete: Any) -> None:
    rows = merged(complete)
    keys = [(r["model_a"], r["model_b"], r["metric"], r["definition"]) for r in rows]
    assert len(set(keys)) == len(keys) == 6 * 5 * 5
    assert {r["sample_set_id"] for r in rows} == {complete.sample_set_id}
    assert {r["dataset"] for r in rows} == {"g2"}
    assert {r["slice"] for r in rows} == {"tiny"}


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
    for (metric, definition), value in expected.items():
        found = pick(rows, a, b, metric, definition)
        assert found["status"] == "ok"
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
        summarize_model(made.study, made.layout, key, threads=1)
    for key in ("alpha", "gamma"):
        score_row(made.study, made.layout, key)
    merge_rows(made.study, made.layout)
    rows = merged(made)
    failed = pick(rows, "alpha", "gamma", "cknna", "text")
    assert (failed["status"], failed["value"], failed["n"]) == ("not_applicable", None, 12)
    assert "12" in failed["reason"]
    assert pick(rows, "alpha", "gamma", "cka", "plain")["status"] == "ok"


def test_a_second_run_computes_nothing_and_changes_no_byte(complete: Any) -> None:
    before = _bytes(complete)
    assert run(complete) == {key: (0, position) for position, key in enumerate(KEYS)}
    assert _bytes(complete) == before


def _bytes(tiny: Any) -> dict[str, bytes]:
    return {
        path.relative_to(tiny.layout.root).as_posix(): path.read_bytes()
        for path in sorted(tiny.layout.root.rglob("*"))
        if path.is_file()
    }


def test_an_edited_latent_recomputes_only_its_pairs(
    complete: Any, tiny_study: Callable[..., Any]
) -> None:
    edited = arrays()["gamma"] + 1.0
    gone = dict.fromkeys(MASKED["gamma"], "element Na")
    before = {(r["model_a"], r["model_b"]): r for r in merged(complete) if r["metric"] == "cka"}
    complete.write("gamma", edited, gone)
    done = run(complete)
    place = KEYS.index("gamma")
    assert done == {
        key: (0, i) if i < place else (i, 0) if i == place else (1, i - 1)
        for i, key in enumerate(KEYS)
    }
    after = {(r["model_a"], r["model_b"]): r for r in merged(complete) if r["metric"] == "cka"}
    for pair, row in after.items():
        assert (row == before[pair]) == ("gamma" not in pair)
    fresh = tiny_study(KEYS, N, METRICS, root="fresh")
    fill(fresh)
    fresh.write("gamma", edited, gone)
    run(fresh)
    assert merged(fresh) == merged(complete)
    assert fresh.layout.scores.read_bytes() == complete.layout.scores.read_bytes()


def test_rows_made_one_by_one_equal_rows_made_at_once(
    complete: Any, tiny_study: Callable[..., Any]
) -> None:
    """A model that joins later gives the table that it would have given from the start."""
    made = tiny_study(KEYS, N, METRICS, root="grown")
    fill(made)
    for count in range(2, len(KEYS) + 1):
        smaller = tiny_study(KEYS[:count], N, METRICS, root="grown")
        key = KEYS[count - 1]
        for name in KEYS[:count]:
            if count == 2 or name == key:
                summarize_model(smaller.study, smaller.layout, name, threads=1)
                score_row(smaller.study, smaller.layout, name)
        merge_rows(smaller.study, smaller.layout)
        assert len(merged(smaller)) == count * (count - 1) * 5
    assert merged(made) == merged(complete)


def test_a_killed_row_goes_on_where_it_was(complete: Any) -> None:
    ledger, row = complete.layout.ledger("flat"), complete.layout.row("flat")
    whole, final = ledger.read_bytes(), row.read_bytes()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 5 * 2 * 5
    for kept in (0, 1, 9, 17, 18, 25, 49, 50):
        ledger.write_bytes(b"".join(lines[:kept]) + b'{"key": "torn')
        row.unlink()
        known = {json.loads(line)["key"] for line in lines[:kept]}
        expected = sum(_keys(complete, key, "flat") <= known for key in KEYS[:-1])
        result = score_row(complete.study, complete.layout, "flat")
        assert (result.computed, result.reused) == (5 - expected, expected)
        assert row.read_bytes() == final
    assert expected == 5


def _keys(tiny: Any, a: str, b: str) -> set[str]:
    """Return the ledger keys of a pair, both ways."""
    x, y = (read_latent(tiny.layout.latent(key)).sha256 for key in (a, b))
    measures = tiny.study.pair_measures
    return {m.key(*hashes) for m in measures for hashes in ((x, y), (y, x))}


def test_other_parameters_do_not_reuse_scores(
    complete: Any, tiny_study: Callable[..., Any]
) -> None:
    changed = METRICS | {"normalize": "l2"}
    other = tiny_study(KEYS, N, changed)
    for key in KEYS:
        summarize_model(other.study, other.layout, key, threads=1)
    assert score_row(other.study, other.layout, "delta").computed == 3
    assert score_row(complete.study, complete.layout, "delta").reused == 3


def test_a_metric_added_later_joins_the_row(complete: Any, tiny_study: Callable[..., Any]) -> None:
    more = {**METRICS, "pair": [*METRICS["pair"], {"metric": "dcor", "definition": "squared"}]}
    other = tiny_study(KEYS, N, more)
    before = {
        (r["model_a"], r["model_b"], r["metric"], r["definition"]): r["value"]
        for r in merged(complete)
    }
    for key in KEYS:
        summarize_model(other.study, other.layout, key, threads=1)
        score_row(other.study, other.layout, key)
    merge_rows(other.study, other.layout)
    rows = merged(other)
    assert len(rows) == 6 * 5 * 6
    for row in rows:
        key = (row["model_a"], row["model_b"], row["metric"], row["definition"])
        if key in before:
            assert row["value"] == before[key]


def test_latents_of_another_sample_set_are_refused(tiny: Any) -> None:
    for key in KEYS:
        summarize_model(tiny.study, tiny.layout, key, threads=1)
    tiny.write("beta", arrays()["beta"], sample_set_id="f" * 64)
    for stage in (
        lambda: summarize_model(tiny.study, tiny.layout, "beta", threads=1),
        lambda: score_row(tiny.study, tiny.layout, "gamma"),
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
        lambda: score_row(complete.study, complete.layout, "gamma"),
    ):
        with pytest.raises(IntegrityError, match=r"latents/alpha\.npy: bytes hash to"):
            stage()


def test_stale_neighbours_are_refused(complete: Any) -> None:
    complete.write("alpha", arrays()["alpha"] + 1)
    with pytest.raises(IntegrityError, match=r"neighbors/alpha\.npz: neighbours of other latents"):
        score_row(complete.study, complete.layout, "delta")


def test_a_stale_or_foreign_row_is_not_merged(complete: Any) -> None:
    row = complete.layout.row("delta")
    whole = row.read_bytes()
    row.unlink()
    with pytest.raises(IntegrityError, match=r"scores/delta\.parquet.*missing"):
        merge_rows(complete.study, complete.layout)
    row.write_bytes(complete.layout.row("gamma").read_bytes())
    with pytest.raises(IntegrityError, match="there twice"):
        merge_rows(complete.study, complete.layout)
    row.write_bytes(whole)
    assert merge_rows(complete.study, complete.layout) == 150


def test_a_row_of_other_parameters_is_not_merged(
    complete: Any, tiny_study: Callable[..., Any]
) -> None:
    other = tiny_study(KEYS, N, METRICS | {"normalize": "none"})
    with pytest.raises(IntegrityError, match="a row is stale"):
        merge_rows(other.study, other.layout)
    smaller = tiny_study(KEYS[:-2], N, METRICS)
    assert merge_rows(smaller.study, smaller.layout) == 4 * 3 * 5


def test_a_row_scored_from_latents_that_changed_is_not_merged(complete: Any) -> None:
    stale = complete.layout.row("delta").read_bytes()
    complete.write("alpha", arrays()["alpha"] * 2 + 1)
    run(complete)
    complete.layout.row("delta").write_bytes(stale)
    with pytest.raises(IntegrityError, match="different latents of 'alpha'"):
        merge_rows(complete.study, complete.layout)


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


def test_a_model_outside_the_panel_has_no_row(complete: Any) -> None:
    with pytest.raises(UserError, match="unknown model 'alhpa': did you mean 'alpha'"):
        score_row(complete.study, complete.layout, "alhpa")
