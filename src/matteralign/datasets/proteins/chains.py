"""Protein chains of a file, mmCIF or PDB: sequence, backbone and atoms of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base.attempt import listening
from matteralign.datasets.base.contents import LARGEST
from matteralign.datasets.proteins.atoms import AtomTable, Entry, Polymer
from matteralign.datasets.proteins.linked import (
    Residues,
    in_order,
    joined,
    once,
    one_location,
    residues_of,
)
from matteralign.datasets.proteins.mmcif import read_block, read_entry
from matteralign.datasets.proteins.placed import (
    UnplacedError,
    by_numbers,
    by_sequence,
    of_polymer,
    stray,
)
from matteralign.datasets.proteins.residues import LETTERS, NUCLEOTIDES, WATERS, letter_of
from matteralign.store.structures import Structure

BACKBONE = ("N", "CA", "C", "O")
_ELEMENTS = (7, 6, 6, 8)
_TWENTY = frozenset(LETTERS.values())


@dataclass(frozen=True, eq=False)
class Chain:
    """A protein chain, or why it is not one that can be used.

    Attributes
    ----------
    name
        That of the chain in the file, unique there.
    entity
        Its entity, empty where the file does not say.
    made
        The structure, or the reason.
    warnings
        What a user should know of it.
    """

    name: str
    entity: str
    made: Structure | str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Placed:
    """Atoms of a chain with their places in its sequence, from 1, which has this many."""

    atoms: AtomTable
    length: int


def read_chains(path: Path, largest: int = LARGEST) -> list[Structure]:
    """Return every protein chain of an mmCIF file that has coordinates.

    Parameters
    ----------
    path
        ``.cif`` or ``.cif.gz``.
    largest
        Bytes of the largest file that is read, unpacked.

    Raises
    ------
    IntegrityError
        If the file cannot be read, or contradicts itself; the message names file and record.
    """
    found = []
    for chain in chains_of(read_entry(read_block(path, largest), path), path):
        if isinstance(chain.made, str):
            raise IntegrityError(f"{path}, chain {chain.name}: {chain.made}")
        found.append(chain.made)
    return found


def chains_of(entry: Entry, path: Path, stem: str | None = None) -> list[Chain]:
    """Return the protein chains of an entry, in the order of their first atoms.

    A chain has the residues of one polymer and no others. Its sequence is that of the file
    where there is one: one letter per residue, of the parent for a modified one, X where none
    is known. ``backbone`` is NaN where an atom was not resolved. Of alternate locations, and of
    residues that are two amino acids at once, the one of the highest summed occupancy is kept,
    the first of equals. Atoms are all those of the polymer, hydrogens and atoms of zero
    occupancy included, of the first model.

    Parameters
    ----------
    path
        The file, for `Structure.source`.
    stem
        What ids begin with; left out: the file's name up to its first dot.
    """
    stem = path.name.split(".")[0] if stem is None else stem
    found: list[Chain] = []
    taken = set(map(str, entry.atoms.chain))
    for letter in dict.fromkeys(map(str, entry.atoms.chain)):
        mine = entry.atoms.take(entry.atoms.chain == letter)
        entity, author = str(mine.entity[0]), str(mine.author[0]) or letter
        polymer = entry.polymers.get(entity)
        heard: list[str] = []
        with listening(heard):
            parts = list(_polymers(entry, mine, polymer))
        for count, placed in enumerate(parts, 1):
            name = _name(letter, count, taken)
            made = (
                placed
                if isinstance(placed, str)
                else _structure(
                    placed,
                    entry,
                    polymer,
                    f"{stem}_{name}",
                    f"{path.name}: chain {letter or name} (author's {author or 'blank'})",
                )
            )
            found.append(Chain(name, entity, made, tuple(dict.fromkeys(heard))))
    return found


def contents(entry: Entry) -> str:
    """Return what the chains of a file without protein are, for a message."""
    found: dict[str, str] = {}
    for letter in dict.fromkeys(map(str, entry.atoms.chain)):
        comps = set(map(str, entry.atoms.comp[entry.atoms.chain == letter])) - WATERS
        polymer = entry.polymers.get(str(entry.atoms.entity[entry.atoms.chain == letter][0]))
        nucleic = bool(comps & NUCLEOTIDES) and (polymer is None or not polymer.protein)
        named = "nucleic acid" if nucleic else ", ".join(sorted(comps)[:3]) or "water"
        found[letter or "(blank)"] = named
    return "; ".join(f"chain {letter} is {what}" for letter, what in list(found.items())[:3])


def _name(letter: str, count: int, taken: set[str]) -> str:
    """Return the name of a chain; a letter that is used again, or blank, gets a number."""
    name = letter if count == 1 else f"{letter}-{count}"
    if not letter:
        name = str(count)
    while name in taken and name != letter:
        count += 1
        name = f"{letter}-{count}" if letter else str(count)
    taken.add(name)
    return name


def _polymers(entry: Entry, mine: AtomTable, polymer: Polymer | None) -> Iterator[_Placed | str]:
    """Yield the polypeptides of one letter, or why one cannot be read."""
    if polymer is None:
        if not entry.complete or not str(mine.entity[0]):
            yield from _without_sequence(entry, mine)
    elif not polymer.protein:
        return
    elif mine.placed.any():
        mine = mine.take(mine.placed)
        wrong = _contradiction(mine, polymer, entry)
        yield wrong or _placed(one_location(mine), len(polymer.comps))
    else:
        yield from _with_sequence(entry, mine, polymer)


def _contradiction(atoms: AtomTable, polymer: Polymer, entry: Entry) -> str | None:
    """Return what the numbers of residues contradict in their entity's sequence."""
    comps, rows = np.unique(
        np.stack([atoms.place.astype(str), atoms.comp]), axis=1, return_index=True
    )
    for row, comp in sorted(zip(rows.tolist(), map(str, comps[1]), strict=True)):
        number, where = int(atoms.place[row]), f"atom {atoms.serial[row]}"
        if not 0 < number <= len(polymer.comps):
            return f"{where}: residue {number} of a sequence of {len(polymer.comps)}"
        letters = {letter_of(told, entry.parents) for told in polymer.comps[number - 1]} - {"X"}
        told = polymer.comps[number - 1]
        if comp not in told and letter_of(comp, entry.parents) not in letters:
            return f"{where}: residue {number} is {comp}, its entity has {' or '.join(told)} there"
    return None


def _with_sequence(entry: Entry, mine: AtomTable, polymer: Polymer) -> Iterator[_Placed | str]:
    """Place the residues of a letter in the sequence that the file gives for it."""
    residues = in_order(residues_of(mine, entry.parents))
    listed = {comp for mixed in polymer.comps for comp in mixed}
    parts: list[npt.NDArray[np.int64]] = []
    for segment in dict.fromkeys(residues.segment.tolist()):
        rows = np.flatnonzero(residues.segment == segment)
        kept = rows[_listed(residues.take(rows), listed, follows=bool(parts))]
        if len(kept):
            parts.append(kept)
    for rows in joined(parts, residues):
        yield _aligned(entry, residues.take(rows), polymer)


def _aligned(entry: Entry, part: Residues, polymer: Polymer) -> _Placed | str:
    try:
        places = by_sequence(part, polymer.comps, entry.parents, entry.numbering)
        end = stray(part, places)
    except UnplacedError as error:
        end = stray(part)
        if end is None:
            return str(error)
    if end is not None:
        return _aligned(entry, part.take(np.delete(np.arange(len(part)), end)), polymer)
    return _placed(part.atoms.at(places[part.atoms.place] + 1), len(polymer.comps))


def _listed(part: Residues, listed: set[str], follows: bool) -> npt.NDArray[np.bool_]:
    """Return which residues of a segment the sequence may have.

    Amino acids in ``ATOM`` records, and others that it lists, unless they are ligands: after
    the chain's end, or without a peptide bond one of the twenty in ``HETATM`` records.
    """
    bound = part.linked | np.concatenate([[False], part.linked[:-1]])
    inside = np.isin(part.comp, sorted(listed))
    polymeric = ~part.hetero & (part.amino | inside | bound)
    ligand = np.isin(part.comp, sorted(LETTERS)) & ~bound
    found: npt.NDArray[np.bool_] = polymeric | (part.hetero & inside & ~ligand)
    if follows and not (polymeric & bound).any():
        found[:] = False
    return found


def _without_sequence(entry: Entry, mine: AtomTable) -> Iterator[_Placed | str]:
    """Find the polypeptides of a letter, and place residues by their numbers."""
    if mine.placed.any():
        # What the file does not number as part of a polymer is a ligand.
        mine = mine.take(mine.placed)
        if (mine.place != mine.number).any():
            # Else programs copied the author's numbers, and insertion codes still count.
            mine = replace(mine, number=mine.place, insertion=np.zeros(len(mine), "U1"))
    residues = in_order(residues_of(mine, entry.parents))
    for rows in of_polymer(residues):
        part = residues.take(rows)
        try:
            places = by_numbers(part)
        except UnplacedError as error:
            yield str(error)
        else:
            yield _placed(part.atoms.at(places[part.atoms.place] + 1), int(places[-1]) + 1)


def _placed(atoms: AtomTable, length: int) -> _Placed | str:
    try:
        return _Placed(once(atoms), length)
    except IntegrityError as error:
        return str(error)


def _structure(
    placed: _Placed, entry: Entry, polymer: Polymer | None, identifier: str, source: str
) -> Structure | str:
    """Return the structure, or what of the atoms contradicts itself."""
    atoms = placed.atoms
    try:
        numbers = atoms.numbers()
    except IntegrityError as error:
        return str(error)
    backbone = np.full((placed.length, len(BACKBONE), 3), np.nan)
    for slot, (name, number) in enumerate(zip(BACKBONE, _ELEMENTS, strict=True)):
        rows = np.flatnonzero(atoms.name == name)
        for row in rows[numbers[rows] != number]:
            return (
                f"atom {atoms.serial[row]}: {name} of residue {atoms.place[row]} "
                f"{atoms.comp[row]} has the element {atoms.element[row]}"
            )
        backbone[atoms.place[rows] - 1, slot] = atoms.positions[rows]
    return Structure(
        id=identifier,
        numbers=numbers,
        positions=atoms.positions,
        sequence=_sequence(placed, entry, polymer),
        backbone=backbone,
        source=source,
    )


def _sequence(placed: _Placed, entry: Entry, polymer: Polymer | None) -> str:
    letters = ["X"] * placed.length
    if polymer is not None:
        letters = [letter_of(mixed[0], entry.parents) for mixed in polymer.comps]
    atoms = placed.atoms
    for row in np.unique(atoms.place, return_index=True)[1]:
        letters[atoms.place[row] - 1] = letter_of(str(atoms.comp[row]), entry.parents)
    if polymer is not None and polymer.letters:
        # The file's own letters have the last word where no parent is known.
        letters = [
            given if made == "X" and given in _TWENTY else made
            for made, given in zip(letters, polymer.letters, strict=True)
        ]
    return "".join(letters)
