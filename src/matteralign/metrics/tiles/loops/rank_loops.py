"""Ranks of edges: by exact distances, by a table over sorted bounds, by plain counting."""

from __future__ import annotations

import numpy as np

from matteralign.metrics.base.jit import jit, jit_sums
from matteralign.metrics.embedding.exact_loops import squared_difference

_TABLE = 4096


@jit
def edge_bounds(x, lengths, places, nearest, unit, least, slack, lost, out):
    """Write between which squared distances of a tile a row is as near as each far end.

    Parameters
    ----------
    x : (v, d)
        Valid rows of the target, working units.
    lengths : (v,)
        Lengths of the centred rows.
    places : (n,) of int
        Where a row of the sample set stands in `x`, negative where it is masked.
    nearest : (n, F)
        Far ends, negative where absent.
    unit : float
        Unit roundoff of the tile.
    least : float
        Below this share of both squared lengths distances are summed from differences.
    slack, lost : float
        A squared distance from the product is off by ``slack (|c_i|^2 + |c_j|^2) + lost``.
    out : (n, F, 2)
    """
    for i in range(nearest.shape[0]):
        for f in range(nearest.shape[1]):
            far = nearest[i, f]
            if far >= 0:
                square = squared_difference(x[places[i]], x[places[far]])
                own, distance = lengths[places[i]], np.sqrt(square)
                # Of any row that is as near.
                other = own + distance
                both = own * own + other * other
                off = slack * both + lost
                if square < 0.5 * least * both:
                    # Summed from differences of rounded rows.
                    moved = unit * (own + other)
                    off = min(off, (2.0 * distance + moved) * moved + 8.0 * unit * square + lost)
                out[i, f, 0] = square - off
                out[i, f, 1] = square + off


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
    """Count, for every edge of every source, the columns nearer than its far end or as near.

    Parameters
    ----------
    squares : (I, J)
        Squared distances; infinite where a column is the row itself or does not count.
    first_column : int
        Row of the sample set that the first column is.
    bounds : (I, F, 2)
        Below the first a column is nearer and counts two, below the second as near: one.
    nearest : (I, F)
        Far end of each edge, negative where there is none.
    blocks : (n,)
        Block of each row of the sample set.
    row_block, column_block : int
        Block of the rows and of the columns of this call.
    total : (F,), touched : (F, B), seen : (F, B)
        Gain the counts: all; those of edges with an end in a block; those that the columns
        of a block give to edges with no end in it.
    """
    sources = bounds.shape[1]
    some = np.full(-(-sources // 2) * 4, -np.inf, bounds.dtype)
    counts = np.empty(len(some), np.int64)
    for i in range(bounds.shape[0]):
        line = squares[i]
        for f in range(sources):
            some[2 * f] = bounds[i, f, 0]
            some[2 * f + 1] = bounds[i, f, 1]
        for f in range(0, len(some), 4):
            _below(line, some[f], some[f + 1], some[f + 2], some[f + 3], counts[f : f + 4])
        for f in range(sources):
            far = nearest[i, f]
            if far < 0:
                continue
            count = counts[2 * f] + counts[2 * f + 1]
            place = far - first_column
            if 0 <= place < len(line):
                count -= np.int64(line[place] < some[2 * f])
                count -= np.int64(line[place] < some[2 * f + 1])
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
def _add_hits(hits, order, steps, nearest, blocks, row, total, touched, seen):
    """Add the counts of a row from the columns of each block that lie before each bound.

    Bound t is one of the `steps` bounds of edge ``order[t] // steps``. The far end of an edge
    counts one, as near as itself, which is taken off again.
    """
    row_block = blocks[row]
    present, size = hits.shape
    for t in range(1, present):
        for b in range(size):
            hits[t, b] += hits[t - 1, b]
    for t in range(present):
        f = order[t] // steps
        far_block = blocks[nearest[f]]
        nearer = -1 if order[t] % steps == 0 else 0
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
    """Count as `add_ranks` by exact distances over whole rows.

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
    # Bounds in order, where the next larger one is, and a few cells per bound that tell where
    # to start looking.
    bounds = np.empty(count)
    larger = np.empty(count, np.int64)
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
            if far >= 0:
                if known[far] != row:
                    exact[far] = squared_difference(x[row], x[far])
                    known[far] = row
                bounds[f] = exact[far]
                present += 1
        if present == 0:
            continue
        order = np.argsort(bounds)
        sorted_bounds = bounds[order][:present]
        for t in range(present - 1, -1, -1):
            equal = t + 1 < present and sorted_bounds[t] == sorted_bounds[t + 1]
            larger[t] = larger[t + 1] if equal else t + 1
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
            after = t
            if sorted_bounds[t] <= value + off:
                if known[j] != row:
                    exact[j] = squared_difference(x[row], x[j])
                    known[j] = row
                while t < present and sorted_bounds[t] < exact[j]:
                    t = larger[t]
                after = larger[t] if t < present and sorted_bounds[t] == exact[j] else t
            hits[t, blocks[j]] += 1
            hits[after, blocks[j]] += 1
        _add_hits(hits[:present], order, 1, nearest[i], blocks, row, total, touched, seen)


@jit
def add_strip_ranks(strip, lengths, slack, lost, nearest, blocks, first_row, total, touched, seen):
    """Count as `add_ranks` over whole rows, with bounds from the same rows of distances.

    Parameters
    ----------
    strip : (I, limit)
        Squared distances.
    lengths : (I,)
        Lengths of the centred rows.
    slack, lost : float
        A squared distance is off by ``slack (|c_i|^2 + |c_j|^2) + lost``.
    """
    size = touched.shape[1]
    count = nearest.shape[1]
    n = strip.shape[1]
    bounds = np.empty(2 * count, strip.dtype)
    table = np.empty(_TABLE + 1, np.int64)
    hits = np.empty((2 * count + 1, size), np.int32)
    for i in range(len(strip)):
        line = strip[i]
        own = lengths[i]
        present = 0
        for f in range(count):
            far = nearest[i, f]
            bounds[2 * f : 2 * f + 2] = np.inf
            if far >= 0:
                square = np.float64(line[far])
                other = own + np.sqrt(square)
                # The bound may be off, and so may what is compared with it.
                off = 2.0 * (slack * (own * own + other * other) + lost)
                bounds[2 * f] = square - off
                bounds[2 * f + 1] = square + off
                present += 2
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
        _add_hits(hits[:present], order, 2, nearest[i], blocks, row, total, touched, seen)


@jit
def share_ranks(squares, order, lengths, slack, lost, out):
    """Write the ranks of all columns of every row, equal distances sharing the mean of theirs.

    Parameters
    ----------
    squares : (I, n)
        Squared distances; a row itself infinite.
    order : (I, n)
        Columns of each row, nearest first.
    lengths : (I,)
        Lengths of the centred rows.
    slack, lost : float
        A squared distance is off by ``slack (|c_i|^2 + |c_j|^2) + lost``.
    out : (I, n)
        Counted from 1.
    """
    n = squares.shape[1]
    for i in range(len(squares)):
        line, columns = squares[i], order[i]
        own = lengths[i]
        nearer = 0
        near = 0
        for p in range(n - 1):
            square = np.float64(line[columns[p]])
            other = own + np.sqrt(max(square, 0.0))
            off = 2.0 * (slack * (own * own + other * other) + lost)
            while line[columns[nearer]] < square - off:
                nearer += 1
            while near < n - 1 and line[columns[near]] < square + off:
                near += 1
            out[i, columns[p]] = 0.5 * (nearer + near + 1)
        out[i, columns[n - 1]] = n
