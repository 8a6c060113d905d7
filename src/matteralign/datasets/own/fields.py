"""Fields that every format has, and checks of what a record says."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.units import kcal, kJ, mol

from matteralign.config.datasets import OwnDataset
from matteralign.core.suggest import nearest, unknown
from matteralign.datasets.base.attempt import BadRecordError, RecordWarning
from matteralign.datasets.base.card import EV
from matteralign.datasets.base.consistency import (
    lowest_multiplicity,
    other_atoms,
    too_close,
    wrong_state,
)
from matteralign.datasets.base.smiles import atoms_drawn, canonical, read_smiles, selfies_of
from matteralign.datasets.base.text import flaw, plain_number, printable
from matteralign.store.structures import Structure

if TYPE_CHECKING:
    from rdkit import Chem

# ASE's units are in eV: CODATA 2014, which differs from that of 2018 in the ninth digit.
_ENERGY = EV | {"kcal/mol": kcal / mol, "kJ/mol": kJ / mol}

MOST_ATOMS = 100_000
"""More atoms than any model takes: a broken count."""

_CELL = (0.5, 10_000.0)
"""Shortest and longest cell vector in Å that a crystal may have."""

_FAR = 1e6  # Å

# Names of files for fields, and values that say what is taken anyway.
_LIKELY: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "energy": (
        frozenset(
            {"energy", "total_energy", "dft_energy", "ref_energy", "e", "e_tot", "etot",
             "energy_dft", "potential_energy", "free_energy", "toten"}
        ),
        frozenset({"", "None"}),
    ),
    "charge": (
        frozenset({"charge", "total_charge", "net_charge", "molecular_charge", "tot_charge", "q"}),
        frozenset({"", "None", "0", "0.0"}),
    ),
    "spin": (
        frozenset({"spin", "multiplicity", "mult", "spin_multiplicity", "total_spin"}),
        frozenset({"", "None"}),
    ),
}  # fmt: skip

_LONGEST_SMILES = 10_000
"""Characters. Making a SMILES canonical takes seconds at this length, and grows with its square."""

MOST_IN_MOLECULE = 10_000
"""Atoms of a molecule whose SMILES is made, for the same reason."""


@dataclass(frozen=True)
class Fields:
    """What a record says beside its atoms; None: nothing."""

    id: str
    smiles: str | None = None
    charge: int | None = None
    spin: int | None = None
    energy: float | None = None
    split: str | None = None


def read_fields(values: Mapping[str, Any], config: OwnDataset, fallback: str) -> Fields:
    """Read the fields that the configuration maps.

    Parameters
    ----------
    values
        The record's values by the file's own names; None or an empty text: no value.
    fallback
        Its id where none is mapped.

    Raises
    ------
    BadRecordError
        If a mapped name is missing from the record, or a value is of the wrong kind.
    """
    columns = config.columns

    def value(field: str) -> Any:
        name = getattr(columns, field)
        if name is None:
            return None
        if name not in values:
            if field != "energy":
                there = map(printable, values)
                raise BadRecordError(f"columns.{field}: {unknown('name', name, there)}")
            # The rest of the record is as good without it.
            near = nearest(name, values)
            hint = "" if near is None else f"; did you mean {printable(near)!r}?"
            warnings.warn(
                f"columns.energy: there is no {name!r}, the energy is null{hint}",
                RecordWarning,
                stacklevel=1,
            )
            return None
        found = values[name]
        if found is None or str(found).strip() == "":
            return None
        wrong = flaw(str(found).strip())
        if wrong is not None:
            raise BadRecordError(f"columns.{field}: {str(found)[:80]!a} {wrong}")
        return found.item() if isinstance(found, np.generic) else found

    energy, named = value("energy"), value("id")
    if columns.id is not None and named is None:
        raise BadRecordError(f"columns.id: {columns.id!r} is empty")
    spin = _whole("spin", value("spin"))
    if spin is not None and spin < 1:
        raise BadRecordError(f"spin is {spin}; it is the multiplicity 2S+1, at least 1")
    smiles, split = value("smiles"), value("split")
    _tell_unused(values, config)
    return Fields(
        id=fallback if named is None else str(named).strip(),
        smiles=None if smiles is None else str(smiles).strip(),
        charge=_whole("charge", value("charge")),
        spin=spin,
        energy=None if energy is None else _energy(energy, config),
        split=None if split is None else str(split),
    )


def _tell_unused(values: Mapping[str, Any], config: OwnDataset) -> None:
    """Say which names look like a field that is not mapped, where that changes the structure."""
    for field, (names, same) in _LIKELY.items():
        if getattr(config.columns, field) is not None:
            continue
        for name, found in values.items():
            if name.lower() in names and str(found).strip() not in same:
                warnings.warn(
                    f"{printable(name)!r} is in the record and not used; "
                    f"`columns: {{{field}: {printable(name)}}}` maps it",
                    RecordWarning,
                    stacklevel=1,
                )


def record_id(values: Mapping[str, Any], config: OwnDataset) -> str | None:
    """Return the mapped id of a record, or None where it has none."""
    found = None if config.columns.id is None else values.get(config.columns.id)
    text = "" if found is None else str(found).strip()
    return text if text and flaw(text) is None else None


def structure_of(atoms: Atoms, fields: Fields, place: str) -> Structure:
    """Make a structure of ASE's atoms.

    Raises
    ------
    BadRecordError
        If atoms, coordinates, cell, SMILES or the multiplicity are impossible, or contradict
        each other.
    """
    numbers = np.asarray(atoms.numbers)
    positions = np.asarray(atoms.positions, np.float64)
    check_atoms(numbers, positions)
    pbc = np.asarray(atoms.pbc, bool)
    cell = np.asarray(atoms.cell, np.float64)
    check_cell(cell, pbc)
    smiles, charge = None, fields.charge or 0
    if fields.smiles is not None:
        molecule = readable(fields.smiles)
        smiles = canonical(molecule)
        wrong = other_atoms(numbers, atoms_drawn(molecule), bool(pbc.any()))
        if wrong is not None:
            raise BadRecordError(wrong)
        # A cell may hold the molecule among ions.
        if not pbc.any():
            charge = total_charge(molecule, fields)
    return finished(
        Structure(
            id=fields.id,
            numbers=numbers.astype(np.uint8),
            positions=positions,
            cell=cell if pbc.any() or cell.any() else None,
            pbc=pbc,
            smiles=smiles,
            selfies=None if smiles is None else selfies_of(smiles),
            charge=charge,
            energy=fields.energy,
            has_forces="forces" in (atoms.calc.results if atoms.calc else atoms.arrays),
            split=fields.split,
            source=place,
        ),
        fields.spin,
    )


def readable(smiles: str) -> Chem.Mol:
    """Return the molecule of a SMILES.

    Raises
    ------
    BadRecordError
        If RDKit cannot read it, it is too long, or it is not one of a certain molecule.
    """
    if len(smiles) > _LONGEST_SMILES:
        raise BadRecordError(
            f"a SMILES of {len(smiles):,} characters; up to {_LONGEST_SMILES:,} can be read"
        )
    try:
        return read_smiles(smiles)
    except ValueError as error:
        raise BadRecordError(str(error)) from error


def total_charge(molecule: Chem.Mol, fields: Fields) -> int:
    """Return the sum of formal charges, which a charge that is given must be.

    Raises
    ------
    BadRecordError
        If it is not.
    """
    formal = sum(int(atom.GetFormalCharge()) for atom in molecule.GetAtoms())
    if fields.charge is not None and fields.charge != formal:
        raise BadRecordError(f"the charge is {fields.charge}, that of its formal charges {formal}")
    return formal


def finished(structure: Structure, spin: int | None) -> Structure:
    """Return a structure with its multiplicity, after checks that every format shares.

    Parameters
    ----------
    spin
        The multiplicity that is given. None: a molecule gets the lowest that its electrons allow;
        a crystal 1, for "not stated": that of its cell is seldom known.

    Raises
    ------
    BadRecordError
        If two atoms are too close, or the electrons do not allow charge and multiplicity.
    """
    wrong = too_close(structure.positions, structure.cell, structure.pbc)
    if wrong is not None:
        raise BadRecordError(wrong)
    electrons = int(structure.numbers.astype(int).sum()) - structure.charge
    stated = lowest_multiplicity(electrons) if spin is None else spin
    wrong = wrong_state(electrons, structure.charge, stated)
    if wrong is not None:
        raise BadRecordError(wrong)
    return replace(structure, spin=1 if spin is None and structure.periodic else stated)


def wrong_count(atoms: int, most: int = MOST_ATOMS) -> str | None:
    """Return what is wrong with a number of atoms, None where nothing is."""
    if 0 < atoms <= most:
        return None
    return f"{atoms:,} atoms; from 1 to {most:,} can be read"


def check_atoms(numbers: npt.NDArray[Any], positions: npt.NDArray[np.float64]) -> None:
    """Refuse what is no arrangement of atoms.

    Raises
    ------
    BadRecordError
        If there are no atoms or too many, an element is unknown, or a coordinate is not finite.
    """
    wrong = wrong_count(len(numbers))
    if wrong is not None:
        raise BadRecordError(wrong)
    if numbers.min() < 1 or numbers.max() > 118:
        raise BadRecordError(f"atomic numbers from {numbers.min()} to {numbers.max()}")
    wild = ~(np.abs(positions) < _FAR).all(axis=1)
    if wild.any():
        atom = int(np.flatnonzero(wild)[0])
        raise BadRecordError(f"atom {atom} is at {positions[atom].tolist()} Å")


def check_cell(cell: npt.NDArray[np.float64], pbc: npt.NDArray[np.bool_]) -> None:
    """Refuse cells that no crystal has.

    Raises
    ------
    BadRecordError
        If a periodic vector is not finite, too short, too long, or in the plane of the others.
    """
    if not np.isfinite(cell).all():
        raise BadRecordError("the cell is not finite")
    vectors = cell[pbc]
    lengths = np.linalg.norm(vectors, axis=1)
    low, high = _CELL
    if ((lengths < low) | (lengths > high)).any():
        told = ", ".join(f"{length:g}" for length in lengths)
        raise BadRecordError(
            f"periodic cell vectors of {told} Å; from {low:g} to {high:g} can be read"
        )
    if len(vectors):
        unit = vectors / lengths[:, None]
        if math.sqrt(max(float(np.linalg.det(unit @ unit.T)), 0.0)) < 1e-3:
            raise BadRecordError("the periodic cell is flat")


def _energy(value: Any, config: OwnDataset) -> float:
    found = _number("energy", value) * float(_ENERGY[config.energy_unit])
    if not math.isfinite(found):
        raise BadRecordError(f"energy is {value} {config.energy_unit}, beyond all numbers in eV")
    return found


def _whole(name: str, value: Any) -> int | None:
    if value is None:
        return None
    number = _number(name, value)
    if not number.is_integer() or abs(number) > 10_000:
        raise BadRecordError(f"{name} is {value!r}, no whole number")
    return int(number)


def _number(name: str, value: Any) -> float:
    plain = isinstance(value, str) and plain_number(value)
    if not plain and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise BadRecordError(f"{name} is {value!r}, no number")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise BadRecordError(f"{name} is {number}")
    return number
