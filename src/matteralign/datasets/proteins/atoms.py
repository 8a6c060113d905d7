"""Atoms and polymers of one file, whatever its format: what protein chains are built from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from ase.data import atomic_numbers

from matteralign.core.errors import IntegrityError
from matteralign.datasets.proteins.residues import COMMON, NUCLEOTIDES, is_amino_acid

Text = npt.NDArray[np.str_]

# Heavy hydrogen has the chemistry of hydrogen.
_NUMBERS = {symbol.upper(): z for symbol, z in atomic_numbers.items() if z} | {"D": 1, "T": 1}
_LONE = frozenset("HDCNOSPFIB")
_PAIRS = frozenset({"SE", "CL", "BR"})


@dataclass(frozen=True, eq=False)
class AtomTable:
    """Atoms of the first model as the file lists them; every array has shape (n,) or (n, 3).

    Attributes
    ----------
    serial
        Name of the atom in messages.
    name, comp
        Atom and component (residue).
    chain
        ``label_asym_id``, or the letter of a PDB file; where there is none, what names the chain
        instead (`auth_asym_id`, the segment), empty where nothing does.
    author
        ``auth_asym_id``, or the letter.
    entity
        Key of the chain's polymer in `Entry.polymers`; empty where the file does not say.
    place
        Number of the residue in its polymer's sequence, from 1, as the file states it; what it
        holds where `placed` is False has no meaning.
    placed
        Whether the file states `place`.
    number, insertion
        Number of the residue by the author, with the insertion code.
    segment
        How many ends of chains (``TER``) of the same letter come before.
    alternative
        Alternate location; empty where the atom has one location.
    occupancy
        1 where the file gives none.
    hetero
        Whether the record is ``HETATM``.
    element
        Upper-case symbol, empty where neither the file nor the atom's name tells it.
    positions
        In Å, float64.
    """

    serial: Text
    name: Text
    comp: Text
    chain: Text
    author: Text
    entity: Text
    place: npt.NDArray[np.int64]
    placed: npt.NDArray[np.bool_]
    number: npt.NDArray[np.int64]
    insertion: Text
    segment: npt.NDArray[np.int64]
    alternative: Text
    occupancy: npt.NDArray[np.float64]
    hetero: npt.NDArray[np.bool_]
    element: Text
    positions: npt.NDArray[np.float64]

    def take(self, rows: npt.NDArray[Any]) -> AtomTable:
        """Return some of the atoms, by mask or index."""
        return AtomTable(**{name: values[rows] for name, values in vars(self).items()})

    def at(self, places: npt.NDArray[np.int64]) -> AtomTable:
        """Return the atoms with other places, shape (n,), all of them stated."""
        return replace(self, place=places, placed=np.ones(len(self), bool))

    def __len__(self) -> int:
        return len(self.serial)

    def numbers(self) -> npt.NDArray[np.uint8]:
        """Return atomic numbers.

        Raises
        ------
        IntegrityError
            If an element is unknown; the message names the atom.
        """
        symbols, rows, inverse = np.unique(self.element, return_index=True, return_inverse=True)
        for symbol, row in zip(symbols, rows, strict=True):
            if str(symbol) not in _NUMBERS:
                raise IntegrityError(
                    f"atom {self.serial[row]} ({self.name[row]} of {self.comp[row]}): "
                    + (f"{str(symbol)!r} is no element" if symbol else "its element is not known")
                )
        return np.array([_NUMBERS[str(symbol)] for symbol in symbols], np.uint8)[inverse]


@dataclass(frozen=True)
class Polymer:
    """What a file says of the sequence of an entity.

    Attributes
    ----------
    comps
        Components at each place, more than one where the chain is mixed there.
    protein
        Whether it is a polypeptide.
    letters
        One letter for each place where the file gives them; empty: not given.
    """

    comps: Sequence[Sequence[str]]
    protein: bool
    letters: str = ""


@dataclass(frozen=True, eq=False)
class Entry:
    """One file.

    Attributes
    ----------
    atoms
        Of the first model.
    polymers
        Sequences by `AtomTable.entity`.
    parents
        Letter of each component for which the file names a parent.
    complete
        Whether an entity that is not in `polymers` is no polymer.
    numbering
        Where messages say that the sequence stands.
    """

    atoms: AtomTable
    polymers: Mapping[str, Polymer]
    parents: Mapping[str, str]
    complete: bool
    numbering: str


def mostly_amino_acids(comps: Sequence[str], parents: Mapping[str, str]) -> bool:
    """Return whether a sequence is that of a polypeptide, where the file does not say."""
    amino = sum(is_amino_acid(comp, parents) for comp in comps)
    return amino > sum(comp in NUCLEOTIDES for comp in comps)


def is_element(symbol: str) -> bool:
    """Return whether a symbol in capitals is that of an element."""
    return symbol in _NUMBERS


def element_of(name: str, comp: str) -> str:
    """Return the element that an atom's name tells, upper case; empty where it is not certain.

    Parameters
    ----------
    name
        As a PDB file has it, in four columns, the element right-justified in the first two:
        ``" CA "`` is carbon, ``"CA  "`` calcium. Other than four columns: as mmCIF has it.
    """
    letters = re.sub(r"^[0-9*'\"]+", "", name.strip().upper())
    if comp in COMMON:
        # Programs differ in columns; what amino acids are made of needs none.
        return letters[:2] if letters[:2] in _PAIRS else letters[:1] * (letters[:1] in _LONE)
    padded = len(name) == 4
    if padded and name[0] not in " 0123456789" and letters[:2] in _NUMBERS:
        # Four characters leave a hydrogen no column for its blank.
        hydrogen = name[3] != " " and letters[0] in "HD"
        return letters[0] if hydrogen else letters[:2]
    return letters[:1] if (letters[:1] in _NUMBERS if padded else letters[:1] in _LONE) else ""
