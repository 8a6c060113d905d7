"""Slices over users' own files, from the draw to the scores, with real models."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.io import write
from typer.testing import CliRunner

from matteralign.cli.app import app
from matteralign.datasets.peptides import peptide
from matteralign.store.latents import read_sidecar
from matteralign.store.structures import read_structures
from matteralign.store.tidy import SCORES, read_frame
from tests.datasets.chain_files import write_chains

pytestmark = [pytest.mark.models, pytest.mark.network]
METRICS = {
    "pair": [{"metric": "cknna", "definition": "huh2024", "params": {"k": 3}}],
    "model": [],
}
Verbs = Callable[..., dict[str, str]]


def call(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def verbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verbs:
    """Run sample, embed, summarize and score on a dataset; return the panel with its remarks."""
    monkeypatch.chdir(tmp_path)

    def run(dataset: dict[str, Any], panel: Any, **more: Any) -> dict[str, str]:
        chosen = {"dataset": "mine", "n": "all", "seed": 0, "panel": panel} | more
        config = {"datasets": {"mine": dataset}, "slices": {"s": chosen}, "metrics": METRICS}
        Path("config.yaml").write_text(yaml.safe_dump(config))
        rows = json.loads(call("panel", "s", "--json"))
        keys = [row["model"] for row in rows if row["chosen"]]
        call("fetch", "--dataset", "mine", "--out", "mine.json")
        call("sample", "s")
        for key in keys:
            call("fetch", "--model", key, "--out", f"{key}.json")
            call("embed", "s", key)
            call("summarize", "s", key)
        call("score", "s")
        return {row["model"]: row["remark"] for row in rows if not row["chosen"]}

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


def test_a_file_of_crystals_with_real_potentials(verbs: Verbs, tmp_path: Path) -> None:
    frames = crystals()
    frames[4].positions[0] = np.nan
    write(tmp_path / "c.xyz", frames, format="extxyz")
    dataset = {"kind": "extxyz", "path": "c.xyz", "columns": {"id": "name"}}
    keys = ["random", "composition", "chgnet-0.3.0", "sevennet-0"]
    left_out = verbs(dataset, {"family": ["proteinmpnn", "text"], "keys": keys})
    assert left_out["proteinmpnn"] == "reads protein backbones, of which the dataset has none"
    assert left_out["chemberta"] == "reads SMILES, of which the dataset has none"
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
    assert found.loc[("chgnet-0.3.0", "sevennet-0"), "n"] == 11
    # Two trained potentials agree about crystals, random vectors with neither.
    agree = found.loc[("chgnet-0.3.0", "sevennet-0"), "value"]
    assert agree > found.loc[("random", "sevennet-0"), "value"] + 0.1
    record = json.loads(Path("mine.json").read_text())
    assert record["files"]["c.xyz"]["size"] == (tmp_path / "c.xyz").stat().st_size


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
