"""Molecules whose fields disagree: what is kept, and what is skipped with which reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import write
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from matteralign.datasets.base.smiles import canonical_smiles
from tests.datasets.test_own import good, reasons, take

TABLE = {"columns": {"id": "id", "smiles": "smi", "energy": "e", "charge": "q", "spin": "m"}}


def row(tmp_path: Path, smiles: str, energy: str = "", charge: str = "", spin: str = "",
        **more: Any) -> Any:  # fmt: skip
    """Return the structure of one row of a table, or why it is skipped."""
    path = tmp_path / "a.csv"
    path.write_text(f'id,smi,e,q,m\nx,"{smiles}","{energy}",{charge},{spin}\n')
    found = take("smiles-csv", path, **TABLE, **more)
    return good(found).get("x") or reasons(found)["a.csv, line 2"]


MAPPED = {
    "[CH3:1][OH:2]": "CO",
    "[13CH3:1][OH:2]": "[13CH3]O",
    "[H:1][O:2][H:3]": "O",
    "[CH3:5]/[CH:1]=[CH:2]/[CH3:9]": "C/C=C/C",
    "[CH3:1][C@H:2]([F:3])[Cl:4]": "C[C@H](F)Cl",
    # Only the map told the two methyls apart: no stereocentre is left.
    "[CH3:1][C@H:3](F)[CH3:2]": "CC(C)F",
    "[cH:1]1[cH:2][cH:3][cH:4][cH:5][cH:6]1": "c1ccccc1",
    "[NH4+:7]": "[NH4+]",
}


@pytest.mark.parametrize("smiles", MAPPED)
def test_the_numbers_of_an_atom_map_are_no_part_of_a_molecule(smiles: str, tmp_path: Path) -> None:
    found = row(tmp_path, smiles)
    assert found.smiles == MAPPED[smiles] == canonical_smiles(smiles)
    assert ":" not in found.selfies


KEPT = {
    "[2H]O[2H]": "[2H]O[2H]",
    "N[C@@H](C)C(=O)O": "C[C@H](N)C(=O)O",
    "C1=CC=CC=C1": "c1ccccc1",
    "C%12CCCCC%12": "C1CCCCC1",
    "CN(=O)=O": "C[N+](=O)[O-]",
    "[Na+].[Cl-]": "[Cl-].[Na+]",
}


@pytest.mark.parametrize("smiles", KEPT)
def test_isotopes_stereo_and_parts_stay(smiles: str, tmp_path: Path) -> None:
    assert row(tmp_path, smiles).smiles == KEPT[smiles]


REFUSED = {
    "CC>>CO": "of a reaction",
    "CC>[Pd]>CO": "of a reaction",
    "*CC": "a dummy atom (*)",
    "[*:1]CC": "a dummy atom (*)",
    "C~C": "a bond of no certain order",
    "CCO |$R1;;$|": "there is a space in it",
    "CCO\tethanol": "there is a space in it",
    "C1CC": "RDKit cannot read the SMILES 'C1CC'",
    "c1ccnc1": "Can't kekulize",
    "C[N](C)(C)C": "valence",
}


@pytest.mark.parametrize("smiles", REFUSED)
def test_a_smiles_of_no_certain_molecule_is_skipped_with_the_reason(
    smiles: str, tmp_path: Path
) -> None:
    assert REFUSED[smiles] in row(tmp_path, smiles)


NUMBERS = ["1_000", "1,234.5", "1,5", "nan", "inf", "-Infinity", "0x1p3", "1.5D+02", "1.5d2",
           "1e3 eV", "--1", "1e", ".", "١٢", "１", "1 000", "-7 eV", "1e400", "½"]  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_an_energy_that_is_not_plainly_a_number_is_none(text: str, tmp_path: Path) -> None:
    assert row(tmp_path, "C", energy=text).startswith("energy is ")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_python_writes_for_a_number_is_read_as_it(
    tmp_path_factory: pytest.TempPathFactory, value: float
) -> None:
    folder = tmp_path_factory.mktemp("n")
    for text in (repr(value), f" {value:.17g}", f"{value:+.17E}"):
        assert row(folder, "C", energy=text).energy == value


@pytest.mark.parametrize("text", ["-1", "+.5", "7.", "1E-3", "007"])
def test_plain_spellings_of_numbers_are_read(text: str, tmp_path: Path) -> None:
    assert row(tmp_path, "C", energy=text).energy == float(text)


# Electrons by hand: CH3 9, CH4 10, NO 15, O2 16, CH2 8, H+ 0, He 2.
STATES = {
    ("[CH3]", ""): 2,
    ("[CH3]", "2"): 2,
    ("[CH3]", "4"): 4,
    ("[CH3]", "1"): "a spin multiplicity of 1 is impossible for 9 electrons",
    ("[CH3]", "3"): "a spin multiplicity of 3 is impossible for 9 electrons",
    ("C", ""): 1,
    ("C", "1"): 1,
    ("C", "2"): "a spin multiplicity of 2 is impossible for 10 electrons",
    ("[N]=O", ""): 2,
    ("[N]=O", "1"): "a spin multiplicity of 1 is impossible for 15 electrons",
    ("O=O", ""): 1,
    ("O=O", "3"): 3,
    ("[CH2]", "3"): 3,
    ("[H+]", ""): 1,
    ("[H+]", "2"): "a spin multiplicity of 2 is impossible for 0 electrons (charge 1)",
    ("[He]", "3"): 3,
    ("[He]", "5"): "a spin multiplicity of 5 is impossible for 2 electrons",
    ("C", "0"): "spin is 0; it is the multiplicity 2S+1, at least 1",
    ("C", "1.5"): "spin is '1.5', no whole number",
    ("C", "True"): "spin is 'True', no number",
}


@pytest.mark.parametrize(("smiles", "spin"), STATES)
def test_a_multiplicity_is_one_that_the_electrons_allow(
    smiles: str, spin: str, tmp_path: Path
) -> None:
    found = row(tmp_path, smiles, spin=spin)
    assert (found if isinstance(found, str) else found.spin) == STATES[smiles, spin]


def test_a_charge_that_is_given_must_be_that_of_the_smiles(tmp_path: Path) -> None:
    assert row(tmp_path, "[NH4+]", charge="1").charge == 1
    assert row(tmp_path, "[NH4+]").charge == 1
    assert row(tmp_path, "[NH4+]", charge="0") == ("the charge is 0, that of its formal charges 1")


def test_parts_that_no_bond_connects_get_no_coordinates(tmp_path: Path) -> None:
    for smiles, parts in (("[Na+].[Cl-]", 2), ("CCO.O", 2), ("C[NH3+].[Cl-].O", 3)):
        assert row(tmp_path, smiles, embed_3d=True) == (
            f"no coordinates can be made for it: it has {parts} parts that no bond connects, and "
            "nothing says how they lie to each other"
        )
    made = row(tmp_path, "CC(=O)[O-]", embed_3d=True)
    apart = np.linalg.norm(made.positions[:, None] - made.positions, axis=2)
    assert apart[np.triu_indices(made.n_atoms, 1)].min() > 0.9


def sdf(tmp_path: Path, block: str, fields: str = "", **more: Any) -> Any:
    """Return the structure of one record of SDF, or why it is skipped."""
    path = tmp_path / "a.sdf"
    path.write_text(f"{block}{fields}\n$$$$\n")
    found = take("sdf", path, **more)
    return next(iter(good(found).values()), None) or reasons(found)["a.sdf, record 0"]


def drawn(smiles: str, hydrogens: bool = True, seed: int = 7) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(mol, randomSeed=seed)
    return mol if hydrogens else Chem.RemoveHs(mol)


def test_coordinates_without_hydrogens_are_completed_only_when_asked_for(tmp_path: Path) -> None:
    for smiles, counts in (("CCO", ("C2O", "C2H6O", 6)), ("c1ccccc1", ("C6", "C6H6", 6))):
        block = Chem.MolToMolBlock(drawn(smiles, hydrogens=False))
        told = sdf(tmp_path, block)
        assert told.startswith(
            "coordinates of {} beside a SMILES of {}: {} hydrogens".format(*counts)
        )
        assert "add_hydrogens" in told
        made = sdf(tmp_path, block, add_hydrogens=True)
        assert made.n_atoms == len(drawn(smiles).GetAtoms())
        heavy = drawn(smiles, hydrogens=False).GetConformer().GetPositions()
        np.testing.assert_allclose(made.positions[: len(heavy)], heavy, atol=1e-4)
        hydrogens = made.positions[made.numbers == 1]
        reach = np.linalg.norm(hydrogens[:, None] - heavy, axis=2).min(axis=1)
        assert ((reach > 0.9) & (reach < 1.2)).all()
    whole = sdf(tmp_path, Chem.MolToMolBlock(drawn("CCO")))
    assert (whole.smiles, whole.n_atoms) == ("CCO", 9)
    one = Chem.RWMol(drawn("CCO"))
    one.RemoveAtom(8)
    one.GetAtomWithIdx(2).SetNoImplicit(False)
    one.UpdatePropertyCache()
    assert "1 hydrogen without coordinates" in sdf(tmp_path, Chem.MolToMolBlock(one))
    with pytest.raises(ValidationError, match="add_hydrogens is for sdf"):
        take("extxyz", tmp_path / "a.sdf", add_hydrogens=True)


METHYL = """methyl
     prog      01012420003D

  4  3  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.1000 C   0  0
    1.0790    0.0000    0.0000 H   0  0
   -0.5395    0.9344    0.0000 H   0  0
   -0.5395   -0.9344    0.0000 H   0  0
  1  2  1  0
  1  3  1  0
  1  4  1  0
{}M  END
"""
METHYLENE = (
    METHYL.replace("  4  3", "  3  2")
    .replace("   -0.5395   -0.9344    0.0000 H   0  0\n", "")
    .replace("  1  4  1  0\n", "")
)


def test_a_radical_of_sdf_has_the_multiplicity_of_its_centre(tmp_path: Path) -> None:
    doublet = METHYL.format("M  RAD  1   1   2\n")
    assert (sdf(tmp_path, doublet).spin, sdf(tmp_path, doublet).smiles) == (2, "[CH3]")
    given = {"columns": {"spin": "m"}}
    assert sdf(tmp_path, doublet, "> <m>\n2\n", **given).spin == 2
    assert sdf(tmp_path, doublet, "> <m>\n\n", **given).spin == 2
    assert "the multiplicity is 1, that of its radical centre (RAD) 2" in sdf(
        tmp_path, doublet, "> <m>\n1\n", **given
    )
    triplet, singlet = (METHYLENE.format(f"M  RAD  1   1   {n}\n") for n in (3, 1))
    assert (sdf(tmp_path, triplet).spin, sdf(tmp_path, singlet).spin) == (3, 1)
    newer = Chem.MolToV3KMolBlock(Chem.MolFromMolBlock(doublet, removeHs=False))
    assert "RAD=2" in newer
    assert sdf(tmp_path, newer).spin == 2
    assert "1 hydrogen without coordinates" in sdf(tmp_path, METHYL.format(""))


def test_charges_of_the_atom_block_and_of_its_own_line_are_one(tmp_path: Path) -> None:
    block = Chem.MolToMolBlock(drawn("[OH-]"))
    assert "M  CHG" in block
    old = block.replace("M  CHG  1   1  -1\n", "").replace(" O   0  0", " O   0  5")
    for text in (block, old):
        found = sdf(tmp_path, text, "> <q>\n-1\n", columns={"charge": "q"})
        assert (found.charge, found.spin, found.smiles) == (-1, 1, "[OH-]")
    assert "the charge is 0" in sdf(tmp_path, old, "> <q>\n0\n", columns={"charge": "q"})


def test_a_mapped_field_twice_is_refused_another_is_not(tmp_path: Path) -> None:
    block = Chem.MolToMolBlock(drawn("C"))
    twice = "> <E>\n-1\n\n> <note>\na\n\n> <E>\n-99\n\n"
    told = "columns.energy: the record has 'E' twice"
    assert sdf(tmp_path, block, twice, columns={"energy": "E"}) == told
    assert sdf(tmp_path, block, twice, columns={"split": "note"}).split == "a"
    found = take("sdf", tmp_path / "a.sdf", columns={"id": "E"})
    assert reasons(found) == {"a.sdf, record 0": "columns.id: the record has 'E' twice"}
    title = sdf(tmp_path, block, "> <_Name>\nother\n", columns={"id": "_Name"})
    assert "'_Name' twice" in title


def test_a_smiles_beside_a_drawing_is_of_the_same_molecule(tmp_path: Path) -> None:
    field = {"columns": {"smiles": "S"}}

    def beside(mol: Chem.Mol, smiles: str) -> Any:
        return sdf(tmp_path, Chem.MolToMolBlock(mol), f"> <S>\n{smiles}\n", **field)

    assert beside(drawn("CCO"), "O[CH2:1]C").smiles == "CCO"
    assert beside(drawn("CCO"), "COC") == "its SMILES is COC, what is drawn is CCO"
    assert "what is drawn is CCO" in beside(drawn("CCO"), "CC[O-]")
    assert beside(drawn("C[C@H](F)Cl"), "CC(F)Cl").smiles == "CC(F)Cl"
    assert beside(drawn("C[C@H](F)Cl"), "C[C@H](F)Cl").smiles == "C[C@H](F)Cl"
    assert "C[C@@H](F)Cl" in beside(drawn("C[C@H](F)Cl"), "C[C@@H](F)Cl")
    assert beside(Chem.MolFromSmiles("CC(F)Cl"), "C[C@H](F)Cl").smiles == "C[C@H](F)Cl"


def test_atoms_of_a_drawing_that_are_no_element_are_skipped(tmp_path: Path) -> None:
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CO"))
    for symbol in ("R#", "A ", "Q ", "* "):
        told = sdf(tmp_path, block.replace(" O ", f" {symbol}"))
        assert "dummy atom" in told or "several possible elements" in told
    chosen = Chem.MolToMolBlock(Chem.MolFromSmarts("C-[N,O]"))
    assert "M  ALS" in chosen
    assert "several possible elements" in sdf(tmp_path, chosen)
    assert "aromatic bond outside of a ring" in sdf(
        tmp_path, block.replace("  1  2  1", "  1  2  4")
    )


def frames(kind: str, tmp_path: Path, *made: Atoms, **more: Any) -> tuple[dict[str, Any], Any]:
    path = tmp_path / ("a.xyz" if kind == "extxyz" else "a.db")
    if kind == "extxyz":
        write(path, made, format="extxyz")
    else:
        with connect(path) as database:
            for atoms in made:
                database.write(atoms, key_value_pairs=dict(atoms.info))
    found = take(kind, path, **more)
    return good(found), reasons(found)


def told(atoms: Atoms, **info: Any) -> Atoms:
    atoms = atoms.copy()
    atoms.info |= {"name": "x", **info}
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0)
    return atoms


@pytest.mark.parametrize("kind", ["extxyz", "ase-db"])
def test_coordinates_beside_a_smiles_are_of_its_atoms_and_charge(kind: str, tmp_path: Path) -> None:
    ethanol = molecule("CH3CH2OH")
    bare = ethanol[ethanol.numbers > 1]
    oxide = molecule("OH")
    given = {"columns": {"id": "name", "smiles": "smi", "charge": "q"}}
    rows, skipped = frames(
        kind, tmp_path,
        told(ethanol, name="same", smi="O[CH2:4]C", q=0),
        told(ethanol, name="isomer", smi="COC", q=0),
        told(bare, name="bare", smi="CCO", q=0),
        told(ethanol, name="other", smi="CCN", q=0),
        told(oxide, name="ion", smi="[OH-]", q=-1),
        told(oxide, name="charge", smi="[OH-]", q=0),
        told(oxide, name="dummy", smi="*O", q=0),
        **given,
    )  # fmt: skip
    assert {key: (row.smiles, row.charge) for key, row in rows.items()} == {
        "same": ("CCO", 0),
        "isomer": ("COC", 0),
        "ion": ("[OH-]", -1),
    }
    assert sorted(skipped.values()) == sorted([
        "coordinates of C2O beside a SMILES of C2H6O: 6 hydrogens without coordinates",
        "coordinates of C2H6O beside a SMILES of C2H7N",
        "the charge is 0, that of its formal charges -1",
        "the SMILES '*O' has a dummy atom (*), which is no element",
    ])  # fmt: skip


@pytest.mark.parametrize("kind", ["extxyz", "ase-db"])
def test_a_state_of_a_frame_is_given_or_the_lowest(kind: str, tmp_path: Path) -> None:
    given = {"columns": {"id": "name", "spin": "m"}}
    methyl = molecule("CH3")
    rows, skipped = frames(
        kind, tmp_path, told(methyl, name="a", m=1), told(methyl, name="b", m=2), **given
    )
    assert {key: row.spin for key, row in rows.items()} == {"b": 2}
    assert list(skipped.values()) == ["a spin multiplicity of 1 is impossible for 9 electrons"]
    other = tmp_path / "unmapped"
    other.mkdir()
    rows, _ = frames(kind, other, told(methyl, name="a"), columns={"id": "name"})
    assert rows["a"].spin == 2
    crystal = tmp_path / "crystal"
    crystal.mkdir()
    rows, _ = frames(kind, crystal, told(bulk("Cu"), name="a"), columns={"id": "name"})
    assert rows["a"].spin == 1, "of a cell nobody said"


def test_a_charge_beyond_the_nuclei_is_impossible(tmp_path: Path) -> None:
    _, skipped = frames("extxyz", tmp_path, told(molecule("H2"), q=3), columns={"charge": "q"})
    assert list(skipped.values()) == ["a charge of 3 is impossible: the nuclei have 2"]


def test_a_molecular_crystal_holds_its_molecule_several_times(tmp_path: Path) -> None:
    water = molecule("H2O")
    pair = water + Atoms(water.numbers, water.positions + np.array([3, 0, 0]))
    pair.cell, pair.pbc = np.eye(3) * 6, True
    given = {"columns": {"id": "name", "smiles": "smi"}}
    rows, skipped = frames("extxyz", tmp_path, told(pair, smi="O"), **given)
    assert rows["x"].smiles == "O"
    _, skipped = frames("extxyz", tmp_path, told(pair, smi="OO"), **given)
    assert list(skipped.values()) == ["coordinates of H4O2 beside a SMILES of H2O2"]
