"""How a product of centred rows becomes a score of neighbourhood, and how far it may be off.

With centred rows c_i and mean m, a row is x_i = c_i + m, and from the product g = c_i.c_j:

* squared distance   |c_i|^2 + |c_j|^2 - 2 g
* inner product      g + c_i.m + c_j.m + m.m

Scores are written as ``lead*g + add_j`` plus something that is constant in a row, smaller being
nearer. `add` is lowered by the most that rounding can have raised a
score, so what a search rejects truly scores no less than the threshold says. A product of
d terms is off by at most ``(d + 2) u |c_i||c_j| <= (d + 2) u (|c_i|^2 + |c_j|^2)/2``, u the
unit roundoff, in whatever order it is summed (Higham 2002, section 3.1). So is the score in
float64 that decides, which is what lists must be complete in: a sum of d squares by a share of
itself, a product by one of |x_i||x_j|.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import FloatArray
from matteralign.metrics.embedding.exact_loops import EUCLID, row_norms

SUMMED_AGAIN: dict[np.dtype[Any], Any] = {
    np.dtype(np.float32): np.float32(2e-4),
    np.dtype(np.float64): np.float64(1e-6),
}
"""Share of the squared lengths below which a pass sums a squared distance from differences."""


@dataclass(frozen=True)
class Geometry:
    """Lengths of the rows of one embedding, working units, float64.

    Attributes
    ----------
    squares : ndarray, shape (n,)
        Squared lengths of the centred rows.
    along : ndarray, shape (n,)
        Inner products of the centred rows with the mean.
    mean_square : float
        Squared length of the mean.
    norms : ndarray, shape (n,)
        Lengths of the rows as they are.
    d : int
    """

    squares: FloatArray
    along: FloatArray
    mean_square: float
    norms: FloatArray
    d: int

    @classmethod
    def of(cls, x: npt.NDArray[Any], centred: npt.NDArray[Any], mean: FloatArray) -> Geometry:
        """Measure the rows `x` and their centred copy."""
        return cls(
            squares=row_norms(centred) ** 2,
            # Not of the rounded copy: where rows lie far off, the mean makes its rounding large.
            along=_products(x, mean),
            mean_square=float(mean @ mean),
            norms=row_norms(x),
            d=x.shape[1],
        )


@dataclass(frozen=True)
class Rounding:
    """How far products of centred rows may be off: ``(slack (r_i + r_j) + lost) / 2``.

    Attributes
    ----------
    squares : ndarray of float64, shape (n,)
        r; at least the squared lengths of the centred rows.
    slack, lost : float
    """

    squares: FloatArray
    slack: float
    lost: float


@dataclass(frozen=True)
class Form:
    """Coefficients of one kind of score in one precision, see the module.

    Attributes
    ----------
    lead : scalar
    add : ndarray, shape (n,)
    constant : ndarray of float64, shape (n,)
        ``score >= threshold + constant`` holds for what a row has rejected.
    """

    lead: Any
    add: npt.NDArray[Any]
    constant: FloatArray


def rounding(d: int, dtype: npt.DTypeLike) -> tuple[float, float]:
    """Return how far a squared distance from a product of `d` terms may be off.

    Returns
    -------
    slack, lost : float
        ``slack (|c_i|^2 + |c_j|^2) + lost`` bounds the error.
    """
    # Beyond the product itself: rounding of its inputs, of the coefficients and of the sum.
    slack = (d + 16) * float(np.finfo(dtype).eps) / 2.0
    # What falls below the smallest number is lost whole. Working units keep elements near 1.
    return slack, 16.0 * (d + 16) * float(np.finfo(dtype).tiny)


def likely_rounding(d: int, dtype: npt.DTypeLike) -> tuple[float, float]:
    """Return how far a squared distance from a product of `d` terms is off, all but surely.

    As `rounding`, with errors that grow as the root of the number of terms (Higham & Mary 2019,
    SIAM J. Sci. Comput. 41, A2815).
    """
    slack, lost = rounding(d, dtype)
    return min(slack, (4.0 * np.sqrt(d) + 16) * float(np.finfo(dtype).eps) / 2.0), lost


def form(kind: int, geometry: Geometry, dtype: npt.DTypeLike, off: Rounding | None = None) -> Form:
    """Return the coefficients of `kind` for products of rows of type `dtype`.

    `off` is how far these may be off where they are not a plain matrix product of the rows.
    """
    kind_of = np.dtype(dtype).type
    u = float(np.finfo(dtype).eps) / 2.0
    squares, along = geometry.squares, geometry.along
    off = off or Rounding(squares, *rounding(geometry.d, dtype))
    decided = (geometry.d + 8) * float(np.finfo(np.float64).eps) / 2.0
    slack, lost = off.slack + 2.0 * decided, off.lost
    if kind == EUCLID:
        least = squares - slack * off.squares
        return Form(kind_of(-2), (least - lost).astype(dtype), least)
    half = 0.5 * slack * off.squares
    add = -along - half - 8.0 * u * np.abs(along) - lost
    constant = -along - geometry.mean_square - half - 8.0 * u * np.abs(along)
    # Of the score that decides, of the products with the mean, and of the mean's square.
    constant -= 3.0 * decided * geometry.norms * geometry.norms.max(initial=0.0)
    return Form(kind_of(-1), add.astype(dtype), constant)


def _products(x: npt.NDArray[Any], mean: FloatArray) -> FloatArray:
    """Return the inner products of the centred rows with the mean."""
    out = np.empty(len(x))
    step = max(1, 2**21 // x.shape[1])
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        out[rows] = (x[rows] - mean) @ mean
    return out
