"""Ranks of edges: by exact distances, by a table over sorted bounds, by plain counting."""

from __future__ import annotations

import numpy as np

from matteralign.metrics.kernels.exact import squared_difference
from matteralign.metrics.kernels.jit import jit, jit_sums

_TABLE = 4096


@jit
def edge_squares(x, places, nearest, out):
    """Write the squared distance of every edge.

    Parameters
    ----------
    x : (v, d)
        Valid rows of the target, working units.
    places : (n,) of int
        Where a row of the sample set stands in `x`, negative where it is masked.
    nearest : (n, F)
        Far ends, negative where absent.
    out : (n, F)
    """
    for i in range(nearest.shape[0]):
        for f in range(nearest.shape[1]):
            far = nearest[i, f]
            if far >= 0:
                out[i, f] = squared_difference(x[places[i]], x[places[far]])


# Four bounds share each load, and counting in floats (exact below 2^24) spares the compare a
# conversion: half the time of one bound at a time counted in integers.
@jit_sums
def _below(line, b0, b1, b2, b3, counts):
    one = np.float32(1)
    none = np.float32(0)
    c0 = c1 = c2 = c3 = none
    for j in range(len(line)):
        value = line[j]
        c0 += one if value < b0 else none
        c1 += one if value < b1 else none
        c2 += one if value < b2 else none
        c3 += one if value < b3 else none
    counts[0] = np.int64(c0)
    counts[1] = np.int64(c1)
    counts[2] = np.int64(c2)
    counts[3] = np.int64(c3)


@jit
def add_ranks(
    squares, first_column, bounds, nearest, blocks, row_block, column_block, total, touched, seen
):
    """Count, for every edge of every source, the columns nearer than its far end.

    Parameters
    ----------
    squares : (I, J)
        Squared distances; infinite where a column is the row itself or does not count.
    first_column : int
        Row of the sample set that the first column is.
    bounds : (I, F)
        Squared distance of each edge.
    nearest : (I, F)
        Its far end, negative where there is none.
    blocks : (n,)
        Block of each row of the sample set.
    row_block, column_block : int
        Block of the rows and of the columns of this call.
    total : (F,), touched : (F, B), seen : (F, B)
        Gain the counts: all; those of edges with an end in a block; those that the columns
        of a block give to edges with no end in it.
    """
    sources = bounds.shape[1]
    some = np.full(-(-sources // 4) * 4, -np.inf, bounds.dtype)
    counts = np.empty(len(some), np.int64)
    for i in range(bounds.shape[0]):
        line = squares[i]
        some[:sources] = bounds[i]
        for f in range(0, len(some), 4):
            _below(line, some[f], some[f + 1], some[f + 2], some[f + 3], counts[f : f + 4])
        for f in range(sources):
            far = nearest[i, f]
            if far < 0:
                continue
            bound = some[f]
            count = counts[f]
            place = far - first_column
            if 0 <= place < len(line) and line[place] < bound:
                count -= 1
            total[f] += count
            touched[f, row_block] += count
            far_block = blocks[far]
            if far_block != row_block:
                touched[f, far_block] += count
            if column_block != row_block and column_block != far_block:
                seen[f, column_block] += count


@jit
def _start_table(sorted_bounds, low, scale, table):
    """Fill table[c] with the first bound whose cell is at least c.

    Truncation is monotone, so no bound above a distance lies before the start of the
    distance's own cell.
    """
    cells = len(table) - 1
    cell = 0
    for t in range(len(sorted_bounds)):
        c = min(np.int64((sorted_bounds[t] - low) * scale), cells)
        while cell <= c:
            table[cell] = t
            cell += 1
    while cell <= cells:
        table[cell] = len(sorted_bounds)
        cell += 1


@jit
def _first_from(value, sorted_bounds, low, scale, table):
    """Return the first bound that is at least `value`, which must not lie above them all."""
    if value <= low:
        return 0
    t = table[min(np.int64((value - low) * scale), len(table) - 1)]
    while sorted_bounds[t] < value:
        t += 1
    return t


@jit
def _add_hits(hits, order, nearest, blocks, row, total, touched, seen):
    """Add the counts of a row from the columns of each block that lie before each bound."""
    row_block = blocks[row]
    present, size = hits.shape
    for t in range(1, present):
        for b in range(size):
            hits[t, b] += hits[t - 1, b]
    for t in range(present):
        f = order[t]
        far_block = blocks[nearest[f]]
        nearer = 0
        for b in range(size):
            nearer += hits[t, b]
            if b != row_block and b != far_block:
                seen[f, b] += hits[t, b]
        total[f] += nearer
        touched[f, row_block] += nearer
        if far_block != row_block:
            touched[f, far_block] += nearer


@jit
def add_exact_ranks(
    x, products, squares, slack, lost, counted, nearest, blocks, first_row, total, touched, seen
):
    """Count as `add_ranks` by exact distances, equal ones by lower row, over whole rows.

    A distance from the product decides where it differs from every bound by more than it may
    be off; else it is summed from differences, once per row however many bounds are near.

    Parameters
    ----------
    x : (n, d)
        Rows in working units, float64.
    products : (I, limit)
        Products of centred rows.
    squares : (n,)
        Squared lengths of the centred rows.
    slack, lost : float
        A squared distance is off by at most ``slack (|c_i|^2 + |c_j|^2) + lost``.
    counted : (n,) of bool
        Rows that count.
    """
    limit = products.shape[1]
    count = nearest.shape[1]
    size = touched.shape[1]
    exact = np.empty(limit)
    known = np.full(limit, -1, np.int64)
    # Bounds by distance, then by row; a few cells per bound tell where to start looking.
    bounds = np.empty(count)
    ends = np.empty(count, np.int64)
    cells = 4 * count
    table = np.empty(cells + 1, np.int64)
    hits = np.empty((count + 1, size), np.int32)
    for i in range(len(products)):
        row = first_row + i
        line = products[i]
        present = 0
        for f in range(count):
            far = nearest[i, f]
            bounds[f] = np.inf
            ends[f] = limit
            if far >= 0:
                if known[far] != row:
                    exact[far] = squared_difference(x[row], x[far])
                    known[far] = row
                bounds[f] = exact[far]
                ends[f] = far
                present += 1
        if present == 0:
            continue
        by_row = np.argsort(ends, kind="mergesort")
        order = by_row[np.argsort(bounds[by_row], kind="mergesort")]
        sorted_bounds = bounds[order][:present]
        sorted_ends = ends[order][:present]
        low = sorted_bounds[0]
        high = sorted_bounds[present - 1]
        # Below, the quotient could overflow.
        scale = cells / (high - low) if high - low > 1e-280 else 0.0
        _start_table(sorted_bounds, low, scale, table)
        hits[: present + 1] = 0
        for j in range(limit):
            both = squares[row] + squares[j]
            off = slack * both + lost
            value = both - 2.0 * line[j]
            if value - off > high or not counted[j] or j == row:
                continue
            t = _first_from(value - off, sorted_bounds, low, scale, table)
            if sorted_bounds[t] <= value + off:
                if known[j] != row:
                    exact[j] = squared_difference(x[row], x[j])
                    known[j] = row
                while t < present and (
                    sorted_bounds[t] < exact[j]
                    or (sorted_bounds[t] == exact[j] and sorted_ends[t] <= j)
                ):
                    t += 1
            hits[t, blocks[j]] += 1
        _add_hits(hits[:present], order, nearest[i], blocks, row, total, touched, seen)


@jit
def add_strip_ranks(strip, nearest, blocks, first_row, total, touched, seen):
    size = touched.shape[1]
    count = nearest.shape[1]
    n = strip.shape[1]
    bounds = np.empty(count, strip.dtype)
    table = np.empty(_TABLE + 1, np.int64)
    hits = np.empty((count + 1, size), np.int32)
    for i in range(len(strip)):
        line = strip[i]
        present = 0
        for f in range(count):
            far = nearest[i, f]
            bounds[f] = line[far] if far >= 0 else np.inf
            present += far >= 0
        if present == 0:
            continue
        order = np.argsort(bounds)
        sorted_bounds = bounds[order][:present]
        low = sorted_bounds[0]
        high = sorted_bounds[present - 1]
        scale = np.float32(_TABLE) / (high - low) if high > low else np.float32(0.0)
        _start_table(sorted_bounds, low, scale, table)
        hits[: present + 1] = 0
        for j in range(n):
            value = line[j]
            if value >= high:
                continue
            if value < low:
                hits[0, blocks[j]] += 1
                continue
            t = table[min(np.int64((value - low) * scale), _TABLE)]
            while sorted_bounds[t] <= value:
                t += 1
            hits[t, blocks[j]] += 1
        row = first_row + i
        _add_hits(hits[:present], order, nearest[i], blocks, row, total, touched, seen)
