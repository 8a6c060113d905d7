"""Linear kernels of one embedding at its listed neighbours, prepared once for every pair.

Rows are scaled by a power of two and centred at their mean m, x'_i = s x_i - m. What a pair
needs follows from x'_i.x'_j at the entries and one number or sixteen per row:

* the kernel of the rows as given: x'_i.x'_j + h_i + h_j with h_i = m.x'_i + |m|^2/2;
* the kernel centred without block b, whose mean lies d_b from m:
  x'_i.x'_j - e_ib - e_jb with e_ib = d_b.x'_i - |d_b|^2/2;
* the kernel as given less its mean over all pairs of rows, each row with itself too, which is
  |m|^2: x'_i.x'_j + h_i + h_j - |m|^2, and without block b a further 2 m.d_b + |d_b|^2 less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np

from matteralign.metrics.base.inputs import (
    BoolArray,
    FloatArray,
    IndexArray,
    RealArray,
    SingleArray,
)
from matteralign.metrics.local import list_loops as loops
from matteralign.metrics.local.lists import LocalLists, Restricted, local_lists
from matteralign.stats.blocks import BLOCKS

_CHUNK_ROWS = 4096


@dataclass(frozen=True)
class LocalKernel:
    """Kernels of one embedding at its neighbours, in units of 4^exponent.

    Attributes
    ----------
    lists : LocalLists
    centred : ndarray of float64, shape (n, L)
        Doubly centred kernel over the rows of the embedding; 0 where there is no entry.
    height : ndarray of float64, shape (n,)
        h_i; the uncentred kernel is ``centred[i, p] + height[i] + height[j]``.
    shift : ndarray of float32, shape (n, B) or (n, 0)
        e_ib, without columns when there is no jackknife. A correction of relative size
        n^-1/2: float32 leaves 1e-8 of a replicate and one cache line per row.
    mean : ndarray of float64, shape (d,)
        Of the scaled rows.
    level : float
        |m|^2, the mean of the kernel as given over all pairs.
    levels : ndarray of float64, shape (B,) or (0,)
        How far it rises when a block is left out.
    exponent : int
        Rows are scaled by 2^-exponent.
    x : ndarray of float32 or float64, shape (n, d)
        Rows as given.
    own : dict
        Sums of the kernel with itself, filled by the scores that need them.
    """

    lists: LocalLists
    centred: FloatArray = field(repr=False)
    height: FloatArray = field(repr=False)
    shift: SingleArray = field(repr=False)
    mean: FloatArray = field(repr=False)
    level: float
    levels: FloatArray = field(repr=False)
    exponent: int
    x: RealArray = field(repr=False)
    own: dict[tuple[str, int], Any] = field(default_factory=dict, repr=False, compare=False)

    def plain(self) -> FloatArray:
        """Return the kernel of the (scaled) rows as given at the entries, shape (n, L)."""
        return self.raised(self.height)

    def raised(self, height: FloatArray) -> FloatArray:
        """Return the centred kernel with a height of row and column added, shape (n, L)."""
        raised: FloatArray = loops.raised(self.centred, self.lists.index, height)
        return raised

    def share(self, k: int) -> float:
        """Return the share of the rows that carry the squares of the first k entries.

        Of equal rows it is 1; each entry counts for its row and for the neighbour.
        """
        if ("share", k) not in self.own:
            index = self.lists.index[:, :k]
            squares = np.where(index >= 0, self.centred[:, :k], 0.0) ** 2
            carried = squares.sum(axis=1)
            carried += np.bincount(np.maximum(index, 0).ravel(), squares.ravel(), len(index))
            total = float(carried.sum()) ** 2
            least = max(1, self.lists.rows) * float(carried @ carried)
            self.own["share", k] = total / least if least > 0.0 else 1.0
        return float(self.own["share", k])


def local_kernel(
    x: Annotated[RealArray, "n d"],
    index: Annotated[IndexArray, "n L"],
    ks: Sequence[int],
    *,
    valid: Annotated[BoolArray, "n"] | None = None,
    jackknife: bool = False,
) -> LocalKernel:
    """Prepare one embedding for CKNNA.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (n, d)
        Rows outside `valid` are not read.
    index : ndarray of int32, shape (n, L)
        Neighbours by inner product of the rows as given, nearest first, -1 for none.
    ks, valid, jackknife
        As `local_lists`.

    Notes
    -----
    O(n L d); sums are accumulated in float64 whatever `x` is.
    """
    given: Any = np.asarray(x)  # compiled loops take no subclass such as a memory map
    lists = local_lists(index, ks, valid=valid, jackknife=jackknife)
    largest = loops.largest(given, lists.valid)
    # As for embeddings: the inverse power must be a number.
    exponent = min(1000, max(-1000, math.frexp(largest)[1])) if largest > 0.0 else 0
    geometry = _geometry(given, lists, exponent, None)
    centred = np.zeros(lists.index.shape)
    rows = np.flatnonzero(lists.valid)
    scale = math.ldexp(1.0, -exponent)
    loops.products(given, scale, geometry.mean, lists.index, rows, centred)
    return geometry.kernel(lists, centred, exponent, given)


def restricted_kernel(
    kernel: LocalKernel, restricted: Restricted, ks: Sequence[int], *, jackknife: bool = False
) -> LocalKernel:
    """Return the kernel centred over the rows of a restricted set of lists.

    Equals `local_kernel` on the same lists, to rounding, at O(n d) instead of O(n L d):
    products are carried over wherever an entry has a place in the old list.
    """
    lists = local_lists(restricted.index, ks, valid=restricted.common, jackknife=jackknife)
    geometry = _geometry(kernel.x, lists, kernel.exponent, kernel.mean)
    centred = loops.carried(kernel.centred, restricted.index, restricted.place, geometry.moved)
    fresh = np.flatnonzero(
        restricted.common & (restricted.index[:, 0] >= 0) & (restricted.place[:, 0] < 0)
    )
    scale = math.ldexp(1.0, -kernel.exponent)
    loops.products(kernel.x, scale, geometry.mean, restricted.index, fresh, centred)
    return geometry.kernel(lists, centred, kernel.exponent, kernel.x)


@dataclass(frozen=True)
class _Geometry:
    """Fields of `LocalKernel`, and the numbers that move a kernel from the old mean to it."""

    mean: FloatArray
    shift: SingleArray
    height: FloatArray
    level: float
    levels: FloatArray
    moved: FloatArray

    def kernel(
        self, lists: LocalLists, centred: FloatArray, exponent: int, x: RealArray
    ) -> LocalKernel:
        return LocalKernel(
            lists, centred, self.height, self.shift, self.mean, self.level, self.levels, exponent, x
        )


def _geometry(
    x: RealArray, lists: LocalLists, exponent: int, old_mean: FloatArray | None
) -> _Geometry:
    scale = math.ldexp(1.0, -exponent)
    n, d = x.shape
    block = lists.row_block
    count = max(1, lists.rows)
    first = loops.block_sums(x, scale, np.zeros(d), lists.valid, block, BLOCKS)
    mean = first.sum(axis=0) / count
    sums = loops.block_sums(x, scale, mean, lists.valid, block, BLOCKS)
    # Once more about the mean itself: a large offset has cost it digits.
    rest = sums.sum(axis=0) / count
    mean += rest
    sums -= np.bincount(block[lists.valid], minlength=BLOCKS)[:, None] * rest
    directions = [mean[None]]
    # x'.(old - new mean) moves products about the old mean to the new one.
    step = np.zeros(d) if old_mean is None else mean - old_mean
    directions.append(step[None])
    if lists.jackknifed:
        directions.append(-sums / np.maximum(lists.left, 1)[:, None])
    matrix = np.concatenate(directions)
    half = 0.5 * np.einsum("ij,ij->i", matrix, matrix)
    along = np.zeros((n, len(matrix)))
    for start in range(0, n, _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        part = np.multiply(x[rows], scale, dtype=np.float64)
        part -= mean
        part[~lists.valid[rows]] = 0.0
        along[rows] = part @ matrix.T
    return _Geometry(
        mean,
        shift=(along[:, 2:] - half[2:]).astype(np.float32),
        height=along[:, 0] + half[0],
        level=2.0 * float(half[0]),
        levels=2.0 * (matrix[2:] @ mean + half[2:]),
        moved=along[:, 1] + half[1],
    )
