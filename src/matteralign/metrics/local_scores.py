"""CKNNA of a pair from two neighbour lists, in O(N k) time and memory.

Only entries that both lists share count, so a pair needs the kernels at the listed
neighbours and nothing else: each model is prepared once (`LocalKernel`) and every pair
works on two sparse matrices of N k entries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from matteralign.metrics.errors import NotApplicable
from matteralign.metrics.inputs import FloatArray, IndexArray, pow2_scaled, require_rows

# scipy's arrays carry no types.
SparseArray: TypeAlias = Any

# Part of the released definition: it guards the division, and makes the value depend on
# the scale of the embedding when the kernels are small.
HUH2024_EPSILON = 1e-6

_CHUNK_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class LocalKernel:
    """Linear kernels of one embedding at its k nearest neighbours.

    Attributes
    ----------
    n, k : int
    pattern : sparse array of ones, shape (n, n)
        Entry (i, j) is stored where j is among the k neighbours of i.
    plain, centred : sparse array, shape (n, n)
        Uncentred and doubly centred kernel at those entries, the latter up to a factor.
    """

    n: int
    k: int
    pattern: SparseArray
    plain: SparseArray
    centred: SparseArray


def local_kernel(x: FloatArray, inner_index: IndexArray, k: int) -> LocalKernel:
    """Prepare one embedding for CKNNA.

    Parameters
    ----------
    x : ndarray of float64, shape (n, d)
    inner_index : ndarray of int, shape (n, >= k)
        Neighbours by inner product, nearest first.
    k : int
        How many of them to use.
    """
    n = len(x)
    columns = np.sort(inner_index[:, :k], axis=1)
    # `text` does not depend on scale; an exact power of two keeps its squares in range.
    scaled = pow2_scaled(x)
    centred = scaled - scaled.mean(axis=0)
    # Sorted columns keep products of two such arrays linear in the stored entries.
    indptr = np.arange(0, n * k + 1, k)

    def at_neighbors(values: FloatArray) -> SparseArray:
        return sparse.csr_array((values, columns.ravel(), indptr), shape=(n, n))

    return LocalKernel(
        n=n,
        k=k,
        pattern=at_neighbors(np.ones(n * k)),
        plain=at_neighbors(_kernel_at(x, columns)),
        centred=at_neighbors(_kernel_at(centred, columns)),
    )


def _kernel_at(x: FloatArray, columns: IndexArray) -> FloatArray:
    n, k = columns.shape
    values = np.empty((n, k))
    step = max(1, _CHUNK_BYTES // (8 * k * x.shape[1]))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        values[rows] = np.einsum("id,ikd->ik", x[rows], x[columns[rows]])
    return values.ravel()


def cknna_text(a: LocalKernel, b: LocalKernel) -> float:
    """Return CKNNA of centred kernels masked with shared neighbours.

    sum(alpha K L) / sqrt(sum(alpha_a K^2) sum(alpha_b L^2)) with doubly centred K and L,
    alpha(i, j) = 1 where j is a neighbour of i in both embeddings.

    Raises
    ------
    NotApplicable
        The centred kernel of one embedding vanishes on its neighbours.
    """
    scale = math.sqrt(_square_sum(a.centred)) * math.sqrt(_square_sum(b.centred))
    if scale == 0.0:
        raise NotApplicable("the centred kernel of one embedding is zero on its neighbours")
    value = float((a.centred * b.centred).sum()) / scale
    return min(1.0, max(-1.0, value))


def _square_sum(kernel: SparseArray) -> float:
    return float(np.dot(kernel.data, kernel.data))


def cknna_huh2024(a: LocalKernel, b: LocalKernel) -> tuple[float, float]:
    """Return CKNNA(a, b) and CKNNA(b, a) of the released implementation.

    Kernels are masked uncentred and the unbiased HSIC (Song et al. 2012, eq. 5) is taken.
    Its leading term pairs entry (i, j) of one masked kernel with (j, i) of the other, so
    only neighbours that are reciprocal and shared enter it; its last term pairs column
    sums with row sums, so the two directions differ slightly.

    Raises
    ------
    NotApplicable
        Fewer than 4 rows, or the unbiased HSIC of one embedding with itself is not
        positive, so that the denominator has no real value.
    """
    require_rows(a.n, 4, "cknna[huh2024]")
    # Overflow is looked for below.
    with np.errstate(over="ignore", invalid="ignore"):
        forward, backward = _unbiased_hsic(a.plain * b.pattern, b.plain * a.pattern, a.n)
        own_a, own_b = (_unbiased_hsic(m.plain, m.plain, m.n)[0] for m in (a, b))
    if not all(map(math.isfinite, (forward, backward, own_a, own_b))):
        raise NotApplicable("the kernels overflow float64: normalise the embeddings first")
    if not (own_a > 0.0 and own_b > 0.0):
        raise NotApplicable(
            "the unbiased HSIC of an embedding with itself is not positive "
            f"({own_a:.3g} and {own_b:.3g}): too few reciprocal neighbours"
        )
    scale = math.sqrt(own_a) * math.sqrt(own_b) + HUH2024_EPSILON
    return forward / scale, backward / scale


def _unbiased_hsic(k: SparseArray, l: SparseArray, n: int) -> tuple[float, float]:  # noqa: E741
    """Return the unbiased HSIC of two zero-diagonal matrices in both argument orders."""
    reciprocal = float((k * l.T.tocsr()).sum())
    means = float(k.sum()) * float(l.sum()) / ((n - 1) * (n - 2))
    cross = float(np.dot(k.sum(axis=0), l.sum(axis=1)))
    cross_back = float(np.dot(l.sum(axis=0), k.sum(axis=1)))
    norm = n * (n - 3)
    return (
        (reciprocal + means - 2.0 * cross / (n - 2)) / norm,
        (reciprocal + means - 2.0 * cross_back / (n - 2)) / norm,
    )
