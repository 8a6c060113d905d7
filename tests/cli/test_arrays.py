"""Any two arrays, any one array: what the program prints, and what it says of bad input."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matteralign.cli.app import main
from matteralign.cli.shared.metric_options import fold
from matteralign.config.metrics import Metrics
from matteralign.core.errors import UserError
from matteralign.metrics import METRICS, cka, cknna, dcor, information_imbalance, normalize, twonn

Done = subprocess.CompletedProcess[str]
RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = (X @ RNG.normal(size=(4, 6)) + 0.2 * RNG.normal(size=(40, 6))).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "a.npy", X)
    np.save(tmp_path / "b.npy", Y)
    return tmp_path


def call(folder: Path, *arguments: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["matteralign", *arguments])
        patch.setenv("COLUMNS", "200")
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    return subprocess.CompletedProcess(list(arguments), code or 0, out.getvalue(), err.getvalue())


def rows(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    done = call(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def refused(folder: Path, *arguments: str) -> str:
    done = call(folder, *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    return lines[0].removeprefix("error: ")


def test_by_default_every_metric_of_a_study(folder: Path) -> None:
    found = rows(folder, "compare", "a.npy", "b.npy")
    asked = [(r.metric, r.definition) for r in Metrics().pair]
    assert list(dict.fromkeys((r["metric"], r["definition"]) for r in found)) == asked
    for row in found:
        directed = not METRICS[row["metric"]].definitions[row["definition"]].symmetric
        same = [r for r in found if r["metric"] == row["metric"]]
        assert {(r["a"], r["b"]) for r in same} == (
            {("a.npy", "b.npy"), ("b.npy", "a.npy")} if directed else {("a.npy", "b.npy")}
        ) or row["metric"] == "cknna"
        # 25 neighbours of 40 rows are too many for one definition.
        status = "not_applicable" if row["definition"] == "huh2024" else "ok"
        assert (row["n"], row["status"]) == (40, status)


def test_values_are_those_of_the_functions(folder: Path) -> None:
    x, y = (normalize(v, "max") for v in (X, Y))
    found = {
        (r["a"], r["metric"], r["definition"]): r["value"]
        for r in rows(folder, "compare", "a.npy", "b.npy")
    }
    expected = {
        ("a.npy", "cka", "plain"): cka(x, y),
        ("a.npy", "dcor", "root"): dcor(x, y),
        ("a.npy", "information_imbalance", "rank"): information_imbalance(x, y),
        ("b.npy", "information_imbalance", "rank"): information_imbalance(y, x),
        ("a.npy", "cknna", "text"): cknna(x, y, definition="text"),
    }
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-9)
    (one,) = rows(folder, "dimension", "a.npy", "--metric", "twonn")
    assert one["value"] == pytest.approx(twonn(x), rel=1e-9)
    assert one["x"] == "a.npy"


def test_the_table_shows_values_and_what_went_wrong(folder: Path) -> None:
    done = call(folder, "compare", "a.npy", "b.npy")
    assert "a: a.npy · b: b.npy · 40 rows" in done.stdout
    assert f"{cka(X, Y):.4f}" in done.stdout
    assert "a→b" in done.stdout
    # 25 neighbours of 40 rows: by default there is a reason, not an error.
    assert done.returncode == 0
    assert "k = 25 is more than half of 40 rows" in done.stdout
    assert "twonn" in call(folder, "dimension", "a.npy").stdout


def test_rows_that_a_scaling_cannot_take_are_told_with_what_it_does(folder: Path) -> None:
    odd = np.abs(X) + 0.1
    odd[[2, 9]] *= -1.0
    np.save(folder / "odd.npy", odd)
    words = ["compare", "odd.npy", "a.npy", "--metric", "cka", "--normalize", "row_max"]
    kept = X.max(axis=1) > 0
    kept[[2, 9]] = False
    (one,) = rows(folder, *words)
    assert (one["n"], one["normalize"]) == (kept.sum(), "row_max")
    shown = call(folder, *words).stdout
    assert "odd.npy: 2 of 40 rows have no positive element" in shown
    assert "row_max scaling: each row divided by its largest element" in shown


def test_a_k_that_the_rows_do_not_have_is_an_error_after_all_else_is_printed(folder: Path) -> None:
    words = "--metric cknna --k 5 --k 40 --metric cka"
    few = call(folder, "compare", "a.npy", "b.npy", *words.split())
    assert few.returncode == 2
    assert f"{cka(X, Y):.4f}" in few.stdout
    (line,) = few.stderr.splitlines()
    assert "cknna huh2024: k = 40 needs at least 41 rows, got 40" in line
    assert "k = 40 needs" in call(folder, "dimension", "a.npy", "--metric", "mle:k=40").stderr


def test_what_is_wrong_with_an_array_is_not_put_down_to_k(folder: Path) -> None:
    np.save(folder / "same.npy", np.ones((40, 3)))
    told = call(folder, "compare", "a.npy", "same.npy", "--metric", "cknna:text:k=25")
    assert (told.returncode, told.stderr) == (0, "")
    assert "same.npy is constant" in told.stdout
    # A scaling may leave fewer rows than the array has.
    few = np.abs(X) + 0.1
    few[:30] *= -1.0
    np.save(folder / "few.npy", few)
    told = call(
        folder, "compare", "a.npy", "few.npy", "--metric", "cknna:text:k=15",
        "--normalize", "row_max",
    )  # fmt: skip
    assert told.returncode == 2
    assert "k = 15 needs at least 16 rows" in told.stderr


def test_options_after_a_metric_are_its_own(folder: Path) -> None:
    words = "--metric cknna --definition text --k 3 --k 5 --metric dcor --definition squared"
    found = rows(folder, "compare", "a.npy", "b.npy", *words.split(), "--normalize", "none")
    assert [(r["metric"], r["definition"], r["params"]) for r in found] == [
        ("cknna", "text", {"k": 3}),
        ("cknna", "text", {"k": 5}),
        ("dcor", "squared", {}),
    ]
    assert {r["normalize"] for r in found} == {"none"}
    short = ["--metric", "cknna:text:k=3:k=5", "--metric=dcor:squared"]
    assert rows(folder, "compare", *short, "a.npy", "b.npy", "--normalize", "none") == found
    (one,) = rows(folder, "dimension", "a.npy", "--metric", "mle:k=7:average=mean")
    assert one["params"] == {"average": "mean", "k": 7}


def test_folding_leaves_other_words_alone() -> None:
    with pytest.raises(UserError, match="--k needs a value"):
        fold(["--metric", "cknna", "--k"])
    assert fold(["a", "--json", "--threads", "2"]) == ["a", "--json", "--threads", "2"]
    assert fold(["--metric=x", "--k=1", "b", "--definition=d"]) == ["--metric", "x:k=1:d", "b"]
    with pytest.raises(UserError, match="--definition belongs to a metric"):
        fold(["--definition", "text"])


def test_a_file_compared_with_itself(folder: Path) -> None:
    found = rows(folder, "compare", "a.npy", "a.npy", "--metric", "cka")
    assert found[0]["value"] == pytest.approx(1.0)
    assert (found[0]["a"], found[0]["b"]) == ("a.npy", "a.npy (again)")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "cnkna"], "unknown metric 'cnkna': did you mean 'cknna'?"),
        (["--metric", "cka:plan"], "unknown cka definition 'plan': did you mean 'plain'?"),
        (["--metric", "cknna", "--k", "x"], "cknna k must be a number, got 'x'"),
        (["--metric", "cknna", "--k", "0"], "cknna k must be an integer >= 2, got 0"),
        (["--metric", "cka:j=1"], "unknown cka parameter 'j'"),
        (["--metric", "cka", "--metric", "cka"], "cka[plain]() on max-scaled latents is already"),
        (["--metric", "cka:plain:debiased"], "--metric cka:plain:debiased: two definitions"),
        (["--metric", "twonn"], "twonn is a metric of one array: use dimension"),
        (["--k", "3"], "--k belongs to a metric"),
        (["--metric", "cknna", "--k"], "--k needs a value"),
        (["--normalize", "l3"], "unknown scaling 'l3': did you mean 'l2'?"),
        (["--metric", "cknna:k=2:k=x"], "--metric: "),
    ],
)
def test_a_wrong_option_is_one_line(folder: Path, options: list[str], message: str) -> None:
    assert refused(folder, "compare", "a.npy", "b.npy", *options).startswith(message)


def test_memory_without_end_is_a_usage_error(folder: Path) -> None:
    done = call(folder, "compare", "a.npy", "b.npy", "--memory-gb", "inf")
    assert done.returncode == 2
    assert "--memory-gb" in done.stderr


def test_no_number_is_cut_where_the_terminal_is_narrow(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shown = call(folder, "compare", "a.npy", "b.npy").stdout
    assert "information_imbalance" in shown
    assert "…  " not in shown
    for row in rows(folder, "compare", "a.npy", "b.npy"):
        if row["ci_low"] is not None:
            assert f"{row['ci_low']:.4f} … {row['ci_high']:.4f}" in shown


def test_a_wrong_file_is_one_line_that_names_it(folder: Path) -> None:
    np.save(folder / "long.npy", np.ones((41, 3)))
    np.save(folder / "flat.npy", np.ones(40))
    np.save(folder / "nan.npy", np.where(X[3, 1] == X, np.nan, X))
    for bad, message in (
        ("none.npy", "none.npy: file does not exist"),
        ("long.npy", "long.npy: has 41 rows, a.npy has 40; embed the same rows in both"),
        ("flat.npy", "flat.npy: has shape (40,); a matrix (rows, features) is needed"),
        ("nan.npy", "nan.npy: holds nan at row 3, column 1 (1 of 40 rows are not finite)"),
    ):
        assert refused(folder, "compare", "a.npy", bad).startswith(message)
    assert refused(folder, "dimension", "flat.npy").startswith("flat.npy: has shape")


def test_a_constant_array_has_no_score_but_a_reason(folder: Path) -> None:
    np.save(folder / "flat.npy", np.ones((40, 3)))
    for row in rows(folder, "compare", "a.npy", "flat.npy"):
        assert (row["status"], row["value"]) == ("not_applicable", None)
        assert row["reason"].startswith("flat.npy is constant")
    for row in rows(folder, "dimension", "flat.npy"):
        assert row["status"] == "not_applicable"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_a_damaged_file_never_ends_in_a_traceback(folder: Path, data: st.DataObject) -> None:
    content = bytearray((folder / "b.npy").read_bytes())
    header = data.draw(st.booleans())
    position = data.draw(st.integers(0, 127 if header else len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    bad = folder / "bad.npy"
    bad.write_bytes(
        bytes(content[: data.draw(st.sampled_from([len(content), len(content) - 1, 90]))])
    )
    done = call(folder, "compare", "a.npy", "bad.npy", "--metric", "cka", "--json")
    assert done.returncode in (0, 2)
    if done.returncode == 2:
        assert done.stderr.startswith("error: bad.npy: ")
        assert len(done.stderr.splitlines()) == 1
    else:
        assert json.loads(done.stdout)[0]["status"] in ("ok", "not_applicable")


def test_the_registry_is_listed_for_eyes_and_for_programs(folder: Path) -> None:
    listed = json.loads(call(folder, "metrics", "--json").stdout)
    names = [(i.name, d) for i in METRICS.values() for d in i.definitions]
    assert [(row["metric"], row["definition"]) for row in listed] == names
    for row in listed:
        info = METRICS[row["metric"]]
        definition = info.definitions[row["definition"]]
        assert (row["source"], row["version"]) == (definition.source, info.version)
        assert set(row["parameters"]) == set(definition.params)
        assert set(row["invariances"]) == set(definition.invariances)
    shown = call(folder, "metrics").stdout
    assert all(name in shown and definition in shown for name, definition in names)
    assert "k: from 2, default 25" in shown


@pytest.mark.parametrize("verb", [("compare", "a.npy", "b.npy"), ("dimension", "a.npy")])
def test_a_device_can_be_chosen_and_one_that_is_not_there_is_refused(
    folder: Path, verb: tuple[str, ...]
) -> None:
    assert refused(folder, *verb, "--device", "gpu").startswith("unknown device 'gpu'; choose")
    done = call(folder, *verb, "--device", "cuda:99")
    assert done.returncode == 1
    assert "'cuda:99'" in done.stderr
    assert "Traceback" not in done.stderr
    here = rows(folder, *verb, "--device", "auto")
    for mine, other in zip(rows(folder, *verb), here, strict=True):
        assert other["status"] == mine["status"]
        if mine["status"] == "ok":
            assert other["value"] == pytest.approx(mine["value"], rel=1e-5)


def test_a_p_value_too_small_for_a_float_is_not_said_to_be_zero() -> None:
    from matteralign.cli.shared.score_table import score_table
    from matteralign.metrics.base.specs import MetricSpec, Scored
    from matteralign.stages.adhoc import Outcome
    from matteralign.stages.study.measure import Measure

    shown = []
    for p in (0.0, 2e-12, 0.25):
        scored = Scored(value=0.9, n=9, status="ok", reason="", null_p=p)
        table = score_table([Outcome("a", "b", Measure(MetricSpec("cka"), "max"), scored, True)])
        shown.append(str(next(iter(table.columns[-1].cells))))
    assert shown == ["<1e-300", "2.0e-12", "0.250"]
