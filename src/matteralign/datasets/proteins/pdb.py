"""PDB files as entries: atoms of the first model, sequences (SEQRES), parents (MODRES)."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from biotite import InvalidFileError
from biotite.structure.io.pdb.hybrid36 import decode_hybrid36

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base.attempt import RecordWarning
from matteralign.datasets.base.contents import read_contents
from matteralign.datasets.base.text import plain_number
from matteralign.datasets.proteins.atoms import (
    AtomTable,
    Entry,
    Polymer,
    element_of,
    is_element,
    mostly_amino_acids,
)
from matteralign.datasets.proteins.residues import COMMON, LETTERS

_ATOMS = ("ATOM", "HETATM")  # a number of six digits leaves ATOM one blank
_SHORTEST = 54
"""Characters of a line that holds coordinates."""


def read_pdb(path: Path, largest: int) -> Entry:
    """Return the atoms of the first model, the sequences of chains and the named parents.

    The format is that of the wwPDB, version 3.3, with what programs make of it: hybrid-36 and
    five-digit numbers, names of four characters, chains of two, no elements, no ends of chains.

    Parameters
    ----------
    largest
        Bytes of the largest file that is read, unpacked.

    Raises
    ------
    IntegrityError
        If the file has no atoms or a number cannot be read; the message names file and line.
    """
    # Any byte is a character: columns count, and remarks are not read.
    lines = read_contents(path, largest).decode("latin-1").splitlines()
    parents = {
        line[12:15].strip(): LETTERS[line[24:27]]
        for line in reversed(lines)
        if line.startswith("MODRES") and line[24:27] in LETTERS
    }
    rows = _rows(lines, path)
    if not rows:
        raise IntegrityError(f"{path}: not readable as PDB: it has no atoms")
    polymers = {
        letter: Polymer([[comp] for comp in comps], mostly_amino_acids(comps, parents))
        for letter, comps in _sequences(lines, path).items()
    }
    return Entry(_table(rows), polymers, parents, complete=False, numbering="SEQRES")


def _sequences(lines: list[str], path: Path) -> dict[str, list[str]]:
    """Return the residues of each chain as SEQRES lists them."""
    found: dict[str, list[str]] = defaultdict(list)
    announced: dict[str, str] = {}
    for line in lines:
        if line.startswith("SEQRES"):
            letter = line[10:12].strip()
            announced.setdefault(letter, line[12:17].strip())
            found[letter] += line[19:70].split()
    for letter, comps in found.items():
        if announced[letter].isdigit() and int(announced[letter]) != len(comps):
            raise IntegrityError(
                f"{path}: SEQRES of chain {letter or '(blank)'} announces {announced[letter]} "
                f"residues and lists {len(comps)}"
            )
    return found


def _rows(lines: list[str], path: Path) -> list[tuple[Any, ...]]:
    """Return the atoms of the first model, each as the fields of `_table`."""
    wide = any(line.startswith(_ATOMS) and _is_wide(line) for line in lines)
    ended: Counter[str] = Counter()
    rows: list[tuple[Any, ...]] = []
    for number, line in enumerate(lines, 1):
        if line.startswith(_ATOMS):
            rows.append(_atom(line, f"{path}, line {number}", wide, ended))
        elif rows and line[:6].rstrip() == "TER":
            ended[rows[-1][3]] += 1
        elif rows and line[:6].rstrip() in ("MODEL", "ENDMDL", "END"):
            _say_left_out(lines[number - 1 :])
            break
    return rows


def _say_left_out(lines: list[str]) -> None:
    """Warn of atoms behind the end of a model that are in no other model."""
    after, ended = 0, False
    for line in lines:
        record = line[:6].rstrip()
        if record in ("MODEL", "ENDMDL", "END"):
            ended = record != "MODEL"
        after += ended and line.startswith(_ATOMS)
    if after:
        warnings.warn(
            f"{after} atoms after a line END or ENDMDL, in no MODEL, are not read; if they are of "
            "this structure, delete that line",
            RecordWarning,
            stacklevel=1,
        )


def _table(rows: list[tuple[Any, ...]]) -> AtomTable:
    count = len(rows)
    # A segment names a chain without a letter; alone it is the entry's code of old files.
    if len({row[3] for row in rows if not row[4]}) == 1:
        rows = [(*row[:3], row[4], *row[4:]) for row in rows]
    (
        serial, name, comp, chain, letter, number, insertion, segment, alternative, occupancy,
        hetero, element, positions,
    ) = zip(*rows, strict=True)  # fmt: skip
    return AtomTable(
        serial=np.array(serial),
        name=np.array(name),
        comp=np.array(comp),
        chain=np.array(chain),
        author=np.array(letter),
        entity=np.array(letter),
        place=np.zeros(count, np.int64),
        placed=np.zeros(count, bool),
        number=np.array(number, np.int64),
        insertion=np.array(insertion),
        segment=np.array(segment, np.int64),
        alternative=np.array(alternative),
        occupancy=np.array(occupancy),
        hetero=np.array(hetero),
        element=np.array(element),
        positions=np.array(positions),
    )


def _atom(line: str, where: str, wide: bool, ended: Counter[str]) -> tuple[Any, ...]:
    """Return the fields of an atom in the order of `_table`."""
    if len(line) < _SHORTEST:
        raise IntegrityError(f"{where}: the atom has no coordinates")
    name, comp, letter = _names(line, wide)
    chain = letter or line[72:76].strip()
    number, insertion = _number(line, where)
    element = line[76:78].strip().upper()
    occupancy = line[54:60].strip()
    return (
        line[6:11].strip() or where.rpartition(" ")[2],
        name,
        comp,
        chain,
        letter,
        number,
        insertion,
        ended[chain],
        line[16].strip(),
        _float(occupancy, where, "occupancy") if occupancy else 1.0,
        line.startswith("HETATM"),
        element if is_element(element) else element_of(line[12:16], comp),
        [
            _float(line[at : at + 8], where, axis)
            for at, axis in zip((30, 38, 46), "xyz", strict=True)
        ],
    )


def _is_wide(line: str) -> bool:
    """Return whether the column between residue and chain can be part of the chain alone."""
    return line[20:21].strip() != "" and line[17:20] in LETTERS and line[17:21] not in COMMON


def _names(line: str, wide: bool) -> tuple[str, str, str]:
    """Return names of atom and residue and the letter of the chain.

    Parameters
    ----------
    wide
        Whether the file names chains with two letters: else it names residues with four.
    """
    comp = line[17 : 20 if wide else 21].strip()
    return line[12:16].strip(), comp, line[20 if wide else 21 : 22].strip()


def _number(line: str, where: str) -> tuple[int, str]:
    """Return number and insertion code of a residue."""
    text, insertion = line[22:26], line[26].strip()
    if insertion.isdigit():
        # Five digits, the last in the column of the insertion code.
        text, insertion = line[22:27], ""
    try:
        if text.strip().lstrip("+-").isdigit():
            return int(text), insertion
        return decode_hybrid36(text.strip()), insertion
    except (ValueError, KeyError, InvalidFileError) as error:
        raise IntegrityError(f"{where}: the number of the residue is {text!r}") from error


def _float(text: str, where: str, what: str) -> float:
    found = float(text) if plain_number(text) else float("nan")
    if not np.isfinite(found):
        raise IntegrityError(f"{where}: {what} is {text.strip()!r}, no number")
    return found
