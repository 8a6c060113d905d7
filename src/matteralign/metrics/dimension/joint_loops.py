"""Inner loops of the nearest two rows in the joint space of two embeddings.

Everything is in half squared distances: h_i + h_j - <x_i, x_j> with h = |x|^2 / 2, summed
over the two embeddings. Tiles are float32; what they cannot decide is computed again in
float64 as a sum of squared differences.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from matteralign.metrics.base.inputs import (
    BoolArray,
    FloatArray,
    IndexArray,
    LongArray,
    RealArray,
    SingleArray,
)
from matteralign.metrics.base.jit import jit, jit_sums
from matteralign.metrics.tiles.loops.bit_loops import WIDTH, either_bits, lowest_bit

CANDIDATES = 4
"""Columns kept per row: the nearest two, and two that tell how safe the choice is."""

_CHUNK = 32
_STRIPE = 32
_SAMPLE = 512  # columns that give a first limit
_ONE = np.uint64(1)
_UNIT = 2.0**-24  # half the spacing of float32 at 1


@jit
def _push(value: SingleArray, index: IndexArray, v: Any, column: int) -> None:
    k = CANDIDATES - 1
    while k > 0 and value[k - 1] > v:
        value[k] = value[k - 1]
        index[k] = index[k - 1]
        k -= 1
    value[k] = v
    index[k] = column


@jit
def _lower(low: SingleArray, a: SingleArray, b: SingleArray, h: SingleArray, own: Any) -> None:
    for k in range(_CHUNK):
        low[k] = min(low[k], own + h[k] - (a[k] + b[k]))


@jit
def _ceiling(a: SingleArray, b: SingleArray, h: SingleArray, own: Any, low: SingleArray) -> Any:
    # At least CANDIDATES columns lie below the CANDIDATES-th smallest of the minima over
    # interleaved columns. Starting from there spares most of the early insertions.
    low[:] = np.inf
    for start in range(0, len(a) - _CHUNK + 1, _CHUNK):
        part = slice(start, start + _CHUNK)
        _lower(low, a[part], b[part], h[part], own)
    smallest = np.full(CANDIDATES, np.inf, np.float32)
    ignored = np.zeros(CANDIDATES, np.int32)
    for k in range(_CHUNK):
        if low[k] < smallest[CANDIDATES - 1]:
            _push(smallest, ignored, low[k], k)
    v = smallest[CANDIDATES - 1]
    return np.float32(v + abs(v) * 1e-6 + 1e-30)


@jit
def _worth_a_look(
    a: SingleArray,
    b: SingleArray,
    h: SingleArray,
    limit: SingleArray,
    start: int,
    own: Any,
    bar: Any,
) -> Any:
    """Return bits of the columns from `start` on: those below a bound, all of a last few."""
    left = len(a) - start
    if left >= WIDTH:
        return either_bits(a, b, h, limit, start, own, bar)
    return (_ONE << np.uint64(left)) - _ONE


@jit
def scan_tile(
    products: SingleArray,
    first: IndexArray,
    second: IndexArray,
    pairs: tuple[int, int],
    half: SingleArray,
    rows: tuple[int, int],
    columns: tuple[int, int],
    value: SingleArray,
    index: IndexArray,
    worst: SingleArray,
) -> None:
    """Offer one tile of inner products to the candidates of its rows and of its columns.

    Parameters
    ----------
    products : ndarray of float32, shape (M + 1, rows * columns)
        Inner products per embedding, row by row; the last embedding is all zero.
    first, second : ndarray of int32, shape (P,)
        Embeddings of each pair.
    pairs : tuple of int
        The pairs to serve, from and to.
    half : ndarray of float32, shape (P, n)
        Half the squared norm in the joint space; infinite for rows left out.
    rows, columns : tuple of int
        What the tile covers. Equal for a tile on the diagonal, which serves its rows only.
    value, index : ndarray, shape (P, n, CANDIDATES)
        The candidates, nearest first.
    worst : ndarray of float32, shape (P, n)
        Last entry of `value`, side by side.
    """
    width = columns[1] - columns[0]
    height = rows[1] - rows[0]
    whole = width - width % _CHUNK
    never = np.full(width, -np.inf, np.float32)
    diagonal = rows[0] == columns[0]
    low = np.empty(_CHUNK, np.float32)
    for top in range(0, height, _STRIPE):
        for p in range(pairs[0], pairs[1]):
            h = half[p, columns[0] : columns[1]]
            limit = never if diagonal else worst[p, columns[0] : columns[1]]
            for r in range(top, min(top + _STRIPE, height)):
                row = rows[0] + r
                a = products[first[p], r * width : (r + 1) * width]
                b = products[second[p], r * width : (r + 1) * width]
                own = half[p, row]
                bar = worst[p, row]
                if diagonal and whole > 0:
                    bar = min(bar, _ceiling(a, b, h, own, low))
                for start in range(0, width, WIDTH):
                    bits = _worth_a_look(a, b, h, limit, start, own, bar)
                    while bits != 0:
                        c = start + lowest_bit(bits)
                        bits &= bits - _ONE
                        v = own + h[c] - (a[c] + b[c])
                        if v < bar:
                            _push(value[p, row], index[p, row], v, columns[0] + c)
                            bar = min(bar, value[p, row, CANDIDATES - 1])
                        if v < limit[c]:
                            column = columns[0] + c
                            _push(value[p, column], index[p, column], v, row)
                            worst[p, column] = min(limit[c], value[p, column, CANDIDATES - 1])
                worst[p, row] = bar


@jit_sums
def half_distance(x: RealArray, weight: FloatArray, i: int, j: int) -> float:
    """Return half the squared distance of two rows, every column times its weight."""
    total = 0.0
    for k in range(x.shape[1]):
        step = (np.float64(x[i, k]) - np.float64(x[j, k])) * weight[k]
        total += step * step
    return 0.5 * total


@jit
def slack(norm: float, reach: float, width: int) -> float:
    """Return how far a float32 half distance can be off.

    For a row of joint norm `norm` and any other within distance `reach`, whose norm is at
    most ``norm + reach``: the worst case of `width` products summed in any order (Higham
    2002, Accuracy and Stability, sect. 3.1), of rounding the operands, and of the sums.
    """
    other = norm + reach
    return _UNIT * ((width + 8.0) * norm * other + 4.0 * (norm * norm + other * other))


@jit
def settle(
    x: RealArray,
    x_weight: FloatArray,
    y: RealArray,
    y_weight: FloatArray,
    rows: LongArray,
    partner: LongArray,
    half: FloatArray,
    value: SingleArray,
    index: IndexArray,
    nearest: FloatArray,
    closest: IndexArray,
) -> BoolArray:
    """Turn candidates into the exact nearest two, and say for which rows that is certain.

    Parameters
    ----------
    x, y : ndarray, shapes (n, d_x), (n, d_y)
        Embeddings with the weights of their columns.
    rows : ndarray of int64, shape (r,)
        Rows to settle, in the numbering of x.
    partner : ndarray of int64, shape (n,)
        Row of y that goes with each row of x.
    half : ndarray of float64, shape (n,)
        Half the squared joint norm of each row.
    value, index : ndarray, shape (r, CANDIDATES)
        Candidates of each of `rows`, nearest first; index -1 where there are fewer.
    nearest : ndarray of float64, shape (r, 2)
        Written: half squared distances of the nearest two.
    closest : ndarray of int32, shape (r,)
        Written: the nearest row, -1 where there is none.

    Returns
    -------
    ndarray of bool, shape (r,)
        False where a row that is no candidate could lie nearer than the second.
    """
    certain = np.zeros(len(rows), np.bool_)
    width = max(x.shape[1], y.shape[1])
    for r in range(len(rows)):
        i = rows[r]
        norm = np.sqrt(2.0 * half[i])
        best, second = np.inf, np.inf
        error = np.inf
        closest[r] = -1
        for k in range(CANDIDATES):
            j = index[r, k]
            if j < 0 or (k > 1 and value[r, k] - error > second):
                break
            v = half_distance(x, x_weight, i, j)
            v += half_distance(y, y_weight, partner[i], partner[j])
            if v < best:
                best, second = v, best
                closest[r] = j
            elif v < second:
                second = v
            if k > 0:
                error = slack(norm, np.sqrt(2.0 * second), width)
        nearest[r, 0] = best
        nearest[r, 1] = second
        last = value[r, CANDIDATES - 1]
        certain[r] = last == np.inf or last - error >= second
    return certain


@jit
def resolve(
    x: RealArray,
    x_weight: FloatArray,
    y: RealArray,
    y_weight: FloatArray,
    i: int,
    partner: LongArray,
    half: FloatArray,
    approximate: SingleArray,
    nearest: FloatArray,
) -> int:
    """Find the nearest two of row `i` among all that float32 cannot rule out; return the first.

    `approximate` holds float32 half distances to every row, infinite for row i and for rows
    left out; `nearest`, shape (2,), holds upper bounds and is overwritten. Others as `settle`.
    """
    width = max(x.shape[1], y.shape[1])
    norm = np.sqrt(2.0 * half[i])
    best, second = np.inf, np.inf
    closest = -1
    bound = nearest[1]
    limit = bound + slack(norm, np.sqrt(2.0 * bound), width)
    for j in range(len(approximate)):
        if approximate[j] <= limit and approximate[j] < np.inf:
            v = half_distance(x, x_weight, i, j)
            v += half_distance(y, y_weight, partner[i], partner[j])
            if v < best:
                best, second = v, best
                closest = j
            elif v < second:
                second = v
            if second < bound:
                bound = second
                limit = bound + slack(norm, np.sqrt(2.0 * bound), width)
    nearest[0] = best
    nearest[1] = second
    return closest


@jit
def scan_permuted(
    minus: SingleArray,
    first: IndexArray,
    second: IndexArray,
    partner: LongArray,
    place: LongArray,
    keep: BoolArray,
    value: SingleArray,
    index: IndexArray,
) -> None:
    """Find the candidates of a group of rows with the rows of the second embedding exchanged.

    Parameters
    ----------
    minus : ndarray of float32, shape (M, g, n)
        Minus the half distances of the group's rows to all rows, per embedding; -inf to itself.
    first, second : ndarray of int32, shape (P,)
        Embeddings of each pair; equal `second` side by side are gathered once.
    partner : ndarray of int64, shape (n,)
        Row of the second embedding that goes with each row of the first.
    place : ndarray of int64, shape (g,)
        Where in the group the partner of each of its rows is.
    keep : ndarray of bool, shape (P, n) or (P, 0)
        Rows that take part; without columns all do.
    value, index : ndarray, shape (P, g, CANDIDATES)
        Written: candidates, nearest first.
    """
    n = minus.shape[2]
    whole = n - n % _CHUNK
    zero = np.zeros(n, np.float32)
    never = np.full(n, -np.inf, np.float32)
    low = np.empty(_CHUNK, np.float32)
    gathered = np.empty(n, np.float32)
    own = np.float32(0.0)
    masked = np.empty(n, np.float32)
    for r in range(minus.shape[1]):
        last = -1
        for p in range(len(first)):
            if second[p] != last:
                last = second[p]
                source = minus[last, place[r]]
                for c in range(n):
                    gathered[c] = source[partner[c]]
            a = minus[first[p], r]
            if keep.shape[1] > 0:
                for c in range(n):
                    masked[c] = a[c] if keep[p, c] else -np.inf
                a = masked
            value[p, r] = np.inf
            index[p, r] = -1
            bar = np.float32(np.inf)
            if whole > 0:
                bar = _ceiling(a[:_SAMPLE], gathered[:_SAMPLE], zero, own, low)
            for start in range(0, n, WIDTH):
                bits = _worth_a_look(a, gathered, zero, never, start, own, bar)
                while bits != 0:
                    c = start + lowest_bit(bits)
                    bits &= bits - _ONE
                    v = own - (a[c] + gathered[c])
                    if v < bar:
                        _push(value[p, r], index[p, r], v, c)
                        bar = min(bar, value[p, r, CANDIDATES - 1])
