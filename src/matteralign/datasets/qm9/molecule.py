"""A molecule of QM9, whatever container its record lay in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ase.data import atomic_numbers

from matteralign.datasets.base.card import EV
from matteralign.datasets.base.consistency import other_atoms
from matteralign.datasets.base.smiles import atoms_drawn, canonical, read_smiles, selfies_of
from matteralign.store.structures import Structure

_SCALE = EV["hartree"]


@dataclass(frozen=True)
class Record:
    """What a record says, as text.

    Attributes
    ----------
    symbols
        Element of each atom.
    coordinates
        x, y and z of each atom in Å.
    energy
        U0, the internal energy at 0 K, in hartree.
    smiles
        SMILES of GDB-17.
    source
        File and record.
    """

    symbols: Sequence[str]
    coordinates: Sequence[Sequence[str]]
    energy: str
    smiles: str
    source: str


def molecule(identifier: str, record: Record) -> Structure:
    """Return a molecule.

    Raises
    ------
    ValueError, KeyError
        If the record is none of QM9: an unknown element, no coordinates, no finite number.
    """
    numbers = np.asarray([_number(symbol) for symbol in record.symbols], np.uint8)
    positions = np.asarray([[real(x) for x in row] for row in record.coordinates], np.float64)
    if positions.shape != (len(numbers), 3) or not len(numbers):
        raise ValueError(f"{len(numbers)} elements, coordinates {positions.shape}")
    energy = real(record.energy) * _SCALE
    if not (np.isfinite(positions).all() and np.isfinite(energy)):
        raise ValueError("coordinates or energy are not finite")
    smiles = _smiles(record.smiles, numbers)
    return Structure(
        id=identifier,
        numbers=numbers,
        positions=positions,
        smiles=smiles,
        selfies=None if smiles is None else selfies_of(smiles),
        charge=0,
        spin=1,
        energy=energy,
        split="all",
        source=record.source,
    )


def _smiles(text: str, numbers: npt.NDArray[np.uint8]) -> str | None:
    """Return the canonical SMILES; None where RDKit cannot read it."""
    try:
        drawn = read_smiles(text)
    except ValueError:
        return None
    wrong = other_atoms(numbers, atoms_drawn(drawn))
    if wrong is not None:
        raise ValueError(wrong)
    return canonical(drawn)


def real(text: str) -> float:
    """Read a number; the authors' files write ``2.1997*^-6`` for 2.1997e-6.

    Raises
    ------
    ValueError
        If it is none.
    """
    return float(text.replace("*^", "e"))


def _number(symbol: str) -> int:
    found = atomic_numbers.get(symbol, 0)
    if not found:
        raise ValueError(f"unknown element {symbol!r}")
    return int(found)
