"""The worker as a script, with the workflow's own interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import matteralign
from matteralign.registry.load import load_cards
from matteralign.store.latent_rows import open_latent
from matteralign.store.structures import Structure, write_structures

WORKER = Path(matteralign.__file__).parent / "models" / "worker.py"
CARDS = load_cards()
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def start(
        key: str, structures: Sequence[Structure], **changes: Any
    ) -> subprocess.CompletedProcess[str]:
        sample = tmp_path / "structures.parquet"
        write_structures(sample, structures, slice_name="few", dataset="g2")
        job = {
            "verb": "embed",
            "card": CARDS[key].model_dump(mode="json"),
            "structures": str(sample),
            "latent": str(tmp_path / "latents" / f"{key}.npy"),
            "predictions": str(tmp_path / "predictions" / f"{key}.parquet"),
            "shards": str(tmp_path / "shards"),
            "identity": {"environment": {"name": "main", "lock_sha256": "0" * 64}},
        }
        path = tmp_path / "job.json"
        path.write_text(json.dumps(job | changes))
        return subprocess.run(
            [sys.executable, "-I", str(WORKER), str(path)],
            capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip

    return start


def test_embed_writes_rows_sidecar_and_predictions(
    run: Run, small_molecules: list[Structure], water: Structure, tmp_path: Path
) -> None:
    bad = replace(water, id="bad", smiles="C(")
    done = run("ecfp4", [*small_molecules, bad])
    assert done.returncode == 0, done.stderr
    assert "ecfp4: 13/13 structures" in done.stderr
    latent = open_latent(tmp_path / "latents" / "ecfp4.npy")
    assert latent.shape == (13, 2048)
    assert latent.valid.tolist() == [True] * 12 + [False]
    (masked,) = latent.sidecar["masked"]
    assert (masked["row"], masked["id"], masked["code"]) == (12, "bad", "smiles")
    sidecar = latent.sidecar
    assert sidecar["card_sha256"] == CARDS["ecfp4"].digest()
    assert (sidecar["slice"], sidecar["dataset"], sidecar["model"]) == ("few", "g2", "ecfp4")
    assert sidecar["environment"]["lock_sha256"] == "0" * 64
    assert set(sidecar["environment"]["packages"]) == {"numpy", "rdkit"}
    assert sidecar["checkpoint"]["weights"] == "none"
    rows = pq.read_table(tmp_path / "predictions" / "ecfp4.parquet").to_pylist()
    assert [r["status"] for r in rows] == ["not_applicable"] * 12 + ["masked"]
    assert rows[12]["reason"].startswith("smiles: RDKit cannot read")
    assert not (tmp_path / "shards").exists()


def test_the_same_job_twice_writes_the_same_bytes(
    run: Run, small_molecules: list[Structure], tmp_path: Path
) -> None:
    files = [tmp_path / "latents" / f"random.{end}" for end in ("npy", "json")]
    assert run("random", small_molecules).returncode == 0
    before = [f.read_bytes() for f in files]
    assert run("random", small_molecules).returncode == 0
    assert [f.read_bytes() for f in files] == before


def test_check_writes_a_report_for_each_model(
    run: Run, small_molecules: list[Structure], tmp_path: Path
) -> None:
    sample = tmp_path / "sample.parquet"
    write_structures(sample, small_molecules, slice_name="few", dataset="g2")
    wrong = CARDS["random"].model_dump(mode="json") | {"parameters": {"measured": 1}}
    cards = {"wrong": wrong} | {k: CARDS[k].model_dump(mode="json") for k in ("random", "ecfp4")}
    tasks = [
        {"card": card, "structures": str(sample), "result": str(tmp_path / f"{name}.json")}
        for name, card in cards.items()
    ]
    path = tmp_path / "checks.json"
    path.write_text(json.dumps({"verb": "check", "tasks": tasks}))
    done = subprocess.run(
        [sys.executable, "-I", str(WORKER), str(path)],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in cards}
    for key in ("random", "ecfp4"):
        assert found[key]["model"] == key
        assert {c["status"] for c in found[key]["checks"]} == {"pass", "not_applicable"}
        assert found[key]["packages"]["numpy"] == np.__version__
    (clause,) = found["wrong"]["checks"]
    assert (clause["check"], clause["status"]) == ("loads and runs", "fail")
    assert "has 0 parameters, its card says 1" in clause["detail"]


def fails(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    for part in parts:
        assert part in lines[0]


def test_a_checkpoint_with_other_bytes_is_not_opened(
    run: Run, small_molecules: list[Structure], tmp_path: Path
) -> None:
    path = tmp_path / "mace_mp_small.model"
    path.write_bytes(b"not a model")
    done = run("mace-mp-small", small_molecules, files={path.name: str(path)})
    fails(done, 1, str(path), "the card of mace-mp-small pins 2ddb079cee0e", "not opened")


def test_a_missing_checkpoint_is_named(run: Run, small_molecules: list[Structure]) -> None:
    fails(run("mace-mp-small", small_molecules), 1, "mace_mp_small.model", "missing")


def test_another_sample_set_is_refused(run: Run, small_molecules: list[Structure]) -> None:
    done = run("random", small_molecules, identity={"sample_set_id": "f" * 64})
    fails(done, 1, "structures.parquet", "the job is for ffffffffffff")


def test_a_model_may_refuse_every_row(run: Run, water: Structure) -> None:
    done = run("ecfp4", [replace(water, smiles=None)])
    assert done.returncode == 0, done.stderr
    assert "1 of 1 masked" in done.stderr


@pytest.mark.parametrize(
    "change", [{"latent": None}, {"verb": "dance"}, {"extra": 1}, {"threads": 0}]
)
def test_a_job_that_is_none(
    change: dict[str, Any], run: Run, small_molecules: list[Structure]
) -> None:
    fails(run("random", small_molecules, **change), 2, "job")


def test_arguments_are_checked() -> None:
    done = subprocess.run(
        [sys.executable, str(WORKER)], capture_output=True, text=True, check=False
    )
    fails(done, 2, "usage")


def test_latents_are_float32(run: Run, small_molecules: list[Structure], tmp_path: Path) -> None:
    assert run("random", small_molecules).returncode == 0
    assert np.load(tmp_path / "latents" / "random.npy").dtype == np.float32
