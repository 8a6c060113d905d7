"""Keep the smallest scores of rows while tiles of a product stream by."""

from __future__ import annotations

import numpy as np
from numba import njit

# Comparisons with an infinite threshold must hold: no flags that assume finite numbers.
_MATH = {"contract", "reassoc", "nsz"}
_CHUNK = 64


@njit(nogil=True, cache=True)
def _cut(values, index, keep):
    """Bring the `keep` smallest of a full buffer to its front; return the largest of them.

    Hoare's selection, pivots by median of three.
    """
    low, high = 0, len(values) - 1
    last = keep - 1
    while low < high:
        middle = (low + high) // 2
        a, b, c = values[low], values[middle], values[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                index[i], index[j] = index[j], index[i]
                i += 1
                j -= 1
        if last <= j:
            high = j
        elif last >= i:
            low = i
        else:
            break
    return values[last]


@njit(nogil=True, cache=True)
def _push(value, column, row, values, index, count, threshold):
    place = count[row]
    values[row, place] = value
    index[row, place] = column
    place += 1
    if place == values.shape[1]:
        keep = place // 2
        threshold[row] = _cut(values[row], index[row], keep)
        place = keep
    count[row] = place


# A loop of fixed length over slices, counted in int32, is what LLVM turns into vector
# compares. The scores are written down for the few chunks that hold a hit.
@njit(nogil=True, cache=True, fastmath=_MATH, inline="always")
def _score_row(line, add, weight, lead, offset, bound, scores):
    hits = np.int32(0)
    for j in range(_CHUNK):
        score = (lead * line[j] + add[j] + offset) * weight[j]
        scores[j] = score
        hits += np.int32(score < bound)
    return hits


@njit(nogil=True, cache=True, fastmath=_MATH, inline="always")
def _score_column(line, own, bounds, lead, offset, factor, scores):
    hits = np.int32(0)
    for j in range(_CHUNK):
        score = (lead * line[j] + offset + own[j]) * factor
        scores[j] = score
        hits += np.int32(score < bounds[j])
    return hits


@njit(nogil=True, cache=True, fastmath=_MATH)
def scan_rows(
    tile, lead, add, own, weight, first_row, first_column, values, index, count, threshold
):
    """Offer each row of `tile` its columns, scored ``(lead*t + add[j] + own[i]) * weight[j]``.

    Row i of the tile is row `first_row` + i of the whole, and row i of the buffers; a row is
    never offered itself.
    """
    columns = tile.shape[1]
    scores = np.empty(_CHUNK, values.dtype)
    for i in range(tile.shape[0]):
        line = tile[i]
        offset = own[i]
        skip = first_row + i - first_column
        for begin in range(0, columns, _CHUNK):
            end = min(begin + _CHUNK, columns)
            if end - begin == _CHUNK:
                part = slice(begin, end)
                if not _score_row(
                    line[part], add[part], weight[part], lead, offset, threshold[i], scores
                ):
                    continue
            else:
                for j in range(begin, end):
                    scores[j - begin] = (lead * line[j] + add[j] + offset) * weight[j]
            for j in range(end - begin):
                if scores[j] < threshold[i] and begin + j != skip:
                    column = first_column + begin + j
                    _push(scores[j], column, i, values, index, count, threshold)


@njit(nogil=True, cache=True, fastmath=_MATH)
def scan_columns(tile, lead, add, own, weight, first_row, first, values, index, count, threshold):
    """Offer each column of `tile` its rows, scored ``(lead*t + add[i] + own[j]) * weight[i]``.

    Column j of the tile is row j of the buffers; columns before `first` are left out, among
    them those that are rows of the tile.
    """
    columns = tile.shape[1]
    scores = np.empty(_CHUNK, values.dtype)
    for i in range(tile.shape[0]):
        line = tile[i]
        offset = add[i]
        factor = weight[i]
        for begin in range(first, columns, _CHUNK):
            end = min(begin + _CHUNK, columns)
            if end - begin == _CHUNK:
                part = slice(begin, end)
                if not _score_column(
                    line[part], own[part], threshold[part], lead, offset, factor, scores
                ):
                    continue
            else:
                for j in range(begin, end):
                    scores[j - begin] = (lead * line[j] + offset + own[j]) * factor
            for j in range(end - begin):
                if scores[j] < threshold[begin + j]:
                    _push(scores[j], first_row + i, begin + j, values, index, count, threshold)


@njit(nogil=True, cache=True)
def merge(from_values, from_index, from_count, from_threshold, values, index, count, threshold):
    """Offer rows what other buffers of the same rows hold."""
    for row in range(len(from_count)):
        for place in range(from_count[row]):
            score = from_values[row, place]
            if score < threshold[row]:
                _push(score, from_index[row, place], row, values, index, count, threshold)
        # What the other buffers turned away is turned away here too.
        threshold[row] = min(threshold[row], from_threshold[row])
