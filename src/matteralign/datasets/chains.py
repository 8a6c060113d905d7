"""Protein chains of an mmCIF file: sequence, backbone and atoms of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import IntegrityError
from matteralign.datasets.contents import LARGEST
from matteralign.datasets.mmcif import AtomTable, columns, read_atoms, read_block
from matteralign.store.structures import Structure

BACKBONE = ("N", "CA", "C", "O")

LETTERS = {
    "ALA": "A", "ARG": "R", "ASN": "N", "ASP": "D", "CYS": "C", "GLN": "Q", "GLU": "E",
    "GLY": "G", "HIS": "H", "ILE": "I", "LEU": "L", "LYS": "K", "MET": "M", "PHE": "F",
    "PRO": "P", "SER": "S", "THR": "T", "TRP": "W", "TYR": "Y", "VAL": "V",
}  # fmt: skip
"""The twenty amino acids by component."""

_TWENTY = frozenset(LETTERS.values())

_LONGEST = 100_000
"""More residues than any protein has: a broken numbering."""


def read_chains(path: Path, largest: int = LARGEST) -> list[Structure]:
    """Return every protein chain of an mmCIF file that has coordinates.

    Chains are those of ``label_asym_id``, which has one polymer each and leaves waters and
    ligands out; ids are entry and chain, ``1ABC_A``. A chain has the whole sequence of its
    entity: one letter per residue, of the parent where the file names one for a modified
    residue, X otherwise. ``backbone`` is NaN where an atom was not resolved. Of alternate
    locations, and of residues that are two amino acids at once, the one of the highest summed
    occupancy is kept, the first of equals. Atoms are all those deposited, hydrogens and atoms
    of zero occupancy included, of the first model.

    A file that does not list its entities' sequences, as programs write it, gives the
    residues between the first and the last that it has coordinates of, X where it has none.

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
    return chains_of(read_block(path, largest), path)


def chains_of(block: Any, path: Path) -> list[Structure]:
    """Return the chains of a data block, as `read_chains` does; `path` is for messages."""
    atoms = read_atoms(block, path)
    letters = _letters(block, path)
    monomers = _monomers(block, path)
    proteins = _proteins(block, monomers, letters, path)
    entry = columns(block, "entry", path).get("id", np.array([path.name.split(".")[0]]))
    found = []
    for chain in dict.fromkeys(map(str, atoms.chain)):
        mine, where = atoms.take(atoms.chain == chain), f"{path}, chain {chain}"
        entity = str(mine.entity[0])
        if monomers:
            mine = mine.take((mine.residue > 0) & (entity in proteins))
            _check(mine, monomers.get(entity, []), where)
            sequence = list(proteins.get(entity, []))
        else:
            mine = _without_sequence(mine, where)
            sequence = ["X"] * int(mine.residue.max(initial=0))
        if len(mine) == 0:
            continue
        mine = _one_location(mine)
        for row in np.unique(mine.residue, return_index=True)[1]:
            place = mine.residue[row] - 1
            sequence[place] = letters.get(str(mine.comp[row]), sequence[place])
        found.append(
            Structure(
                id=f"{str(entry[0]).upper()}_{chain}",
                numbers=mine.numbers(path),
                positions=mine.positions,
                sequence="".join(sequence),
                backbone=_backbone(mine, len(sequence), where),
                source=f"{path.name}: chain {chain} (author's {mine.author[0] or chain})",
            )
        )
    return found


def _monomers(block: Any, path: Path) -> dict[str, list[list[str]]]:
    """Return the components at each place of each entity's sequence, more than one if mixed."""
    table = columns(block, "entity_poly_seq", path)
    if not table:
        return {}
    for name in ("entity_id", "num", "mon_id"):
        if name not in table:
            raise IntegrityError(f"{path}: _entity_poly_seq has no {name}")
    made: dict[str, list[list[str]]] = {}
    for entity, number, comp in zip(table["entity_id"], table["num"], table["mon_id"], strict=True):
        sequence = made.setdefault(str(entity), [])
        if str(number) == str(len(sequence) + 1):
            sequence.append([str(comp)])
        elif sequence and str(number) == str(len(sequence)):
            sequence[-1].append(str(comp))
        else:
            raise IntegrityError(
                f"{path}: _entity_poly_seq of entity {entity} has residue {number} after "
                f"{len(sequence)}"
            )
    return made


def _proteins(
    block: Any,
    monomers: Mapping[str, Sequence[Sequence[str]]],
    letters: Mapping[str, str],
    path: Path,
) -> dict[str, list[str]]:
    """Return the letters of every entity that is a polypeptide.

    Where a component has no parent in the file, the file's canonical one-letter sequence has
    the last word, if it has one letter for each residue.
    """
    if not monomers:
        return {}
    table = columns(block, "entity_poly", path)
    if "entity_id" not in table or "type" not in table:
        raise IntegrityError(f"{path}: sequences without _entity_poly to say of which polymers")
    rows = len(table["entity_id"])
    canonical = table.get("pdbx_seq_one_letter_code_can", np.zeros(rows, "U1"))
    found = {}
    for entity, kind, given in zip(table["entity_id"], table["type"], canonical, strict=True):
        if "polypeptide" not in str(kind) or str(entity) not in monomers:
            continue
        made = [letters.get(comps[0], "X") for comps in monomers[str(entity)]]
        one = "".join(str(given).split())
        if len(one) == len(made):
            made = [o if m == "X" and o in _TWENTY else m for m, o in zip(made, one, strict=True)]
        found[str(entity)] = made
    return found


def _letters(block: Any, path: Path) -> dict[str, str]:
    """Return the letter of each amino acid, and of each modified one whose parent is named."""
    found = dict(LETTERS)
    for category, comp, parent in (
        ("chem_comp", "id", "mon_nstd_parent_comp_id"),
        ("pdbx_struct_mod_residue", "label_comp_id", "parent_comp_id"),
    ):
        table = columns(block, category, path)
        if comp in table and parent in table:
            for name, of in zip(table[comp], table[parent], strict=True):
                if str(of) in LETTERS:
                    found.setdefault(str(name), LETTERS[str(of)])
    return found


def _check(atoms: AtomTable, sequence: Sequence[Sequence[str]], where: str) -> None:
    for row in np.unique(atoms.residue, return_index=True)[1]:
        number, comp = int(atoms.residue[row]), str(atoms.comp[row])
        if number > len(sequence):
            raise IntegrityError(
                f"{where}, atom {atoms.serial[row]}: residue {number} of a sequence of "
                f"{len(sequence)}"
            )
        if comp not in sequence[number - 1]:
            raise IntegrityError(
                f"{where}, atom {atoms.serial[row]}: residue {number} is {comp}, its entity has "
                f"{' or '.join(sequence[number - 1])} there"
            )


def _without_sequence(atoms: AtomTable, where: str) -> AtomTable:
    """Keep a chain's amino acids and number them from 1."""
    numbers = atoms.residue
    if not (numbers > 0).any():
        places = {place: i for i, place in enumerate(dict.fromkeys(map(str, atoms.place)), 1)}
        numbers = np.array([places[str(place)] for place in atoms.place], np.int64)
    alpha = set(numbers[atoms.name == "CA"]) & set(numbers[(atoms.name == "C")])
    amino = np.isin(numbers, sorted(alpha)) | np.isin(atoms.comp, sorted(LETTERS))
    amino &= numbers > 0
    if not np.isin(atoms.comp[amino], sorted(LETTERS)).any():
        return atoms.take(np.zeros(len(atoms), bool))
    kept, numbers = atoms.take(amino), numbers[amino]
    numbers = numbers - numbers.min() + 1
    if numbers.max() > _LONGEST:
        raise IntegrityError(f"{where}: residues are numbered over a range of {numbers.max()}")
    fields = vars(kept) | {"residue": numbers}
    return AtomTable(**fields)


def _one_location(atoms: AtomTable) -> AtomTable:
    """Keep one alternate location of each residue."""
    kept = np.ones(len(atoms), bool)
    for number in np.unique(atoms.residue[atoms.alternative != ""]):
        rows = np.flatnonzero(atoms.residue == number)
        summed: dict[str, float] = {}
        for row in rows[atoms.alternative[rows] != ""]:
            key = str(atoms.alternative[row])
            summed[key] = summed.get(key, 0.0) + float(atoms.occupancy[row])
        best = max(summed, key=lambda key: summed[key])
        kept[rows] = np.isin(atoms.alternative[rows], ["", best])
    return atoms.take(kept)


def _backbone(atoms: AtomTable, length: int, where: str) -> npt.NDArray[np.float64]:
    made = np.full((length, 4, 3), np.nan)
    for slot, name in enumerate(BACKBONE):
        rows = np.flatnonzero(atoms.name == name)
        places, counts = np.unique(atoms.residue[rows], return_counts=True)
        if (counts > 1).any():
            raise IntegrityError(
                f"{where}: residue {places[counts > 1][0]} has its atom {name} more than once"
            )
        made[atoms.residue[rows] - 1, slot] = atoms.positions[rows]
    return made
