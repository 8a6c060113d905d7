"""Neighbour lists of one embedding, prepared once for every pair it is part of.

A list is longer than the k of a metric: when a block of rows is left out, or rows that
the other embedding lacks, the next entries move up. Which entries count is kept per entry
as a mask of 16 bits, one for each block left out, so that a pair needs one look at each
shared entry for the score and all its replicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import BoolArray, FloatArray, IndexArray, LongArray
from matteralign.metrics.embedding.exact_loops import search_row
from matteralign.metrics.embedding.ties import Labels
from matteralign.metrics.local import list_loops as loops
from matteralign.stats.blocks import BLOCKS, block_of
from matteralign.stats.pairing import PairingMoments
from matteralign.stats.third import LEAST_ROWS_OF_THIRD, Sums, thirds_of_edges

MaskArray = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class LocalLists:
    """Neighbour lists of one embedding.

    Attributes
    ----------
    index : ndarray of int32, shape (n, L)
        Neighbours by global row, nearest first; -1 after the last and in absent rows.
    reverse : ndarray of int32, shape (n, L)
        Place of row i in the list of index[i, p]; kernels.lists.ABSENT where it has none.
    valid : ndarray of bool, shape (n,)
        Rows of the embedding; lists hold no others.
    rows : int
        How many.
    row_block : ndarray of int16, shape (n,)
        Block of every row.
    left : ndarray of int64, shape (B,)
        Rows left without each block; empty where there is no jackknife.
    kept : mapping of int to ndarray of uint16, shape (n, L)
        Per k: bit b is set where the entry is among the first k without block b.
    mutual : mapping of int to ndarray of uint16, shape (n, L)
        The same for an entry and its reverse together.
    short : mapping of int to float
        Per k: share of (row, block left out) whose list ran out before k entries.
    moments : dict
        Sums of the matrix of ones at the first k entries, filled when first asked for.
    """

    index: IndexArray
    reverse: IndexArray
    valid: BoolArray
    rows: int
    row_block: npt.NDArray[np.int16]
    left: LongArray
    kept: dict[int, MaskArray] = field(repr=False)
    mutual: dict[int, MaskArray] = field(repr=False)
    short: dict[int, float]
    moments: dict[int, PairingMoments] = field(default_factory=dict, repr=False, compare=False)

    @property
    def n(self) -> int:
        """Rows of the sample set."""
        return int(self.index.shape[0])

    @property
    def length(self) -> int:
        """Entries of a list."""
        return int(self.index.shape[1])

    @property
    def jackknifed(self) -> bool:
        """Whether blocks are left out."""
        return len(self.left) > 0


def local_lists(
    index: Annotated[IndexArray, "n L"],
    ks: Sequence[int],
    *,
    valid: Annotated[BoolArray, "n"] | None = None,
    jackknife: bool = False,
) -> LocalLists:
    """Prepare the lists of one embedding.

    Parameters
    ----------
    index : ndarray of int32, shape (n, L)
        Neighbours by global row, nearest first, -1 for none (at the end of a list only).
    ks : sequence of int
        List lengths of the metrics to come.
    valid : ndarray of bool, shape (n,), optional
        Rows that the embedding has; default all.
    jackknife : bool
        Prepare the replicates too; without effect on fewer rows than a jackknife needs.

    Notes
    -----
    O(n L) for the reverse places, O(16 n L) per k for the jackknife.
    """
    n = len(index)
    index = np.ascontiguousarray(index, dtype=np.int32)
    rows = np.ones(n, np.bool_) if valid is None else np.ascontiguousarray(valid, dtype=np.bool_)
    row_block = block_of(n)
    count = int(row_block.max()) + 1 if n else 1
    left = np.empty(0, np.int64)
    kept: dict[int, MaskArray] = {}
    mutual: dict[int, MaskArray] = {}
    short: dict[int, float] = {}
    reverse = loops.reverse_places(index)
    total = int(rows.sum())
    if jackknife and count == BLOCKS:
        left = total - np.bincount(row_block[rows], minlength=count)
        for k in ks:
            kept[k], missing = loops.kept(index, rows, row_block, left, k)
            mutual[k] = loops.mutual(kept[k], index, reverse)
            short[k] = missing / max(1, int(left.sum()))
    return LocalLists(index, reverse, rows, total, row_block, left, kept, mutual, short)


@dataclass(frozen=True)
class Restricted:
    """Lists without the rows outside a set.

    Attributes
    ----------
    index : ndarray of int32, shape (n, L)
    place : ndarray of int32, shape (n, L)
        Place of each entry in the list it came from, -1 for none. Rows whose list is
        replaced by a new one must be set to -1.
    short : ndarray of int64
        Rows of the set with fewer than min(k, rows of the set - 1) entries left.
    common : ndarray of bool, shape (n,)
        The set.
    """

    index: IndexArray
    place: IndexArray
    short: LongArray
    common: BoolArray

    def replace(self, rows: npt.NDArray[np.integer], index: IndexArray) -> None:
        """Put newly computed lists, shape (len(rows), <= L), into `rows`."""
        self.place[rows] = -1
        self.index[rows] = -1
        self.index[rows, : index.shape[1]] = index


def restrict(
    index: Annotated[IndexArray, "n L"], common: Annotated[BoolArray, "n"], k: int
) -> Restricted:
    """Return lists that hold only rows of `common`, in the order they had.

    Parameters
    ----------
    index : ndarray of int32, shape (n, L)
    common : ndarray of bool, shape (n,)
    k : int
        Entries that the metric reads.
    """
    common = np.ascontiguousarray(common, dtype=np.bool_)
    kept, place, counts = loops.restrict(index, common)
    wanted = min(k, int(common.sum()) - 1)
    return Restricted(kept, place, np.flatnonzero(common & (counts < wanted)), common)


def refill(
    part: Restricted,
    kind: int,
    x: Annotated[npt.NDArray[Any], "m d"],
    labels: Annotated[Labels, "m"],
) -> Annotated[FloatArray, "short L"]:
    """Find the lists again that are too short; return their scores, shape (short rows, <= L).

    Parameters
    ----------
    part : Restricted
    kind : int
        `exact_loops.EUCLID` or `INNER`.
    x : ndarray, shape (m, d)
        The rows of the set.
    labels : ndarray of uint64, shape (m,)
        Theirs, see `tie_labels`.
    """
    rows = np.flatnonzero(part.common)
    wanted = min(part.index.shape[1], len(rows) - 1)
    found = np.full((len(part.short), wanted), -1, np.int32)
    scores = np.full(found.shape, np.inf)
    places = np.searchsorted(rows, part.short)
    for line, score, place in zip(found, scores, places.tolist(), strict=True):
        search_row(x, labels, kind, place, len(x), line, score)
    part.replace(part.short, rows[found].astype(np.int32))
    return scores


def list_moments(
    lists: LocalLists,
    k: int,
    values: Annotated[FloatArray, "n L"] | None = None,
    *,
    reciprocal: bool = False,
) -> PairingMoments:
    """Return the sums of the sparse matrix of the first `k` entries of every list.

    Parameters
    ----------
    lists : LocalLists
    k : int
    values : ndarray of float64, shape (n, L), optional
        Elements at the entries; default 1. They must be symmetric: the element at (i, j)
        equals that at (j, i) where both are listed.
    reciprocal : bool
        Take only entries whose reverse is among the first k too.
    """
    ones = np.ones((1, 1)) if values is None else values
    sums = loops.moments(lists.index, lists.reverse, ones, values is None, k, reciprocal)
    third: Sums = ()
    if lists.rows >= LEAST_ROWS_OF_THIRD:
        near = lists.index[:, :k]
        held = (near >= 0) & (lists.reverse[:, :k] < k) if reciprocal else near >= 0
        rows, places = np.nonzero(held)
        number = np.cumsum(lists.valid) - 1
        elements = np.ones(len(rows)) if values is None else values[rows, places]
        third = thirds_of_edges(lists.rows, number[rows], number[near[rows, places]], elements)
    return replace(PairingMoments(*sums), third=third)
