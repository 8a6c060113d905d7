"""The inner loops of the pass: from a tile of products to centred distances and their sums."""

from __future__ import annotations

import numpy as np

from matteralign.metrics.base.jit import jit_sums
from matteralign.metrics.embedding.exact_loops import squared_difference

GRAM_SIDE = 3
"""Embeddings of a block of the Gram product: 3 x 3 sums fit the registers."""

_GRAM_RUN = 1024


@jit_sums
def copy_part(tile, start, out):
    """Copy the columns from `start` on of `tile` that fit `out`.

    Parameters
    ----------
    tile : (I, J), float32 or float64
    start : int
    out : (I, W) of the dtype of `tile`, with start + W <= J
    """
    width = out.shape[1]
    for i in range(out.shape[0]):
        line = tile[i, start : start + width]
        target = out[i]
        for j in range(width):
            target[j] = line[j]


@jit_sums
def rescale(tile, rows, columns, out):
    """Write products of rows under another scaling from `tile`.

    `rows` and `columns` are the five factors of `row_factors.RowFactors` of each.

    Parameters
    ----------
    tile : (I, J)
        Products of rows at unit length.
    rows, columns : tuples of five arrays, shapes (I,) and (J,)
    out : (I, J)
    """
    weights, parts, alongs, _, shifts = rows
    column_weight, column_part, _, column_across, column_shift = columns
    for i in range(out.shape[0]):
        line, target = tile[i], out[i]
        weight, part, along, shift = weights[i], parts[i], alongs[i], shifts[i]
        for j in range(len(line)):
            target[j] = (
                weight * (column_weight[j] * line[j])
                + (along * column_part[j] + part * column_across[j])
                + (shift + column_shift[j])
            )


@jit_sums
def _small(line, own, columns, least):
    count = np.int32(0)
    for j in range(len(line)):
        count += np.int32(line[j] < least * (own + columns[j]))
    return count


@jit_sums
def to_squares(tile, rows, columns, x_rows, x_columns, least):
    """Turn products of centred rows into squared distances, in place.

    What comes out below `least` of the two squared lengths has lost its digits in the
    subtraction and is summed again from the differences: identical rows are at zero.

    Parameters
    ----------
    tile : (I, J), float32 or float64
    rows, columns : (I,), (J,)
        Squared lengths of the centred rows.
    x_rows, x_columns : (I, d), (J, d)
        The rows themselves.
    least : float
        In the dtype of `tile`, without unit.
    """
    two = tile.dtype.type(2)
    for i in range(tile.shape[0]):
        line, own = tile[i], rows[i]
        for j in range(len(line)):
            line[j] = own + columns[j] - two * line[j]
        if _small(line, own, columns, least):
            for j in range(len(line)):
                if line[j] < least * (own + columns[j]):
                    line[j] = squared_difference(x_rows[i], x_columns[j])


@jit_sums
def to_distances(tile, start, rows, columns, out):
    """Write distances less an offset of the row and one of the column.

    Parameters
    ----------
    tile : (I, J)
        Squared distances.
    start : int
        First column of the part.
    rows, columns : (I,), (W,)
        Offsets, in units of a distance.
    out : (I, W)
        Overwritten.
    """
    width = out.shape[1]
    for i in range(out.shape[0]):
        line, own, distances = tile[i, start : start + width], rows[i], out[i]
        for j in range(width):
            distances[j] = np.sqrt(line[j]) - own - columns[j]


@jit_sums
def _line_of_products_to_distances(line, own, columns, own_offset, column_offsets, keep, out):
    zero = line.dtype.type(0)
    two = line.dtype.type(2)
    lost = np.int32(0)
    for j in range(len(out)):
        lengths = own + columns[j]
        product = two * line[j]
        lost += np.int32(keep * lengths < product)
        out[j] = np.sqrt(max(lengths - product, zero)) - own_offset - column_offsets[j]
    return lost


@jit_sums
def products_to_distances(
    tile, start, rows, columns, x_rows, x_columns, least, row_offsets, column_offsets, out
):
    """Do `to_squares` and `to_distances` for one part of a tile in one walk.

    Parameters
    ----------
    tile : (I, J), float32 or float64
        Products of centred rows.
    start : int
        First column of the part.
    rows, columns : (I,), (W,)
        Squared lengths of the centred rows.
    x_rows, x_columns : (I, d), (W, d)
        The rows themselves.
    least : float
        As in `to_squares`.
    row_offsets, column_offsets : (I,), (W,)
        As in `to_distances`.
    out : (I, W)
        Overwritten.
    """
    width = out.shape[1]
    keep = tile.dtype.type(1) - least
    two = tile.dtype.type(2)
    for i in range(out.shape[0]):
        line = tile[i, start : start + width]
        own, offset = rows[i], row_offsets[i]
        if _line_of_products_to_distances(line, own, columns, offset, column_offsets, keep, out[i]):
            for j in range(width):
                if keep * (own + columns[j]) < two * line[j]:
                    distance = np.sqrt(squared_difference(x_rows[i], x_columns[j]))
                    out[i, j] = distance - offset - column_offsets[j]


@jit_sums
def clear_masked(out, rows, columns):
    """Multiply with the masks (1 and 0) of rows and columns.

    Parameters
    ----------
    out : (I, J)
        Changed in place.
    rows, columns : (I,), (J,)
        In the dtype of `out`.
    """
    for i in range(out.shape[0]):
        line = out[i]
        own = rows[i]
        for j in range(out.shape[1]):
            line[j] *= own * columns[j]


@jit_sums
def _dot3(line, weights):
    total = line.dtype.type(0)
    squares = line.dtype.type(0)
    for j in range(len(line)):
        value = line[j] * weights[j]
        total += value
        squares += value * value
    return total, squares


@jit_sums
def _add_scaled(line, factor, into):
    for j in range(len(line)):
        into[j] += factor * line[j]


@jit_sums
def add_sums(out, rows, columns, row_sums, column_sums, squares):
    """Add sums over a centred tile for every pattern of masked rows.

    Parameters
    ----------
    out : (I, J)
    rows : (P, I) and columns : (P, J)
        Masks of the patterns, 1 and 0.
    row_sums : (P, I)
        Gains, per row, the sum over the columns of the pattern.
    column_sums : (P, J)
        Gains, per column, the sum over the rows of the pattern.
    squares : (P,)
        Gains the sum of squares over rows and columns of the pattern.
    """
    scratch = np.empty(out.shape[1], out.dtype)
    for p in range(len(squares)):
        scratch[:] = 0.0
        gathered = 0.0
        for i in range(out.shape[0]):
            total, square = _dot3(out[i], columns[p])
            row_sums[p, i] += total
            gathered += np.float64(rows[p, i]) * np.float64(square)
            _add_scaled(out[i], rows[p, i], scratch)
        squares[p] += gathered
        for j in range(out.shape[1]):
            column_sums[p, j] += scratch[j]


@jit_sums
def _gram_block(lines, i, j, start, stop, out):
    zero = lines.dtype.type(0)
    s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = zero
    a0 = lines[i, start:stop]
    a1 = lines[i + 1, start:stop]
    a2 = lines[i + 2, start:stop]
    b0 = lines[j, start:stop]
    b1 = lines[j + 1, start:stop]
    b2 = lines[j + 2, start:stop]
    for k in range(stop - start):
        p0 = a0[k]
        p1 = a1[k]
        p2 = a2[k]
        q0 = b0[k]
        q1 = b1[k]
        q2 = b2[k]
        s00 += p0 * q0
        s01 += p0 * q1
        s02 += p0 * q2
        s10 += p1 * q0
        s11 += p1 * q1
        s12 += p1 * q2
        s20 += p2 * q0
        s21 += p2 * q1
        s22 += p2 * q2
    out[i, j] += s00
    out[i, j + 1] += s01
    out[i, j + 2] += s02
    out[i + 1, j] += s10
    out[i + 1, j + 1] += s11
    out[i + 1, j + 2] += s12
    out[i + 2, j] += s20
    out[i + 2, j + 1] += s21
    out[i + 2, j + 2] += s22


@jit_sums
def gram(lines, start, stop, blocks, out):
    """Add products of embeddings, summed over ``start:stop`` of their lines, in float64.

    Runs of 1,024 products are summed in the precision of the lines. Every pair of embeddings
    is summed by the same instructions in the same order, whichever others are there.

    Parameters
    ----------
    lines : (M, L), M a multiple of 3
    blocks : (n, 2)
        First embeddings of the 3 x 3 blocks to compute.
    out : (M, M) of float64
    """
    for low in range(start, stop, _GRAM_RUN):
        high = min(low + _GRAM_RUN, stop)
        for b in range(len(blocks)):
            _gram_block(lines, blocks[b, 0], blocks[b, 1], low, high, out)


@jit_sums
def _dot(left, right):
    total = 0.0
    for c in range(len(left)):
        total += left[c] * right[c]
    return total


@jit_sums
def row_products(left, right, out):
    """Add products of the rows of two float64 matrices, (M, L) and (K, L), to `out`, (M, K).

    Unlike those of a matrix product, sums do not depend on how many rows there are.

    Parameters
    ----------
    left, right : (M, L), (K, L) of float64
    out : (M, K) of float64
        Gains the products.
    """
    for low in range(0, left.shape[1], _GRAM_RUN):
        run = slice(low, min(low + _GRAM_RUN, left.shape[1]))
        for i in range(len(left)):
            for j in range(len(right)):
                out[i, j] += _dot(left[i, run], right[j, run])
