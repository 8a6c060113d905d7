"""Keep the smallest scores of rows while tiles of a product stream by."""

from __future__ import annotations

import numpy as np

from matteralign.metrics.base.jit import jit, jit_sums
from matteralign.metrics.tiles.loops.bit_loops import WIDTH, column_bits, lowest_bit, row_bits
from matteralign.metrics.tiles.loops.smallest_loops import select_smallest

_GROUP = 16


# The scans below append in place and do not call this: shared, the step made every search a
# tenth slower, inlined or not.
@jit
def _push(value, column, row, values, index, count, threshold):
    place = count[row]
    values[row, place] = value
    index[row, place] = column
    place += 1
    if place == values.shape[1]:
        keep = place // 2
        threshold[row] = select_smallest(values[row], index[row], keep)
        place = keep
    count[row] = place


@jit_sums
def _first_bound(line, add, lead, keep):
    """Return a score that at least `keep` columns other than the row itself do not exceed.

    That many groups of columns have their least score below it. Starting there, a row takes
    in a fifth of what it would take in starting from nothing.
    """
    groups = len(line) // _GROUP
    least = np.empty(groups, line.dtype)
    place = np.zeros(groups, np.int32)
    for g in range(groups):
        least[g] = lead * line[g] + add[g]
    for start in range(groups, groups * _GROUP, groups):
        for g in range(groups):
            j = start + g
            score = lead * line[j] + add[j]
            least[g] = score if score < least[g] else least[g]
    return np.nextafter(select_smallest(least, place, keep + 1), line.dtype.type(np.inf))


@jit_sums
def scan_rows(tile, lead, add, first_row, first_column, values, index, count, threshold):
    """Offer each row of `tile` its columns, scored ``lead*t + add[j]``.

    Row i of the tile is row `first_row` + i of the whole, and row i of the buffers; a row is
    never offered itself.

    Parameters
    ----------
    tile : (I, J), float32 or float64
    lead : float
        In the dtype of `tile`.
    add : (J,)
        What is added per column, in the dtype of `tile`.
    first_row, first_column : int
        Numbers of the first row and column of the tile.
    values, index : (I, 2 K), of the dtype of `tile` and int32
        Buffers of candidates; the K smallest are kept.
    count : (I,) of int
        How many of a buffer are filled.
    threshold : (I,)
        Scores at or above it are not taken.
    """
    columns = tile.shape[1]
    for i in range(tile.shape[0]):
        line = tile[i]
        skip = first_row + i - first_column
        keep = values.shape[1] // 2
        if count[i] == 0 and threshold[i] == np.inf and columns >= _GROUP * (keep + 2):
            threshold[i] = _first_bound(line, add, lead, keep)
        mine, numbers = values[i], index[i]
        bound, place = threshold[i], count[i]
        for begin in range(0, columns, WIDTH):
            if begin + WIDTH <= columns:
                bits = row_bits(line, begin, add, lead, bound)
            else:
                bits = np.uint64(0)
                for j in range(begin, columns):
                    score = lead * line[j] + add[j]
                    bits |= np.uint64(score < bound) << np.uint64(j - begin)
            while bits != 0:
                j = begin + lowest_bit(bits)
                bits &= bits - np.uint64(1)
                if j == skip:
                    continue
                mine[place] = lead * line[j] + add[j]
                numbers[place] = first_column + j
                place += 1
                if place == 2 * keep:
                    bound = select_smallest(mine, numbers, keep)
                    place = keep
        threshold[i], count[i] = bound, place


@jit_sums
def scan_columns(tile, lead, add, first_row, first, values, index, count, threshold):
    """Offer each column of `tile` its rows, scored ``lead*t + add[i]``.

    Column j of the tile is row j of the buffers; columns before `first` are left out, among
    them those that are rows of the tile.

    Parameters
    ----------
    tile, lead : as in `scan_rows`
    add : (I,)
        What is added per row.
    first_row, first : int
        Number of the first row of the tile; first column that is offered its rows.
    values, index, count, threshold : as in `scan_rows`, for J rows
    """
    columns = tile.shape[1]
    keep = values.shape[1] // 2
    for i in range(tile.shape[0]):
        line = tile[i]
        offset = add[i]
        for begin in range(first, columns, WIDTH):
            if begin + WIDTH <= columns:
                bits = column_bits(line, begin, threshold, lead, offset)
            else:
                bits = np.uint64(0)
                for j in range(begin, columns):
                    score = lead * line[j] + offset
                    bits |= np.uint64(score < threshold[j]) << np.uint64(j - begin)
            while bits != 0:
                j = begin + lowest_bit(bits)
                bits &= bits - np.uint64(1)
                place = count[j]
                values[j, place] = lead * line[j] + offset
                index[j, place] = first_row + i
                place += 1
                if place == 2 * keep:
                    threshold[j] = select_smallest(values[j], index[j], keep)
                    place = keep
                count[j] = place


@jit
def merge(from_values, from_index, from_count, from_threshold, values, index, count, threshold):
    """Offer rows what other buffers of the same rows hold.

    Parameters
    ----------
    from_values, from_index : (R, 2 K)
    from_count, from_threshold : (R,)
        The other buffers, as in `scan_rows`.
    values, index, count, threshold : as in `scan_rows`
        Changed in place.
    """
    for row in range(len(from_count)):
        for place in range(from_count[row]):
            score = from_values[row, place]
            if score < threshold[row]:
                _push(score, from_index[row, place], row, values, index, count, threshold)
        # What the other buffers rejected is rejected here too.
        threshold[row] = min(threshold[row], from_threshold[row])
