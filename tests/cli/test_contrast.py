"""The verb that compares scores with each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from matteralign.cli.app import app
from matteralign.core.errors import UserError
from matteralign.report.slice_view import SliceView
from matteralign.stages.score import score_slice
from matteralign.stages.summarize import summarize_model

KEYS = ["alpha", "beta", "gamma"]
METRICS = {
    "pair": [
        {"metric": "cka", "definition": "plain"},
        {"metric": "cknna", "definition": "text", "params": {"k": [3, 5]}},
        {"metric": "information_imbalance", "definition": "rank", "params": {"k": 1}},
    ],
    "model": [],
}


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory, tiny_study_at: Callable[..., Any]) -> SliceView:
    """Alpha and beta are alike, gamma is not."""
    tiny = tiny_study_at(tmp_path_factory.mktemp("contrast"), KEYS, 120, METRICS)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4))
    noise = {"alpha": 0.1, "beta": 0.1, "gamma": 2.0}
    for key in KEYS:
        tiny.write(key, x + noise[key] * rng.normal(size=x.shape))
        summarize_model(tiny.study, tiny.layout, key, threads=1)
    score_slice(tiny.study, tiny.layout, report=lambda _: None)
    return SliceView(tiny.study, tiny.layout)


@pytest.fixture
def called(view: SliceView, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr("matteralign.cli.contrast.view_of", lambda *_: view)
    return lambda *words: CliRunner().invoke(app, ["contrast", "tiny", *words])


PAIRS = ("--a", "alpha,beta", "--b", "alpha,gamma")


def test_the_table(called: Callable[..., Result]) -> None:
    done = called(*PAIRS)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert "95 % interval" in lines[0] and "adjusted p" in lines[0]
    (cka,) = [line for line in lines if line.startswith(" cka") and " value " in line]
    assert "alpha, beta" in cka and "alpha, gamma" in cka and "120" in cka
    assert any("alpha → beta" in line for line in lines)
    assert "over structures, not over trainings" in lines[-1]
    assert "over the 7 differences above" in lines[-1]


def test_json_has_every_number(called: Callable[..., Result]) -> None:
    rows = json.loads(called(*PAIRS, "--metric", "cka", "--json").output)
    assert [row["of"] for row in rows] == ["value", "debiased"]
    assert all(row["low"] > 0.1 and row["p_adjusted"] < 0.01 for row in rows)
    assert rows[0]["difference"] == pytest.approx(rows[0]["value_a"] - rows[0]["value_b"])


def test_a_metric_can_be_named_with_its_k(called: Callable[..., Result]) -> None:
    rows = json.loads(called(*PAIRS, "--metric", "cknna", "--k", "5", "--json").output)
    assert {row["params"] for row in rows} == {'{"k":5,"normalize":"max"}'}
    rows = json.loads(called(*PAIRS, "--metric", "cknna:text", "--json").output)
    assert len(rows) == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--a", "alpah,beta", "--b", "alpha,gamma"), "--a: .*did you mean 'alpha'"),
        (("--a", "alpha", "--b", "alpha,gamma"), "two or more different models"),
        (("--a", "alpha,beta", "--b", "gamma,gamma"), "--b: 'gamma,gamma': name two or more"),
        (("--a", "alpha,beta", "--b", "alpha,beta"), "the same: alpha,beta"),
        ((*PAIRS, "--metric", "ckna"), "metric of slice 'tiny' 'ckna': did you mean 'cknna'"),
        ((*PAIRS, "--metric", "cknna:txt"), "did you mean 'text'"),
        ((*PAIRS, "--metric", "cknna:k=7"), "k of cknna of slice 'tiny' '7'"),
        ((*PAIRS, "--metric", "twonn"), "unknown metric of slice 'tiny' 'twonn'"),
    ],
)
def test_a_wrong_word_is_told(
    called: Callable[..., Result], words: tuple[str, ...], told: str
) -> None:
    done = called(*words)
    with pytest.raises(UserError, match=told):
        raise done.exception or AssertionError("no error")
