"""Disturbed structures, and what the self-test writes of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist

from matteralign.core.errors import UserError
from matteralign.core.files import read_json
from matteralign.report.sensitivity import write_sensitivity
from matteralign.stages.checks import sensitivity
from matteralign.stages.checks.sensitivity import (
    EXCHANGES,
    RATTLES,
    SCORE_COLUMNS,
    SHARES,
    SelfTest,
    disturbed,
    exchanged,
    rattled,
)
from matteralign.store.latents import write_latent
from matteralign.store.structures import Structure, read_structures

METRICS = {
    "pair": [
        {"metric": "cka", "definition": "plain"},
        {"metric": "information_imbalance", "definition": "rank", "params": {"k": 1}},
    ],
    "model": [],
}


def test_rattling_goes_further_in_the_same_directions(ethanol: Structure) -> None:
    little, much = (rattled(ethanol, s, 3).positions - ethanol.positions for s in (0.1, 0.2))
    np.testing.assert_allclose(much, 2 * little)
    assert not np.allclose(little, rattled(ethanol, 0.1, 4).positions - ethanol.positions)
    many = [rattled(ethanol, 0.1, seed).positions - ethanol.positions for seed in range(300)]
    assert np.std(many) == pytest.approx(0.1, rel=0.05)
    assert (rattled(ethanol, 0.1, 3).smiles, rattled(ethanol, 0.1, 3).energy) == (None, None)


def test_exchanging_keeps_the_composition_and_continues(ethanol: Structure) -> None:
    one, two = (exchanged(ethanol, times, 5) for times in (1, 2))
    assert sorted(one.numbers) == sorted(two.numbers) == sorted(ethanol.numbers)
    assert (one.numbers != ethanol.numbers).sum() == 2
    assert 0 < (two.numbers != one.numbers).sum() <= 2
    np.testing.assert_array_equal(one.positions, ethanol.positions)


def test_a_structure_of_one_element_stays(molecule: Callable[..., Structure]) -> None:
    nitrogen = molecule("N2")
    np.testing.assert_array_equal(exchanged(nitrogen, 4, 0).numbers, nitrogen.numbers)


def test_every_level_has_every_structure(small_molecules: list[Structure]) -> None:
    levels = disturbed(small_molecules)
    assert len(levels) == 1 + len(RATTLES) + len(EXCHANGES)
    ids = [s.id for rows in levels.values() for s in rows]
    assert len(set(ids)) == len(ids) == len(levels) * len(small_molecules)
    np.testing.assert_array_equal(levels["none", 0.0][0].positions, small_molecules[0].positions)


@pytest.fixture
def test_of(tiny_study: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    made = tiny_study(["alpha", "beta"], 40, METRICS)
    ran: list[str] = []

    def fake(verb: str, card: Any, **job: Any) -> None:
        """Features of distances and elements; one disturbed row is masked."""
        ran.append(card.key)
        rows = read_structures(job["structures"]).structures
        features = [
            [*np.sort(pdist(s.positions)), *(s.numbers[:2] * s.positions[:2, 0])] for s in rows
        ]
        values = np.array(features, np.float32)
        masked = [sensitivity_mask(rows, 3)]
        identity = {**job["identity"], "model": card.key, "checkpoint": {"weights": "none"}}
        write_latent(job["latent"], values, masked, identity)

    monkeypatch.setattr(sensitivity, "run_worker", fake)
    made.ran = ran
    return made


def sensitivity_mask(rows: Any, row: int) -> Any:
    from matteralign.store.latents import MaskedRow

    return MaskedRow(row, rows[row].id, "element", "not known")


def test_tables_and_figure_are_written_and_latents_kept(test_of: Any) -> None:
    test = SelfTest(test_of.study, test_of.layout, 30)
    asked = {"threads": 1, "device": "cpu", "report": lambda _: None}
    found = write_sensitivity(test, ["alpha", "beta"], **asked)
    scores = pd.read_parquet(test.folder / "scores.parquet")
    assert list(scores.columns) == SCORE_COLUMNS
    levels = {change: len(rows) for change, rows in scores.groupby("change")}
    count = 2 * 2  # models and measures
    assert levels == {
        "rattle": count * (1 + len(RATTLES)),
        "exchange": count * (1 + len(EXCHANGES)),
        "shuffle": count * (1 + len(SHARES)),
    }
    assert set(scores["n"]) == {29}
    whole = scores[(scores["level"] == 0) & (scores["metric"] == "cka")]
    np.testing.assert_allclose(whole["value"], 1)
    assert len(found) == 2 * 2 * 3
    assert set(found[found["change"] == "shuffle"]["verdict"]) == {"monotone"}
    assert {p.name for p in test.folder.glob("*.*")} >= {
        "scores.parquet", "scores.csv", "verdicts.parquet", "sensitivity.svg", "sensitivity.png",
    }  # fmt: skip
    write_sensitivity(test, ["alpha"], **asked)
    assert test_of.ran == ["alpha", "beta"]
    assert set(pd.read_parquet(test.folder / "scores.parquet")["model"]) == {"alpha"}


def test_other_rows_are_run_again(test_of: Any) -> None:
    for rows in (30, 25):
        test = SelfTest(test_of.study, test_of.layout, rows)
        test.score("alpha", threads=1, device="cpu", report=lambda _: None)
    assert test_of.ran == ["alpha", "alpha"]
    sidecar = read_json(test.folder / "latents" / "alpha.json")
    assert sidecar["n_rows"] == 25 * (1 + len(RATTLES) + len(EXCHANGES))


def test_what_cannot_be_tested_says_why(test_of: Any, make_card: Callable[..., Any]) -> None:
    test = SelfTest(test_of.study, test_of.layout, 99)
    asked = {"threads": 1, "device": "cpu", "report": lambda _: None}
    with pytest.raises(UserError, match="has 40 rows; ask for --rows 40"):
        test.score("alpha", **asked)
    text = make_card("text", 9, accepts={"needs": "smiles"}, modality="smiles")
    study = replace(test_of.study, cards={**test_of.study.cards, "text": text})
    with pytest.raises(UserError, match="reads smiles: moved atoms and exchanged elements"):
        SelfTest(study, test_of.layout, 30).score("text", **asked)


def test_the_folder_lies_below_the_slice(test_of: Any) -> None:
    folder: Path = SelfTest(test_of.study, test_of.layout, 30).folder
    assert folder == test_of.layout.root / "sensitivity"
