"""Every model that reads molecules in one run, from weights to the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from matteralign.config.load import load_config
from matteralign.report.figures.style import UNTRAINED_MARK
from matteralign.stages.study.study import Study, open_study
from matteralign.store.latent_rows import LatentRows, open_latent

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.models,
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.timeout(5400),
]


@dataclass
class Mixed:
    """The finished slice.

    Attributes
    ----------
    said
        What the run printed.
    """

    root: Path
    study: Study
    said: str

    @property
    def keys(self) -> list[str]:
        """Models of the panel, lowest index first."""
        return [card.key for card in self.study.panel("mixed")]

    def latents(self) -> dict[str, LatentRows]:
        """Latents by model."""
        return {key: open_latent(self.root / "latents" / f"{key}.npy") for key in self.keys}

    def weights(self) -> dict[str, str]:
        """What every model ran on, as its latents say."""
        return {k: lat.sidecar["checkpoint"]["weights"] for k, lat in self.latents().items()}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, make_run: Callable[..., Any]) -> Mixed:
    run = make_run("mixed", tmp_path_factory.mktemp("mixed"))
    said = run.run("mixed", "--keep-going", limit=5000)
    study = open_study(load_config(run.folder / "config.yaml"), run.folder)
    return Mixed(run.results / "mixed", study, said)


def test_every_model_that_can_read_molecules_is_there(mixed: Mixed) -> None:
    panel = mixed.study.panel("mixed")
    # Study rows that read molecules; the others are models of proteins.
    reads = {"positions", "smiles", "selfies", "text", "atoms", "nothing"}
    able = {card.key for card in mixed.study.cards.values() if card.accepts.needs in reads}
    assert set(mixed.keys) == able
    assert sum(card.study_row is not None for card in panel) == 48
    for key, latent in mixed.latents().items():
        assert len(latent) == 250
        assert latent.valid.mean() > 0.9, key
        assert np.isfinite(latent[latent.valid]).all()
        assert latent[latent.valid].std(axis=0).max() > 0, f"{key}: all rows are equal"
        assert {m["row"] for m in latent.sidecar["masked"]} == set(np.flatnonzero(~latent.valid))
        for row in latent.sidecar["masked"]:
            assert row["code"] != "model_error", row
            assert len(row["reason"]) > 5


def test_every_pair_has_every_score(mixed: Mixed) -> None:
    scores = pd.read_parquet(mixed.root / "scores.parquet")
    assert set(scores["status"]) == {"ok"}
    valid = {key: latent.valid for key, latent in mixed.latents().items()}
    pairs = sorted(permutations(mixed.keys, 2))
    for name, rows in scores.groupby(["metric", "definition", "params"]):
        found = zip(rows["model_a"], rows["model_b"], strict=True)
        assert sorted(found) == pairs, name
    for row in scores.itertuples():
        assert row.n == (valid[row.model_a] & valid[row.model_b]).sum()


def test_untrained_is_said_of_those_that_are_and_of_no_other(mixed: Mixed) -> None:
    weights = mixed.weights()
    untrained = {key for key, kind in weights.items() if kind == "untrained"}
    trained = {key for key, kind in weights.items() if kind == "trained"}
    # Weights that come from package registries are there, so they must have been used.
    assert {"mace-mp-small", "sevennet-0", "chgnet-0.3.0", "rxnfp-bert", "minimol"} <= trained
    assert untrained
    told = {s.split(":")[0] for s in mixed.said.splitlines() if ": runs on UNTRAINED weights" in s}
    assert told == untrained
    _tables_say_so(mixed.root, weights)
    page = (mixed.root / "report.html").read_text()
    for card in mixed.study.panel("mixed"):
        assert f"{card.name} " in page or f"{card.name}<" in page
        # The whole cell: a name may be the end of another.
        assert (f">{card.name} {UNTRAINED_MARK} untrained<" in page) == (card.key in untrained)
    assert "UNTRAINED weights" in page


def _tables_say_so(root: Path, weights: dict[str, str]) -> None:
    for name in ("scores.parquet", "tables/calibration.parquet"):
        scores = pd.read_parquet(root / name)
        for side in "ab":
            assert (scores[f"model_{side}"].map(weights) == scores[f"weights_{side}"]).all()
    for name in ("models", "intrinsic_dimension"):
        table = pd.read_parquet(root / "tables" / f"{name}.parquet")
        assert (table["model"].map(weights) == table["weights"]).all()
        assert set(table["model"]) == set(weights)
