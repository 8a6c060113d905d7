"""Loops over ordered neighbour distances for the intrinsic dimensions."""

# Compiled code: numba finds the types.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from matteralign.metrics.base.jit import jit


@jit
def inverse_dimensions(distances, ks):
    """Return mean_{j<k} ln(r_k / r_j) of every row for ascending ks, shape (n, len(ks)).

    Parameters
    ----------
    distances : (n, L) of float64
        To the nearest rows, ascending, above 0.
    ks : (K,) of int
        Each at least 2 and at most L.
    """
    n = len(distances)
    out = np.empty((n, len(ks)))
    for i in range(n):
        first = distances[i, 0]
        total = 0.0
        at = 0
        for p in range(ks[-1]):
            log = np.log(distances[i, p] / first)
            while at < len(ks) and ks[at] == p + 1:
                out[i, at] = max(0.0, log - total / p)
                at += 1
            total += log
    return out


@jit
def influences(distances, near, reverse, inverse, slope, weight, k):
    """Return what each row does to the local estimates of the others, and the sum of squares.

    Parameters
    ----------
    distances : (n, L), ascending
    near : (n, L)
        The neighbours.
    reverse : (n, L)
        Place of row i in the list of near[i, p], k or more where it is not among its first k.
    inverse : (n,)
        Means of ln(r_k / r_j) over j < k, as `inverse_dimensions`.
    slope : (n,)
        Derivative of ln r by the logarithm of the number of neighbours, at r_k.
    weight : (n,)
        What every mean is multiplied with.
    k : int

    Returns
    -------
    ndarray, shape (n,)
        Sum of the changes when the row joins.
    float
        Sum, over all pairs of rows, of the squares of what the two do to each other and to no
        other row.
    """
    n = len(distances)
    out = np.zeros(n)
    pairs = 0.0
    last = np.log(distances[:, k - 1])
    shift = inverse * (k - 1.0) / k
    for i in range(n):
        for p in range(k):
            j = near[i, p]
            log = last[i] - np.log(distances[i, p])
            out[j] += weight[i] * (log / (k - 1.0) - slope[i] / k)
            own = weight[i] * (log - shift[i]) / (k - 1.0)
            q = reverse[i, p]
            if q < k:
                if i > j:
                    continue
                back = last[j] - np.log(distances[j, q])
                own += weight[j] * (back - shift[j]) / (k - 1.0)
            pairs += own * own
    return out, pairs
