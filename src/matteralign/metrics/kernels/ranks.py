"""Ranks of edges: by sorted rows, by a table over sorted bounds, by plain counting."""

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
def add_sorted_ranks(order, nearest, blocks, first_row, total, touched, seen):
    n = order.shape[1]
    size = touched.shape[1]
    place = np.empty(n, np.int64)
    before = np.zeros((n, size), np.int64)
    for i in range(len(order)):
        row_block = blocks[first_row + i]
        # The row itself stands first and does not count.
        for p in range(1, n):
            place[order[i, p]] = p
            if p > 1:
                before[p] = before[p - 1]
                before[p, blocks[order[i, p - 1]]] += 1
        for f in range(nearest.shape[1]):
            far = nearest[i, f]
            if far < 0:
                continue
            p = place[far]
            far_block = blocks[far]
            total[f] += p - 1
            touched[f, row_block] += p - 1
            if far_block != row_block:
                touched[f, far_block] += p - 1
            for b in range(size):
                if b != row_block and b != far_block:
                    seen[f, b] += before[p, b]


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
        # table[c]: first bound whose cell is at least c. Truncation is monotone, so no bound
        # above a distance lies before the start of the distance's own cell.
        cell = 0
        for t in range(present):
            c = min(np.int64((sorted_bounds[t] - low) * scale), _TABLE)
            while cell <= c:
                table[cell] = t
                cell += 1
        while cell <= _TABLE:
            table[cell] = present
            cell += 1
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
        row_block = blocks[first_row + i]
        for t in range(1, present):
            for b in range(size):
                hits[t, b] += hits[t - 1, b]
        for t in range(present):
            f = order[t]
            far_block = blocks[nearest[i, f]]
            nearer = 0
            for b in range(size):
                nearer += hits[t, b]
                if b != row_block and b != far_block:
                    seen[f, b] += hits[t, b]
            total[f] += nearer
            touched[f, row_block] += nearer
            if far_block != row_block:
                touched[f, far_block] += nearer
