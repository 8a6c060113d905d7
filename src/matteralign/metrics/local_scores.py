"""Scores of a pair from two sets of neighbour lists, in O(N k) time and memory.

Each function scores a list of k at once and returns one `LocalScore` for each. Lists are
looked through once for the entries that both hold; an entry with places p and q counts for
every k above both. Replicates leave out one block of rows, as rows and as neighbours, and
the next entries of the lists move up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from matteralign.metrics.inputs import FloatArray
from matteralign.metrics.kernels import list_sums as sums
from matteralign.metrics.local_common import Entries, Shared, scaled_null, shared, too_few
from matteralign.metrics.local_kernel import LocalKernel
from matteralign.metrics.local_lists import LocalLists, list_moments
from matteralign.metrics.local_result import LocalScore, calibrated
from matteralign.stats.pairing import PairingMoments


def mutual_knn(
    a: LocalLists, b: LocalLists, ks: Sequence[int], found: Shared | None = None
) -> list[LocalScore]:
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
) -> list[LocalScore]:
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
    n = a.lists.rows
    found = found or shared(a.lists, b.lists, ks)
    entries = found.entries
    joint = np.cumsum(sums.products(*entries, a.centred, b.centred, found.group, found.groups))
    results = []
    for k, product in zip(ks, joint, strict=False):
        failed = too_few(n, k, 2, "cknna[text]")
        if failed:
            results.append(failed)
            continue
        own_a, own_b = _own_text(a, k), _own_text(b, k)
        scale = math.sqrt(own_a.square) * math.sqrt(own_b.square)
        if scale == 0.0:
            reason = "the centred kernel of one embedding is zero on its neighbours"
            results.append(LocalScore(n, None, reason))
            continue
        value = min(1.0, max(-1.0, float(product) / scale))
        null = scaled_null(own_a.moments, own_b.moments, n, scale)
        replicates: FloatArray = np.empty(0)
        floors: FloatArray = np.empty(0)
        if own_a.squares.size and own_b.squares.size:
            scales = np.sqrt(own_a.squares) * np.sqrt(own_b.squares)
            if scales.all():
                left = a.lists.left
                replicates = _product_lanes(a, b, k, entries) / scales
                floors = own_a.totals * own_b.totals / (left * (left - 1.0)) / scales
        results.append(calibrated(n, value, null, replicates.tolist(), floors.tolist()))
    return results


def _moments(lists: LocalLists, k: int) -> PairingMoments:
    if k not in lists.moments:
        lists.moments[k] = list_moments(lists, k)
    return lists.moments[k]


@dataclass(frozen=True)
class _OwnText:
    """One embedding's part of `cknna_text`; arrays are of shape (B,) or empty."""

    square: float
    squares: FloatArray
    totals: FloatArray
    moments: PairingMoments


def _own_text(kernel: LocalKernel, k: int) -> _OwnText:
    key = ("text", k)
    if key not in kernel.own:
        lists = kernel.lists
        moments = list_moments(lists, k, kernel.centred)
        squares = totals = np.empty(0)
        if lists.jackknifed:
            itself = sums.shared_entries(lists.index, lists.index, lists.length)
            squares = _product_lanes(kernel, kernel, k, itself)
            totals = sums.total_lanes(lists.index, kernel.centred, kernel.shift, lists.kept[k])
        kernel.own[key] = _OwnText(moments.squares, squares, totals, moments)
    own: _OwnText = kernel.own[key]
    return own


def _product_lanes(a: LocalKernel, b: LocalKernel, k: int, entries: Entries) -> FloatArray:
    lanes: FloatArray = sums.product_lanes(
        *entries, a.lists.index, a.centred, a.shift, a.lists.kept[k],
        b.centred, b.shift, b.lists.kept[k],
    )  # fmt: skip
    return lanes
