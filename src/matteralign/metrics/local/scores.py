"""Scores of a pair from two sets of neighbour lists, in O(N k) time and memory.

Each function scores a list of k at once and returns one `Scored` for each. Lists are
looked through once for the entries that both hold; an entry with places p and q counts for
every k above both. Replicates leave out one block of rows, as rows and as neighbours, and
the next entries of the lists move up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from matteralign.metrics.base.inputs import FloatArray, SingleArray
from matteralign.metrics.base.specs import Scored
from matteralign.metrics.local import sum_loops as sums
from matteralign.metrics.local.common import Entries, Shared, scaled_null, shared, too_few
from matteralign.metrics.local.kernel import LocalKernel
from matteralign.metrics.local.lists import LocalLists, list_moments
from matteralign.metrics.local.result import calibrated
from matteralign.stats.pairing import PairingMoments


def mutual_knn(
    a: LocalLists, b: LocalLists, ks: Sequence[int], found: Shared | None = None
) -> list[Scored]:
    """Return the share of neighbours that two embeddings have in common.

    Mean over rows of |N_a(i) and N_b(i)| / k (Huh et al. 2024, arXiv 2405.07987, eq. 11).

    Parameters
    ----------
    a, b : LocalLists
        Of the same rows; prepared for these `ks` when there is a jackknife.
    ks : sequence of int
        Ascending.
    found : Shared, optional
        `shared(a, b, ks)`, where several scores use the same lists.

    Notes
    -----
    Null: mean k / (n - 1), exact; standard deviation exact over all pairings.
    """
    n = a.rows
    found = found or shared(a, b, ks)
    entries = found.entries
    counts = np.cumsum(sums.counts(*entries, found.group, found.groups))
    results = []
    for k, count in zip(ks, counts, strict=False):
        failed = too_few(n, k, 2, "mutual_knn")
        if failed:
            results.append(failed)
            continue
        null = scaled_null(_moments(a, k), _moments(b, k), n, n * k)
        replicates: list[float] = []
        floors: list[float] = []
        if a.jackknifed and b.jackknifed:
            lanes = sums.count_lanes(*entries, a.kept[k], b.kept[k])
            sizes = np.minimum(k, a.left - 1) * a.left
            replicates = (lanes / sizes).tolist()
            floors = (np.minimum(k, a.left - 1) / (a.left - 1)).tolist()
        results.append(calibrated(n, float(count) / (n * k), null, replicates, floors))
    return results


def cknna_text(
    a: LocalKernel, b: LocalKernel, ks: Sequence[int], found: Shared | None = None
) -> list[Scored]:
    """Return CKNNA of centred kernels masked with shared neighbours.

    sum(alpha K L) / sqrt(sum(alpha_a K^2) sum(alpha_b L^2)) with doubly centred K and L,
    alpha(i, j) = 1 where j is a neighbour of i in both embeddings.

    Parameters
    ----------
    a, b : LocalKernel
        Of the same rows; prepared for these `ks` when there is a jackknife.
    ks : sequence of int
        Ascending.
    found : Shared, optional
        `shared(a.lists, b.lists, ks)`, where several scores use the same lists.

    Notes
    -----
    Null: a random pairing leaves both roots as they are, so mean and standard deviation
    of the score are exact. A replicate centres its kernels over the rows it has.
    """
    return _cosines(_centred(a), _centred(b), ks, found)


def cknna_printed(
    a: LocalKernel, b: LocalKernel, ks: Sequence[int], found: Shared | None = None
) -> list[Scored]:
    """Return CKNNA of kernels less their mean, masked with shared neighbours.

    As `cknna_text`, with K_ij = x_i.x_j - c instead, c being the mean of x_i.x_j over all
    pairs of rows, each row with itself too.

    Parameters
    ----------
    a, b, ks, found
        As `cknna_text`.

    Notes
    -----
    Null: exact, as for `cknna_text`. A replicate takes the mean over the rows it has.
    """
    return _cosines(_less_mean(a), _less_mean(b), ks, found)


@dataclass(frozen=True)
class _Matrix:
    """One embedding's matrix at its listed neighbours: ``centred + height_i + height_j``.

    Attributes
    ----------
    name : str
        Definition of CKNNA.
    height : ndarray of float64, shape (n,)
    shift : ndarray of float32, shape (n, B) or (n, 0)
        What comes off for row and for column when a block is left out.
    """

    name: str
    kernel: LocalKernel
    height: FloatArray
    shift: SingleArray


def _centred(kernel: LocalKernel) -> _Matrix:
    return _Matrix("text", kernel, np.zeros(kernel.lists.n), kernel.shift)


def _less_mean(kernel: LocalKernel) -> _Matrix:
    height = kernel.height - 0.5 * kernel.level
    shift = np.tile((0.5 * kernel.levels).astype(np.float32), (kernel.lists.n, 1))
    return _Matrix("printed", kernel, height, shift)


def _cosines(a: _Matrix, b: _Matrix, ks: Sequence[int], found: Shared | None) -> list[Scored]:
    """Return sum(alpha A B) / sqrt(sum(alpha_a A^2) sum(alpha_b B^2)) for every k."""
    lists = a.kernel.lists
    n = lists.rows
    found = found or shared(lists, b.kernel.lists, ks)
    entries = found.entries
    joint = np.cumsum(
        sums.products(
            *entries, lists.index, a.kernel.centred, a.height, b.kernel.centred, b.height,
            found.group, found.groups,
        )
    )  # fmt: skip
    results = []
    for k, product in zip(ks, joint, strict=False):
        failed = too_few(n, k, 2, f"cknna[{a.name}]")
        if failed:
            results.append(failed)
            continue
        own_a, own_b = _own(a, k), _own(b, k)
        scale = math.sqrt(own_a.square) * math.sqrt(own_b.square)
        if scale == 0.0:
            reason = "the centred kernel of one embedding is zero on its neighbours"
            results.append(Scored.not_applicable(reason, n))
            continue
        value = min(1.0, max(-1.0, float(product) / scale))
        null = scaled_null(own_a.moments, own_b.moments, n, scale)
        replicates: FloatArray = np.empty(0)
        floors: FloatArray = np.empty(0)
        if own_a.squares.size and own_b.squares.size:
            scales = np.sqrt(own_a.squares) * np.sqrt(own_b.squares)
            if scales.all():
                left = lists.left
                replicates = _product_lanes(a, b, k, entries) / scales
                floors = own_a.totals * own_b.totals / (left * (left - 1.0)) / scales
        results.append(calibrated(n, value, null, replicates.tolist(), floors.tolist()))
    return results


def _moments(lists: LocalLists, k: int) -> PairingMoments:
    if k not in lists.moments:
        lists.moments[k] = list_moments(lists, k)
    return lists.moments[k]


@dataclass(frozen=True)
class _Own:
    """One embedding's part of a score; arrays are of shape (B,) or empty."""

    square: float
    squares: FloatArray
    totals: FloatArray
    moments: PairingMoments


def _own(matrix: _Matrix, k: int) -> _Own:
    kernel, key = matrix.kernel, (matrix.name, k)
    if key not in kernel.own:
        lists = kernel.lists
        moments = list_moments(lists, k, kernel.raised(matrix.height))
        squares = totals = np.empty(0)
        if lists.jackknifed:
            itself = sums.shared_entries(lists.index, lists.index, lists.length)
            squares = _product_lanes(matrix, matrix, k, itself)
            totals = sums.total_lanes(
                lists.index, kernel.centred, matrix.height, matrix.shift, lists.kept[k]
            )
        kernel.own[key] = _Own(moments.squares, squares, totals, moments)
    own: _Own = kernel.own[key]
    return own


def _product_lanes(a: _Matrix, b: _Matrix, k: int, entries: Entries) -> FloatArray:
    lanes: FloatArray = sums.product_lanes(
        *entries, a.kernel.lists.index,
        a.kernel.centred, a.height, a.shift, a.kernel.lists.kept[k],
        b.kernel.centred, b.height, b.shift, b.kernel.lists.kept[k],
    )  # fmt: skip
    return lanes
