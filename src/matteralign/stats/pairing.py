"""Random pairing of rows: exact moments of a sum over two matrices, and tail probabilities.

The null of every similarity here is that the rows of one embedding are paired with those
of the other at random. For a score that is a sum over pairs of rows,
T = sum_{i != j} A_ij B_{pi(i) pi(j)}, mean and variance over all n! permutations pi follow
from seven sums of each matrix (Mantel 1967, Cancer Res. 27, 209; Hubert 1987, Assignment
Methods in Combinatorial Data Analysis), so no permutation is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse, special

from matteralign.stats.third import Sums, third_moment

LEAST_ROWS = 4
"""Fewer rows leave no four distinct ones, so the variance has no such form."""

# Below this the gamma law is the normal one to 1e-6.
_NO_SKEWNESS = 1e-5


@dataclass(frozen=True)
class PairingMoments:
    """Sums over the off-diagonal elements of one matrix A; its diagonal counts as zero.

    Attributes
    ----------
    total : float
        sum_ij A_ij.
    squares : float
        sum_ij A_ij^2.
    reciprocal : float
        sum_ij A_ij A_ji.
    rows : float
        sum_i r_i^2 with row sums r_i = sum_j A_ij.
    columns : float
        sum_j c_j^2 with column sums c_j = sum_i A_ij.
    crossed : float
        sum_i r_i c_i.
    third : tuple of float
        See `third.thirds_of_edges`; empty where it was not worked out.
    """

    total: float
    squares: float
    reciprocal: float
    rows: float
    columns: float
    crossed: float
    third: Sums = ()

    def centred(self, n: int) -> PairingMoments:
        """Return the sums of A minus the mean of its n (n - 1) off-diagonal elements."""
        per_element = self.total * self.total / (n * (n - 1))
        per_row = self.total * self.total / n
        return PairingMoments(
            0.0,
            self.squares - per_element,
            self.reciprocal - per_element,
            self.rows - per_row,
            self.columns - per_row,
            self.crossed - per_row,
        )


def moments_of_edges(
    n: int,
    rows: npt.NDArray[np.integer],
    cols: npt.NDArray[np.integer],
    values: npt.NDArray[np.float64],
) -> PairingMoments:
    """Return the sums of a sparse matrix from its elements.

    Parameters
    ----------
    n : int
    rows, cols : ndarray of int, shape (e,)
        Places of the elements; no place twice, none on the diagonal.
    values : ndarray of float64, shape (e,)

    Notes
    -----
    O(e + n).
    """
    matrix = sparse.csr_array((values, (rows, cols)), shape=(n, n))
    r = np.bincount(rows, weights=values, minlength=n)
    c = np.bincount(cols, weights=values, minlength=n)
    return PairingMoments(
        float(values.sum()),
        float(values @ values),
        float(matrix.multiply(matrix.T.tocsr()).sum()),
        float(r @ r),
        float(c @ c),
        float(r @ c),
    )


def pairing_null(a: PairingMoments, b: PairingMoments, n: int) -> tuple[float, float] | None:
    """Return mean and standard deviation of T over all permutations.

    Parameters
    ----------
    a, b : PairingMoments
        Of two matrices of the same `n` rows.
    n : int

    Returns
    -------
    (float, float) or None
        Exact up to rounding; None for n < 4.

    Notes
    -----
    E[T^2] is a sum over pairs of elements, grouped by the indices they share: both in
    order, both exchanged, row, column, row with column (twice), none. Both matrices are
    centred first, which changes T by a constant and keeps the variance from being the
    small difference of large numbers.
    """
    if n < LEAST_ROWS:
        return None
    two = float(n) * (n - 1)
    three = two * (n - 2)
    four = three * (n - 3)
    x, y = a.centred(n), b.centred(n)

    def none_shared(m: PairingMoments) -> float:
        return m.squares + m.reciprocal - m.rows - m.columns - 2.0 * m.crossed

    variance = (
        (x.squares * y.squares + x.reciprocal * y.reciprocal) / two
        + (x.rows - x.squares) * (y.rows - y.squares) / three
        + (x.columns - x.squares) * (y.columns - y.squares) / three
        + 2.0 * (x.crossed - x.reciprocal) * (y.crossed - y.reciprocal) / three
        + none_shared(x) * none_shared(y) / four
    )
    return a.total * b.total / two, math.sqrt(max(0.0, variance))


def pairing_skewness(a: PairingMoments, b: PairingMoments, n: int, sd: float) -> float:
    """Return the skewness of T over all permutations, 0 where it is not known.

    Parameters
    ----------
    sd : float
        Of T, from `pairing_null`.
    """
    if not (a.third and b.third and sd > 0.0):
        return 0.0
    return third_moment(a.third, b.third, n) / sd**3


def normal_p(value: float, mean: float, sd: float) -> float:
    """Return the probability that a normal variable is at least `value`.

    With `sd` zero every pairing gives the same, and the probability is 1.
    """
    if sd == 0.0:
        return 1.0
    return 0.5 * math.erfc((value - mean) / (sd * math.sqrt(2.0)))


def gamma_p(value: float, mean: float, sd: float, skewness: float) -> float:
    """Return the upper tail of a shifted gamma law (Pearson type III) at `value`.

    Mean, standard deviation and skewness are those of the law; negative skewness mirrors
    it, none gives the normal law. With `sd` zero the probability is 1.
    """
    if sd == 0.0 or abs(skewness) < _NO_SKEWNESS:
        return normal_p(value, mean, sd)
    shape = 4.0 / (skewness * skewness)
    root = 2.0 / abs(skewness)
    z = (value - mean) / sd
    if skewness > 0.0:
        return float(special.gammaincc(shape, max(0.0, shape + root * z)))
    return float(special.gammainc(shape, max(0.0, shape - root * z)))
