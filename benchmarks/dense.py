"""CKNNA `huh2024` with dense N x N matrices, re-derived from its definition.

What the engine is measured against where the released code is not at hand, and an
independent implementation for the tests.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.floating]


def nearest(kernel: Matrix, k: int) -> npt.NDArray[np.bool_]:
    """Mark the `k` largest entries of every row, the diagonal excluded, shape (n, n)."""
    off_diagonal = kernel.copy()
    np.fill_diagonal(off_diagonal, -np.inf)
    columns = np.argpartition(off_diagonal, len(kernel) - k, axis=1)[:, -k:]
    marked = np.zeros(kernel.shape, bool)
    np.put_along_axis(marked, columns, True, axis=1)
    return marked


def unbiased_hsic(k: Matrix, l: Matrix, *, product: bool) -> float:  # noqa: E741
    """Return the unbiased HSIC of two matrices (Song et al. 2012, eq. 5).

    Parameters
    ----------
    k, l : ndarray, shape (n, n)
        Their diagonals count as zero.
    product : bool
        Whether 1'KL1 is taken from the matrix product KL, as the formula is written and
        the released code does, or from column and row sums, without work in n^3.
    """
    n = len(k)
    k, l = k.copy(), l.copy()  # noqa: E741
    np.fill_diagonal(k, 0.0)
    np.fill_diagonal(l, 0.0)
    cross = (k @ l).sum(dtype=np.float64) if product else k.sum(axis=0) @ l.sum(axis=1)
    total = k.sum(dtype=np.float64) * l.sum(dtype=np.float64)
    value = (k * l.T).sum(dtype=np.float64) + total / ((n - 1) * (n - 2)) - 2 * cross / (n - 2)
    return float(value / (n * (n - 3)))


def cknna(x: Matrix, y: Matrix, k: int, *, product: bool = True) -> float:
    """Return CKNNA of two embeddings in the precision they come in.

    Kernels are masked uncentred with the neighbours that both embeddings share; every one
    of the three alignments finds its neighbours anew, as the released code does.
    """
    kernels = x @ x.T, y @ y.T

    def alignment(a: Matrix, b: Matrix) -> float:
        shared = nearest(a, k) & nearest(b, k)
        return unbiased_hsic(shared * a, shared * b, product=product)

    joint, own_x, own_y = (alignment(kernels[i], kernels[j]) for i, j in ((0, 1), (0, 0), (1, 1)))
    return joint / (math.sqrt(own_x * own_y) + 1e-6)
