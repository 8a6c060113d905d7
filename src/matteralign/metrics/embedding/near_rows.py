"""Rows that differ by no more than rounding: to statistics of neighbour distances they are one.

A structure that is rotated, padded in another batch or given twice comes out of a model of
single precision moved by some roundings. Beside such a twin every other row is infinitely
far, so that ratios of distances say nothing of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import FloatArray, LongArray
from matteralign.metrics.embedding.column_loops import near_leaders
from matteralign.metrics.embedding.exact_loops import row_norms

NOISE = 64.0
"""Roundings of its working precision by which a model may move a row, times the spread of
the rows: twice what batches and padding were seen to do (4e-6 of a standard deviation)."""

LARGE = 4.0
"""The same, times the length of the row: of numbers far from zero fewer digits are left."""

STORED = 0.5
"""Roundings of the stored numbers, times the length of the row: what storing moves two rows
apart, 0.3 if all their numbers are rounded independently, and little more."""

_SAMPLE = 512
_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True)
class Precision:
    """Spacing of the numbers near 1 that a model computed with, and of those it left."""

    computed: float
    stored: float

    @classmethod
    def of(cls, x: Any) -> Precision:
        """Return the precision of an array or of rows on disk.

        float64 numbers that float32 holds exactly, and that are not all whole, were float32
        once.
        """
        dtype, single = np.dtype(x.dtype), float(np.finfo(np.float32).eps)
        if dtype in (np.dtype(np.float16), np.dtype(np.float32)):
            return cls(single, float(np.finfo(dtype).eps))
        double = float(np.finfo(np.float64).eps)
        if dtype != np.dtype(np.float64):
            return cls(double, double)
        return cls(single, single) if _was_single(x) else cls(double, double)


def merge_near(
    x: Annotated[npt.NDArray[Any], "n d"],
    code: Annotated[LongArray, "n"],
    precision: Precision,
) -> Annotated[LongArray, "n"]:
    """Return codes that are equal for rows that differ by no more than rounding, too.

    Rows are taken in their order: one that lies within `NOISE` roundings of the spread plus
    `LARGE` and `STORED` of its length of an earlier row that stands for itself gets the code
    of the first such row.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (n, d)
    code : ndarray of int64, shape (n,)
        Equal exactly for identical rows, see `standard.row_codes`.
    precision : Precision
        Of the numbers before they were scaled.

    Returns
    -------
    ndarray of int64, shape (n,)
        From 0, without gaps.
    """
    rows = np.unique(code, return_index=True)[1]
    rows.sort()
    if len(rows) < 2:
        return code
    some = x[rows[np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(int)]]
    centre = np.median(some.astype(np.float64), axis=0)
    spread = spread_about(some, centre)
    length, along, reach = _measured(x, rows, centre)
    share = LARGE * precision.computed + STORED * precision.stored
    limit = NOISE * precision.computed * spread + share * length
    order = np.argsort(along, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    leader = near_leaders(x, rows, along, order, rank, limit + reach, limit)
    if (leader == np.arange(len(rows))).all():
        return code
    leader_of_code = np.empty(int(code.max()) + 1, np.int64)
    leader_of_code[code[rows]] = leader
    merged: LongArray = np.unique(leader_of_code[code], return_inverse=True)[1]
    return merged.astype(np.int64).reshape(-1)


def spread_about(
    some: Annotated[npt.NDArray[Any], "m d"], centre: Annotated[FloatArray, "d"]
) -> float:
    """Return how far most of some rows are from a point."""
    # Most rows may be one group, and a few may lie far out: neither is the spread.
    return float(np.quantile(row_norms(some - centre), 0.9))


def _measured(
    x: npt.NDArray[Any], rows: LongArray, centre: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return lengths, places along one direction, and how far rounding may move those."""
    d = x.shape[1]
    # Any direction does: rows that are near are near along it, and few others are.
    direction = np.random.default_rng(0).standard_normal(d)
    direction /= float(np.linalg.norm(direction))
    length, along, reach = (np.empty(len(rows)) for _ in range(3))
    step = max(1, _CHUNK_BYTES // (8 * d))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        plain = x[rows[part]].astype(np.float64)
        length[part] = row_norms(plain)
        plain -= centre
        along[part] = plain @ direction
        reach[part] = 4.0 * (d + 2) * float(np.finfo(np.float64).eps) * row_norms(plain)
    return length, along, reach


def _was_single(x: Any) -> bool:
    whole = True
    step = max(1, _CHUNK_BYTES // (8 * x.shape[1]))
    for start in range(0, x.shape[0], step):
        part = np.asarray(x[start : start + step])
        part = part[np.isfinite(part)]
        with np.errstate(over="ignore", under="ignore"):
            if not (part.astype(np.float32) == part).all():
                return False
        whole = whole and bool((part == np.rint(part)).all())
    return not whole
