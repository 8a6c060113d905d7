"""Keep the smallest scores of rows while tiles of a product stream by."""

from __future__ import annotations

import numpy as np

from matteralign.metrics.kernels.jit import jit, jit_sums

_CHUNK = 64
_GROUP = 16


@jit
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


@jit
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
# compares. A chunk with a hit is scored again into a scratch line with a byte per entry; the
# bytes are looked at eight at a time.
@jit_sums
def _row_hits(line, add, weight, lead, offset, bound):
    hits = np.int32(0)
    for j in range(_CHUNK):
        hits += np.int32((lead * line[j] + add[j] + offset) * weight[j] < bound)
    return hits


@jit_sums
def _mark_row(line, add, weight, lead, offset, bound, scores, flags):
    for j in range(_CHUNK):
        score = (lead * line[j] + add[j] + offset) * weight[j]
        scores[j] = score
        flags[j] = score < bound


@jit_sums
def _column_hits(line, own, bounds, lead, offset, factor):
    hits = np.int32(0)
    for j in range(_CHUNK):
        hits += np.int32((lead * line[j] + offset + own[j]) * factor < bounds[j])
    return hits


@jit_sums
def _mark_column(line, own, bounds, lead, offset, factor, scores, flags):
    for j in range(_CHUNK):
        score = (lead * line[j] + offset + own[j]) * factor
        scores[j] = score
        flags[j] = score < bounds[j]


@jit_sums
def _first_bound(line, add, weight, lead, offset, keep):
    """Return a score that at least `keep` columns other than the row itself do not exceed.

    That many groups of columns have their least score below it. Starting there, a row takes
    in a fifth of what it would take in starting from nothing.
    """
    groups = len(line) // _GROUP
    least = np.empty(groups, line.dtype)
    place = np.zeros(groups, np.int32)
    for g in range(groups):
        low = (lead * line[g * _GROUP] + add[g * _GROUP] + offset) * weight[g * _GROUP]
        for j in range(g * _GROUP + 1, g * _GROUP + _GROUP):
            low = min(low, (lead * line[j] + add[j] + offset) * weight[j])
        least[g] = low
    return np.nextafter(_cut(least, place, keep + 1), line.dtype.type(np.inf))


@jit_sums
def scan_rows(
    tile, lead, add, own, weight, first_row, first_column, values, index, count, threshold
):
    """Offer each row of `tile` its columns, scored ``(lead*t + add[j] + own[i]) * weight[j]``.

    Row i of the tile is row `first_row` + i of the whole, and row i of the buffers; a row is
    never offered itself.
    """
    columns = tile.shape[1]
    scores = np.empty(_CHUNK, values.dtype)
    flags = np.zeros(_CHUNK, np.uint8)
    words = flags.view(np.uint64)
    for i in range(tile.shape[0]):
        line = tile[i]
        offset = own[i]
        skip = first_row + i - first_column
        keep = values.shape[1] // 2
        if count[i] == 0 and threshold[i] == np.inf and columns >= _GROUP * (keep + 2):
            threshold[i] = _first_bound(line, add, weight, lead, offset, keep)
        begin = 0
        while begin + _CHUNK <= columns:
            part = slice(begin, begin + _CHUNK)
            if _row_hits(line[part], add[part], weight[part], lead, offset, threshold[i]):
                _mark_row(
                    line[part], add[part], weight[part], lead, offset, threshold[i], scores, flags
                )
                for w in range(_CHUNK // 8):
                    if words[w] == 0:
                        continue
                    for j in range(8 * w, 8 * w + 8):
                        if flags[j] and scores[j] < threshold[i] and begin + j != skip:
                            column = first_column + begin + j
                            _push(scores[j], column, i, values, index, count, threshold)
            begin += _CHUNK
        for j in range(begin, columns):
            score = (lead * line[j] + add[j] + offset) * weight[j]
            if score < threshold[i] and j != skip:
                _push(score, first_column + j, i, values, index, count, threshold)


@jit_sums
def scan_columns(tile, lead, add, own, weight, first_row, first, values, index, count, threshold):
    """Offer each column of `tile` its rows, scored ``(lead*t + add[i] + own[j]) * weight[i]``.

    Column j of the tile is row j of the buffers; columns before `first` are left out, among
    them those that are rows of the tile.
    """
    columns = tile.shape[1]
    scores = np.empty(_CHUNK, values.dtype)
    flags = np.zeros(_CHUNK, np.uint8)
    words = flags.view(np.uint64)
    for i in range(tile.shape[0]):
        line = tile[i]
        offset = add[i]
        factor = weight[i]
        row = first_row + i
        begin = first
        while begin + _CHUNK <= columns:
            part = slice(begin, begin + _CHUNK)
            if _column_hits(line[part], own[part], threshold[part], lead, offset, factor):
                _mark_column(
                    line[part], own[part], threshold[part], lead, offset, factor, scores, flags
                )
                for w in range(_CHUNK // 8):
                    if words[w] == 0:
                        continue
                    for j in range(8 * w, 8 * w + 8):
                        if flags[j]:
                            _push(scores[j], row, begin + j, values, index, count, threshold)
            begin += _CHUNK
        for j in range(begin, columns):
            score = (lead * line[j] + offset + own[j]) * factor
            if score < threshold[j]:
                _push(score, row, j, values, index, count, threshold)


@jit
def merge(from_values, from_index, from_count, from_threshold, values, index, count, threshold):
    """Offer rows what other buffers of the same rows hold."""
    for row in range(len(from_count)):
        for place in range(from_count[row]):
            score = from_values[row, place]
            if score < threshold[row]:
                _push(score, from_index[row, place], row, values, index, count, threshold)
        # What the other buffers turned away is turned away here too.
        threshold[row] = min(threshold[row], from_threshold[row])
