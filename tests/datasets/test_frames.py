"""Frames and rows as programs write them: cells, ids, energies, names that nobody mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.db import connect
from ase.io import write
from hypothesis import given
from hypothesis import strategies as st

from matteralign.config.datasets import OwnDataset
from matteralign.datasets.base.dataset import Skipped
from matteralign.datasets.own.extxyz import comment_pairs
from matteralign.datasets.own.source import OwnSource

CELL = "4 0 0 0 5 0 0 0 6"


def read(kind: str, path: Path, **more: Any) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    config = OwnDataset.model_validate({"kind": kind, "path": str(path)} | more)
    rows = OwnSource("d", config).open(print)
    ids = list(rows.ids())
    return dict(zip(ids, rows.take(ids), strict=True)), rows.warned


def frames(folder: Path, *comments: str, atoms: str = "Na 0 0 0\nCl 2 2 2\n") -> Path:
    path = folder / "a.xyz"
    path.write_text("".join(f"2\n{comment}\n{atoms}" for comment in comments))
    return path


PERIODIC = {
    "as written": (f'Lattice="{CELL}"', [True, True, True]),
    "in small letters": (f'lattice="{CELL}" properties=species:S:1:pos:R:3', [True, True, True]),
    "in capitals": (f'LATTICE="{CELL}" PROPERTIES=Species:S:1:Pos:R:3', [True, True, True]),
    "in single quotes": (f"Lattice='{CELL}'", [True, True, True]),
    "in braces": (f"Lattice={{{CELL}}}", [True, True, True]),
    "with commas": (f'Lattice="{CELL.replace(" ", ", ")}"', [True, True, True]),
    "a slab": (f'Lattice="{CELL}" pbc="T T F"', [True, True, False]),
    "a slab, in words": (f'Lattice="{CELL}" PBC="true True false"', [True, True, False]),
    "a slab, in digits": (f'Lattice="{CELL}" pbc="1 1 0"', [True, True, False]),
    "a box without periods": (f'Lattice="{CELL}" pbc="F F F"', [False, False, False]),
    "none": ("", [False, False, False]),
    "none, as the program says": ('pbc="F F F"', [False, False, False]),
}


@pytest.mark.parametrize("kind", PERIODIC)
def test_a_cell_is_read_however_its_key_is_spelled(kind: str, tmp_path: Path) -> None:
    comment, periods = PERIODIC[kind]
    found, _ = read("extxyz", frames(tmp_path, comment))
    row = found["a.xyz, frame 0"]
    assert row.pbc.tolist() == periods
    if "4" in comment:
        assert row.cell.tolist() == [[4, 0, 0], [0, 5, 0], [0, 0, 6]]


CELLS = {
    "another name": (f'Cell="{CELL}" pbc="T T T"', "take 'Cell' out of the line"),
    "another name alone": (f'unit_cell="{CELL}"', "'unit_cell' and no key Lattice: write"),
    "periods alone": ('pbc="T T T"', "has 'pbc' and no key Lattice: write the vectors"),
    "a word of plain XYZ": ("box 10 10 10", "has 'box' and no key Lattice: write the vectors"),
    "two cells": (f'Lattice="{CELL}" lattice="9 0 0 0 9 0 0 0 9"', "say different things"),
    "three lengths": ('Lattice="4 5 6"', "nine numbers"),
    "periods of one letter": (f'Lattice="{CELL}" pbc=T', "three of T and F"),
    "fractions": (f'Lattice="{CELL}" Properties=species:S:1:frac_pos:R:3', "it needs pos"),
    "two of one key": (f'Lattice="{CELL}" Lattice="9 0 0 0 9 0 0 0 9"', "say different things"),
    "underscores": (f'Lattice="{CELL.replace("4", "1_0")}"', "a number of Lattice is '1_0'"),
    "a list of lists": ("Lattice=[[4,0,0],[0,5,0],[0,0,6]]", "no number"),
    "a width that is none": ("Properties=species:S:1:pos:R:x", "and number repeat"),
    "a plane": ("Properties=species:S:1:pos:R:2", "pos is three columns"),
    "atoms in one place": (f'Lattice="{CELL}" Properties=Z:I:1:pos:R:3', ""),
}


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_that_is_not_certain_is_a_reason(kind: str, tmp_path: Path) -> None:
    comment, expected = CELLS[kind]
    (row,) = read("extxyz", frames(tmp_path, comment))[0].values()
    assert isinstance(row, Skipped)
    assert expected in row.reason


def test_images_of_a_cell_may_not_touch(tmp_path: Path) -> None:
    path = frames(tmp_path, f'Lattice="{CELL}"', atoms="Na 0.1 0 0\nCl 3.9 0 0\n")
    (row,) = read("extxyz", path)[0].values()
    assert isinstance(row, Skipped)
    assert "atoms 0 and 1 are 0.200 Å apart" in row.reason


def test_columns_in_another_order_and_symbols_in_capitals(tmp_path: Path) -> None:
    path = frames(
        tmp_path,
        f'Lattice="{CELL}" Properties=pos:R:3:force:R:3:species:S:1',
        atoms="0 0 0 1 1 1 NA\n2 2 2 1 1 1 CL\n",
    )
    (row,) = read("extxyz", path)[0].values()
    assert row.numbers.tolist() == [11, 17]


ATOMS = {
    "a coordinate with an underscore": ("", "Na 0 0 0\nCl 1_0 2 2\n", "atom 1 is '1_0', no number"),
    "a coordinate of Fortran": ("", "Na 0 0 0\nCl 1D0 2 2\n", "atom 1 is '1D0', no number"),
    "a decimal comma": ("", "Na 0 0 0\nCl 2 2,5 2\n", "atom 1 is '2,5', no number"),
    "a label": ("", "Na1 0 0 0\nCl 2 2 2\n", "atom 0: 'Na1' is no element"),
    "a number of a kind": ("", "1 0 0 0\n2 2 2 2\n", "atom 0: '1' is no element"),
    "a dummy": ("", "Na 0 0 0\nX 2 2 2\n", "atom 1: 'X' is no element"),
    "a number with an underscore": (
        "Properties=Z:I:1:pos:R:3", "1_1 0 0 0\n17 2 2 2\n", "atom 0: Z is '1_1'",
    ),
    "a number against the symbol": (
        "Properties=species:S:1:pos:R:3:Z:I:1", "Na 0 0 0 12\nCl 2 2 2 17\n",
        "atom 0 is Na by its species, Z is 12",
    ),
    "a line that is cut": (
        "Properties=species:S:1:pos:R:3:forces:R:3", "Na 0 0 0 1 1 1\nCl 2 2 2\n",
        "atom 1 has 4 columns of the 7",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ATOMS)
def test_a_line_that_cannot_be_sure_is_a_reason(kind: str, tmp_path: Path) -> None:
    comment, atoms, expected = ATOMS[kind]
    (row,) = read("extxyz", frames(tmp_path, comment, atoms=atoms))[0].values()
    assert isinstance(row, Skipped)
    assert expected in row.reason


def test_heavy_hydrogen_and_columns_that_are_not_named_are_said(tmp_path: Path) -> None:
    atoms = "D 0 0 0 1\nCl 2 2 2 1\n"
    path = frames(tmp_path, "Properties=species:S:1:pos:R:3", "", atoms=atoms)
    found, warned = read("extxyz", path)
    assert [row.numbers.tolist() for row in found.values()] == [[1, 17]] * 2
    assert warned["a.xyz, frame 1"] == ("deuterium and tritium are taken as hydrogen",)
    assert "more columns than Properties names" in warned["a.xyz, frame 0"][0]


SMILES = {
    "[Na+].[Cl-]": ("Na 0 0 0\nCl 0 0 3\n", "[Cl-].[Na+]"),
    "[2H]Cl": ("H 0 0 0\nCl 0 0 1.3\n", "[2H]Cl"),
    "F/N=N\\F": ("F 0 0 0\nN 0 0 1.4\nN 0 1 2\nF 0 2 1.4\n", "F/N=N\\F"),
    "F/N=N/F": ("F 0 0 0\nN 0 0 1.4\nN 0 1 2\nF 0 2 2.6\n", "F/N=N/F"),
}


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("smiles", SMILES)
def test_a_smiles_keeps_brackets_and_bonds(smiles: str, quote: str, tmp_path: Path) -> None:
    atoms, expected = SMILES[smiles]
    path = tmp_path / "a.xyz"
    path.write_text(f"{atoms.count(chr(10))}\nsmiles={quote}{smiles}{quote} x=1\n{atoms}")
    (row,) = read("extxyz", path, columns={"smiles": "smiles"})[0].values()
    assert row.smiles == expected


def test_a_smiles_that_ase_wrote_is_read_as_it_was(tmp_path: Path) -> None:
    made = Atoms("FN2F", [(0, 0, 0), (0, 0, 1.4), (0, 1, 2), (0, 2, 1.4)])
    made.info["smiles"] = "F/N=N\\F"
    write(tmp_path / "a.xyz", made, format="extxyz")
    (row,) = read("extxyz", tmp_path / "a.xyz", columns={"smiles": "smiles"})[0].values()
    assert row.smiles == "F/N=N\\F"


def test_a_mapped_key_with_two_values_is_refused_another_is_not(tmp_path: Path) -> None:
    path = frames(tmp_path, "name=a energy=1 energy=2", "name=b name=c energy=1", "x=1 x=2 name=d")
    found, _ = read("extxyz", path, columns={"id": "name", "energy": "energy"})
    assert "columns.energy: the frame has 'energy' twice" in found["a"].reason
    assert "columns.id: the frame has 'name' twice" in found["a.xyz, frame 1"].reason
    assert found["d"].energy is None


IDS = [
    "007",
    "7",
    "12e34567",
    "1e5",
    "0x10",
    "T",
    "nan",
    "None",
    "1_000",
    "5'-AMP",
    "a[1]",
    "a1",
    "{b}",
    "c\\d",
    "-0",
    "mp 149",
    "1.50",
    "é",
]


def test_ids_are_text_as_they_are_written(tmp_path: Path) -> None:
    path = frames(tmp_path, *(f'name="{name}"' for name in IDS))
    assert list(read("extxyz", path, columns={"id": "name"})[0]) == IDS
    bare = [name for name in IDS if " " not in name]
    path = frames(tmp_path, *(f"energy=1 name={name} x=2" for name in bare))
    assert list(read("extxyz", path, columns={"id": "name", "split": "name"})[0]) == bare


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"])),
        max_size=5,
    )
)
def test_what_was_quoted_is_read_back(values: dict[str, str]) -> None:
    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    line = " ".join(f"{key}={quoted(text)}" for key, text in values.items())
    assert dict(comment_pairs(line)) == values


def test_flags_and_spaces_of_a_comment_line() -> None:
    line = "energy = -1.5  relaxed name=a=b forces=[1, 2] note='x y' empty=\"\" z=1"
    assert dict(comment_pairs(line)) == {
        "energy": "-1.5", "relaxed": "T", "name": "a=b", "forces": "[1, 2]", "note": "x y",
        "empty": "", "z": "1",
    }  # fmt: skip
    assert comment_pairs("") == []
    assert dict(comment_pairs("name=5'-AMP e=1 note='x y'")) == {
        "name": "5'-AMP", "e": "1", "note": "x y",
    }  # fmt: skip


def test_a_frame_without_energy_keeps_its_row(tmp_path: Path) -> None:
    path = frames(tmp_path, "energy=-1.5", "name=x", "Energy=-2")
    found, warned = read("extxyz", path, columns={"energy": "energy"})
    assert [row.energy for row in found.values()] == [-1.5, None, None]
    assert warned["a.xyz, frame 1"] == ("columns.energy: there is no 'energy', the energy is null",)
    assert warned["a.xyz, frame 2"][0].endswith("did you mean 'Energy'?")


def test_names_that_look_like_fields_are_said(tmp_path: Path) -> None:
    path = frames(tmp_path, "dft_energy=-1 charge=-1 multiplicity=3", "dft_energy=-1 charge=0")
    found, warned = read("extxyz", path)
    assert [(row.charge, row.energy) for row in found.values()] == [(0, None)] * 2
    assert warned["a.xyz, frame 0"] == tuple(
        f"'{name}' is in the record and not used; `columns: {{{field}: {name}}}` maps it"
        for field, name in (
            ("energy", "dft_energy"), ("charge", "charge"), ("spin", "multiplicity"),
        )
    )  # fmt: skip
    assert len(warned["a.xyz, frame 1"]) == 1
    columns = {"energy": "dft_energy", "charge": "charge"}
    assert read("extxyz", path, columns=columns | {"spin": "multiplicity"})[1] == {}


def test_rows_of_a_database_keep_charge_and_spin_where_they_are_mapped(tmp_path: Path) -> None:
    with connect(tmp_path / "a.db") as database:
        database.write(Atoms("OH", [(0, 0, 0), (0, 0, 0.97)]), data={"charge": -1, "spin": 1})
        database.write(Atoms("Cu", cell=[3, 3, 0.1], pbc=True))
        database.write(Atoms("Cu2", [(0, 0, 0), (0, 0, 2.9)], cell=[3, 3, 3], pbc=True))
    found, warned = read("ase-db", tmp_path / "a.db")
    told = warned["a.db, row 1"]
    assert ["charge" in told[0], "spin" in told[1], len(told)] == [True, True, 2]
    assert "0.1" in found["a.db, row 2"].reason
    assert "0.100 Å apart" in found["a.db, row 3"].reason
    columns = {"charge": "charge", "spin": "spin"}
    row = read("ase-db", tmp_path / "a.db", columns=columns)[0]["a.db, row 1"]
    assert (row.charge, row.spin) == (-1, 1)


@pytest.mark.parametrize("suffix", ["db", "json", "aselmdb"])
def test_a_pair_that_is_called_charge_is_the_one_that_was_written(
    suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{suffix}"
    with connect(path) as database:
        for charge in (-1, 1.0, 0.5):
            database.write(Atoms("OH", [(0, 0, 0), (0, 0, 0.97)]), charge=charge)
    found, _ = read("ase-db", path, columns={"charge": "charge"})
    ion, cation, part = found.values()
    assert [(row.charge, row.spin) for row in (ion, cation)] == [(-1, 1), (1, 1)]
    assert part.reason == "charge is 0.5, no whole number"
    assert any("'charge'" in text for text in read("ase-db", path)[1][f"a.{suffix}, row 1"])
