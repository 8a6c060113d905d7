"""Loops over neighbour lists and rows that prepare one embedding."""

# Compiled code: numba finds the types.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from matteralign.metrics.base.jit import jit, jit_sums

ABSENT = np.iinfo(np.int32).max
"""Reverse place of a row that the other's list does not hold."""


@jit
def reverse_places(index):
    """Return the place of i in the list of every neighbour of i, ABSENT where it has none.

    Parameters
    ----------
    index : (n, L) of int32
        Neighbour lists, nearest first, -1 after the last entry.
    """
    n, length = index.shape
    start = np.zeros(n + 1, np.int64)
    for i in range(n):
        for p in range(length):
            j = index[i, p]
            if j < 0:
                break
            start[j + 1] += 1
    for i in range(n):
        start[i + 1] += start[i]
    fill = start[:-1].copy()
    source = np.empty(start[n], np.int32)
    place = np.empty(start[n], np.int32)
    for i in range(n):
        for p in range(length):
            j = index[i, p]
            if j < 0:
                break
            source[fill[j]] = i
            place[fill[j]] = p
            fill[j] += 1
    reverse = np.full((n, length), ABSENT, np.int32)
    # Stamps grow with the row, so the table never needs clearing.
    table = np.full(n, -1, np.int64)
    for j in range(n):
        base = j * length
        for q in range(length):
            if index[j, q] < 0:
                break
            table[index[j, q]] = base + q
        for e in range(start[j], start[j + 1]):
            q = table[source[e]] - base
            if q >= 0:
                reverse[source[e], place[e]] = q
    return reverse


@jit
def kept(index, valid, row_block, left, k):
    """Return the masks of `LocalLists.kept`, and how many (row, block) ran out of entries.

    Parameters
    ----------
    index : (n, L) of int32
        Neighbour lists, nearest first, -1 after the last entry.
    valid : (n,) of bool
    row_block : (n,) of int
        Block of each row.
    left : (B,) of int
        Valid rows without each block.
    k : int
    """
    n, length = index.shape
    blocks = len(left)
    full = (1 << blocks) - 1
    out = np.zeros((n, length), np.uint16)
    count = np.empty(blocks, np.int64)
    missing = 0
    for i in range(n):
        if not valid[i]:
            continue
        own = 1 << row_block[i]
        count[:] = 0
        held = 0
        for p in range(length):
            j = index[i, p]
            if j < 0:
                break
            b_j = row_block[j]
            mask = full
            if p >= k:
                mask = 0
                for b in range(blocks):
                    if p - count[b] < k:
                        mask |= 1 << b
                if mask == 0:  # what is past k stays past k
                    break
            out[i, p] = mask & ~(own | (1 << b_j))
            count[b_j] += 1
            held = p + 1
        for b in range(blocks):
            if b != row_block[i] and held - count[b] < min(k, left[b] - 1):
                missing += 1
    return out, missing


@jit
def mutual(kept, index, reverse):
    """Return the masks of entries kept together with their reverse.

    Parameters
    ----------
    kept : (n, L) of uint16
        Masks of `kept`: bit b is set where the entry remains without block b.
    index : (n, L) of int32
    reverse : (n, L) of int32
        Of `reverse_places`.
    """
    n, length = kept.shape
    out = np.zeros((n, length), np.uint16)
    for i in range(n):
        for p in range(length):
            if kept[i, p] != 0 and reverse[i, p] < length:
                out[i, p] = kept[i, p] & kept[index[i, p], reverse[i, p]]
    return out


@jit
def restrict(index, common):
    """Return lists of rows in `common`, the places they had, and their lengths.

    Parameters
    ----------
    index : (n, L) of int32
        Neighbour lists, nearest first, -1 after the last entry.
    common : (n,) of bool
        Rows that remain.
    """
    n, length = index.shape
    out = np.full((n, length), -1, np.int32)
    place = np.full((n, length), -1, np.int32)
    counts = np.zeros(n, np.int64)
    for i in range(n):
        if not common[i]:
            continue
        m = 0
        for p in range(length):
            j = index[i, p]
            if j < 0:
                break
            if common[j]:
                out[i, m] = j
                place[i, m] = p
                m += 1
        counts[i] = m
    return out, place, counts


@jit
def moments(index, reverse, values, ones, k, reciprocal):
    """Return the sums of `PairingMoments`, for symmetric values.

    Parameters
    ----------
    index : (n, L) of int32
        Neighbour lists, nearest first, -1 after the last entry.
    reverse : (n, L) of int32
        Of `reverse_places`.
    values : (n, L) of float64
        The matrix at the entries of the lists.
    ones : bool
        Take 1 in place of `values`.
    k : int
        Entries of each list that count.
    reciprocal : bool
        Count only entries whose reverse is an entry too.
    """
    n, length = index.shape
    k = min(k, length)
    r = np.zeros(n)
    c = np.zeros(n)
    squares = 0.0
    both = 0.0
    for i in range(n):
        for p in range(k):
            j = index[i, p]
            if j < 0:
                break
            mutual = reverse[i, p] < k
            if reciprocal and not mutual:
                continue
            v = 1.0 if ones else values[i, p]
            r[i] += v
            c[j] += v
            squares += v * v
            if mutual:
                both += v * v
    return r.sum(), squares, both, np.dot(r, r), np.dot(c, c), np.dot(r, c)


@jit
def largest(x, valid):
    """Return the largest magnitude in the valid rows.

    Parameters
    ----------
    x : (n, d), float32 or float64
    valid : (n,) of bool
    """
    largest = 0.0
    for i in range(len(x)):
        if valid[i]:
            for t in range(x.shape[1]):
                largest = max(largest, abs(x[i, t]))
    return largest


@jit
def block_sums(x, scale, mean, valid, block, blocks):
    """Return the sum of scaled rows about `mean` in every block, shape (blocks, d).

    Parameters
    ----------
    x : (n, d), float32 or float64
    scale : float
        Power of two that rows are multiplied with.
    mean : (d,) of float64
        In units of the scaled rows.
    valid : (n,) of bool
    block : (n,) of int
        Block of each row.
    blocks : int
    """
    sums = np.zeros((blocks, x.shape[1]))
    for i in range(len(x)):
        if valid[i]:
            b = block[i]
            for t in range(x.shape[1]):
                sums[b, t] += x[i, t] * scale - mean[t]
    return sums


@jit_sums
def products(x, scale, mean, index, rows, out):
    """Put inner products of scaled rows about `mean` into `out` at the lists of `rows`.

    Parameters
    ----------
    x, scale, mean : as in `block_sums`
    index : (n, L) of int32
        Neighbour lists, -1 after the last entry.
    rows : (R,) of int
    out : (n, L) of float64
        Overwritten in the lines of `rows`, in squared units of the scaled rows.
    """
    d = x.shape[1]
    own = np.empty(d)
    for i in rows:
        for t in range(d):
            own[t] = x[i, t] * scale - mean[t]
        for p in range(index.shape[1]):
            j = index[i, p]
            if j < 0:
                break
            s = 0.0
            for t in range(d):
                s += own[t] * (x[j, t] * scale - mean[t])
            out[i, p] = s


@jit
def carried(centred, index, place, moved):
    """Return old products at new places, moved to another mean.

    Parameters
    ----------
    centred : (n, L') of float64
        Centred products at the entries of the old lists.
    index, place : (n, L) of int32
        New lists, and the place of each entry in the old one, -1 where it had none.
    moved : (n,) of float64
        What the new mean takes off for each row.
    """
    out = np.zeros(index.shape)
    for i in range(index.shape[0]):
        for p in range(index.shape[1]):
            j = index[i, p]
            if j < 0:
                break
            if place[i, p] >= 0:
                out[i, p] = centred[i, place[i, p]] - moved[i] - moved[j]
    return out


@jit
def raised(centred, index, height):
    """Return the kernel of rows as given from the centred one.

    Parameters
    ----------
    centred : (n, L) of float64
    index : (n, L) of int32
    height : (n,) of float64
        Product of each centred row with the mean, plus half the mean's squared length.
    """
    out = np.zeros(index.shape)
    for i in range(index.shape[0]):
        for p in range(index.shape[1]):
            j = index[i, p]
            if j < 0:
                break
            out[i, p] = centred[i, p] + height[i] + height[j]
    return out
