"""Crystals of CIF files as people and programs write them.

Expected atoms are those of the published structures: Wyckoff sites of the space group times the
formula.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.data import chemical_symbols
from ase.neighborlist import neighbor_list
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matteralign.config.datasets import OwnDataset
from matteralign.datasets.base.dataset import Skipped
from matteralign.datasets.own import elements
from matteralign.datasets.own.crystals import symmetry
from matteralign.datasets.own.source import OwnSource

CUBIC = (5.0, 5.0, 5.0, 90, 90, 90)
CORUNDUM = (4.759, 4.759, 12.993, 90, 90, 120)
SITES = "loop_\n_atom_site_label\n_atom_site_type_symbol\n" + "".join(
    f"_atom_site_fract_{axis}\n" for axis in "xyz"
)


def cif(
    sites: str, cell: tuple[float, ...] = CUBIC, group: str | None = "P 1", more: str = "",
    columns: str = SITES,
) -> str:  # fmt: skip
    names = [*(f"length_{a}" for a in "abc"), *(f"angle_{a}" for a in ("alpha", "beta", "gamma"))]
    lines = [f"_cell_{name} {value}" for name, value in zip(names, cell, strict=False)]
    if group is not None:
        lines.append(f"_symmetry_space_group_name_H-M '{group}'")
    return "data_x\n" + "\n".join([*lines, more]) + f"\n{columns}{sites}\n"


def formula(text: str, units: int | None = None) -> str:
    z = "" if units is None else f"\n_cell_formula_units_Z {units}"
    return f"_chemical_formula_sum '{text}'{z}"


def read(text: str | bytes, folder: Path) -> tuple[Any, tuple[str, ...]]:
    """Return atoms by symbol, or the reason; and what was warned of."""
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "a.cif").write_bytes(content)
    rows = OwnSource("d", OwnDataset(kind="cif-folder", path=str(folder))).open(print)
    (row,) = rows.take(rows.ids())
    if isinstance(row, Skipped):
        return row.reason, row.warnings
    assert row.pbc is not None and row.pbc.all()
    near = neighbor_list("d", Atoms(row.numbers, row.positions, cell=row.cell, pbc=True), 0.5)
    assert not len(near)
    counts = Counter(chemical_symbols[z] for z in row.numbers)
    return dict(counts), rows.warned.get("a.cif", ())


READ = {
    "capitals": (cif("NA1 NA 0 0 0\nCL1 CL .5 .5 .5", group="F m -3 m"), {"Na": 4, "Cl": 4}),
    "capitals with charges": (cif("X ZN2+ 0 0 0\nY SE2- .25 .25 .25", group="F -4 3 m"),
                              {"Zn": 4, "Se": 4}),
    "charge first": (cif("X Fe+3 0 0 0\nY O-2 .5 .5 .5"), {"Fe": 1, "O": 1}),
    "deuterium": (cif("D1 D 0 0 0\nO1 O .5 .5 .5"), {"H": 1, "O": 1}),
    "second origin": (cif("C1 C .125 .125 .125", group="F d -3 m :2"), {"C": 8}),
    "second origin, letter": (cif("C1 C .125 .125 .125", group="F d -3 m Z"), {"C": 8}),
    "second origin, glued": (cif("C1 C .125 .125 .125", group="Fd-3mZ"), {"C": 8}),
    "first origin, letter": (cif("C1 C 0 0 0", group="F d -3 m S"), {"C": 8}),
    "second origin in words": (cif("C1 C .125 .125 .125", group="F d -3 m (origin choice 2)"),
                               {"C": 8}),
    "an origin that the formula tells": (cif("C1 C .125 .125 .125", group="F d -3 m",
                                             more=formula("C", 8)), {"C": 8}),
    "first origin that the formula tells": (cif("C1 C 0 0 0", group="F d -3 m",
                                                more=formula("C", 8)), {"C": 8}),
    "rhombohedral axes": (cif("Bi1 Bi .234 .234 .234", (4.745, 4.745, 4.745, 57.23, 57.23, 57.23),
                              "R -3 m"), {"Bi": 2}),
    "hexagonal axes": (cif("Al1 Al 0 0 .352\nO1 O .306 0 .25", CORUNDUM, "R -3 c :H"),
                       {"Al": 12, "O": 18}),
    "screws in brackets": (cif("C1 C .1 .2 .3", (5, 6, 7, 90, 100, 90), "P2(1)/c"), {"C": 4}),
    "number alone": (cif("Cu1 Cu 0 0 0", group=None, more="_space_group_IT_number 225"),
                     {"Cu": 4}),
    "Hall symbol alone": (cif("Cu1 Cu 0 0 0", group=None,
                              more="_space_group_name_Hall '-F 4 2 3'"), {"Cu": 4}),
    "operations alone": (cif("Cs1 Cs .1 .2 .3", group=None,
                             more="loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,-z\n"),
                         {"Cs": 2}),
    "operations with decimals": (
        cif("C1 C .1 .2 .3", group=None,
            more="loop_\n_space_group_symop_operation_xyz\n'X, Y, Z'\n'-X,0.5+Y,-Z'\n"), {"C": 2}),
    "thirds of three digits": (
        cif("Mg1 Mg .333 .667 .25", (3.209, 3.209, 5.211, 90, 90, 120), "P 63/m m c"), {"Mg": 2}),
    "thirds of two digits, cut": (
        cif("Mg1 Mg .33 .66 .25", (3.209, 3.209, 5.211, 90, 90, 120), "P 63/m m c"), {"Mg": 2}),
    "thirds beside exact numbers": (
        cif("Mg1 Mg 0 0 0\nO1 O .333 .667 .22031\nH1 H .3333 .6667 .41300",
            (3.142, 3.142, 4.766, 90, 90, 120), "P -3 m 1"), {"Mg": 1, "O": 2, "H": 2}),
    "no angles": (cif("Cu1 Cu 0 0 0", CUBIC[:3], "F m -3 m"), {"Cu": 4}),
    "occupancy not said": (cif("Cu1 Cu 0 0 0 .\nZn1 Zn .5 .5 .5 1.0",
                               columns=SITES + "_atom_site_occupancy\n"), {"Cu": 1, "Zn": 1}),
    "quoted numbers": (cif("Cu1 Cu '0' \"0.0\" '0'", more="_symmetry_Int_Tables_number '1'"),
                       {"Cu": 1}),
    "uncertainties": (cif("Cu1 Cu 0.1234(5) 0.2 1.25(3)"), {"Cu": 1}),
    "a dummy": (cif("Cu1 Cu 0 0 0 .\nQ1 . .5 .5 .5 dum",
                    columns=SITES + "_atom_site_calc_flag\n"), {"Cu": 1}),
    "labels, in their case": (
        cif("Ca1 0 0 0\nO1W .5 .5 .5", columns=SITES.replace("_atom_site_type_symbol\n", "")),
        {"Ca": 1, "O": 1}),
    "labels, told by the formula": (
        cif("CA1 0 0 0\nO2 .5 .5 .5", more=formula("Ca O", 1),
            columns=SITES.replace("_atom_site_type_symbol\n", "")), {"Ca": 1, "O": 1}),
    "a tag twice, once empty": (cif("Cu1 Cu 0 0 0", more="_chemical_formula_sum ''\n"
                                    + formula("Cu", 1)), {"Cu": 1}),
    "the sum of the cell, as pymatgen writes it": (
        cif("Na1 Na 0 0 0\nCl1 Cl .5 .5 .5", group="F m -3 m",
            more="_chemical_formula_structural NaCl\n" + formula("Na4 Cl4", 4)),
        {"Na": 4, "Cl": 4}),
    "tags with points": (cif("Cu1 Cu 0 0 0", group="F m -3 m").replace("_atom_site_", "_atom_site.")
                         .replace("_cell_", "_cell."), {"Cu": 4}),
    "a magnetic crystal": (
        cif("Mn1 Mn 0 0 0", group=None, more="loop_\n_space_group_symop_magn_operation.xyz\n"
            "x,y,z,+1\n-x,-y,-z,+1\nloop_\n_space_group_symop_magn_centering.xyz\nx,y,z,+1\n"
            "x+1/2,y+1/2,z+1/2,-1\n"), {"Mn": 2}),
    "blocks without sites": ("data_global\n_publ_x 'a'\n" + cif("Cu1 Cu 0 0 0"), {"Cu": 1}),
    "line ends": (cif("Cu1 Cu 0 0 0").replace("\n", "\r\n"), {"Cu": 1}),
    "names in another encoding": (cif("Cu1 Cu 0 0 0", more="_publ_author 'M\xfcller'")
                                  .encode("latin-1"), {"Cu": 1}),
    "the mark of UTF-8": (cif("Cu1 Cu 0 0 0").encode("utf-8-sig"), {"Cu": 1}),
    "a volume": (cif("Cu1 Cu 0 0 0", more="_cell_volume 125.6(3)"), {"Cu": 1}),
    "a volume in words": (cif("Cu1 Cu 0 0 0", more="_cell_volume '125 A^3'"), {"Cu": 1}),
    "a Hall symbol against the name, told by the formula": (
        cif("Cu1 Cu 0 0 0", group="F m -3 m", more="_space_group_name_Hall '-P 4 2 3'\n"
            + formula("Cu", 1)), {"Cu": 1}),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_a_crystal_is_read_as_its_author_meant(kind: str, tmp_path: Path) -> None:
    text, expected = READ[kind]
    assert read(text, tmp_path)[0] == expected


NO_TYPES = SITES.replace("_atom_site_type_symbol\n", "")
REFUSED = {
    "hydrogens without sites": (cif("Mg1 Mg 0 0 0\nO1 O .5 .5 .5", more=formula("Mg O H2", 1)),
                                "its formula is H2OMg × 1, the sites make OMg"),
    "hydrogens without coordinates": (cif("O1 O 0 0 0\nH1 H ? ? ?"), "atom H1 has no coordinates"),
    "hydrogens counted only": (cif("O1 O 0 0 0 2",
                                   columns=SITES + "_atom_site_attached_hydrogens\n"),
                               "2 hydrogens of O1 have no coordinates"),
    "half of the operations": (cif("C1 C .1 .1 .1", more=formula("C2", 4)),
                               "its formula is C2 × 4"),
    "an atom beside a special position": (
        cif("Cs1 Cs 0 0 0\nCl1 Cl .499 .5 .5", group=None,
            more="loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,-z\n"),
        "atoms Cl1 and an image of it are 0.010 Å apart"),
    "one atom twice": (cif("Cu1 Cu 0 0 0\nCu2 Cu 0 0 .001"), "atoms Cu1 and Cu2 are 0.005 Å"),
    "two elements in one place": (cif("Cu1 Cu 0 0 0\nZn1 Zn 0 0 0"), "are 0.000 Å apart"),
    "an origin that nothing tells": (cif("Si1 Si .125 .125 .125", group="F d -3 m"),
                                     "F d -3 m:1, F d -3 m:2, which make other crystals"),
    "a setting that nothing tells": (cif("Si1 Si .1 .2 .3", (5, 6, 7, 90, 90, 90), None,
                                         "_space_group_IT_number 62"), "make other crystals"),
    "no symmetry": (cif("Si1 Si .1 .2 .3", group=None), "neither symmetry operations nor a space"),
    "a group that is none": (cif("Si1 Si 0 0 0", group="Q q q"), "'Q q q' is not known"),
    "a name against its number": (cif("Si1 Si 0 0 0", group="F m -3 m",
                                      more="_symmetry_Int_Tables_number 194"), "the file says 194"),
    "a cell against its group": (cif("Si1 Si 0 0 0", (4, 4, 5, 90, 90, 90), "P 63/m m c"),
                                 "the cell does not have the symmetry of 'P 63/m m c'"),
    "no angles where 90° are wrong": (cif("Si1 Si 0 0 0", (4, 4, 5), "P 63/m m c"),
                                      "the cell does not have the symmetry"),
    "operations that are no group": (
        cif("Si1 Si .1 .2 .3", group=None,
            more="loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\ny,z,x\n"), "some are missing"),
    "operations against the name": (
        cif("Si1 Si .1 .2 .3", group="F m -3 m",
            more="loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n"), "no formula with Z tells"),
    "an operation that is none": (
        cif("Si1 Si .1 .2 .3", more="loop_\n_symmetry_equiv_pos_as_xyz\nx,y\n"),
        "symmetry operation 'x,y'"),
    "part of a site": (cif("Cu1 Cu 0 0 0 0.5", columns=SITES + "_atom_site_occupancy\n"),
                       "occupied in part (Cu1: 0.5)"),
    "a group of disorder": (cif("Cu1 Cu 0 0 0 2", columns=SITES + "_atom_site_disorder_group\n"),
                            "disorder group 2"),
    "a group of atoms": (cif("W1 Wat 0 0 0"), "atom W1: 'Wat' is no element"),
    "a hydroxide as a site": (cif("OH1 OH 0 0 0"), "'OH' is no element"),
    "a label of two meanings": (cif("CA1 0 0 0", columns=NO_TYPES), "the elements: C or Ca"),
    "a label of none": (cif("Wat1 0 0 0", columns=NO_TYPES), "name its type"),
    "Cartesian coordinates": (cif("Cu1 Cu 0 0 0").replace("_fract_", "_Cartn_"),
                              "no fractional coordinates"),
    "a coordinate that is no number": (cif("Cu1 Cu 0 1/2 0"), "atom Cu1 is '1/2', no number"),
    "an angle that is not known": (cif("Cu1 Cu 0 0 0", (4, 4, 4, 90, 90, "?")),  # type: ignore[arg-type]
                                   "_cell_angle_gamma is not known"),
    "an angle below 0": (cif("Cu1 Cu 0 0 0", (4, 4, 4, 90, 90, -90)), "-90, no angle of a cell"),
    "angles that close no cell": (cif("Cu1 Cu 0 0 0", (4, 4, 4, 60, 60, 170)),
                                  "no cell has the angles 60°, 60°, 170°"),
    "a length below 0": (cif("Cu1 Cu 0 0 0", (-4, 4, 4, 90, 90, 90)), "-4, no length"),
    "another volume": (cif("Cu1 Cu 0 0 0", more="_cell_volume 12.5"), "a volume of 125.00 Å³"),
    "a Hall symbol against the name": (
        cif("Cu1 Cu 0 0 0", group="F m -3 m", more="_space_group_name_Hall '-P 4 2 3'"),
        "the Hall symbol '-P 4 2 3' is not of 'F m -3 m'"),
    "a number of no group": (cif("Si1 Si 0 0 0", group=None, more="_space_group_IT_number 999"),
                             "there is no space group 999"),
    "no length": (cif("Cu1 Cu 0 0 0").replace("_cell_length_c 5.0\n", ""), "_cell_length_c"),
    "a tag twice": (cif("Cu1 Cu 0 0 0", more="_cell_length_a 9"), "2 times, with different"),
    "a modulated crystal": (cif("Cu1 Cu 0 0 0", more="_cell_modulation_dimension 1"), "modulated"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_sure_is_skipped_with_the_reason(kind: str, tmp_path: Path) -> None:
    text, expected = REFUSED[kind]
    found = read(text, tmp_path)[0]
    assert isinstance(found, str)
    assert expected in found


def test_what_was_taken_for_granted_is_said(tmp_path: Path) -> None:
    told = read(cif("Cu1 Cu 0 0 0", CUBIC[:3]), tmp_path)[1]
    assert told[0] == "_cell_angle_alpha is not there and taken as 90°"
    assert read(READ["deuterium"][0], tmp_path)[1] == (
        "deuterium and tritium are taken as hydrogen",
    )
    assert read(READ["a magnetic crystal"][0], tmp_path)[1] == ("magnetic moments are not kept",)
    loose = cif(
        "Cs1 Cs 0 0 0\nCl1 Cl .49 .5000 .5", group="P m -3 m", more=formula("Cs Cl", 1)
    )  # fmt: skip
    found, warned = read(loose, tmp_path)
    assert (found, "moved to it" in warned[0]) == ({"Cs": 1, "Cl": 1}, True)


@pytest.mark.parametrize("number", range(1, 119))
def test_symbols_of_every_case_and_charge(number: int) -> None:
    symbol = chemical_symbols[number]
    for text in (symbol, symbol.upper(), symbol.lower(), f"{symbol}2+", f"{symbol.upper()}1-"):
        assert elements.of_type(text) == number


def test_formulas_in_the_ways_they_are_written() -> None:
    assert elements.read_unit("Ca(CO3)") == {20: 1, 6: 1, 8: 3}
    assert elements.read_unit("Cu(DHO)2") == {29: 1, 1: 4, 8: 2}
    assert elements.read_unit("Qq") is elements.read_unit("(") is elements.read_unit("") is None
    assert (
        elements.read_formula("H2 Mg O2") == elements.read_formula("MgO2H2") == {1: 2, 8: 2, 12: 1}
    )
    assert elements.read_formula("NA CL2") == {11: 1, 17: 2}
    assert elements.read_formula("Fe0.5 O") == {26: 0.5, 8: 1}
    assert elements.read_formula("Co") == {27: 1}
    assert elements.read_formula("C10 D2") == {6: 10, 1: 2}
    for text in ("", "Qq2", "C6 H6 (H2 O)", "n"):
        assert elements.read_formula(text) is None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    group=st.sampled_from(["P -1", "P 21/c", "P n m a", "I 41/a :2", "P m -3 m", "F d -3 m :2"]),
    site=st.tuples(*[st.integers(0, 999)] * 3),
)
def test_an_orbit_is_whole_and_its_own_image(group: str, site: tuple[int, ...]) -> None:
    """Every operation maps the atoms of a site onto themselves, however near an element it is."""
    (found,) = symmetry.groups_named(group)
    setting = symmetry._setting(group, list(found.operations()))
    error = np.full(3, 0.0005)

    def near(way: np.ndarray) -> np.ndarray:
        return (np.abs(way) <= setting.spread @ error + 1e-9).all(axis=1)

    try:
        made = symmetry.orbit(np.array(site) / 1000, setting, near)
    except symmetry.BadRecordError:
        return
    assert len(setting) % len(made) == 0
    for rotation, translation in zip(setting.rotations, setting.translations, strict=True):
        moved = made @ rotation.T + translation
        way = moved[:, None] - made[None]
        assert (np.abs(way - np.rint(way)).max(axis=2) < 1e-6).any(axis=1).all()
