"""Exact k-nearest-neighbour lists, ties broken by lower row index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matteralign.metrics.blocks import (
    DEFAULT_MEMORY_BYTES,
    inner_products,
    row_blocks,
    squared_distances,
)
from matteralign.metrics.errors import MetricInputError
from matteralign.metrics.inputs import FloatArray, IndexArray, require_neighbors


@dataclass(frozen=True)
class Neighbors:
    """Neighbour lists of one embedding, nearest first, each row without itself.

    Attributes
    ----------
    euclid_index : ndarray of int32, shape (n, k)
    euclid_distance : ndarray of float64, shape (n, k)
        In the units of the embedding.
    inner_index : ndarray of int32, shape (n, k)
        Largest inner products of the uncentred rows.
    """

    euclid_index: IndexArray
    euclid_distance: FloatArray
    inner_index: IndexArray

    @property
    def n(self) -> int:
        """Rows of the embedding."""
        return int(self.euclid_index.shape[0])

    @property
    def k(self) -> int:
        """Neighbours kept per row."""
        return int(self.euclid_index.shape[1])

    def check(self, name: str, n: int) -> None:
        """Raise MetricInputError unless the lists can belong to an embedding of `n` rows."""
        shape = self.euclid_index.shape
        if (
            len(shape) != 2
            or self.euclid_distance.shape != shape
            or self.inner_index.shape != shape
        ):
            raise MetricInputError(
                f"neighbours of {name} have shapes {shape}, {self.euclid_distance.shape} and "
                f"{self.inner_index.shape}; three equal (n, k) arrays are needed"
            )
        if shape[0] != n:
            raise MetricInputError(
                f"neighbours of {name} cover {shape[0]} rows, its embedding has {n}: "
                "they belong to another sample set"
            )
        for kind, index in (("euclid", self.euclid_index), ("inner", self.inner_index)):
            if index.size and not (index.min() >= 0 and index.max() < n):
                raise MetricInputError(f"{kind} neighbours of {name} point outside its {n} rows")


def euclidean_neighbors(
    x: FloatArray, k: int, *, memory_bytes: int = DEFAULT_MEMORY_BYTES
) -> tuple[IndexArray, FloatArray]:
    """Return the `k` nearest rows of every row by Euclidean distance.

    Parameters
    ----------
    x : ndarray of float64, shape (n, d)
    k : int
        At least 1 and below n.
    memory_bytes : int
        Bound on the working blocks.

    Returns
    -------
    index : ndarray of int32, shape (n, k)
    distance : ndarray of float64, shape (n, k)

    Raises
    ------
    NotApplicable
        k >= n.
    """
    n = len(x)
    require_neighbors(n, k)
    index = np.empty((n, k), np.int32)
    distance = np.empty((n, k))
    for rows in row_blocks(n, 24 * n, memory_bytes):
        block = squared_distances(x, rows)
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = np.inf
        index[rows] = smallest(block, k)
        distance[rows] = np.sqrt(np.take_along_axis(block, index[rows].astype(np.intp), axis=1))
    return index, distance


def inner_product_neighbors(
    x: FloatArray, k: int, *, memory_bytes: int = DEFAULT_MEMORY_BYTES
) -> IndexArray:
    """Return the `k` rows with the largest inner product with every row, itself excluded.

    Inner products are those of the rows as given, not centred. Arguments, bound and
    errors as `euclidean_neighbors`.
    """
    n = len(x)
    require_neighbors(n, k)
    index = np.empty((n, k), np.int32)
    norms = np.sqrt(np.einsum("ij,ij->i", x, x))
    # A matrix product may round equal products differently from column to column, so
    # what lies within its error of the k-th place is computed again, in one fixed order.
    error = 4.0 * np.finfo(np.float64).eps * (x.shape[1] + 4) * norms * norms.max(initial=0.0)
    for rows in row_blocks(n, 24 * n, memory_bytes):
        block = -inner_products(x, rows)
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = np.inf
        kth = np.partition(block, k - 1, axis=1)[:, k - 1]
        near = block <= (kth + error[rows])[:, None]
        for i, row in enumerate(range(rows.start, rows.stop)):
            near[i, row] = False
            candidates = np.flatnonzero(near[i])
            exact = np.einsum("j,ij->i", x[row], x[candidates])
            index[row] = candidates[np.argsort(-exact, kind="stable")[:k]]
    return index


def smallest(block: FloatArray, k: int) -> IndexArray:
    """Return columns of the `k` smallest entries of every row, ascending.

    Equal entries are ordered, and admitted at the k-th place, by lower column.
    """
    if k >= block.shape[1]:
        return np.argsort(block, axis=1, kind="stable")[:, :k].astype(np.int32)
    kth = np.partition(block, k - 1, axis=1)[:, k - 1 : k]
    below = block < kth
    tied = block == kth
    room = k - below.sum(axis=1, keepdims=True)
    chosen = below | (tied & (np.cumsum(tied, axis=1) <= room))
    columns = np.nonzero(chosen)[1].reshape(len(block), k)
    order = np.argsort(np.take_along_axis(block, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1).astype(np.int32)
