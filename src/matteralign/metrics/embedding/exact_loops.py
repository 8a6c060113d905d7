"""Scores of single pairs of rows in float64: what decides the order of neighbours.

A squared distance is a sum of squared differences, never norms less a product: identical
rows are at exactly zero and equal distances come out equal. The order of summation is one
and the same for every pair.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import FloatArray
from matteralign.metrics.base.jit import jit, jit_sums
from matteralign.metrics.embedding.key_loops import pair_key

EUCLID, INNER = 0, 1


@jit_sums
def squared_difference(a, b):
    """Return the squared distance of two rows, float64.

    Parameters
    ----------
    a, b : (d,), float32 or float64
    """
    total = 0.0
    for c in range(len(a)):
        difference = np.float64(a[c]) - np.float64(b[c])
        total += difference * difference
    return total


@jit_sums
def pair_score(x, i, j, kind):
    """Return the score of row j seen from row i, smaller being nearer.

    Squared distance or negative inner product.

    Parameters
    ----------
    x : (n, d), float32 or float64
    i, j : int
    kind : int
        `EUCLID` or `INNER`.
    """
    a = x[i]
    b = x[j]
    if kind == EUCLID:
        return squared_difference(a, b)
    total = 0.0
    for c in range(len(a)):
        total += np.float64(a[c]) * np.float64(b[c])
    return -total


@jit
def _before(score, column, other_score, other, labels, row):
    """Whether a column with its score comes before another in the list of a row."""
    if score != other_score:
        return score < other_score
    key = pair_key(labels[row], labels[column])
    other_key = pair_key(labels[row], labels[other])
    return key < other_key or (key == other_key and column < other)


@jit
def _insert(score, column, scores, columns, filled, labels, row):
    """Insert into the ordered list of a row; return how many are filled."""
    size = len(scores)
    if filled == size:
        last = size - 1
        if not _before(score, column, scores[last], columns[last], labels, row):
            return filled
        place = last
    else:
        place = filled
        filled += 1
    while place > 0 and _before(score, column, scores[place - 1], columns[place - 1], labels, row):
        scores[place] = scores[place - 1]
        columns[place] = columns[place - 1]
        place -= 1
    scores[place] = score
    columns[place] = column
    return filled


@jit
def rank_candidates(
    x,
    labels,
    kind,
    rows,
    limit,
    candidates,
    proposed,
    order,
    counts,
    constant,
    out_index,
    out_score,
):
    """Order the candidates of some rows by exact score, equal ones as `ties` says.

    They are scored as they were proposed, best first, until the next one, with the most that
    its proposed score may be off, lies behind `limit` exact scores.

    Parameters
    ----------
    labels : (n,) of uint64
    rows : (R,)
    limit : int
        Neighbours wanted, at most the width of the output.
    candidates, proposed : (R, C)
        Columns and their scores in the precision of the search.
    order : (R, C)
        Places of the candidates, best proposed first.
    counts : (R,)
        How many of the C count, from the left.
    constant : (R,)
        A candidate's exact score is at least what was proposed plus this.
    out_index, out_score : (R, K)
        Filled from the left.
    """
    scores = np.empty(limit)
    columns = np.empty(limit, np.int64)
    for r in range(len(rows)):
        row = rows[r]
        filled = 0
        # In the order proposed an exact score lands near the end of the list: insertion
        # moves few entries, however long the list.
        for c in order[r, : counts[r]]:
            if filled == limit and proposed[r, c] + constant[r] > scores[limit - 1]:
                break
            column = np.int64(candidates[r, c])
            score = pair_score(x, row, column, kind)
            filled = _insert(score, column, scores, columns, filled, labels, row)
        for c in range(filled):
            out_index[r, c] = columns[c]
            out_score[r, c] = scores[c]


@jit
def search_row(x, labels, kind, row, limit, out_index, out_score):
    """Fill the lists of one row from every other row below `limit`.

    Parameters
    ----------
    x : (n, d), float32 or float64
    labels : (n,) of uint64
        Of `ties.tie_labels`; they decide the order of equal scores.
    kind : int
        `EUCLID` or `INNER`.
    row, limit : int
    out_index, out_score : (K,) of int and float64
        Filled from the left; scores are those of `pair_score`.
    """
    filled = 0
    for j in range(limit):
        if j != row:
            score = pair_score(x, row, j, kind)
            filled = _insert(score, j, out_score, out_index, filled, labels, row)


def row_norms(x: npt.NDArray[Any]) -> FloatArray:
    """Return Euclidean norms of rows, float64."""
    out: FloatArray = _row_norms(x)
    return out


@jit_sums
def _row_norms(x):
    out = np.empty(len(x))
    for i in range(len(x)):
        total = 0.0
        for c in range(x.shape[1]):
            total += np.float64(x[i, c]) * np.float64(x[i, c])
        out[i] = np.sqrt(total)
    return out
