"""Facts of columns, standardised rows and hashes of rows, each in one walk over the rows."""

from __future__ import annotations

import numpy as np

from matteralign.metrics.base.jit import jit, jit_sums

_MINUS_ZERO = np.uint64(1 << 63)


@jit_sums
def column_facts(x):
    """Return largest magnitude, sum, and whether a column varies, of the columns of x (n, d).

    Parameters
    ----------
    x : (n, d) of float64
    """
    columns = x.shape[1]
    largest, total = np.zeros(columns), np.zeros(columns)
    varies = np.zeros(columns, np.bool_)
    first = x[0]
    for i in range(len(x)):
        line = x[i]
        for c in range(columns):
            value = line[c]
            total[c] += value
            size = abs(value)
            largest[c] = size if size > largest[c] else largest[c]
            varies[c] |= value != first[c]
    return largest, total, varies


@jit_sums
def deviations(x, centre):
    """Return the sums of squares and of differences from `centre` (d,) of the columns of x.

    Parameters
    ----------
    x : (n, d) of float64
    centre : (d,) of float64
    """
    columns = x.shape[1]
    squares, differences = np.zeros(columns), np.zeros(columns)
    for i in range(len(x)):
        line = x[i]
        for c in range(columns):
            difference = line[c] - centre[c]
            squares[c] += difference * difference
            differences[c] += difference
    return squares, differences


@jit_sums
def standardised(x, mean, weight):
    """Return ``(x - mean) * weight`` in float32 and half the squared norms of its rows.

    The norms are those of the rows before they were rounded.

    Parameters
    ----------
    x : (n, d), float32 or float64
    mean, weight : (d,) of float64
        Of the columns; weights are in 1/units of x.
    """
    rows = np.empty(x.shape, np.float32)
    half = np.empty(len(x))
    for i in range(len(x)):
        line = x[i]
        out = rows[i]
        total = 0.0
        for c in range(x.shape[1]):
            value = (line[c] - mean[c]) * weight[c]
            out[c] = np.float32(value)
            total += value * value
        half[i] = 0.5 * total
    return rows, half


@jit
def hash_rows(words):
    """Return a hash per row of the bits of float64 numbers, (n, d); zero has no sign.

    Parameters
    ----------
    words : (n, d) of uint64
        The bits of the numbers.
    """
    hashes = np.empty(len(words), np.uint64)
    for i in range(len(words)):
        h = np.uint64(0x9E3779B97F4A7C15)
        for k in range(words.shape[1]):
            word = words[i, k]
            if word == _MINUS_ZERO:
                word = np.uint64(0)
            h = (h ^ word) * np.uint64(0xFF51AFD7ED558CCD)
            h ^= h >> np.uint64(32)
        hashes[i] = h
    return hashes


@jit
def near_leaders(x, rows, along, order, rank, reach, limit):
    """Return for each of some rows the place of the first that it lies near to, or its own.

    Parameters
    ----------
    x : (n, d)
    rows : (m,)
        Ascending.
    along, order, rank : (m,)
        Places of the rows along a direction, the order of these, and each row's place in it.
    reach, limit : (m,)
        How far along the direction to look; distance up to which a row is near, the smaller
        of two counts.
    """
    m = len(rows)
    leader = np.arange(m)
    for i in range(m):
        best = i
        for side in (-1, 1):
            place = rank[i] + side
            while 0 <= place < m and abs(along[order[place]] - along[i]) <= reach[i]:
                j = order[place]
                place += side
                if j >= best or leader[j] != j:
                    continue
                most = min(limit[i], limit[j]) ** 2
                total = 0.0
                for c in range(x.shape[1]):
                    step = np.float64(x[rows[i], c]) - np.float64(x[rows[j], c])
                    total += step * step
                    if total > most:
                        break
                if total <= most:
                    best = j
        leader[i] = best
    return leader
