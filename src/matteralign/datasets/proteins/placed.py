"""Places of residues in their chain's sequence: by the sequence of the file, else by numbers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from matteralign.datasets.base.attempt import RecordWarning
from matteralign.datasets.proteins.linked import Residues, joined
from matteralign.datasets.proteins.residues import letter_of

Places = npt.NDArray[np.int64]

LONGEST = 100_000
"""More residues than any protein has: a broken numbering."""

_BROKEN, _MISCOUNTED, _SHIFTED = 100, 10, 1  # what a placement costs
_ALONE = "a single amino acid beyond a gap at an end of the chain was left out"
_WORST = 1 << 40
_LARGEST = 1 << 28  # residues times places


class UnplacedError(ValueError):
    """Residues that fit no sequence, or none that can be; the message says which."""


def by_sequence(
    residues: Residues, sequence: Sequence[Sequence[str]], parents: Mapping[str, str], told: str
) -> Places:
    """Return the place of each residue in a sequence, from 0, ascending.

    A residue stands where the sequence has its component, or one of the same letter. Of all
    such placements the best one breaks the fewest peptide bonds, then disagrees with the fewest
    gaps of the numbering, then begins where the number of the first residue says, then stands
    foremost.

    Parameters
    ----------
    told
        Where the sequence is in the file.

    Raises
    ------
    UnplacedError
        If there is none.
    """
    count, length = len(residues), len(sequence)
    if count * length > _LARGEST:
        raise UnplacedError(f"{count} residues and a sequence of {length} are too many to align")
    fits = _fits(residues, sequence, parents)
    index = np.arange(length)
    cost = np.where(index == residues.number[0] - 1, 0, _SHIFTED)
    cost = np.where(fits[0], cost, _WORST)
    before = np.zeros((count, length), np.int32)
    for row in range(1, count):
        _check(cost, residues, row - 1, told)
        least = np.minimum.accumulate(cost)
        # The foremost of equals.
        newest = np.maximum.accumulate(np.where(np.diff(least, prepend=_WORST + 1) < 0, index, 0))
        best = np.concatenate([[_WORST], least[:-1]])
        source = np.concatenate([[0], newest[:-1]])
        linked = bool(residues.linked[row - 1])
        best = best + (_BROKEN if linked else _MISCOUNTED)
        gap = 0 if linked else _gap(residues, row - 1)
        if gap is not None and gap + 1 < length:
            step = gap + 1
            near = np.concatenate([np.full(step, _WORST), cost[:-step]])
            source = np.where(near <= best, index - step, source)
            best = np.minimum(best, near)
        cost = np.where(fits[row], np.minimum(best, _WORST), _WORST)
        before[row] = source
    _check(cost, residues, count - 1, told)
    places = np.zeros(count, np.int64)
    places[-1] = int(np.argmin(cost))
    for row in range(count - 1, 0, -1):
        places[row - 1] = before[row, places[row]]
    return places


def stray(residues: Residues, places: Places | None = None) -> int | None:
    """Return a residue at either end that is rather a ligand than of the chain; None: none is.

    It has no peptide bond to the rest, which has bonds, its number is not next to the rest's, and
    the places, where given, skip others than the numbers do.
    """
    last = len(residues) - 1
    if not residues.linked.any():
        return None
    for row, index in ((last - 1, last), (0, 0)):
        gap = _gap(residues, row)
        told = gap is not None and places is not None and places[row + 1] - places[row] - 1 == gap
        if not residues.linked[row] and gap != 0 and not told:
            _say(_ALONE)
            return index
    return None


def by_numbers(residues: Residues) -> Places:
    """Return the place of each residue from the numbering, from 0, with room for what is missing.

    Between two residues as many are missing as numbers are. Where the chain has insertion
    codes, its numbering is that of a family and skips numbers: linked residues are then
    neighbours. So are they about the number 0, which many leave out.

    Raises
    ------
    UnplacedError
        If the numbers span more than any protein has.
    """
    coded = bool((residues.insertion != "").any())
    places = np.zeros(len(residues), np.int64)
    said: list[bool] = []
    for row in range(1, len(residues)):
        gap = _gap(residues, row - 1) or 0
        around_zero = residues.number[row - 1] < 0 < residues.number[row]
        if residues.linked[row - 1] and (coded or (around_zero and gap == 1)):
            gap = 0
        if gap:
            said.append(bool(residues.linked[row - 1]))
        places[row] = places[row - 1] + 1 + gap
    if len(places) and places[-1] >= LONGEST:
        raise UnplacedError(f"residues are numbered over a range of {places[-1] + 1:,}")
    if said:
        _say("the file has no sequence of the chain: the numbers that are skipped are X")
    if any(said):
        _say("residues that have a peptide bond skip numbers: the numbers are believed")
    return places


def of_polymer(residues: Residues) -> list[npt.NDArray[np.int64]]:
    """Return the residues of each polypeptide among those of one letter, first to last.

    Without a sequence in the file, these are of a polymer: amino acids in ``ATOM`` records;
    other residues that have a peptide bond to them, or stand between them in file and
    numbering. These are not: what comes after the chain's end (``TER``) without peptide bonds
    of its own, ``HETATM`` residues beside the chain, and a single residue beyond a gap at either
    end.
    """
    found: list[npt.NDArray[np.int64]] = []
    for segment in dict.fromkeys(residues.segment.tolist()):
        rows = np.flatnonzero((residues.segment == segment) & (residues.amino | residues.whole))
        kept = _members(residues.take(rows), follows=bool(found))
        if len(kept):
            found.append(rows[kept])
    return joined(found, residues)


def _members(part: Residues, follows: bool) -> npt.NDArray[np.int64]:
    """Return which residues of a segment are of its polymer.

    Parameters
    ----------
    follows
        Whether the letter has a polymer already.
    """
    count = len(part)
    none = np.zeros(0, np.int64)
    sure = part.amino & ~part.hetero
    begins = np.flatnonzero(~np.concatenate([[False], part.linked[:-1]])) if count else none
    runs = [run for run in np.split(np.arange(count), begins[1:]) if len(run)]
    if follows and not any(len(run) > 1 and sure[run].any() for run in runs):
        return none
    if not sure.any():
        # A chain of modified amino acids alone is one if it is linked.
        runs = [run for run in runs if len(run) > 1]
        return np.concatenate(runs) if runs and part.amino.any() else none
    first, last = np.flatnonzero(sure)[[0, -1]]
    kept = []
    for run in runs:
        inner = first < run[0] and run[-1] < last
        between = inner and _gap(part, run[0] - 1) is not None and _gap(part, run[-1]) is not None
        if sure[run].any() or (between and part.amino[run].all()):
            kept.append(run)
    if any(len(run) > 1 for run in kept):
        if len(kept[-1]) == 1 and not _next(part, kept[-2][-1], kept[-1][0]):
            del kept[-1]
            _say(_ALONE)
        if len(kept[0]) == 1 and not _next(part, kept[0][0], kept[1][0]):
            del kept[0]
            _say(_ALONE)
    return np.concatenate(kept)


def _say(text: str) -> None:
    warnings.warn(text, RecordWarning, stacklevel=3)


def _next(part: Residues, row: int, other: int) -> bool:
    """Return whether two residues are neighbours by their numbers."""
    return _gap(part.take(np.array([row, other])), 0) == 0


def _gap(residues: Residues, row: int) -> int | None:
    """Return how many numbers are skipped after a residue; None: the next has no higher one."""
    step = int(residues.number[row + 1]) - int(residues.number[row])
    if step == 0:
        return 0 if residues.insertion[row + 1] != residues.insertion[row] else None
    return step - 1 if step > 0 else None


def _fits(
    residues: Residues, sequence: Sequence[Sequence[str]], parents: Mapping[str, str]
) -> npt.NDArray[np.bool_]:
    """Return which residue may stand at which place, shape (residues, places)."""
    comps, inverse = np.unique(residues.comp, return_inverse=True)
    table = np.zeros((len(comps), len(sequence)), bool)
    for row, comp in enumerate(map(str, comps)):
        letter = letter_of(comp, parents)
        table[row] = [
            comp in mixed or (letter != "X" and letter in {letter_of(m, parents) for m in mixed})
            for mixed in sequence
        ]
    found: npt.NDArray[np.bool_] = table[inverse]
    return found


def _check(cost: npt.NDArray[np.int64], residues: Residues, row: int, told: str) -> None:
    if cost.min(initial=_WORST) >= _WORST:
        raise UnplacedError(f"residue {residues.name(row)} has no place in the chain's {told}")
