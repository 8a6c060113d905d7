"""Slices of every dataset from their publishers' containers to the report, with real models."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pandas as pd
import pytest

from matteralign.core.paths import cache_root
from matteralign.store.latent_rows import open_latent
from matteralign.store.structures import SampleSet, read_structures
from tests.datasets.lmdb_files import calculated
from tests.serving import Server
from tests.workflow.publishers import (
    peptide_entries,
    publish_databases,
    publish_entries,
    rattled_crystals,
    rattled_molecules,
)

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.models,
    pytest.mark.network,
    pytest.mark.timeout(1500),
]


@pytest.fixture(scope="session")
def everyday_cache() -> Path:
    """The cache that the other tests use."""
    return cache_root()


@pytest.fixture
def publishers(everyday_cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Stand for the publishers' servers, before a cache that has environments and no data.

    Weights come from the everyday cache as from another machine's, verified like all others.
    """
    for name in ("envs", "architectures"):
        (everyday_cache / name).mkdir(parents=True, exist_ok=True)
        (cache_root() / name).symlink_to(everyday_cache / name)
    monkeypatch.setenv("MATTERALIGN_MIRRORS", f"{everyday_cache} {server.address('')}")
    return server


def arrived(run: Any, name: str) -> SampleSet:
    """Check every output of a slice up to the report, and return its structures."""
    root, chosen = run.results / name, run.config()["slices"][name]
    sample = read_structures(root / "structures.parquet")
    assert (sample.slice, sample.dataset) == (name, chosen["dataset"])
    page = (root / "report.html").read_text()
    assert sample.id[:12] in page
    for key in chosen["panel"]:
        latent = open_latent(root / "latents" / f"{key}.npy", sample_set_id=sample.id)
        assert len(latent) == len(sample)
        assert latent.valid.all(), key
        assert np.isfinite(latent[:]).all(), key
        assert key in page
    scores = pd.read_parquet(root / "scores.parquet")
    assert set(scores["status"]) == {"ok"}
    assert set(scores["n"]) == {len(sample)}
    for _, rows in scores.groupby(["metric", "definition"]):
        pairs = set(zip(rows["model_a"], rows["model_b"], strict=True))
        assert pairs == set(permutations(chosen["panel"], 2))
    assert list((root / "figures").glob("*.svg"))
    return sample


def agree(run: Any, name: str, a: str, b: str) -> None:
    """Check that two models agree with each other more than with random vectors."""
    scores = pd.read_parquet(run.results / name / "scores.parquet").query("metric == 'cka'")
    value = scores.set_index(["model_a", "model_b"])["value"]
    assert value[a, b] > max(value[a, "random"], value[b, "random"]) + 0.05


def by_fold(run: Any, model: str) -> None:
    """Check that the nearest of each helix is a helix, and of each strand a strand."""
    root = run.results / "rcsb"
    chains = read_structures(root / "structures.parquet").structures
    values = open_latent(root / "latents" / f"{model}.npy")[:]
    apart = np.linalg.norm(values[:, None] - values[None], axis=2) + np.diag([np.inf] * len(chains))
    # Of a strand the ends are further apart, for each of its residues.
    ends = [c.backbone[[0, -1], 1] for c in chains if c.backbone is not None]
    long = np.array([np.linalg.norm(b - a) for a, b in ends]) > 2 * np.array(
        [len(c.sequence or "") for c in chains]
    )
    assert 0 < long.sum() < len(chains)
    assert np.array_equal(long[apart.argmin(axis=1)], long)


def told(run: Any, name: str, model: str) -> pd.Series[float]:
    """Return the energies of a slice by id, as a model predicts them."""
    table = pd.read_parquet(run.results / name / "predictions" / f"{model}.parquet")
    assert set(table["status"]) == {"ok"}
    return table.set_index("id")["energy"]


def test_crystals_molecules_and_proteins_from_their_servers_to_the_report(
    publishers: Server, new_run: Callable[..., Any], tmp_path: Path
) -> None:
    solids, molecules = rattled_crystals(40), rattled_molecules(24)
    (archive,) = publish_databases(publishers, "salex@val", solids, tmp_path)
    half = len(publishers.files[archive].body) // 2
    publishers.files[archive].faults.append(f"break {half}")
    publish_databases(publishers, "omol25@neutral-val", molecules, tmp_path)
    publish_entries(publishers, peptide_entries(14, tmp_path))
    run = new_run("datasets")
    run.snakemake("salex", "omol25", "rcsb")

    assert [request.start for request in publishers.gets(archive)] == [0, half]
    for structure in arrived(run, "salex").structures:
        atoms, _ = solids[int(structure.id.rpartition(":")[2]) - 1]
        assert np.array_equal(structure.positions, atoms.positions)
        assert structure.energy == atoms.calc.results["energy"]
    agree(run, "salex", "chgnet-0.3.0", "orb-d3-xs-v2")

    for structure in arrived(run, "omol25").structures:
        _, data = molecules[int(structure.id.rpartition(":")[2]) - 1]
        assert (structure.charge, structure.spin) == (data["charge"], data["spin"])
    models = pd.read_csv(run.results / "omol25" / "tables" / "models.csv", index_col="model")
    assert models["weights"].to_dict() == {
        "random": "none", "orb-d3-xs-v2": "trained", "uma-small": "untrained"
    }  # fmt: skip

    chains = arrived(run, "rcsb").structures
    assert len({chain.id for chain in chains}) == 12
    assert all(len(chain.sequence or "") > 30 for chain in chains)
    by_fold(run, "proteinmpnn")
    assert "Nothing to be done" in run.snakemake("salex", "omol25", "rcsb", "--dry-run")


@pytest.mark.slow
def test_omat24_qm9_and_own_files_to_the_report(
    publishers: Server, new_run: Callable[..., Any], tmp_path: Path
) -> None:
    solids = rattled_crystals(44)
    archives = publish_databases(publishers, "omat24@train", solids, tmp_path)
    assert len(archives) == 11
    run = new_run("datasets")
    frames = [atoms for atoms, _ in rattled_crystals(24)]
    for i, atoms in enumerate(frames):
        atoms.info["name"] = f"cell{i}"
    ase.io.write(run.folder / "mine.xyz", frames, format="extxyz")
    run.snakemake("omat24", "qm9", "mine")

    assert all(len(publishers.gets(archive)) == 1 for archive in archives)
    assert len({s.id.split("/")[0] for s in arrived(run, "omat24").structures}) > 4
    agree(run, "omat24", "mace-mp-small", "sevennet-0")
    # Potentials that learned total energies of one level of theory give nearly the same ones.
    energies = told(run, "omat24", "mace-mp-small") - told(run, "omat24", "sevennet-0")
    atoms = {s.id: s.n_atoms for s in arrived(run, "omat24").structures}
    assert (energies / pd.Series(atoms)).abs().median() < 0.1

    assert all(s.smiles for s in arrived(run, "qm9").structures)
    mine = arrived(run, "mine")
    assert {s.id for s in mine.structures} == {f"cell{i}" for i in range(24)}
    for structure in mine.structures:
        atoms = frames[int(structure.id.removeprefix("cell"))]
        assert np.allclose(structure.positions, atoms.positions, atol=1e-6)
        assert structure.energy == atoms.calc.results["energy"]
    agree(run, "mine", "chgnet-0.3.0", "sevennet-0")


@pytest.mark.assets
@pytest.mark.slow
def test_real_records_to_the_report(
    assets: Path, publishers: Server, new_run: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("crystals_cif", "proteins_mmcif"):
        with tarfile.open(assets / f"{name}.tar.xz") as archive:
            archive.extractall(tmp_path / name, filter="data")
    paths = sorted((tmp_path / "crystals_cif" / "alexandria").glob("*.cif"))[:60]
    solids = [(calculated(ase.io.read(path), -1.0), {}) for path in paths]
    publish_databases(publishers, "salex@val", solids, tmp_path)
    noble = [
        (atoms, {"charge": atoms.info["total_charge_e"], "spin": atoms.info["multiplicity"]})
        for atoms in ase.io.read(assets / "omol25_noble_gas_18.xyz", index=":")
    ]
    publish_databases(publishers, "omol25@neutral-val", noble, tmp_path)
    files = sorted((tmp_path / "proteins_mmcif").rglob("*.cif"))
    entries = {p.stem.upper(): p.read_bytes() for p in files if len(p.stem) == 4}
    publish_entries(publishers, entries)
    run = new_run("datasets")
    run.snakemake("salex", "omol25", "rcsb")
    assert {s.id for s in arrived(run, "rcsb").structures}
    agree(run, "salex", "chgnet-0.3.0", "orb-d3-xs-v2")
    found = arrived(run, "omol25").structures
    states = {(i["charge"], i["spin"]) for _, i in noble}
    assert {(s.charge, s.spin) for s in found} <= states
