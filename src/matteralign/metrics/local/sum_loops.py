"""Sums over the entries that two neighbour lists share: the inner loops of a local pair.

Sixteen lanes are sixteen replicates, one for each block left out (`stats/blocks.py`); a
lane takes part in an entry where the bit of its block is set.
"""

# Compiled code: numba finds the types.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from matteralign.metrics.base.jit import jit
from matteralign.stats.blocks import BLOCKS

_LANES = BLOCKS
_ALL = (1 << BLOCKS) - 1


@jit
def shared_entries(a, b, width):
    """Return the entries that the first `width` of two lists have in common.

    Parameters
    ----------
    a, b : ndarray of int32, shapes (n, L_a) and (n, L_b)
        Neighbour lists, -1 after the last entry.
    width : int

    Returns
    -------
    start : ndarray of int64, shape (n + 1,)
        Entries of row i are start[i] to start[i + 1].
    place_a, place_b : ndarray of int16, shape (start[n],)
        Their places in both lists, in the order of `b`.
    """
    n = len(a)
    wide_a, wide_b = min(width, a.shape[1]), min(width, b.shape[1])
    start = np.zeros(n + 1, np.int64)
    place_a = np.empty(n * min(wide_a, wide_b) + 1, np.int16)
    place_b = np.empty(n * min(wide_a, wide_b) + 1, np.int16)
    # Stamps grow with the row, so the table never needs clearing; -1 meets the last element.
    table = np.full(n + 1, -1, np.int64)
    m = 0
    for i in range(n):
        base = i * wide_a
        for p in range(wide_a):
            table[a[i, p]] = base + p
        table[n] = -1
        for q in range(wide_b):
            p = table[b[i, q]] - base
            # Written always and kept on a hit: a branch here is mispredicted too often.
            place_a[m] = p
            place_b[m] = q
            m += p >= 0
        start[i + 1] = m
    return start, place_a[:m], place_b[:m]


@jit
def counts(start, place_a, place_b, bins, groups):
    """Return how many shared entries have their larger place in each group of places.

    Parameters
    ----------
    start, place_a, place_b
        Shared entries, as `shared_entries` returns them.
    bins : (L,) of int
        Group of each place.
    groups : int
    """
    out = np.zeros(groups, np.int64)
    for h in range(start[-1]):
        out[bins[max(place_a[h], place_b[h])]] += 1
    return out


@jit
def count_lanes(start, place_a, place_b, mask_a, mask_b):
    """Return the shared entries of every replicate, shape (16,).

    Parameters
    ----------
    start, place_a, place_b
        Shared entries, as `shared_entries` returns them.
    mask_a, mask_b : (n, L_a), (n, L_b) of uint16
        Bit b is set where the entry counts in replicate b.
    """
    lanes = np.zeros(_LANES, np.int64)
    row = np.zeros(_LANES, np.int32)
    for i in range(len(start) - 1):
        row[:] = 0
        for h in range(start[i], start[i + 1]):
            m = np.int32(mask_a[i, place_a[h]] & mask_b[i, place_b[h]])
            for lane in range(_LANES):
                row[lane] += (m >> np.int32(lane)) & np.int32(1)
        for lane in range(_LANES):
            lanes[lane] += row[lane]
    return lanes


@jit
def products(start, place_a, place_b, index, a, height_a, b, height_b, bins, groups):
    """Return the sum of a times b over shared entries, by group of their larger place.

    To every element the heights of its row and column are added; `index` are the lists that
    `place_a` counts in.

    Parameters
    ----------
    start, place_a, place_b
        Shared entries, as `shared_entries` returns them.
    index : (n, L_a) of int32
        The lists that `place_a` counts in.
    a, b : (n, L_a), (n, L_b) of float64
        Kernels at the entries of the lists, in squared units of the scaled rows.
    height_a, height_b : (n,) of float64
        Added to the elements, for their row and for their column.
    bins : (L,) of int
        Group of each place.
    groups : int
    """
    out = np.zeros(groups)
    for i in range(len(start) - 1):
        for h in range(start[i], start[i + 1]):
            p, q = place_a[h], place_b[h]
            j = index[i, p]
            x = a[i, p] + height_a[i] + height_a[j]
            y = b[i, q] + height_b[i] + height_b[j]
            out[bins[max(p, q)]] += x * y
    return out


@jit
def product_lanes(
    start,
    place_a,
    place_b,
    index,
    a,
    height_a,
    shift_a,
    mask_a,
    b,
    height_b,
    shift_b,
    mask_b,
):
    """Return the sum of a times b, both centred again, of every replicate, shape (16,).

    Heights and `index` as for `products`; shifts are taken off for each replicate.

    Parameters
    ----------
    start, place_a, place_b
        Shared entries, as `shared_entries` returns them.
    index : (n, L_a) of int32
        The lists that `place_a` counts in.
    a, b : (n, L_a), (n, L_b) of float64
        Kernels at the entries of the lists, in squared units of the scaled rows.
    height_a, height_b : (n,) of float64
        Added to the elements, for their row and for their column.
    shift_a, shift_b : (n, 16) of float32
    mask_a, mask_b : (n, L_a), (n, L_b) of uint16
        Bit b is set where the entry counts in replicate b.
    """
    lanes = np.zeros(_LANES)
    for i in range(len(start) - 1):
        for h in range(start[i], start[i + 1]):
            p, q = place_a[h], place_b[h]
            m = np.int64(mask_a[i, p] & mask_b[i, q])
            if m == 0:
                continue
            j = index[i, p]
            x = a[i, p] + height_a[i] + height_a[j]
            y = b[i, q] + height_b[i] + height_b[j]
            for lane in range(_LANES):
                lanes[lane] += (
                    ((m >> lane) & 1)
                    * (x - shift_a[i, lane] - shift_a[j, lane])
                    * (y - shift_b[i, lane] - shift_b[j, lane])
                )
    return lanes


@jit
def total_lanes(index, values, height, shift, mask):
    """Return the sum of one embedding's values as in `product_lanes` of every replicate.

    Parameters
    ----------
    index : (n, L) of int32
    values : (n, L) of float64
    height : (n,) of float64
    shift : (n, 16) of float32
    mask : (n, L) of uint16
        As for `product_lanes`.
    """
    lanes = np.zeros(_LANES)
    for i in range(len(index)):
        for p in range(index.shape[1]):
            j = index[i, p]
            if j < 0:
                break
            m = np.int64(mask[i, p])
            x = values[i, p] + height[i] + height[j]
            for lane in range(_LANES):
                lanes[lane] += ((m >> lane) & 1) * (x - shift[i, lane] - shift[j, lane])
    return lanes


@jit
def reciprocal_sums(
    start,
    place_a,
    place_b,
    index,
    k,
    a,
    height_a,
    reverse_a,
    b,
    height_b,
    reverse_b,
):
    """Return the sums of the unbiased HSIC over entries shared among the first `k`.

    Parameters
    ----------
    start, place_a, place_b, index, a, height_a, b, height_b
        As for `products`.
    k : int
    reverse_a, reverse_b : (n, L_a), (n, L_b) of int32
        Place of row i in the list of each of its neighbours, at least k where it has none.

    Returns
    -------
    main : float
        Sum of a times b over entries whose reverse is shared too.
    total_a, total_b : float
    cross, cross_back : float
        Column sums of a with row sums of b, and the other way.
    """
    n = len(start) - 1
    column_a, column_b = np.zeros(n), np.zeros(n)
    row_a, row_b = np.zeros(n), np.zeros(n)
    main = 0.0
    for i in range(n):
        sum_a = 0.0
        sum_b = 0.0
        for h in range(start[i], start[i + 1]):
            p, q = place_a[h], place_b[h]
            if p >= k or q >= k:
                continue
            j = index[i, p]
            x = a[i, p] + height_a[i] + height_a[j]
            y = b[i, q] + height_b[i] + height_b[j]
            sum_a += x
            sum_b += y
            column_a[j] += x
            column_b[j] += y
            if reverse_a[i, p] < k and reverse_b[i, q] < k:
                main += x * y
        row_a[i] = sum_a
        row_b[i] = sum_b
    return main, row_a.sum(), row_b.sum(), np.dot(column_a, row_b), np.dot(column_b, row_a)


@jit
def _spread(by_blocks, lanes):
    """Add sums by block of row and column to the replicates that leave neither out."""
    for r in range(_LANES):
        for c in range(_LANES):
            for lane in range(_LANES):
                if lane != r and lane != c:
                    lanes[lane] += by_blocks[r, c]


@jit
def reciprocal_lanes(
    start,
    place_a,
    place_b,
    index,
    block,
    a,
    height_a,
    mask_a,
    mutual_a,
    b,
    height_b,
    mask_b,
    mutual_b,
):
    """Return main, total_a and total_b of `reciprocal_sums` of every replicate, (3, 16).

    Most entries are kept unless the block of their row or of their column is left out: they
    are summed by the two blocks, the others lane by lane.

    Parameters
    ----------
    block : (n,)
        Block of every row.
    """
    lanes = np.zeros((3, _LANES))
    by_blocks = np.zeros((3, _LANES, _LANES))
    for i in range(len(start) - 1):
        own = block[i]
        for h in range(start[i], start[i + 1]):
            p, q = place_a[h], place_b[h]
            m = np.int64(mask_a[i, p] & mask_b[i, q])
            if m == 0:
                continue
            both = np.int64(mutual_a[i, p] & mutual_b[i, q])
            j = index[i, p]
            other = block[j]
            regular = _ALL & ~((1 << own) | (1 << other))
            x = a[i, p] + height_a[i] + height_a[j]
            y = b[i, q] + height_b[i] + height_b[j]
            if m == regular:
                by_blocks[1, own, other] += x
                by_blocks[2, own, other] += y
            else:
                for lane in range(_LANES):
                    lanes[1, lane] += ((m >> lane) & 1) * x
                    lanes[2, lane] += ((m >> lane) & 1) * y
            if both == regular:
                by_blocks[0, own, other] += x * y
            elif both != 0:
                for lane in range(_LANES):
                    lanes[0, lane] += ((both >> lane) & 1) * (x * y)
    for term in range(3):
        _spread(by_blocks[term], lanes[term])
    return lanes


@jit
def _add_lanes(value, block, m, regular, total, change):
    # A replicate has the total and its own change; what it leaves out is taken off there.
    if m == regular:
        change[block] -= value
        return total + value
    for lane in range(_LANES):
        change[lane] += ((m >> lane) & 1) * value
    return total


@jit
def cross_lanes(start, place_a, place_b, index, block, a, height_a, mask_a, b, height_b, mask_b):
    """Return cross and cross_back of `reciprocal_sums` of every replicate, shape (2, 16).

    Parameters
    ----------
    start, place_a, place_b
        Shared entries, as `shared_entries` returns them.
    index : (n, L_a) of int32
        The lists that `place_a` counts in.
    block : (n,) of int
        Block of each row.
    a, b : (n, L_a), (n, L_b) of float64
        Kernels at the entries of the lists, in squared units of the scaled rows.
    height_a, height_b : (n,) of float64
        Added to the elements, for their row and for their column.
    mask_a, mask_b : (n, L_a), (n, L_b) of uint16
        Bit b is set where the entry counts in replicate b.
    """
    n = len(start) - 1
    column_a, column_b = np.zeros((n, _LANES)), np.zeros((n, _LANES))
    row_a, row_b = np.zeros((n, _LANES)), np.zeros((n, _LANES))
    whole_a, whole_b = np.zeros(n), np.zeros(n)
    for i in range(n):
        own = block[i]
        total_a = 0.0
        total_b = 0.0
        for h in range(start[i], start[i + 1]):
            p, q = place_a[h], place_b[h]
            m = np.int64(mask_a[i, p] & mask_b[i, q])
            if m == 0:
                continue
            j = index[i, p]
            other = block[j]
            regular = _ALL & ~((1 << own) | (1 << other))
            x = a[i, p] + height_a[i] + height_a[j]
            y = b[i, q] + height_b[i] + height_b[j]
            total_a = _add_lanes(x, other, m, regular, total_a, row_a[i])
            total_b = _add_lanes(y, other, m, regular, total_b, row_b[i])
            whole_a[j] = _add_lanes(x, own, m, regular, whole_a[j], column_a[j])
            whole_b[j] = _add_lanes(y, own, m, regular, whole_b[j], column_b[j])
        for lane in range(_LANES):
            row_a[i, lane] += total_a
            row_b[i, lane] += total_b
    lanes = np.zeros((2, _LANES))
    for j in range(n):
        for lane in range(_LANES):
            if lane != block[j]:
                lanes[0, lane] += (whole_a[j] + column_a[j, lane]) * row_b[j, lane]
                lanes[1, lane] += (whole_b[j] + column_b[j, lane]) * row_a[j, lane]
    return lanes
