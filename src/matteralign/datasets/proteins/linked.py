"""The residues of a chain: which atoms are one, which are linked, in which order they stand."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base.attempt import RecordWarning
from matteralign.datasets.proteins.atoms import AtomTable
from matteralign.datasets.proteins.residues import UNKNOWN, is_amino_acid

_BOND = 2.0
"""C and N of linked residues are nearer, in Å: 1.33 is ideal, models are less than ideal."""

_ALPHAS = 4.4
"""So are alpha carbons where C or N was not resolved: 3.8 trans, 2.9 cis."""

_ONE = 1.0
"""Alternatives of a backbone atom are nearer, in Å."""

_BACKBONE = ("N", "CA", "C")


@dataclass(frozen=True, eq=False)
class Residues:
    """Residues in the order of the chain; arrays have shape (m,).

    Attributes
    ----------
    atoms
        One location of each atom; `place` is the index of the residue.
    comp, number, insertion, segment
        As those of `AtomTable`.
    hetero
        Whether the residue's atoms are ``HETATM``.
    amino
        Whether the component is known to be an amino acid.
    whole
        Whether N, CA and C are there and bonded as in an amino acid.
    linked
        Whether a residue has a peptide bond to the next; the last has none.
    """

    atoms: AtomTable
    comp: npt.NDArray[np.str_]
    number: npt.NDArray[np.int64]
    insertion: npt.NDArray[np.str_]
    segment: npt.NDArray[np.int64]
    hetero: npt.NDArray[np.bool_]
    amino: npt.NDArray[np.bool_]
    whole: npt.NDArray[np.bool_]
    linked: npt.NDArray[np.bool_]
    ends: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.comp)

    def name(self, index: int) -> str:
        """Return number and component of a residue, for messages."""
        return f"{self.number[index]}{self.insertion[index]} {self.comp[index]}"

    def take(self, kept: npt.NDArray[np.int64]) -> Residues:
        """Return some residues, in another order, with the links that they have there."""
        places = np.full(len(self), -1, np.int64)
        places[kept] = np.arange(len(kept))
        atoms = self.atoms.at(places[self.atoms.place]).take(places[self.atoms.place] >= 0)
        ends = self.ends[kept]
        return Residues(
            atoms.take(np.argsort(atoms.place, kind="stable")),
            self.comp[kept],
            self.number[kept],
            self.insertion[kept],
            self.segment[kept],
            self.hetero[kept],
            self.amino[kept],
            self.whole[kept],
            _linked(ends),
            ends,
        )


def residues_of(atoms: AtomTable, parents: Mapping[str, str]) -> Residues:
    """Return the residues of a chain in the order of the file."""
    group, segments = _groups(atoms)
    atoms = one_location(atoms.at(group))
    first = np.unique(atoms.place, return_index=True)[1]
    ends = _ends(atoms, len(first))
    n, alpha, c = ends[:, 0], ends[:, 1], ends[:, 2]
    with np.errstate(invalid="ignore"):
        whole = (np.linalg.norm(n - alpha, axis=1) < _BOND) & (
            np.linalg.norm(alpha - c, axis=1) < _BOND
        )
    return Residues(
        atoms=atoms,
        comp=atoms.comp[first],
        number=atoms.number[first],
        insertion=atoms.insertion[first],
        segment=segments,
        hetero=atoms.hetero[first],
        amino=_amino(atoms.comp[first], alpha, parents),
        whole=whole,
        linked=_linked(ends),
        ends=ends,
    )


def once(atoms: AtomTable) -> AtomTable:
    """Keep one of the atoms that a place has more than once: the most occupied, else the first.

    These are alternatives that the file does not letter.

    Raises
    ------
    IntegrityError
        If it is the backbone, with atoms too far from one another: these are two residues.
    """
    keys = np.char.add(np.char.add(atoms.place.astype(str), " "), atoms.name)
    _, first, inverse, counts = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    if (counts == 1).all():
        return atoms
    warnings.warn(
        "atoms are there more than once without letters of alternate locations: the most "
        "occupied of each is kept, the first of equals",
        RecordWarning,
        stacklevel=2,
    )
    kept = np.ones(len(atoms), bool)
    twice = np.flatnonzero(counts > 1)
    for key in twice[np.argsort(first[twice])]:
        rows = np.flatnonzero(inverse == key)
        name = str(atoms.name[rows[0]])
        spread = np.ptp(atoms.positions[rows], axis=0)
        if name in _BACKBONE and np.linalg.norm(spread) > _ONE:
            raise IntegrityError(
                f"residue {atoms.place[rows[0]]} has its atom {name} more than once"
            )
        kept[rows] = rows == rows[np.argmax(atoms.occupancy[rows])]
    return atoms.take(kept)


def in_order(residues: Residues) -> Residues:
    """Return the residues in the order that has more peptide bonds.

    That is the order of the file, unless the order of (number, insertion code) has more: some
    programs append residues, and some numberings run backwards.
    """
    kept = np.arange(len(residues))
    for segment in np.unique(residues.segment):
        rows = np.flatnonzero(residues.segment == segment)
        keys = zip(residues.number[rows], map(str, residues.insertion[rows]), rows, strict=True)
        turned = np.array([row for _, _, row in sorted(keys)], np.int64)
        if _linked(residues.ends[turned]).sum() > _linked(residues.ends[rows]).sum():
            kept[rows] = turned
    return residues if (kept == np.arange(len(kept))).all() else residues.take(kept)


def joined(parts: list[npt.NDArray[np.int64]], residues: Residues) -> list[npt.NDArray[np.int64]]:
    """Join parts of a letter that are one chain though the file has an end between them.

    They are one if a peptide bond connects them, or if the numbering continues after a gap: some
    programs end chains at gaps. If it continues without a gap and without a bond, or starts
    again, the letter stands for two chains.
    """
    found: list[npt.NDArray[np.int64]] = []
    for rows in parts:
        if found:
            both = residues.take(np.array([found[-1][-1], rows[0]]))
            gap = residues.number[rows].min() - residues.number[found[-1]].max() > 1
            if both.linked[0] or (gap and str(residues.atoms.chain[0])):
                found[-1] = np.concatenate([found[-1], rows])
                continue
        found.append(rows)
    return found


def one_location(atoms: AtomTable) -> AtomTable:
    """Keep one alternate location at each place: of the highest summed occupancy, else the first.

    Where a place has two amino acids, this takes one of them.
    """
    mixed = np.unique(atoms.place[atoms.alternative != ""])
    concerned = np.flatnonzero(np.isin(atoms.place, mixed))
    order = concerned[np.argsort(atoms.place[concerned], kind="stable")]
    kept = np.ones(len(atoms), bool)
    starts = np.searchsorted(atoms.place[order], mixed)
    for rows in np.split(order, starts[1:]):
        summed: dict[str, float] = {}
        for row in rows[atoms.alternative[rows] != ""]:
            key = str(atoms.alternative[row])
            summed[key] = summed.get(key, 0.0) + float(atoms.occupancy[row])
        if summed:
            best = max(summed, key=lambda key: summed[key])
            kept[rows] = np.isin(atoms.alternative[rows], ["", best])
    return atoms.take(kept)


def _groups(atoms: AtomTable) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the index of each atom's residue, and the segment of each residue.

    A residue is what shares number, insertion code and component. Components of one place are
    one residue where all their atoms are alternatives. A place that comes again, not with more
    atoms of the same residue, begins another chain of the same letter.
    """
    changed = np.ones(len(atoms), bool)
    changed[1:] = (
        (atoms.number[1:] != atoms.number[:-1])
        | (atoms.insertion[1:] != atoms.insertion[:-1])
        | (atoms.comp[1:] != atoms.comp[:-1])
        | (atoms.segment[1:] != atoms.segment[:-1])
    )
    starts = np.flatnonzero(changed)
    group = np.zeros(len(atoms), np.int64)
    segments: list[int] = []
    known: dict[tuple[int, str], list[int]] = {}
    names: list[set[tuple[str, str, str]]] = []
    open_segment, given = 0, -1
    for start, stop in zip(starts, [*starts[1:], len(atoms)], strict=True):
        if atoms.segment[start] != given:
            given = int(atoms.segment[start])
            open_segment += bool(segments)
            known = {}
        rows = range(start, stop)
        mine = {(str(atoms.comp[r]), str(atoms.name[r]), str(atoms.alternative[r])) for r in rows}
        place = int(atoms.number[start]), str(atoms.insertion[start])
        index = _joined(mine, [(i, names[i]) for i in known.get(place, [])])
        if index is None:
            if place in known and place != _place(atoms, int(start) - 1):
                open_segment += 1
                known = {}
            index = len(segments)
            segments.append(open_segment)
            names.append(set())
            known.setdefault(place, []).append(index)
        names[index] |= mine
        group[start:stop] = index
    return group, np.array(segments, np.int64)


def _place(atoms: AtomTable, row: int) -> tuple[int, str]:
    return int(atoms.number[row]), str(atoms.insertion[row])


def _joined(
    mine: set[tuple[str, str, str]], others: list[tuple[int, set[tuple[str, str, str]]]]
) -> int | None:
    """Return the residue of the same place that atoms belong to, None where they begin one."""
    for index, names in others:
        if not mine.isdisjoint(names):
            continue
        same = {comp for comp, _, _ in mine} == {comp for comp, _, _ in names}
        mixed = all(other for _, _, other in mine) and any(other for _, _, other in names)
        if same or mixed:
            return index
    return None


def _ends(atoms: AtomTable, count: int) -> npt.NDArray[np.float64]:
    """Return N, CA and C of each residue in Å, shape (count, 3, 3); NaN where one is not there."""
    ends = np.full((count, 3, 3), np.nan)
    for slot, name in enumerate(_BACKBONE):
        rows = np.flatnonzero(atoms.name == name)
        ends[atoms.place[rows], slot] = atoms.positions[rows]
    return ends


def _amino(
    comps: npt.NDArray[np.str_], alpha: npt.NDArray[np.float64], parents: Mapping[str, str]
) -> npt.NDArray[np.bool_]:
    known = np.array([is_amino_acid(str(comp), parents) for comp in comps], bool)
    # Ligands too are called UNK.
    return known & (~np.isin(comps, sorted(UNKNOWN)) | np.isfinite(alpha).all(axis=1))


def _linked(ends: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(ends), bool)
    bond = np.linalg.norm(ends[1:, 0] - ends[:-1, 2], axis=1)
    alphas = np.linalg.norm(ends[1:, 1] - ends[:-1, 1], axis=1)
    with np.errstate(invalid="ignore"):
        found[:-1] = np.where(np.isfinite(bond), bond < _BOND, alphas < _ALPHAS)
    return found
