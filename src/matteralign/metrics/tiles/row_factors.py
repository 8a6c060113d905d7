"""Products of rows under one scaling from the products of the same rows at unit length.

Scalings that divide each row by a number of its own differ in the lengths of rows alone. With
u_i the row at unit length, c_i = u_i - m what is multiplied, g = c_i.c_j their product and
y_i = w_i u_i the row under another scaling, of mean near mu,

    y_i - mu = w_i c_i + p_i m + nu,    p_i = w_i - w,    nu = w m - mu,

for any w; the mean of the w_i leaves least. So the product of two such rows is

    w_i w_j g + a_i p_j + p_i (a_j + |m|^2 p_j) + f_i + f_j

with a_i = w_i (c_i.m) and f_i = w_i (c_i.nu) + p_i (m.nu) + |nu|^2/2. No term is larger than
``r_i r_j`` with the reach ``r_i = w_i |c_i| + |p_i| |m| + |nu|``, at least the length of the row.
Unit rows are near each other wherever rows are: their product loses little in any of the scalings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import FloatArray
from matteralign.metrics.embedding.exact_loops import row_norms
from matteralign.metrics.tiles.scores import Geometry, Rounding, rounding

_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True)
class RowFactors:
    """What turns products of centred unit rows into those of centred rows y, see the module.

    Attributes
    ----------
    weight, part, along, across, shift : Array, shape (n,)
        w, p, a, ``a + |m|^2 p`` and f, in the precision of the tile.
    """

    weight: Any
    part: Any
    along: Any
    across: Any
    shift: Any

    def arrays(self) -> tuple[Any, ...]:
        """Return the arrays in the order of the attributes."""
        return self.weight, self.part, self.along, self.across, self.shift


@dataclass(frozen=True)
class Rescaled:
    """Rows under one scaling, as products of unit rows see them.

    Attributes
    ----------
    factors : RowFactors
    geometry : Geometry
        Of the rows under this scaling.
    rounding : Rounding
        How far products that come from those of unit rows may be off.
    """

    factors: RowFactors
    geometry: Geometry
    rounding: Rounding


def rescaled(
    x: Annotated[npt.NDArray[Any], "n d"],
    mean: Annotated[FloatArray, "d"],
    centred: Annotated[npt.NDArray[Any], "n d"],
    base_mean: Annotated[FloatArray, "d"],
    base_length: float,
) -> Rescaled:
    """Return how products of the unit rows `centred` become those of the rows `x`.

    Parameters
    ----------
    x : ndarray, shape (n, d)
        Rows under the scaling, in working units.
    mean : ndarray, shape (d,)
        What they are centred about.
    centred : ndarray of float32 or float64, shape (n, d)
        Unit rows less `base_mean`, as they are multiplied.
    base_length : float
        Length of a unit row in its working units.
    """
    n, d = x.shape
    length, weight, own, along, nu_along, squares, mean_along = np.empty((7, n))
    step = max(1, _CHUNK_BYTES // (8 * d))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        length[rows] = row_norms(x[rows])
    weight[:] = length / base_length
    middle = float(weight.mean()) if n else 0.0
    nu = middle * base_mean - mean
    for start in range(0, n, step):
        rows = slice(start, start + step)
        unit = centred[rows].astype(np.float64)
        own[rows] = row_norms(unit)
        along[rows], nu_along[rows] = unit @ base_mean, unit @ nu
        about = x[rows] - mean
        squares[rows], mean_along[rows] = row_norms(about) ** 2, about @ mean
    part = weight - middle
    square, nu_square = float(base_mean @ base_mean), float(nu @ nu)
    shift = weight * nu_along + part * float(base_mean @ nu) + 0.5 * nu_square
    along *= weight
    kind = centred.dtype
    factors = RowFactors(
        weight.astype(kind),
        part.astype(kind),
        along.astype(kind),
        (along + square * part).astype(kind),
        shift.astype(kind),
    )
    geometry = Geometry(squares, mean_along, float(mean @ mean), length, d)
    reach = weight * own + np.abs(part) * np.sqrt(square) + np.sqrt(nu_square)
    return Rescaled(factors, geometry, _rounding(geometry, reach, weight, mean, kind))


def _rounding(
    geometry: Geometry, reach: FloatArray, weight: FloatArray, mean: FloatArray, dtype: Any
) -> Rounding:
    """Return the bound on the error of a product, for `scores.form`.

    The tile is off by (d + 2) u and the few roundings of factors and sums, times r_i r_j; in
    float64 the factors themselves, sums of d terms, are off by as much again. A row y_i is
    w_i u_i but for the rounding e = O(d 2^-53) of its length, which moves the product by
    ``e (|y_i| |y_j - mu| + ...)``: bounded by a sum as ``ab <= (a^2/t + t b^2)/2``.
    """
    d, tiny = geometry.d, float(np.finfo(np.float64).eps) / 2.0
    slack, lost = rounding(d, dtype)
    off = (2 * d + 32) * tiny
    slack += 16 * float(np.finfo(dtype).eps) + off
    lengths = geometry.norms + float(np.linalg.norm(mean))
    spread = float(np.sqrt(geometry.squares.mean())) if len(lengths) else 0.0
    ratio = max(1.0, float(np.sqrt((lengths**2).mean())) / spread) if spread > 0.0 else 1.0
    squares = reach**2 + off / slack * (lengths**2 / ratio + ratio * geometry.squares)
    # Where squares vanish, below 1e-154, lengths are not known.
    least = lost * (2.0 + float(weight.max(initial=0.0))) ** 2 + 1e-150
    return Rounding(squares, slack, least)
