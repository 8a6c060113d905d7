"""CKNNA as its authors released it, from neighbour lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from matteralign.metrics.base.inputs import FloatArray, IndexArray
from matteralign.metrics.base.specs import Scored
from matteralign.metrics.local import sum_loops as sums
from matteralign.metrics.local.common import Entries, Shared, scaled_null, shared, too_few
from matteralign.metrics.local.kernel import LocalKernel
from matteralign.metrics.local.lists import list_moments
from matteralign.metrics.local.result import calibrated
from matteralign.stats.pairing import PairingMoments

# Part of the released definition: it guards the division, and makes the value depend on
# the scale of the embedding when the kernels are small.
HUH2024_EPSILON = 1e-6

# Up to so many rows, and from this k per row on, the cross term of every replicate is summed
# too. Its columns take 16 numbers per row, which beyond the cache cost more than all the
# rest, and its share of the value is about k/n.
EXACT_ROWS = 8192
EXACT_SHARE = 25 / 8192


def cknna_huh2024(
    a: LocalKernel, b: LocalKernel, ks: Sequence[int], found: Shared | None = None
) -> list[tuple[Scored, Scored]]:
    """Return CKNNA(a, b) and CKNNA(b, a) of the released implementation for every k.

    Kernels are masked uncentred and the unbiased HSIC (Song et al. 2012, eq. 5) is taken.
    Its main term pairs entry (i, j) of one masked kernel with (j, i) of the other, so only
    neighbours that are reciprocal and shared enter it; its cross term pairs column sums
    with row sums, so the two directions differ slightly.

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
    Null: mean and standard deviation of the main term, sum(P Q) with P the kernel at
    reciprocal neighbours, are exact; the means of the other two terms are added (that of
    the product of means but for its share 1/n), their spread, k/n of the main term's, is
    left out. With hubs of large kernels they vary against the main term, and the spread is 2 to 3
    times too large.

    Replicates: exact up to EXACT_ROWS rows, and where k/n exceeds EXACT_SHARE. Else the cross
    term, about k/n of the value, is that of all rows times the share of rows left; measured
    at k = 25 the standard error is then 4 % too wide at n = 1,000, falling with k/n to below
    1 % at n = 8,192.
    """
    found = found or shared(a.lists, b.lists, ks)
    return [_both_directions(a, b, k, found.entries) for k in ks]


def _both_directions(
    a: LocalKernel, b: LocalKernel, k: int, entries: Entries
) -> tuple[Scored, Scored]:
    n = a.lists.rows
    failed = too_few(n, k, 4, "cknna[huh2024]")
    if failed:
        return failed, failed
    own_a, own_b = _own(a, k), _own(b, k)
    hsic_a, hsic_b = own_a.terms.hsic(), own_b.terms.hsic()
    reason = _no_scale(_unscaled(hsic_a, 4 * a.exponent), _unscaled(hsic_b, 4 * b.exponent))
    if reason:
        failed = Scored.not_applicable(reason, n)
        return failed, failed
    # Kernels are in units of 4^exponent: the epsilon goes into those units.
    epsilon = _unscaled(HUH2024_EPSILON, -2 * (a.exponent + b.exponent))
    scale = math.sqrt(hsic_a) * math.sqrt(hsic_b) + epsilon
    joint = _terms(a, b, k, entries)
    null = scaled_null(own_a.moments, own_b.moments, n, n * (n - 3) * scale)
    scales = _replicate_scales(own_a.terms, own_b.terms, epsilon)
    both = []
    for back in (False, True):
        share = _share_of_floor(own_b, own_a, n) if back else _share_of_floor(own_a, own_b, n)
        replicates: list[float] = []
        floors: list[float] = []
        if scales.size:
            left = joint.left
            means = own_a.totals * own_b.totals / (left * (left - 1.0))
            replicates = (joint.replicates(back) / scales).tolist()
            floors = (means * share / (left * (left - 3.0)) / scales).tolist()
        value = joint.hsic(back) / scale
        shifted = null and (null[0] * share, null[1], null[2])
        both.append(calibrated(n, value, shifted, replicates, floors))
    return both[0], both[1]


def _no_scale(own_a: float, own_b: float) -> str:
    if not (math.isfinite(own_a) and math.isfinite(own_b)):
        return "the kernels overflow float64: normalise the embeddings first"
    if own_a > 0.0 and own_b > 0.0:
        return ""
    return (
        "the unbiased HSIC of an embedding with itself is not positive "
        f"({own_a:.3g} and {own_b:.3g}): too few reciprocal neighbours"
    )


def _unscaled(value: float, exponent: int) -> float:
    """Return value * 2^exponent, infinite where that overflows."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(value, exponent))


@dataclass(frozen=True)
class _Terms:
    """Terms of the unbiased HSIC of two masked kernels, with those of the replicates.

    Attributes
    ----------
    n : int
    main, total_a, total_b, cross, cross_back : float
        As `kernels.list_sums.reciprocal_sums`.
    lanes : ndarray, shape (5, B) or (5, 0)
        The same five without each block.
    left : ndarray of float64, shape (B,) or (0,)
        Rows left without each block.
    """

    n: int
    main: float
    total_a: float
    total_b: float
    cross: float
    cross_back: float
    lanes: FloatArray
    left: FloatArray

    def hsic(self, back: bool = False) -> float:
        """Return the unbiased HSIC of (a, b), or of (b, a)."""
        n = self.n
        cross = self.cross_back if back else self.cross
        means = self.total_a * self.total_b / ((n - 1) * (n - 2))
        return (self.main + means - 2.0 * cross / (n - 2)) / (n * (n - 3))

    def replicates(self, back: bool = False) -> FloatArray:
        """Return it without each block."""
        m = self.left
        main, total_a, total_b = self.lanes[:3]
        cross = self.lanes[4 if back else 3]
        means = total_a * total_b / ((m - 1) * (m - 2))
        value: FloatArray = (main + means - 2.0 * cross / (m - 2)) / (m * (m - 3))
        return value


def _terms(a: LocalKernel, b: LocalKernel, k: int, entries: Entries) -> _Terms:
    index = a.lists.index
    parts = sums.reciprocal_sums(
        *entries, index, k, a.centred, a.height, a.lists.reverse,
        b.centred, b.height, b.lists.reverse,
    )  # fmt: skip
    main, total_a, total_b, cross, cross_back = parts
    lanes, left = np.empty((5, 0)), np.empty(0)
    if a.lists.jackknifed and b.lists.jackknifed:
        left = a.lists.left.astype(np.float64)
        kept_a, kept_b = a.lists.kept[k], b.lists.kept[k]
        block = a.lists.row_block
        first = sums.reciprocal_lanes(
            *entries, index, block, a.centred, a.height, kept_a, a.lists.mutual[k],
            b.centred, b.height, kept_b, b.lists.mutual[k],
        )  # fmt: skip
        if len(index) <= EXACT_ROWS or k > EXACT_SHARE * len(index):
            last = sums.cross_lanes(
                *entries, index, block, a.centred, a.height, kept_a, b.centred, b.height, kept_b
            )
        else:
            last = np.outer((cross, cross_back), left / a.lists.rows)
        lanes = np.concatenate((first, last))
    return _Terms(a.lists.rows, main, total_a, total_b, cross, cross_back, lanes, left)


@dataclass(frozen=True)
class _Own:
    """One embedding's part: its terms with itself, and its kernel at reciprocal entries.

    Attributes
    ----------
    terms : _Terms
    totals : ndarray, shape (B,) or (0,)
        Sums of the kernel at reciprocal entries without each block.
    moments : PairingMoments
        Of that kernel.
    entries : float
        Entries of all lists.
    column_count, row_count : float
        Sum over rows of the column sum of the masked kernel times the entries of the row,
        and of its row sum times how often the row is listed.
    """

    terms: _Terms
    totals: FloatArray
    moments: PairingMoments
    entries: float
    column_count: float
    row_count: float


def _share_of_floor(a: _Own, b: _Own, n: int) -> float:
    """Return the mean of all three terms over random pairings, by that of the main term."""
    two = n * (n - 1.0)
    main = a.moments.total * b.moments.total / two
    if main == 0.0:
        return 1.0
    first, second = a.terms.total_a, b.terms.total_a
    means = first * second / two * (1.0 + a.entries * b.entries / two) + main
    column = a.column_count - a.moments.total
    row = b.row_count - b.moments.total
    cross = main + column * row / (two * (n - 2))
    return (main + means / ((n - 1) * (n - 2)) - 2.0 * cross / (n - 2)) / main


def _own(kernel: LocalKernel, k: int) -> _Own:
    key = ("huh2024", k)
    if key not in kernel.own:
        lists = kernel.lists
        width = lists.length if lists.jackknifed else k
        itself: Entries = sums.shared_entries(lists.index, lists.index, width)
        totals = np.empty(0)
        if lists.jackknifed:
            mutual = lists.mutual[k]
            masked = kernel.centred, kernel.height, mutual, mutual
            first = sums.reciprocal_lanes(*itself, lists.index, lists.row_block, *masked, *masked)
            totals = first[1]
        kernel.own[key] = _Own(
            _terms(kernel, kernel, k, itself),
            totals,
            list_moments(lists, k, kernel.plain(), reciprocal=True),
            *_counted(lists.index[:, :k], kernel.plain()[:, :k]),
        )
    own: _Own = kernel.own[key]
    return own


def _counted(index: IndexArray, kernel: FloatArray) -> tuple[float, float, float]:
    """Return `entries`, `column_count` and `row_count` of `_Own`."""
    n, listed = len(index), index >= 0
    columns = index[listed]
    column_sums = np.bincount(columns, weights=kernel[listed], minlength=n)
    lengths, votes = listed.sum(axis=1), np.bincount(columns, minlength=n)
    # Kernels are 0 where nothing is listed.
    return (
        float(len(columns)),
        float(column_sums @ lengths),
        float(kernel.sum(axis=1) @ votes),
    )


def _replicate_scales(a: _Terms, b: _Terms, epsilon: float) -> FloatArray:
    """Return the denominators of the replicates; none where one has no real value."""
    if not (a.left.size and b.left.size):
        return np.empty(0)
    own_a, own_b = a.replicates(), b.replicates()
    if not ((own_a > 0.0).all() and (own_b > 0.0).all()):
        return np.empty(0)
    scales: FloatArray = np.sqrt(own_a) * np.sqrt(own_b) + epsilon
    return scales
