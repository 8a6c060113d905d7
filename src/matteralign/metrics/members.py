"""One embedding as the engine reads it: row by row, scaled, its masked rows left out.

Nothing here holds a second copy of an embedding. Arrays in memory are read in place; any
object with a shape, a dtype and row indexing (rows on disk) is read block by block.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from matteralign.core.suggest import unknown
from matteralign.metrics.errors import MetricInputError, MetricSpecError
from matteralign.metrics.inputs import (
    ArrayLike,
    FloatArray,
    as_real_array,
    matrix_shape,
    refuse_non_finite,
)
from matteralign.metrics.scaling import MODES, NormalizeMode, scaled_rows

BoolArray = npt.NDArray[np.bool_]
# More would be new memory from the system at every read.
_READ_BYTES = 8 * 1024**2


class RowSource(Protocol):
    """Rows that are read when asked for, such as those of a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored numbers."""
        ...

    def __getitem__(self, rows: slice) -> npt.NDArray[Any]:
        """Return consecutive rows."""
        ...


@dataclass(frozen=True)
class Member:
    """An embedding, read by blocks of rows.

    Rows come in *working units*: scaled as `mode` says and by the power of two that brings
    the largest element near 1, so that squares neither overflow nor underflow. Every
    distance in working units times `unit` is a distance of the scaled embedding.

    Attributes
    ----------
    name : str
    source : RowSource
    valid : ndarray of bool, shape (n,)
        Rows the model took; the others read as zeros.
    mode : {"max", "l2", "none"}
    factor : float
        What the rows of the source (after ``l2``) are multiplied with.
    unit : float
        Length of one working unit.
    mean : ndarray of float64, shape (d,)
        Of the valid rows, in working units; rounded to float32 where the rows are, so that
        they can be centred in float32 (any point near the mean serves as well).
    constant : bool
        Whether all valid rows are equal.
    """

    name: str
    source: RowSource
    valid: BoolArray
    mode: NormalizeMode
    factor: float
    unit: float
    mean: FloatArray
    constant: bool

    @property
    def n(self) -> int:
        """Rows of the sample set, masked ones included."""
        return len(self.valid)

    @property
    def d(self) -> int:
        """Features."""
        return len(self.mean)

    @property
    def complete(self) -> bool:
        """Whether no row is masked."""
        return bool(self.valid.all())

    @property
    def single(self) -> bool:
        """Whether float32 holds the rows in working units exactly."""
        narrow = self.source.dtype in (np.dtype(np.float32), np.dtype(np.float16))
        # Far from 1 the power of two would leave the range of float32.
        return self.mode != "l2" and narrow and 2.0**-60 < self.factor < 2.0**60

    def shared_with(self, other: Member) -> BoolArray:
        """Return which rows, shape (n,), both have."""
        both: BoolArray = self.valid & other.valid
        return both

    def block(self, start: int, stop: int) -> FloatArray:
        """Return rows ``start:stop`` in working units, float64, masked rows zero."""
        return self._read(start, stop) * self.factor

    def centred(self, start: int, stop: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return rows ``start:stop`` less the mean in working units, masked rows zero."""
        if self.single and np.dtype(dtype) == np.float32:
            rows: npt.NDArray[Any] = np.array(self.source[start:stop], dtype=np.float32, order="C")
            if self.factor != 1.0:
                rows *= np.float32(self.factor)
            rows -= self.mean.astype(np.float32)
        else:
            rows = self.block(start, stop)
            rows -= self.mean
        valid = self.valid[start:stop]
        if not valid.all():
            rows[~valid] = 0.0
        return rows.astype(dtype, copy=False)

    def _read(self, start: int, stop: int) -> FloatArray:
        rows = np.array(self.source[start:stop], dtype=np.float64, order="C")
        valid = self.valid[start:stop]
        if not valid.all():
            rows[~valid] = 0.0
        return scaled_rows(rows) if self.mode == "l2" else rows

    def centred_at(
        self, rows: npt.NDArray[np.integer[Any]], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """Return the chosen rows, shape (m, d), as `centred` does."""
        if len(rows) and int(rows[-1]) - int(rows[0]) == len(rows) - 1:
            return self.centred(int(rows[0]), int(rows[-1]) + 1, dtype)
        if hasattr(self.source, "__array__"):
            # What numpy takes for an array is indexed like one, by row numbers as well.
            chosen: RowSource = cast("npt.NDArray[Any]", self.source)[rows]
        else:
            chosen = np.concatenate([np.asarray(self.source[r : r + 1]) for r in rows.tolist()])
        part = replace(self, source=chosen, valid=self.valid[rows])
        return part.centred(0, len(rows), dtype)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield row ranges that cover the sample set, of moderate size in memory."""
        yield from _spans(self.n, self.d)

    def compact(self, among: BoolArray | None = None) -> npt.NDArray[Any]:
        """Return all valid rows in working units, as float32 only where that loses nothing.

        `among`, shape (n,), leaves out valid rows that it does not hold.
        """
        chosen = self.valid if among is None else self.valid & among
        out = np.empty((int(chosen.sum()), self.d), np.float32 if self.single else np.float64)
        place = 0
        for start, stop in self.spans():
            kept = chosen[start:stop]
            if self.single:
                # A power of two: exact in float32.
                rows: npt.NDArray[Any] = np.asarray(self.source[start:stop], np.float32)
                rows = rows * np.float32(self.factor)
            else:
                rows = self.block(start, stop)
            count = int(kept.sum())
            out[place : place + count] = rows if count == len(rows) else rows[kept]
            place += count
        return out


def open_member(
    x: ArrayLike | RowSource,
    name: str,
    *,
    valid: BoolArray | None = None,
    mode: NormalizeMode = "none",
) -> Member:
    """Read an embedding once, check it, and return it as a member.

    Parameters
    ----------
    x : array_like, torch.Tensor or RowSource, shape (n, d)
    name : str
        What to call it in messages.
    valid : ndarray of bool, shape (n,), optional
        Rows to use; the others may hold anything.
    mode : {"max", "l2", "none"}
        Scaling, see `normalize`.

    Raises
    ------
    MetricInputError
        Complex or non-numeric, not two-dimensional, no rows or columns, a mask of another
        length, no valid row, or a NaN or infinite element in a valid row.
    MetricSpecError
        Unknown mode.
    """
    if mode not in MODES:
        raise MetricSpecError(unknown("normalize mode", str(mode), MODES))
    source: Any = x if _reads_rows(x) else as_real_array(cast("ArrayLike", x), name)
    n, d = matrix_shape(source, name)
    mask = np.ones(n, bool) if valid is None else np.asarray(valid, bool)
    if mask.shape != (n,):
        raise MetricInputError(f"the mask of {name} has shape {mask.shape}, its rows are {n}")
    if not mask.any():
        raise MetricInputError(f"{name} has no valid row")
    largest = 0.0
    for start, stop in _spans(n, d):
        rows = _rows(source, start, stop, name)
        kept = rows if mask[start:stop].all() else rows[mask[start:stop]]
        if kept.size:
            low, high = float(kept.min()), float(kept.max())
            if not (math.isfinite(low) and math.isfinite(high)):
                refuse_non_finite(rows, mask[start:stop], start, name)
            largest = max(largest, -low, high)
    if mode == "l2" and largest > 0.0:
        largest = 1.0  # rows are scaled before anything else
    # max divides by the largest element: only the unit changes, never the order of distances.
    exponent = min(1000, max(-1000, math.frexp(largest)[1])) if largest else 0
    factor = math.ldexp(1.0, -exponent)
    unit = 1.0 / factor if mode != "max" or largest == 0.0 else 1.0 / (factor * largest)
    start_values = Member(name, source, mask, mode, factor, unit, np.zeros(d), constant=False)
    mean, constant = _facts(start_values)
    return Member(name, source, mask, mode, factor, unit, mean, constant)


def _facts(member: Member) -> tuple[FloatArray, bool]:
    """Return the mean of the valid rows and whether they are all equal."""
    total = np.zeros(member.d)
    first: FloatArray | None = None
    constant = True
    for start, stop in member.spans():
        rows = member.block(start, stop)
        if not member.valid[start:stop].all():
            rows = rows[member.valid[start:stop]]
        if not len(rows):
            continue
        first = rows[0].copy() if first is None else first
        constant = constant and bool((rows[-1] == first).all() and (rows == first).all())
        total += rows.sum(axis=0)
    mean = total / int(member.valid.sum())
    return mean.astype(np.float32).astype(np.float64) if member.single else mean, constant


def _reads_rows(x: object) -> bool:
    return (
        not isinstance(x, np.ndarray)
        and not hasattr(x, "detach")
        and all(hasattr(x, name) for name in ("shape", "dtype", "__getitem__"))
        and isinstance(getattr(x, "dtype", None), np.dtype)
    )


def _rows(source: Any, start: int, stop: int, name: str) -> npt.NDArray[Any]:
    rows = np.asarray(source[start:stop])
    if rows.shape[0] != stop - start:
        raise MetricInputError(
            f"{name} gave {rows.shape[0]} rows for {start}:{stop}: it is shorter than it says"
        )
    return rows


def _spans(n: int, d: int) -> Iterator[tuple[int, int]]:
    step = max(1, _READ_BYTES // (8 * d))
    for start in range(0, n, step):
        yield start, min(start + step, n)
