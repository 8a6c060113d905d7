"""Orthogonal Procrustes similarity: how alike two embeddings are after the best rotation.

The squared distance of two centred arrays of Frobenius norm 1, one of them rotated as close to
the other as can be, is 2 - 2 |X^T Y|_* with the nuclear norm, the sum of the singular values
(Schönemann 1966, Psychometrika 31, 1). The similarity is that norm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from scipy import linalg
from threadpoolctl import threadpool_limits

from matteralign.metrics.arrays.rows import SharedRows
from matteralign.metrics.base.errors import NotApplicable
from matteralign.metrics.base.inputs import (
    ArrayLike,
    FloatArray,
    LongArray,
    as_matrix,
    constant_reason,
    is_constant,
    pow2_scaled,
    require_rows,
    require_same_rows,
)
from matteralign.metrics.base.registry import definition_of
from matteralign.metrics.base.specs import MetricSpec, Scored, interval_fields
from matteralign.metrics.base.workers import Workers
from matteralign.stats.blocks import BLOCKS
from matteralign.stats.blocks import LEAST_ROWS as LEAST_BLOCKED
from matteralign.stats.jackknife import interval
from matteralign.stats.permutation import permutation_null, row_order

LEAST_ROWS = definition_of("procrustes", "nuclear").min_n
"""Two rows are one difference in each embedding, which a rotation always lays over another."""

_BLOCK_BYTES = 8 * 1024**2
# Orders that exchange equal rows give the same value but for rounding, and count as no smaller.
_ROUNDING = 1e-12
# What is left of a norm when rows that held all of it are taken out.
_NOTHING = 1e-12


def procrustes_similarity(
    x: Annotated[ArrayLike, "n d_x"], y: Annotated[ArrayLike, "n d_y"]
) -> float:
    """Orthogonal Procrustes similarity (Schönemann 1966; Ding et al. 2021, arXiv 2108.01661).

    ``|Xc^T Yc|_* / (|Xc| |Yc|)`` with column-centred embeddings, the nuclear norm above and
    Frobenius norms below: 1 less half the squared Procrustes distance of embeddings of norm 1,
    and the cosine of the angular distance of Williams et al. (2021, arXiv 2110.14739).

    Parameters
    ----------
    x, y : array_like or torch.Tensor, shapes (n, d_x) and (n, d_y)

    Returns
    -------
    float
        In [0, 1]; 1 where a rotation, reflection, shift and scaling carry x to y.

    Raises
    ------
    MetricInputError
        As `cknna`.
    NotApplicable
        Fewer than 3 rows or a constant embedding.

    Notes
    -----
    Exact, in float64. Cost O(n d_x d_y) and the singular values of a d_x x d_y matrix, or an
    n x n one where there are more columns than rows. Independent Gaussian embeddings of width d
    give about 0.85 sqrt(d / n) where d is small against n: compare values at one n, or with the
    null that `compare` gives.

    Examples
    --------
    >>> import numpy as np
    >>> from matteralign.metrics import procrustes_similarity
    >>> x = np.random.default_rng(0).normal(size=(100, 2))
    >>> turned = x @ np.array([[0.6, -0.8], [0.8, 0.6]])
    >>> round(procrustes_similarity(x, 3.0 * turned + 1.0), 6)
    1.0
    """
    one, two = as_matrix(x, "x"), as_matrix(y, "y")
    require_same_rows(len(one), len(two), "x", "y")
    require_rows(len(one), LEAST_ROWS, "procrustes")
    with threadpool_limits(1):
        return _Pair(_Centred.of(one, "x"), _Centred.of(two, "y")).value()


def procrustes_of_rows(spec: MetricSpec, rows: SharedRows) -> list[Scored]:
    """Return the similarity of the pairs of some rows.

    The null is the value with the rows of one embedding in random order; the p-value is the
    share of orders, the true one counted in, with no smaller value. The interval is that of a
    jackknife over blocks of rows; there is none below 32 rows.

    Side by side as many pairs are scored as the bound on memory has room for, at least one; a
    pair holds a few matrices of d_a x d_b, each at most n x n, and blocks of rows.
    """
    permutations = spec.integer("permutations") if rows.statistics else 0
    n = len(rows.arrays[0])
    score = partial(_score, rows, permutations=permutations, seed=spec.integer("seed"))
    width = min(n, max(x.shape[1] for x in rows.arrays))
    room = rows.resources.memory_bytes // (8 * width * (4 * width + 2 * n) + 4 * _BLOCK_BYTES)
    with threadpool_limits(1), Workers(max(1, min(rows.resources.threads, room))) as pool:
        return pool.map(score, rows.pairs)


def _score(
    rows: SharedRows,
    pair: tuple[int, int],
    *,
    permutations: int,
    seed: int,
) -> Scored:
    try:
        both = _Pair(*(_Centred.of(rows.arrays[m], rows.names[m]) for m in pair))
    except NotApplicable as reason:
        return Scored.not_applicable(str(reason), len(rows.block))
    value = both.value()
    orders = (row_order(both.n, seed, number) for number in range(permutations))
    permuted = [both.value(order) for order in orders]
    found = permutation_null(value - _ROUNDING, permuted, smaller_is_closer=False)
    fields: dict[str, Any] = {} if found is None else {**found.fields()}
    if rows.statistics:
        left = both.without_blocks(rows.block)
        fields |= interval_fields(interval(value, left))
        fields["replicates"] = tuple(left)
    return Scored.ok(value, both.n, **fields)


@dataclass(frozen=True)
class _Centred:
    """Rows less their mean, in float64, of at most as many columns as there are rows.

    Attributes
    ----------
    source : ndarray, shape (n, d)
        As given, or turned into n columns where there are more.
    mean : ndarray of float64, shape (d,)
    square : float
        Squared Frobenius norm of the centred rows.
    """

    source: npt.NDArray[Any]
    mean: FloatArray
    square: float

    @classmethod
    def of(cls, source: npt.NDArray[Any], name: str) -> _Centred:
        """Centre rows, shape (n, d); NotApplicable where all of them are equal."""
        if is_constant(source):
            raise NotApplicable(constant_reason(name))
        source = pow2_scaled(source)
        n, d = source.shape
        if d > n:
            source = _turned(source)
        mean = sum(b.sum(axis=0, dtype=np.float64) for b in _blocks(source)) / n
        centred = cls(source, np.asarray(mean), 0.0)
        square = math.fsum(float(np.vdot(b, b)) for b in map(centred.rows, _places(n, d)))
        if square <= n * min(n, d) * np.finfo(np.float64).eps ** 2:
            raise NotApplicable(f"{name} varies by no more than rounding")
        return cls(source, centred.mean, square)

    def rows(self, places: LongArray) -> FloatArray:
        """Return some rows, shape (len(places), d)."""
        out: FloatArray = self.source[places].astype(np.float64, copy=False) - self.mean
        return out


def _places(n: int, d: int) -> Iterator[LongArray]:
    """Yield the places of all rows, so many at a time that a block of d columns is small."""
    step = max(1, _BLOCK_BYTES // (8 * d))
    for start in range(0, n, step):
        yield np.arange(start, min(start + step, n))


def _blocks(x: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    return (x[places[0] : places[-1] + 1] for places in _places(*x.shape))


def _turned(x: npt.NDArray[Any]) -> FloatArray:
    """Return the rows in coordinates of the space they span, shape (n, n).

    The transposed triangle of a QR decomposition of the columns, block by block of them; unlike
    a Gram matrix it squares nothing.
    """
    n = len(x)
    triangle = np.zeros((0, n))
    # Less the first row, so that a far-off middle costs no digits.
    first = x[0].astype(np.float64)
    step = max(n, _BLOCK_BYTES // (8 * n))
    for start in range(0, x.shape[1], step):
        columns = slice(start, start + step)
        some = (x[:, columns].astype(np.float64) - first[columns]).T
        (triangle,) = linalg.qr(
            np.concatenate([triangle, some]), mode="r", overwrite_a=True, check_finite=False
        )
        triangle = triangle[:n]
    return np.ascontiguousarray(triangle.T)


@dataclass(frozen=True)
class _Pair:
    """Two embeddings of the same rows."""

    a: _Centred
    b: _Centred

    @property
    def n(self) -> int:
        return len(self.a.source)

    def value(self, order: LongArray | None = None) -> float:
        """Return the similarity, the rows of the second in another order where one is given."""
        return _ratio(self._product(order=order), self.a.square, self.b.square)

    def without_blocks(self, block: npt.NDArray[np.int16]) -> list[float]:
        """Return the similarity without each block of rows, centred on those that stay."""
        if self.n < LEAST_BLOCKED or not block.any():
            return []
        whole = self._product()
        return [self._without(np.flatnonzero(block == b), whole) for b in range(BLOCKS)]

    def _without(self, out: LongArray, whole: FloatArray) -> float:
        kept = self.n - len(out)
        sums, squares = [], []
        for one in (self.a, self.b):
            rows = one.rows(out)
            total = -rows.sum(axis=0)
            sums.append(total)
            squares.append(one.square - float(np.vdot(rows, rows)) - float(total @ total) / kept)
        if min(squares[0] / self.a.square, squares[1] / self.b.square) <= _NOTHING:
            return math.nan
        product = whole - self._product(out) - np.outer(sums[0], sums[1] / kept)
        return _ratio(product, squares[0], squares[1])

    def _product(
        self, among: LongArray | None = None, *, order: LongArray | None = None
    ) -> FloatArray:
        """Return the sum over rows of the outer products, shape (d_a, d_b)."""
        widths = self.a.source.shape[1], self.b.source.shape[1]
        among = np.arange(self.n) if among is None else among
        out = np.zeros(widths)
        for places in _places(len(among), max(widths)):
            left = among[places]
            right = left if order is None else order[left]
            out += self.a.rows(left).T @ self.b.rows(right)
        return out


def _ratio(product: FloatArray, square_a: float, square_b: float) -> float:
    """Return the nuclear norm over both Frobenius norms; only rounding could leave [0, 1]."""
    singular = linalg.svdvals(product, overwrite_a=True, check_finite=False)
    value = math.fsum(singular.tolist()) / (math.sqrt(square_a) * math.sqrt(square_b))
    return min(1.0, value)
