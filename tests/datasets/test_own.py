"""Users' own files, written by the libraries that people write them with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import write
from ase.units import Hartree
from biotite.structure.io.pdb import PDBFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from matteralign.config.datasets import OwnDataset
from matteralign.core.errors import IntegrityError, UserError
from matteralign.datasets.base.dataset import Skipped
from matteralign.datasets.examples import chains
from matteralign.datasets.own.source import OwnSource
from matteralign.store.structures import Structure
from tests.datasets.chain_files import write_chains

Taken = dict[str, Structure | Skipped]


def take(kind: str, path: Path, **more: Any) -> Taken:
    """Read every row, last first, and return it by its id."""
    config = OwnDataset.model_validate({"kind": kind, "path": str(path)} | more)
    rows = OwnSource("mine", config).open(print)
    ids = list(rows.ids())[::-1]
    return dict(zip(ids, rows.take(ids), strict=True))


def good(found: Taken) -> dict[str, Structure]:
    return {key: row for key, row in found.items() if isinstance(row, Structure)}


def reasons(found: Taken) -> dict[str, str]:
    return {row.place: row.reason for row in found.values() if isinstance(row, Skipped)}


@pytest.fixture
def frames() -> list[Any]:
    made = [bulk("Cu"), bulk("NaCl", "rocksalt", a=5.64), molecule("CH3")]
    for i, atoms in enumerate(made):
        atoms.rattle(0.02, seed=i)
        atoms.info |= {"name": f"x{i}", "total_charge": 0, "part": "val"}
        atoms.calc = SinglePointCalculator(atoms, energy=-1.5 - i)
    made[2].info["mult"] = 2
    return made


COLUMNS = {"id": "name", "energy": "energy", "charge": "total_charge", "split": "part"}


def test_frames_of_extended_xyz_are_what_was_written(frames: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    write(path, frames, format="extxyz")
    found = good(take("extxyz", path, columns=COLUMNS, energy_unit="hartree"))
    assert list(found) == ["x2", "x1", "x0"]
    for i, atoms in enumerate(frames):
        row = found[f"x{i}"]
        assert row.numbers.tolist() == atoms.numbers.tolist()
        np.testing.assert_allclose(row.positions, atoms.positions, atol=1e-8)
        assert row.energy == pytest.approx((-1.5 - i) * Hartree, rel=1e-7)
        assert (row.split, row.source) == ("val", f"a.xyz, frame {i}")
    np.testing.assert_allclose(found["x0"].cell, frames[0].cell, atol=1e-8)
    assert found["x2"].cell is None


def test_frames_without_a_mapping_are_named_by_their_place(
    frames: list[Any], tmp_path: Path
) -> None:
    write(tmp_path / "a.xyz", frames, format="extxyz")
    found = good(take("extxyz", tmp_path / "a.xyz"))
    assert sorted(found) == [f"a.xyz, frame {i}" for i in range(3)]
    assert {row.energy for row in found.values()} == {None}


BAD_FRAMES = {
    "cell": (
        '1\nLattice="0.01 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3\nCu 0 0 0\n',
        "0.01",
    ),
    "flat": ('1\nLattice="4 0 0 0 4 0 4 4 0" Properties=species:S:1:pos:R:3\nCu 0 0 0\n', "flat"),
    "nan": ("1\nProperties=species:S:1:pos:R:3\nCu nan 0 0\n", "atom 0 is 'nan'"),
    "far": ("1\nProperties=species:S:1:pos:R:3\nCu 1e30 0 0\n", "atom 0 is at"),
    "element": ("1\nProperties=species:S:1:pos:R:3\nQq 0 0 0\n", "atom 0: 'Qq' is no element"),
    "columns": ("1\nProperties=species:S:1:pos:R:3\nCu 0 0\n", "atom 0 has 3 columns of the 4"),
    "empty": ("0\nProperties=species:S:1:pos:R:3\n", "atoms"),
    "bytes": ("1\nProperties=species:S:1:pos:R:3\nC\udcff 0 0 0\n", "is no element"),
    "short": ("3\nProperties=species:S:1:pos:R:3\nCu 0 0 0\n", "announced"),
}


@pytest.mark.parametrize("kind", BAD_FRAMES)
def test_a_bad_frame_is_skipped_with_file_record_and_reason(kind: str, tmp_path: Path) -> None:
    text, reason = BAD_FRAMES[kind]
    path = tmp_path / "a.xyz"
    write(path, molecule("H2O"), format="extxyz")
    path.write_bytes(path.read_bytes() + text.encode("utf-8", "surrogateescape"))
    found = take("extxyz", path)
    assert list(good(found)) == ["a.xyz, frame 0"]
    assert list(reasons(found)) == ["a.xyz, frame 1"]
    assert reason in reasons(found)["a.xyz, frame 1"]


@pytest.mark.parametrize("head", ["many", "-1", "99999999999"])
def test_a_count_that_is_none_ends_the_reading_with_the_frame(head: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    write(path, molecule("H2O"), format="extxyz")
    path.write_text(path.read_text() + f"{head}\n\nCu 0 0 0\n")
    with pytest.raises(IntegrityError, match=r"a\.xyz, frame 1: "):
        take("extxyz", path)


def test_two_records_of_one_id_are_both_named(frames: list[Any], tmp_path: Path) -> None:
    frames[2].info["name"] = "x0"
    write(tmp_path / "a.xyz", frames, format="extxyz")
    with pytest.raises(UserError, match=r"frame 0 and a\.xyz, frame 2 share the id 'x0'"):
        take("extxyz", tmp_path / "a.xyz", columns={"id": "name"})


def test_fields_of_the_wrong_kind_skip_the_record(frames: list[Any], tmp_path: Path) -> None:
    for key, atoms in zip(("high", 1.5, 3), frames, strict=True):
        atoms.info["m"] = key
    write(tmp_path / "a.xyz", frames, format="extxyz")
    assert reasons(take("extxyz", tmp_path / "a.xyz", columns={"spin": "m"})) == {
        "a.xyz, frame 0": "spin is 'high', no number",
        "a.xyz, frame 1": "spin is '1.5', no whole number",
        "a.xyz, frame 2": "a spin multiplicity of 3 is impossible for 9 electrons",
    }
    found = reasons(take("extxyz", tmp_path / "a.xyz", columns={"charge": "totl_charge"}))
    assert found["a.xyz, frame 0"] == (
        "columns.charge: unknown name 'totl_charge': did you mean 'total_charge'?"
    )


def test_rows_of_an_ase_database(frames: list[Any], tmp_path: Path) -> None:
    with connect(tmp_path / "a.db") as database:
        for i, atoms in enumerate(frames):
            database.write(atoms, name=f"r{i}", data={"total_charge": 0, "part": "t"})
    found = good(take("ase-db", tmp_path / "a.db", columns=COLUMNS))
    assert list(found) == ["r2", "r1", "r0"]
    for i, atoms in enumerate(frames):
        np.testing.assert_array_equal(found[f"r{i}"].positions, atoms.positions)
        assert (found[f"r{i}"].energy, found[f"r{i}"].split) == (-1.5 - i, "t")
    (tmp_path / "b.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 200)
    with pytest.raises(IntegrityError, match=r"b\.db: not readable as ase-db"):
        take("ase-db", tmp_path / "b.db")


def test_crystals_of_a_folder_of_cif(tmp_path: Path) -> None:
    for name in ("Cu", "Si"):
        write(tmp_path / f"{name}.cif", bulk(name))
    (tmp_path / "broken.cif").write_text("data_x\nloop_\n_atom_site_label\n")
    found = take("cif-folder", tmp_path)
    assert sorted(good(found)) == ["Cu", "Si"]
    assert good(found)["Si"].numbers.tolist() == [14, 14]
    assert good(found)["Si"].periodic
    assert list(reasons(found)) == ["broken.cif"]


@pytest.fixture
def sdf(tmp_path: Path) -> Path:
    path = tmp_path / "m.sdf"
    with Chem.SDWriter(str(path)) as writer:
        for name, smiles in (("ethanol", "OCC"), ("ammonium", "[NH4+]"), ("flat", "C")):
            mol = (
                Chem.AddHs(Chem.MolFromSmiles(smiles))
                if name != "flat"
                else Chem.MolFromSmiles("C")
            )
            if name != "flat":
                rdDistGeom.EmbedMolecule(mol, randomSeed=1)
            mol.SetProp("_Name", name)
            mol.SetProp("E", "-2.5")
            writer.write(mol)
    path.write_text(path.read_text() + "broken\nno\n\n  1 what\n$$$$\n")
    return path


def test_molecules_of_sdf_keep_their_coordinates(sdf: Path) -> None:
    found = take("sdf", sdf, columns={"id": "_Name", "energy": "E"}, energy_unit="kcal/mol")
    rows = good(found)
    supplier = Chem.SDMolSupplier(str(sdf), removeHs=False)
    np.testing.assert_array_equal(
        rows["ethanol"].positions, supplier[0].GetConformer().GetPositions()
    )
    assert (rows["ethanol"].smiles, rows["ethanol"].selfies) == ("CCO", "[C][C][O]")
    assert (rows["ammonium"].charge, rows["ammonium"].n_atoms) == (1, 5)
    assert rows["ethanol"].energy == pytest.approx(-2.5 * 0.0433641, rel=1e-5)
    assert reasons(found) == {"m.sdf, record 3": "RDKit cannot read it"}


def test_coordinates_are_made_only_when_asked_for(sdf: Path, tmp_path: Path) -> None:
    flat = good(take("sdf", sdf, columns={"id": "_Name"}))["flat"]
    assert (flat.positions.shape, flat.n_atoms) == ((0, 3), 5)
    table = tmp_path / "s.csv"
    table.write_text("name,smi\nethane,CC\n")
    asked = {"columns": {"id": "name", "smiles": "smi"}}
    assert good(take("smiles-csv", table, **asked))["ethane"].positions.shape == (0, 3)
    made = good(take("smiles-csv", table, **asked, embed_3d=True))["ethane"]
    assert made.positions.shape == (8, 3)
    assert np.linalg.norm(made.positions[0] - made.positions[1]) == pytest.approx(1.52, abs=0.05)
    again = good(take("smiles-csv", table, **asked, embed_3d=True))["ethane"]
    np.testing.assert_array_equal(made.positions, again.positions)


def test_rows_of_a_table_of_smiles(tmp_path: Path) -> None:
    table = tmp_path / "s.csv"
    table.write_text('id,smi,q\na,OCC,0\nb,C1CC,0\nc,"[OH-]",-1\nd,C,1\ne\nf,,0\n')
    found = take("smiles-csv", table, columns={"id": "id", "smiles": "smi", "charge": "q"})
    rows = good(found)
    assert {key: (row.smiles, row.charge, row.n_atoms) for key, row in rows.items()} == {
        "a": ("CCO", 0, 9),
        "c": ("[OH-]", -1, 2),
    }
    assert reasons(found) == {
        "s.csv, line 3": "RDKit cannot read the SMILES 'C1CC'",
        "s.csv, line 5": "the charge is 1, that of its formal charges 0",
        "s.csv, line 6": "1 cells, the first line names 3 columns",
        "s.csv, line 7": "it has no SMILES",
    }
    with pytest.raises(UserError, match=r"columns\.smiles: unknown column 'smiles': did you mean"):
        take("smiles-csv", table, columns={"smiles": "smiles"})


def test_sequences_of_fasta(tmp_path: Path) -> None:
    path = tmp_path / "f.fasta"
    path.write_text(">p1 of somewhere\nACDE\nfgh\n>p2\nAC1\n>p3\nUBXJZO*\n")
    found = take("fasta", path)
    assert {key: row.sequence for key, row in good(found).items()} == {
        "p1": "ACDEFGH",
        "p3": "CXXXXK",
    }
    assert reasons(found) == {"f.fasta, record 1": "'1' is none of the twenty amino acids or X"}


def test_chains_of_a_folder_of_mmcif_and_pdb(tmp_path: Path) -> None:
    helix = chains()[0]
    atoms = write_chains(tmp_path / "1abc.cif", [helix])
    file = PDBFile()
    file.set_structure(atoms)
    file.write(str(tmp_path / "2abc.pdb"))
    (tmp_path / "bad.cif").write_text("nothing")
    found = take("structure-folder", tmp_path)
    assert sorted(good(found)) == ["1abc_A", "2abc_A"]
    for row in good(found).values():
        assert row.sequence == helix.sequence
        np.testing.assert_allclose(row.backbone, helix.backbone, atol=2e-3)
    assert list(reasons(found)) == ["bad.cif"]


def test_a_path_that_is_not_there_or_of_the_wrong_kind_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="file does not exist"):
        take("extxyz", tmp_path / "none.xyz")
    with pytest.raises(UserError, match="kind extxyz wants a file, this is a folder"):
        take("extxyz", tmp_path)
    with pytest.raises(UserError, match="no records of kind cif-folder"):
        take("cif-folder", tmp_path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["extxyz", "sdf", "smiles-csv", "fasta"]),
    cut=st.floats(0, 1),
    place=st.floats(0, 1),
    junk=st.binary(max_size=12),
)
def test_damaged_files_are_read_skipped_or_refused_but_never_crash(
    kind: str, cut: float, place: float, junk: bytes, tmp_path: Path
) -> None:
    whole = {
        "extxyz": b'2\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3 a=1\n'
        b"Cu 0 0 0\nCu 2 2 2\n" * 3,
        "sdf": (Chem.MolToMolBlock(Chem.MolFromSmiles("CCO")) + "> <a>\n1\n\n$$$$\n").encode() * 2,
        "smiles-csv": b"id,smi\na,CCO\nb,C\nc,N\n",
        "fasta": b">a\nACDE\n>b\nFGH\n",
    }[kind]
    kept = whole[: int(cut * len(whole))]
    at = int(place * len(kept))
    path = tmp_path / f"damaged.{kind}"
    path.write_bytes(kept[:at] + junk + kept[at:])
    more = {"columns": {"smiles": "smi"}} if kind == "smiles-csv" else {}
    try:
        found = take(kind, path, **more)
    except (UserError, IntegrityError) as error:
        assert path.name in str(error)
        return
    for row in found.values():
        if isinstance(row, Skipped):
            assert row.place.startswith(path.name)
            assert row.reason
        else:
            assert np.isfinite(row.positions).all()
            assert row.source is not None
            assert row.source.startswith(path.name)
