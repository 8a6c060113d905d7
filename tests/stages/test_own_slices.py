"""Slices over users' own files, from the draw to the scores, with real models."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from matteralign.config.datasets import OwnDataset
from matteralign.config.schema import StudyConfig
from matteralign.datasets.own.source import OwnSource
from matteralign.datasets.proteins.peptides import peptide
from matteralign.stages.embed import embed_model
from matteralign.stages.runtime.weights import fetch_weights
from matteralign.stages.sample import sample_slice
from matteralign.stages.score import score_slice
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.study import open_study
from matteralign.stages.summarize import summarize_model
from matteralign.store.latents import read_sidecar
from matteralign.store.structures import read_structures
from matteralign.store.tidy import SCORES, read_frame
from tests.datasets.chain_files import write_chains

pytestmark = [pytest.mark.models, pytest.mark.network]
METRICS = {
    "pair": [{"metric": "cknna", "definition": "huh2024", "params": {"k": 3}}],
    "model": [],
}
Verbs = Callable[..., dict[str, str | None]]


@pytest.fixture
def verbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verbs:
    """Sample, embed, summarize and score a dataset; return why models are left out."""
    monkeypatch.chdir(tmp_path)

    def run(dataset: dict[str, Any], panel: Any, **more: Any) -> dict[str, str | None]:
        chosen = {"dataset": "mine", "n": "all", "seed": 0, "panel": panel} | more
        raw = {"datasets": {"mine": dataset}, "slices": {"s": chosen}, "metrics": METRICS}
        study = open_study(StudyConfig.model_validate(raw))
        layout = Layout(Path("results"), "s")
        sample_slice(study, layout, print)
        for card in study.panel("s"):
            fetch_weights(card, "trained", print)
            embed_model(study, layout, card.key, threads=1, device="cpu", report=print)
            summarize_model(study, layout, card.key, threads=1)
        score_slice(study, layout)
        return {c.card.key: c.reason for c in study.choices("s") if not c.chosen}

    return run


def scores() -> Any:
    return read_frame(Path("results/s/scores.parquet"), SCORES)


def crystals() -> list[Any]:
    made = []
    for seed, (name, a) in enumerate((n, a) for n in ("Cu", "Al", "Si", "Ge") for a in (0, 1, 2)):
        atoms = bulk(name) * (1, 1, 2)
        atoms.set_cell(atoms.cell * (1 + 0.03 * a), scale_atoms=True)
        atoms.rattle(0.05, seed=seed)
        atoms.info["name"] = f"{name}{a}"
        made.append(atoms)
    return made


def test_a_file_of_crystals_with_a_real_potential(verbs: Verbs, tmp_path: Path) -> None:
    frames = crystals()
    frames[4].positions[0] = np.nan
    write(tmp_path / "c.xyz", frames, format="extxyz")
    dataset = {"kind": "extxyz", "path": "c.xyz", "columns": {"id": "name"}}
    keys = ["random", "composition", "chgnet-0.3.0"]
    left_out = verbs(dataset, {"family": ["proteinmpnn"], "keys": keys})
    assert left_out["proteinmpnn"] == "reads protein backbones, of which the dataset has none"
    assert left_out["chemberta"] == "family is text"
    sample = read_structures("results/s/structures.parquet")
    assert {s.id for s in sample.structures} == {a.info["name"] for a in frames} - {"Al1"}
    skipped = json.loads(Path("results/s/skipped.json").read_text())
    assert [record["place"] for record in skipped] == ["c.xyz, frame 4"]
    assert sample.info["skipped"] == "1"
    for key in keys:
        sidecar = read_sidecar(Path(f"results/s/latents/{key}.npy"))
        assert (sidecar["n_valid"], sidecar["sample_set_id"]) == (11, sample.id)
    found = scores().set_index(["model_a", "model_b"])
    assert set(found["status"]) == {"ok"}
    assert found.loc[("chgnet-0.3.0", "composition"), "n"] == 11
    # A trained potential knows elements apart, random vectors do not.
    agree = found.loc[("chgnet-0.3.0", "composition"), "value"]
    assert agree > found.loc[("chgnet-0.3.0", "random"), "value"] + 0.1
    record = OwnSource("mine", OwnDataset.model_validate(dataset)).record(print, 1)
    assert record["files"] == {
        "c.xyz": {
            "sha256": hashlib.sha256((tmp_path / "c.xyz").read_bytes()).hexdigest(),
            "size": (tmp_path / "c.xyz").stat().st_size,
        }
    }


def test_a_folder_of_peptides_with_a_real_protein_model(verbs: Verbs, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    rng = np.random.default_rng(0)
    for i in range(10):
        length = int(rng.integers(20, 40))
        sequence = "".join(rng.choice([*"ACDEFGHIKLMNPQRSTVWY"], length))
        region = "helix" if i % 2 else "strand"
        write_chains(
            tmp_path / "p" / f"{i}abc.cif", [peptide(length, i, region, sequence=sequence)]
        )
    (tmp_path / "p" / "bad.cif").write_text("data_x\n")
    keys = ["random", "proteinmpnn"]
    left_out = verbs({"kind": "structure-folder", "path": "p"}, keys)
    assert left_out["chemberta"] == "not on the list of the panel"
    sidecar = read_sidecar(Path("results/s/latents/proteinmpnn.npy"))
    assert (sidecar["n_valid"], sidecar["n_rows"]) == (10, 10)
    (pair,) = {(row.n, row.status) for row in scores().itertuples()}
    assert pair == (10, "ok")


@pytest.mark.assets
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cif", "omol25", "proteins"])
def test_real_records(kind: str, verbs: Verbs, tmp_path: Path, assets: Path) -> None:
    if kind == "omol25":
        dataset = {"kind": "extxyz", "path": str(assets / "omol25_noble_gas_18.xyz")}
        keys, rows = ["random", "composition", "chgnet-0.3.0"], 18
    else:
        name = "crystals_cif" if kind == "cif" else "proteins_mmcif"
        with tarfile.open(assets / f"{name}.tar.xz") as archive:
            archive.extractall(tmp_path / "in", filter="data")
        if kind == "cif":
            dataset = {"kind": "cif-folder", "path": "in/mp"}
            keys, rows = ["random", "composition", "chgnet-0.3.0"], 60
        else:
            dataset = {"kind": "rcsb", "files": "in", "entries": None, "clusters": None}
            keys, rows = ["random", "proteinmpnn"], 20
    verbs(dataset, keys, n=rows)
    sample = read_structures("results/s/structures.parquet")
    assert len(sample) == rows
    assert set(scores()["status"]) == {"ok"}
