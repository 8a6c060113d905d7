"""One pass over row blocks that gathers the sums of all global metrics for all members.

A block of rows is complete (all its distances are there), so its row means are exact and
are removed at once; the column means follow from symmetry after the pass:
<A_cc, B_cc> = <A_r, B_r> - n sum_j (a_j - a)(b_j - b), where A_r is A without its row
means a_j and A_cc is doubly centred. No distance is computed twice and none is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from matteralign.metrics.blocks import (
    DEFAULT_MEMORY_BYTES,
    inner_products,
    row_blocks,
    squared_distances,
)
from matteralign.metrics.inputs import FloatArray


@dataclass(frozen=True)
class GramSums:
    """Sums over one kind of symmetric n x n matrix with zero diagonal, for M members.

    Attributes
    ----------
    n : int
    gram : ndarray, shape (M, M)
        Products of the row-centred matrices, summed over all entries.
    row_means : ndarray, shape (M, n)
        Row sums divided by n.
    diagonal : ndarray, shape (M, n)
        The diagonal that was set to zero.
    """

    n: int
    gram: FloatArray
    row_means: FloatArray
    diagonal: FloatArray

    def _spread(self, a: int, b: int) -> float:
        da = self.row_means[a] - self.row_means[a].mean()
        db = self.row_means[b] - self.row_means[b].mean()
        return float(np.dot(da, db))

    def total(self, a: int, b: int) -> float:
        """Sum over all entries of the product of the two matrices, diagonal included."""
        own = float(np.dot(self.row_means[a], self.row_means[b]))
        diagonal = float(np.dot(self.diagonal[a], self.diagonal[b]))
        return float(self.gram[a, b]) + self.n * own + diagonal

    def centred(self, a: int, b: int) -> float:
        """Sum of the product of the two doubly centred zero-diagonal matrices."""
        return float(self.gram[a, b]) - self.n * self._spread(a, b)

    def u_centred(self, a: int, b: int) -> float:
        """Unbiased counterpart of `centred`, per pair of rows; needs n >= 4."""
        n = self.n
        spread = self._spread(a, b)
        means = float(self.row_means[a].mean() * self.row_means[b].mean())
        total = float(self.gram[a, b]) + n * spread - means * n * n / (n - 1)
        return (total - 2.0 * n * n * spread / (n - 2)) / (n * (n - 3))


@dataclass(frozen=True)
class GlobalSums:
    """What one pass gathered; entries are None or empty where not asked for.

    Attributes
    ----------
    distances, kernels : GramSums or None
        For Euclidean distances and for linear kernels of mean-centred rows.
    rank_sums : dict of int to ndarray of int64, shape (M, M)
        Per k, entry (a, b) is the sum over rows of the ranks in b of the k nearest
        neighbours in a, ranks counted from 1.
    """

    distances: GramSums | None
    kernels: GramSums | None
    rank_sums: dict[int, npt.NDArray[np.int64]] = field(default_factory=dict)


class _Accumulator:
    """Row-centred blocks of all members on their way into one M x M product."""

    def __init__(self, members: int, n: int) -> None:
        self.n = n
        self.gram = np.zeros((members, members))
        self.row_means = np.empty((members, n))
        self.diagonal = np.zeros((members, n))

    def take(self, member: int, rows: slice, block: FloatArray, out: FloatArray) -> None:
        self.row_means[member, rows] = block.mean(axis=1)
        np.subtract(block, self.row_means[member, rows, None], out=out)

    def close_block(self, centred: FloatArray) -> None:
        flat = centred.reshape(len(centred), -1)
        self.gram += flat @ flat.T

    def sums(self) -> GramSums:
        return GramSums(self.n, self.gram, self.row_means, self.diagonal)


def stream(
    members: Sequence[FloatArray],
    *,
    distances: bool,
    kernels: bool,
    rank_ks: Collection[int] = (),
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    threads: int = 1,
) -> GlobalSums:
    """Gather the sums behind dCor, CKA and information imbalance for all members.

    Parameters
    ----------
    members : sequence of ndarray of float64, shapes (n, d_m)
    distances, kernels : bool
        Gather the sums for dCor; for CKA.
    rank_ks : collection of int
        Neighbour counts of the information imbalance, each below n.
    memory_bytes : int
        Bound on the blocks of the pass; the members themselves come on top.
    threads : int
        Members handled at the same time.

    Notes
    -----
    Rank sums are integers and do not depend on the block size. The floating sums do, to
    a few units in the last place.
    """
    n, count = len(members[0]), len(members)
    want = _Wanted(distances, kernels, max(rank_ks, default=0))
    centred = [x - x.mean(axis=0) for x in members] if kernels else []
    dist, kern = _Accumulator(count, n), _Accumulator(count, n)
    rank_sums = {k: np.zeros((count, count), np.int64) for k in sorted(rank_ks)}
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for rows in row_blocks(n, want.bytes_per_row(n, count, threads), memory_bytes):
            work = _Block(rows, want, members, centred, dist, kern)
            list(pool.map(work.fill, range(count)))
            if distances:
                dist.close_block(work.dist)
            if kernels:
                kern.close_block(work.kern)
            if rank_sums:
                _add_ranks(rank_sums, work.ranks, work.nearest)
    return GlobalSums(
        dist.sums() if distances else None, kern.sums() if kernels else None, rank_sums
    )


@dataclass(frozen=True)
class _Wanted:
    distances: bool
    kernels: bool
    neighbors: int

    def bytes_per_row(self, n: int, members: int, threads: int) -> int:
        kept = 8 * (int(self.distances) + int(self.kernels)) + (4 if self.neighbors else 0)
        return n * (kept * members + 32 * threads)


class _Block:
    """One block of rows of every member; members are filled independently of each other."""

    def __init__(
        self,
        rows: slice,
        want: _Wanted,
        members: Sequence[FloatArray],
        centred: Sequence[FloatArray],
        *accumulators: _Accumulator,
    ) -> None:
        self._rows, self._want, self._members, self._centred = rows, want, members, centred
        self._dist_into, self._kern_into = accumulators
        count, size, n = len(members), rows.stop - rows.start, len(members[0])
        self._self = (np.arange(size), np.arange(rows.start, rows.stop))
        none = (0, 0, 0)
        self.dist = np.empty((count, size, n) if want.distances else none)
        self.kern = np.empty((count, size, n) if want.kernels else none)
        self.ranks = np.empty((count, size, n) if want.neighbors else none, np.int32)
        self.nearest = np.empty((count, size, want.neighbors), np.int64)

    def fill(self, m: int) -> None:
        if self._want.distances or self._want.neighbors:
            block = squared_distances(self._members[m], self._rows)
            if self._want.neighbors:
                self._rank(m, block)
            if self._want.distances:
                self._dist_into.take(m, self._rows, np.sqrt(block, out=block), self.dist[m])
        if self._want.kernels:
            block = inner_products(self._centred[m], self._rows)
            self._kern_into.diagonal[m, self._rows] = block[self._self]
            block[self._self] = 0.0
            self._kern_into.take(m, self._rows, block, self.kern[m])

    def _rank(self, m: int, block: FloatArray) -> None:
        # Below every distance: a row is its own neighbour number 0.
        block[self._self] = -1.0
        order = np.argsort(block, axis=1, kind="stable")
        block[self._self] = 0.0
        places = np.arange(block.shape[1], dtype=np.int32)[None, :]
        np.put_along_axis(self.ranks[m], order, places, axis=1)
        self.nearest[m] = order[:, 1 : self._want.neighbors + 1]


def _add_ranks(
    rank_sums: dict[int, npt.NDArray[np.int64]],
    ranks: npt.NDArray[np.int32],
    nearest: npt.NDArray[np.int64],
) -> None:
    for a in range(len(nearest)):
        for b in range(len(ranks)):
            taken = np.take_along_axis(ranks[b], nearest[a], axis=1).sum(axis=0, dtype=np.int64)
            upto = np.cumsum(taken)
            for k, sums in rank_sums.items():
                sums[a, b] += upto[k - 1]
