"""What the workflow promises, each shown by a real run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from matteralign.registry.load import BUILTIN
from matteralign.store.latent_rows import open_latent
from matteralign.store.structures import Structure, read_structures, write_structures

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.models,
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.timeout(3000),
]
TENTH = Path(__file__).parents[1] / "models" / "data" / "sevennet-0-may.yaml"
# The slice of the kill tests, as far as arrays and scores go: no figures, no report.
KILLED = "results/killed/scores.parquet"
PANEL = ["random", "ecfp4", "mace-off23-small", "rxnfp-bert"]


def test_a_run_leaves_every_output_and_they_agree(finished: Any) -> None:
    root = finished.results / "tiny"
    sample = read_structures(root / "structures.parquet")
    assert (len(sample), sample.slice, sample.dataset) == (24, "tiny", "qm9")
    for key in PANEL:
        latent = open_latent(root / "latents" / f"{key}.npy", sample_set_id=sample.id)
        assert len(latent) == 24
        assert latent.valid.all()
        assert latent.sidecar["model"] == key
        prediction = pd.read_parquet(root / "predictions" / f"{key}.parquet")
        assert prediction["id"].tolist() == [s.id for s in sample.structures]
        expected = "ok" if key == "mace-off23-small" else "not_applicable"
        assert set(prediction["status"]) == {expected}
        neighbours = json.loads((root / "neighbors" / f"{key}.json").read_text())
        assert neighbours["latent_sha256"] == latent.sha256
    scores = pd.read_parquet(root / "scores.parquet")
    assert set(scores["status"]) == {"ok"}
    assert set(scores["n"]) == {24}
    assert set(scores["sample_set_id"]) == {sample.id}
    for _, rows in scores.groupby(["metric", "definition", "params"]):
        pairs = list(zip(rows["model_a"], rows["model_b"], strict=True))
        assert sorted(pairs) == sorted(permutations(PANEL, 2))
    assert list((root / "tables").glob("*.csv"))
    assert list((root / "figures").glob("*.svg"))
    page = (root / "report.html").read_text()
    assert all(key in page for key in PANEL)
    assert sample.id[:12] in page


def test_no_unfinished_work_is_left(finished: Any) -> None:
    left = [p for p in finished.results.rglob("*") if p.name.startswith(".") and ".tmp" in p.name]
    shards = list(finished.results.rglob(".shards/*/*"))
    assert not left
    assert not shards


def test_a_second_run_does_nothing(finished: Any) -> None:
    before = finished.stamps()
    text = finished.snakemake("tiny")
    assert "Nothing to be done" in text
    finished.run("other")
    assert finished.stamps() == before


def test_a_tenth_model_computes_only_itself_and_its_pairs(finished: Any, tmp_path: Path) -> None:
    run = finished.copy(tmp_path / "run")
    run.card(TENTH)
    raw = run.config()
    raw["cards"] = ["cards"]
    raw["slices"]["tiny"]["panel"].append("sevennet-0-may")
    run.configure(raw)
    expected = {
        "weights": 1, "embed": 1, "summarize": 1, "score": 1, "tables": 1, "figures": 1,
        "report": 1, "tiny": 1,
    }  # fmt: skip
    assert run.planned("tiny") == expected
    outputs = run.planned_outputs("tiny")
    assert "tiny/latents/sevennet-0-may.npy" in outputs
    assert "tiny/scores.parquet" in outputs
    assert not [name for name in outputs if any(key in name for key in PANEL)]
    assert run.planned("other") == {}
    before = run.stamps()
    old = pd.read_parquet(run.results / "tiny" / "scores.parquet")
    run.run("tiny")
    after = run.stamps()
    made_again = {name for name in before if before[name] != after.get(name)}
    assert all(
        name in ("tiny/scores.parquet", "tiny/replicates.parquet", "tiny/report.html")
        or name.startswith(("tiny/tables/", "tiny/figures/"))
        for name in made_again
    ), made_again
    new = pd.read_parquet(run.results / "tiny" / "scores.parquet")
    mine = (new["model_a"] == "sevennet-0-may") | (new["model_b"] == "sevennet-0-may")
    assert mine.sum() == 2 * len(PANEL) * 3
    said = (run.results / "_logs" / "tiny" / "score.log").read_text()
    assert "score tiny: 4 pairs computed, 6 reused" in said
    key = ["model_a", "model_b", "metric", "definition"]
    # A larger table is a larger family of tests.
    family = ["p_adjusted", "p_holm"]
    pd.testing.assert_frame_equal(
        new[~mine].drop(columns=family).sort_values(key).reset_index(drop=True),
        old.drop(columns=family).sort_values(key).reset_index(drop=True),
    )
    assert "sevennet-0-may" in (run.results / "tiny" / "report.html").read_text()
    assert run.planned("tiny") == {}


def test_making_one_slice_again_touches_nothing_of_the_other(finished: Any, tmp_path: Path) -> None:
    run = finished.copy(tmp_path / "run")
    before, hashes = run.stamps(), run.hashes("other")
    (run.results / "other" / "structures.parquet").unlink()
    shutil.rmtree(run.results / "other" / "latents")
    run.run("other")
    after = run.stamps()
    changed = {name for name in after if after[name] != before.get(name)}
    assert "other/structures.parquet" in changed
    assert "other/latents/ecfp4.npy" in changed
    assert "other/scores.parquet" in changed
    assert not [name for name in changed if not name.startswith("other/")]
    assert run.hashes("other") == hashes
    assert run.planned("tiny") == {}


def test_another_metric_parameter_embeds_nothing(finished: Any, tmp_path: Path) -> None:
    run = finished.copy(tmp_path / "run")
    raw = run.config()
    raw["metrics"]["pair"][0]["params"]["k"] = 6
    run.configure(raw)
    scored = "results/other/scores.parquet"
    assert run.planned(scored) == {"summarize": 2, "score": 1}
    run.snakemake(scored)
    scores = pd.read_parquet(run.folder / scored)
    assert {json.loads(p).get("k") for p in scores["params"]} == {6, 1, None}
    assert run.planned(scored) == {}


def test_killed_while_embedding(new_run: Callable[..., Any]) -> None:
    small = {"key": "small-batches", "index": 900, "batch": 60}
    undisturbed, killed = new_run("killed-embed", "a"), new_run("killed-embed", "b")
    for run in (undisturbed, killed):
        run.card(BUILTIN / "molecules" / "text" / "rxnfp-bert.yaml", **small)
    undisturbed.snakemake(KILLED)
    shards = killed.results / "killed" / "latents" / ".shards"
    final = killed.results / "killed" / "latents" / "small-batches.npy"
    killed.kill_when(KILLED, lambda: len(_whole(shards)) >= 3)
    assert not final.exists()
    kept = len(_whole(shards))
    assert 3 <= kept < 15
    killed.snakemake(KILLED)
    assert killed.hashes("killed") == undisturbed.hashes("killed")
    assert len(killed.hashes("killed")) == 12
    assert not list(shards.rglob("*.npz"))
    assert killed.planned(KILLED) == {}


def _whole(shards: Path) -> list[Path]:
    """Return the finished shards."""
    return [path for path in shards.rglob("*.npz") if not path.name.startswith(".")]


def test_killed_while_scoring(new_run: Callable[..., Any]) -> None:
    undisturbed, killed = new_run("killed-score", "a"), new_run("killed-score", "b")
    fingerprint = BUILTIN / "baseline" / "ecfp4.yaml"
    for run in (undisturbed, killed):
        options = {"radius": 1, "chirality": False}
        run.card(fingerprint, key="ecfp2", index=900, name="ECFP2", options=options)
    undisturbed.snakemake(KILLED)
    root = killed.results / "killed"
    ledger = root / "scores" / ".ledger.jsonl"
    killed.kill_when(KILLED, lambda: ledger.exists() and ledger.stat().st_size > 0)
    assert not (root / "scores.parquet").exists()
    started = ledger.read_bytes()
    # The batch of one scaling is there, that of the other is not.
    assert started.count(b"\n") <= 1
    killed.snakemake(KILLED)
    whole = ledger.read_bytes()
    assert whole.startswith(started[: started.rfind(b"\n") + 1])
    assert whole.count(b"\n") == 2
    assert killed.hashes("killed") == undisturbed.hashes("killed")
    assert killed.planned(KILLED) == {}
    assert not (root / "scores" / ".pass").exists()


def test_a_sweep_asked_for_later_scores_and_draws_and_nothing_else(
    finished: Any, tmp_path: Path
) -> None:
    run = finished.copy(tmp_path / "run")
    raw = run.config()
    raw["metrics"]["sweep"] = True
    run.configure(raw)
    planned = run.planned("other")
    assert set(planned) == {"summarize", "score", "tables", "figures", "report", "other"}
    run.run("other")
    sweep = pd.read_parquet(run.results / "other" / "sweep.parquet")
    assert {"n", "value", "debiased"} <= set(sweep.columns)
    assert run.planned("other") == {}


def _odd_structures(plain: list[Structure]) -> list[Structure]:
    """Put three structures among the plain ones that some models cannot take."""
    base = plain[0]
    salt = replace(
        base,
        id="salt",
        numbers=np.array([11, 17], np.uint8),
        positions=np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.36]]),
        smiles="[Na]Cl",
        selfies=None,
        energy=None,
    )
    unreadable = replace(base, id="unreadable", smiles="C1CC(", selfies=None)
    empty = replace(
        base,
        id="empty",
        numbers=np.zeros(0, np.uint8),
        positions=np.zeros((0, 3)),
        smiles="",
        selfies=None,
        energy=None,
    )
    return [plain[0], salt, *plain[1:10], unreadable, *plain[10:], empty]


def test_untrained_networks_run_only_where_the_study_allows_them(new_run: Any) -> None:
    run = new_run("untrained")
    words = run.run("stand-in", "--keep-going")
    root = run.results / "stand-in"
    for key in ("mace-off23-medium", "orb-v3-direct-20-omat-random"):
        latent = open_latent(root / "latents" / f"{key}.npy")
        assert latent.sidecar["checkpoint"]["weights"] == "untrained"
        assert f"{key}: runs on UNTRAINED weights" in words
    small = open_latent(root / "latents" / "mace-off23-small.npy")
    assert small.sidecar["checkpoint"]["weights"] == "trained"
    weights = pd.read_csv(root / "tables" / "models.csv", index_col="model")["weights"]
    assert weights.to_dict() == {
        "random": "none",
        "mace-off23-small": "trained",
        "mace-off23-medium": "untrained",
        "orb-v3-direct-20-omat-random": "untrained",
    }
    page = (root / "report.html").read_text()
    assert "MACE-OFF23 medium † untrained" in page
    assert "UNTRAINED weights (†): MACE-OFF23 medium; Orb-v3" in page
    assert run.planned("stand-in") == {}
    assert "weights_or_architecture" not in run.planned("strict")
    with pytest.raises(AssertionError, match="set `weights: untrained-where-missing`"):
        run.run("strict")


def test_structures_that_a_model_cannot_take_are_masked_rows(
    finished: Any, new_run: Callable[..., Any]
) -> None:
    run = new_run("masked")
    run.snakemake("results/odd/structures.parquet")
    path = run.results / "odd" / "structures.parquet"
    drawn = read_structures(path)
    odd = _odd_structures(list(drawn.structures))
    # Of the same draw, as far as the file says.
    identity = write_structures(path, odd, slice_name="odd", dataset="qm9", info=drawn.info)
    rows = {s.id: i for i, s in enumerate(odd)}
    run.run("odd")
    expected: dict[str, dict[int, str]] = {
        "random": {},
        "ecfp4": {rows["unreadable"]: "smiles", rows["empty"]: "empty"},
        "mace-off23-small": {rows["salt"]: "element", rows["empty"]: "empty"},
        "rxnfp-bert": {rows["unreadable"]: "smiles", rows["empty"]: "empty"},
    }
    gone: dict[str, set[int]] = {}
    for key, codes in expected.items():
        latent = open_latent(run.results / "odd" / "latents" / f"{key}.npy", sample_set_id=identity)
        found = {m["row"]: m for m in latent.sidecar["masked"]}
        gone[key] = set(found)
        assert set(found) == set(codes), (key, found)
        for row, code in codes.items():
            assert found[row]["code"] in (code, "smiles"), (key, found[row])
            assert found[row]["id"] == odd[row].id
            assert len(found[row]["reason"]) > 5
        prediction = pd.read_parquet(run.results / "odd" / "predictions" / f"{key}.parquet")
        assert set(np.flatnonzero(prediction["status"] == "masked")) == gone[key]
    scores = pd.read_parquet(run.results / "odd" / "scores.parquet")
    assert set(scores["status"]) == {"ok"}
    for row in scores.itertuples():
        assert row.n == len(odd) - len(gone[row.model_a] | gone[row.model_b])
    page = (run.results / "odd" / "report.html").read_text()
    for name in ("salt", "unreadable", "empty"):
        assert name in page
    _others_are_as_without_the_odd_ones(run, finished, odd)


def _others_are_as_without_the_odd_ones(run: Any, finished: Any, odd: list[Structure]) -> None:
    plain = [i for i, s in enumerate(odd) if s.id not in ("salt", "unreadable", "empty")]
    for key in PANEL:
        here = open_latent(run.results / "odd" / "latents" / f"{key}.npy")[plain]
        there = open_latent(finished.results / "tiny" / "latents" / f"{key}.npy")[:]
        assert np.abs(here - there).max() <= 1e-5 * np.abs(there).max()
