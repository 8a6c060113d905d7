"""OMat24, sAlex and OMol25: genuine containers, from a real server, to the rows of a slice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import read as ase_read

from matteralign.config.schema import StudyConfig
from matteralign.core.errors import IntegrityError
from matteralign.core.paths import cache_root
from matteralign.datasets.ase_lmdb.reader import AseLmdb
from matteralign.datasets.base.catalogue import get_dataset
from matteralign.stages.sample import sample_slice
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.study import open_study
from matteralign.store.structures import SampleSet, read_structures
from tests.datasets.lmdb_files import calculated, crystals, molecules, tar_gz, write
from tests.serving import Server

ORIGIN = "https://dl.fbaipublicfiles.com/"
PATHS = {
    "salex@val": "/opencatalystproject/data/omat/241018/sAlex/val.tar.gz",
    "omol25@neutral-val": "/opencatalystproject/data/omol/250514/neutral_val.tar.gz",
}
Sample = Callable[..., SampleSet]


@pytest.fixture
def sample(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sample:
    """Draw a slice of a dataset whose authors' server is the one of the test."""
    monkeypatch.setenv("MATTERALIGN_MIRRORS", f"{ORIGIN}={server.address('/')}")

    def draw(dataset: str, n: int, seed: int = 0) -> SampleSet:
        slices = {
            "s": {"dataset": dataset, "n": n, "seed": seed, "panel": ["random", "composition"]}
        }
        study = open_study(StudyConfig.model_validate({"slices": slices}))
        layout = Layout(tmp_path / "results", "s")
        sample_slice(study, layout, print)
        return read_structures(layout.structures)

    return draw


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., AseLmdb]:
    """Open databases that lie in a folder as the cache unpacks them."""

    def make(**members: bytes) -> AseLmdb:
        root = tmp_path / "unpacked"
        root.mkdir(exist_ok=True)
        for name, content in members.items():
            (root / f"{name}.aselmdb").write_bytes(content)
        listed = {f"{name}.aselmdb": {} for name in members}
        (root / "members.json").write_text(json.dumps(listed))
        chosen = get_dataset("omol25@neutral-val")
        return AseLmdb(chosen.card, chosen.version, {"neutral_val.tar.gz": root})

    return make


def test_crystals_from_server_to_slice(server: Server, tmp_path: Path, sample: Sample) -> None:
    shards = {f"val/data{i:04d}": crystals(20, seed=i) for i in range(3)}
    files = {f"{name}.aselmdb": write(tmp_path / "w", rows) for name, rows in shards.items()}
    extra = {"val/metadata.npz": b"sizes", "val/data0000.aselmdb-lock": b"lock"}
    body = tar_gz(files | extra)
    server.put(PATHS["salex@val"], body, faults=[f"break {len(body) // 2}"])
    found = sample("salex@val", 30)
    assert [request.start for request in server.gets()] == [0, len(body) // 2]
    assert len({s.id for s in found.structures}) == 30
    for structure in found.structures:
        prefix, _, row = structure.id.rpartition(":")
        atoms, _ = shards[prefix.removeprefix("val/")][int(row) - 1]
        assert structure.source == f"val.tar.gz/{prefix.removeprefix('val/')}.aselmdb:{row}"
        assert structure.numbers.tolist() == atoms.numbers.tolist()
        assert np.array_equal(structure.positions, atoms.positions)
        assert np.array_equal(structure.cell, atoms.cell.array)
        assert structure.pbc is not None
        assert structure.pbc.all()
        assert structure.energy == atoms.calc.results["energy"]
        assert structure.has_forces == ("forces" in atoms.calc.results)
        assert (structure.charge, structure.spin, structure.split) == (0, 1, "val")
    assert {s.has_forces for s in found.structures} == {True, False}
    unpacked = {p.name for p in (cache_root() / "unpacked").rglob("*") if p.is_file()}
    assert unpacked >= {"data0000.aselmdb", "metadata.npz"}
    assert "data0000.aselmdb-lock" not in unpacked


def test_charge_and_spin_multiplicity_are_kept(
    server: Server, tmp_path: Path, sample: Sample
) -> None:
    body = tar_gz({"neutral_val/data0000.aselmdb": write(tmp_path / "w", molecules())})
    server.put(PATHS["omol25@neutral-val"], body)
    found = {s.source: s for s in sample("omol25@neutral-val", 6).structures}
    prefix = "neutral_val.tar.gz/neutral_val/data0000.aselmdb"
    states = {int(k.removeprefix(f"{prefix}:")): (s.charge, s.spin) for k, s in found.items()}
    # Triplet O2, doublet NO, radical cation of NH3, hydroxide: multiplicities, not spins.
    assert states == {1: (0, 1), 2: (0, 2), 3: (0, 3), 4: (1, 2), 5: (-1, 1), 6: (0, 1)}
    assert all(s.cell is None and not s.periodic for s in found.values())
    assert found[f"{prefix}:3"].energy == -1002.0


def test_a_molecule_without_a_multiplicity_gets_the_lowest(
    server: Server, tmp_path: Path, sample: Sample
) -> None:
    rows = [
        (calculated(molecule(name), -1.0 - i), {"charge": charge})
        for i, (name, charge) in enumerate([("NO", 0), ("O2", 0), ("H2O", 1)])
    ]
    body = tar_gz({"neutral_val/data0000.aselmdb": write(tmp_path / "w", rows)})
    server.put(PATHS["omol25@neutral-val"], body)
    found = sample("omol25@neutral-val", 3).structures
    assert {s.energy: s.spin for s in found} == {-1.0: 2, -2.0: 1, -3.0: 2}


def test_unpacked_members_are_enough(server: Server, tmp_path: Path, sample: Sample) -> None:
    server.put(PATHS["salex@val"], tar_gz({"v.aselmdb": write(tmp_path / "w", crystals(5, 0))}))
    first = sample("salex@val", 4)
    shutil.rmtree(cache_root() / "files")
    server.files.clear()
    before = len(server.requests)
    assert sample("salex@val", 4).id == first.id
    assert len(server.requests) == before
    member = next((cache_root() / "unpacked").rglob("v.aselmdb"))
    member.write_bytes(member.read_bytes()[:-100] + bytes(100))
    with pytest.raises(IntegrityError, match=r"v\.aselmdb: changed since it was unpacked"):
        sample("salex@val", 4)


def test_the_order_of_the_files_decides_nothing(
    server: Server, tmp_path: Path, sample: Sample
) -> None:
    files = {f"{n}.aselmdb": write(tmp_path / "w", crystals(10, i)) for i, n in enumerate("ab")}
    server.put(PATHS["salex@val"], tar_gz(files))
    first = sample("salex@val", 12)
    shutil.rmtree(cache_root())
    server.put(PATHS["salex@val"], tar_gz(dict(reversed(files.items()))))
    assert sample("salex@val", 12).id == first.id


def test_an_archive_without_databases_is_refused(server: Server, sample: Sample) -> None:
    server.put(PATHS["salex@val"], tar_gz({"README": b"nothing here"}))
    with pytest.raises(IntegrityError, match=r"val\.tar\.gz: holds no member like \*\.aselmdb"):
        sample("salex@val", 4)


def test_deleted_rows_are_no_rows(tmp_path: Path, folder: Callable[..., AseLmdb]) -> None:
    from ase_db_backends.aselmdb import LMDBDatabase

    path = tmp_path / "w"
    write(path, molecules())
    with LMDBDatabase(path, use_lock_file=False) as database:
        database.delete([2, 5])
    dataset = folder(a=path.read_bytes())
    ids = dataset.ids()
    assert list(ids) == [f"neutral_val/a:{row}" for row in (1, 3, 4, 6)]
    assert [ids[i] for i in range(4)] == list(ids)
    assert [s.id for s in dataset.read([ids[3], ids[0]])] == [ids[3], ids[0]]


BROKEN: dict[str, tuple[Atoms, dict[str, Any], str]] = {
    "multiplicity for an odd number of electrons": (
        molecule("NO"), {"charge": 0, "spin": 1}, "multiplicity of 1 is impossible for 15 electr"
    ),
    "spin instead of multiplicity": (
        molecule("O2"), {"charge": 0, "spin": 2}, "multiplicity of 2 is impossible"
    ),
    "multiplicity of zero": (molecule("H2O"), {"charge": 1, "spin": 0}, "multiplicity of 0"),
    "negative multiplicity": (molecule("H2O"), {"charge": 0, "spin": -1}, "multiplicity of -1"),
    "more spins than electrons": (molecule("H2O"), {"charge": 0, "spin": 13}, "of 13 is impossib"),
    "half a charge": (molecule("H2O"), {"charge": 0.5, "spin": 1}, "charge is 0.5"),
    "charge in words": (molecule("H2O"), {"charge": "one", "spin": 1}, "one"),
    "no energy but NaN": (calculated(molecule("H2O"), np.nan), {}, "energy is nan"),
    "atomic number 0": (Atoms("X", positions=[[0, 0, 0]]), {}, "atomic numbers from 0"),
    "atomic number 200": (Atoms([200], positions=[[0, 0, 0]]), {}, "to 200"),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_a_record_that_cannot_be_is_named(
    tmp_path: Path, folder: Callable[..., AseLmdb], kind: str
) -> None:
    atoms, data, expected = BROKEN[kind]
    good = (molecule("H2O"), {"charge": 0, "spin": 1})
    dataset = folder(a=write(tmp_path / "w", [good, (atoms, data)]))
    place = r"neutral_val\.tar\.gz/a\.aselmdb, row 2: .*"
    with pytest.raises(IntegrityError, match=place + expected):
        dataset.read(dataset.ids())
    assert dataset.read(["neutral_val/a:1"])[0].n_atoms == 3


def test_absurd_geometries_are_left_to_the_models(
    tmp_path: Path, folder: Callable[..., AseLmdb]
) -> None:
    flat = Atoms("H", positions=[[np.nan, 0, 0]], cell=[1e9, 1e-9, 0], pbc=True)
    dataset = folder(a=write(tmp_path / "w", [(flat, {}), (Atoms(), {})]))
    first, empty = dataset.read(dataset.ids())
    assert np.isnan(first.positions[0, 0])
    assert first.cell is not None
    assert first.energy is None
    assert not first.has_forces
    assert empty.n_atoms == 0


@pytest.mark.parametrize("keep", [0, 100, 5000, 9000, 0.5, 0.9])
def test_a_cut_database_is_refused_and_kills_nothing(
    tmp_path: Path, folder: Callable[..., AseLmdb], keep: float
) -> None:
    content = write(tmp_path / "w", crystals(50, 0))
    dataset = folder(a=content[: int(keep if keep > 1 else keep * len(content))])
    with pytest.raises(IntegrityError, match=r"a\.aselmdb"):
        dataset.read(dataset.ids())


def test_a_row_that_is_not_there_is_named(tmp_path: Path, folder: Callable[..., AseLmdb]) -> None:
    dataset = folder(a=write(tmp_path / "w", molecules()))
    with pytest.raises(IntegrityError, match=r"a\.aselmdb, row 77: .*missing"):
        dataset.read(["neutral_val/a:77"])


@pytest.mark.assets
def test_real_records_of_omol25_come_back_as_they_went_in(
    assets: Path, tmp_path: Path, folder: Callable[..., AseLmdb]
) -> None:
    frames = ase_read(assets / "omol25_noble_gas_18.xyz", index=":")
    records = [
        (atoms, {"charge": atoms.info["total_charge_e"], "spin": atoms.info["multiplicity"]})
        for atoms in frames
    ]
    dataset = folder(a=write(tmp_path / "w", records))
    found = dataset.read(dataset.ids())
    assert len(found) == 18
    for structure, atoms in zip(found, frames, strict=True):
        assert structure.charge == atoms.info["total_charge_e"]
        assert structure.spin == atoms.info["multiplicity"]
        assert structure.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        assert structure.has_forces
        assert np.array_equal(structure.positions, atoms.positions)
