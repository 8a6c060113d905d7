"""What a pass gathers about symmetric n x n matrices, and scores from it.

The matrices (distances, linear kernels) are never held. For any two models a pass leaves
sums of products, and for each model the sums of every row over every block of columns.
Double centring needs no more:

* V-statistic  <A, B> - 2/n sum_i a_i b_i + a b / n^2, diagonals included;
* U-statistic  <A, B> - 2/(n-2) sum_i a_i b_i + a b / ((n-1)(n-2)), off the diagonal
  (Székely & Rizzo 2013, J. Multivar. Anal. 117, 193),

with row sums a_i and total a. Neither changes when a matrix gains r_i + s_j, so entries are
gathered less an offset that keeps them small. Leaving out a block of rows takes the same
sums over fewer blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import BoolArray, FloatArray, LongArray
from matteralign.metrics.tiles.loops.tile_loops import row_products


@dataclass
class BlockSums:
    """Sums over pairs of blocks, kept in the two ways that are asked for.

    Attributes
    ----------
    total : ndarray, shape (...)
    touching : ndarray, shape (B, ...)
        Over all pairs of blocks that a block is in.
    """

    total: FloatArray
    touching: FloatArray

    @classmethod
    def zeros(cls, blocks: int, *shape: int) -> BlockSums:
        """Return empty sums."""
        return cls(np.zeros(shape), np.zeros((blocks, *shape)))

    def add(self, row_block: int, column_block: int, values: FloatArray) -> None:
        """Add what two blocks gave together, both ways round."""
        self.total += values
        self.touching[row_block] += values
        if column_block != row_block:
            self.touching[column_block] += values

    def without(self, block: int | None) -> FloatArray:
        """Return the sums over all blocks but one."""
        return self.total if block is None else np.subtract(self.total, self.touching[block])


@dataclass
class MatrixSums:
    """Sums over one kind of matrix for M models on n rows, P patterns of masked rows.

    Rows stand block by block, in the order in which the pass took them.

    Attributes
    ----------
    products : BlockSums of shape (M, M)
        Of two models' entries off the diagonal; zero where a row is masked. Filled on and
        below the diagonal.
    squares : BlockSums of shape (M, P)
        Of a model's squared entries over the rows of a pattern.
    rows : ndarray, shape (M, P, n, B)
        Row sums off the diagonal over the columns of a pattern in a block.
    diagonal : ndarray of float64, shape (M, n)
        What stands on the diagonal once the offset is taken off.
    patterns : ndarray of bool, shape (P, n)
    pattern_of : ndarray of int, shape (M,)
    edges : ndarray of int, shape (B + 1,)
    """

    products: BlockSums
    squares: BlockSums
    rows: npt.NDArray[Any]
    diagonal: FloatArray
    patterns: BoolArray
    pattern_of: LongArray
    edges: LongArray

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.edges) - 1

    def sample(self, *, without: int | None = None) -> Sample:
        """Return the sums over all rows or all but a block."""
        inside = np.ones(self.patterns.shape[1], bool)
        rows = self.rows.sum(axis=-1, dtype=np.float64)
        if without is not None:
            inside[self.edges[without] : self.edges[without + 1]] = False
            rows -= self.rows[..., without]
        products, squares = self.products.without(without), self.squares.without(without)
        return Sample(self, rows, inside, products, squares)


class Sample:
    """Doubly centred products of all pairs of models over one sample of rows."""

    def __init__(
        self,
        sums: MatrixSums,
        rows: FloatArray,
        inside: BoolArray,
        products: FloatArray,
        squares: FloatArray,
    ) -> None:
        self._sums, self._inside = sums, inside
        lower = np.tril(products)
        self._products = lower + np.tril(lower, -1).T
        self._squares = squares
        self._vectors = _vectors(sums, rows, self._common)
        # Only the whole sample is asked for a diagonal.
        self._rows = rows if bool(inside.all()) else None

    def n(self, a: int, b: int) -> int:
        """Rows of the sample that both models took."""
        return int(self._counts[self._pattern(a), self._pattern(b)])

    def biased(self, a: int, b: int) -> float:
        """Return the V-statistic of two models: the sum of products of centred entries."""
        p, q, x = self._pattern(a), self._pattern(b), self._vectors
        entries, cross = float(self._products[a, b] + x.diagonal[a, b]), float(x.full[a, b])
        return self._biased(entries, cross, x.total[a, q], x.total[b, p], a, b)

    def entries(self, a: int, b: int) -> float:
        """Return the sum of squared entries of `a`, not centred, over its rows with `b`."""
        q = self._pattern(b)
        return float(self._squares[a, q] + self._vectors.own_diagonal[a, q])

    def biased_own(self, a: int, b: int) -> float:
        """Return the V-statistic of `a` with itself over the rows it shares with `b`."""
        q, x = self._pattern(b), self._vectors
        entries = self.entries(a, b)
        return self._biased(entries, float(x.own_full[a, q]), x.total[a, q], x.total[a, q], a, b)

    def unbiased(self, a: int, b: int) -> float:
        """Return the U-statistic of the pair, not divided by the number of entries."""
        p, q, x = self._pattern(a), self._pattern(b), self._vectors
        entries, cross = float(self._products[a, b]), float(x.off[a, b])
        return self._unbiased(entries, cross, x.off_total[a, q], x.off_total[b, p], a, b)

    def unbiased_own(self, a: int, b: int) -> float:
        """Return the U-statistic of `a` with itself over the rows it shares with `b`."""
        q, x = self._pattern(b), self._vectors
        entries, cross = float(self._squares[a, q]), float(x.own_off[a, q])
        return self._unbiased(entries, cross, x.off_total[a, q], x.off_total[a, q], a, b)

    def centred_diagonal(self, a: int, b: int) -> FloatArray:
        """Return the diagonal of `a`'s centred matrix over the rows it shares with `b`."""
        q = self._pattern(b)
        common = self._common(self._pattern(a), q)
        n = int(common.sum())
        diagonal = self._sums.diagonal[a][common]
        if self._rows is None:
            raise ValueError("the diagonal is kept for the whole sample alone")
        sums = self._rows[a, q][common] + diagonal
        centred: FloatArray = diagonal - 2.0 * sums / n + sums.sum() / n**2
        return centred

    def _biased(self, entries: float, cross: float, one: Any, two: Any, a: int, b: int) -> float:
        n = self.n(a, b)
        return entries - 2.0 / n * cross + float(one) * float(two) / n**2

    def _unbiased(self, entries: float, cross: float, one: Any, two: Any, a: int, b: int) -> float:
        n = self.n(a, b)
        return entries - 2.0 / (n - 2) * cross + float(one) * float(two) / ((n - 1) * (n - 2))

    def _pattern(self, a: int) -> int:
        return int(self._sums.pattern_of[a])

    def _common(self, p: int, q: int) -> BoolArray:
        masks = self._sums.patterns
        common: BoolArray = masks[p] & masks[q] & self._inside
        return common

    @cached_property
    def _counts(self) -> LongArray:
        count = len(self._sums.patterns)
        return np.asarray(
            [[int(self._common(p, q).sum()) for q in range(count)] for p in range(count)]
        )


@dataclass(frozen=True)
class _Vectors:
    """Products of row sums of two models (M, M), of one with itself and totals (M, P).

    `off` leaves the diagonal out, `full` adds it to the row sums.
    """

    off: FloatArray
    full: FloatArray
    diagonal: FloatArray
    own_off: FloatArray
    own_full: FloatArray
    own_diagonal: FloatArray
    off_total: FloatArray
    total: FloatArray


def _vectors(sums: MatrixSums, rows: FloatArray, common: Any) -> _Vectors:
    models, patterns = len(sums.pattern_of), len(sums.patterns)
    pair = [np.zeros((models, models)) for _ in range(3)]
    own = [np.zeros((models, patterns)) for _ in range(5)]
    with_pattern = [np.flatnonzero(sums.pattern_of == p) for p in range(patterns)]
    for p in range(patterns):
        for q in range(patterns):
            shared = common(p, q)
            first, second = with_pattern[p], with_pattern[q]
            left = _triple(rows[first, q], sums.diagonal[first], shared)
            right = _triple(rows[second, p], sums.diagonal[second], shared)
            for matrix, one, two in zip(pair, left, right, strict=True):
                products = np.zeros((len(first), len(second)))
                row_products(one, two, products)
                matrix[np.ix_(first, second)] = products
            for matrix, one in zip(own, left, strict=False):
                matrix[first, q] = [_product(line, line) for line in one]
            for matrix, one in zip(own[3:], left, strict=False):
                matrix[first, q] = [line.sum() for line in one]
    return _Vectors(*pair, *own)


def _triple(
    rows: FloatArray, diagonal: FloatArray, shared: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    off, on = (np.ascontiguousarray(x[:, shared]) for x in (rows, diagonal))
    return off, off + on, on


def _product(one: FloatArray, two: FloatArray) -> float:
    out = np.zeros((1, 1))
    row_products(one[None], two[None], out)
    return float(out[0, 0])
