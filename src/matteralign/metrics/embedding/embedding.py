"""One embedding as the engine reads it: row by row, scaled, its masked rows left out.

Nothing here holds a second copy of an embedding. Arrays in memory are read in place; any
object with a shape, a dtype and row indexing (rows on disk) is read block by block.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from matteralign.core.scaling import Scaling
from matteralign.metrics.base.errors import MetricInputError
from matteralign.metrics.base.inputs import (
    ArrayLike,
    BoolArray,
    FloatArray,
    IndexArray,
    as_real_array,
    constant_reason,
    matrix_shape,
    refuse_non_finite,
)
from matteralign.metrics.embedding.exact_loops import row_norms
from matteralign.metrics.embedding.near_rows import Precision, spread_about
from matteralign.metrics.embedding.scaling import (
    check_mode,
    clamp_of,
    refusal,
    row_scaled,
    scalable_rows,
)

# More would be new memory from the system at every read.
_READ_BYTES = 8 * 1024**2
_SPREAD_ROWS = 256

FAR_OUT = 500.0
"""Distance from the middle, in spreads, above which a row costs float32 tiles digits: dCor and
CKA are off by 5e-8 at 1e3, 1e-5 at 1e4."""


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
class Embedding:
    """An embedding, read by blocks of rows.

    Rows come in *working units*: scaled as `mode` says and by the power of two that brings
    the largest element near 1, so that squares neither overflow nor underflow. Every
    distance in working units times `unit` is a distance of the scaled embedding.

    Attributes
    ----------
    name : str
    source : RowSource
    valid : ndarray of bool, shape (n,)
        Rows the model took and the scaling can be applied to; the others read as zeros.
    mode : Scaling
        Scaling, see `normalize`.
    factor : float
        What the rows of the source, scaled one by one, are multiplied with.
    unit : float
        Length of one working unit.
    mean : ndarray of float64, shape (d,)
        Of the valid rows, in working units; rounded to float32 where the rows are, so that
        they can be centred in float32 (any point near the mean serves as well).
    constant : bool
        Whether all valid rows are equal.
    refused : int
        Rows the model took that the scaling cannot be applied to.
    clamp : float or None
        What absolute elements are clamped at.
    """

    name: str
    source: RowSource
    valid: BoolArray
    mode: Scaling
    factor: float
    unit: float
    mean: FloatArray
    constant: bool
    refused: int = 0
    clamp: float | None = None

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
        return self.mode in ("none", "max") and narrow and 2.0**-60 < self.factor < 2.0**60

    @property
    def refusal(self) -> str:
        """Which rows the scaling left out and why; empty where there are none."""
        if not self.refused:
            return ""
        taken = int(self.valid.sum()) + self.refused
        return f"{self.name}: {refusal(self.mode, self.refused, taken)}"

    @property
    def why_constant(self) -> str:
        """Why a constant embedding has no score."""
        if self.clamp == 0.0:
            return (
                f"{self.name}: 95 % of its elements are zero, so clamping them at that quantile "
                "leaves nothing"
            )
        return constant_reason(self.name)

    @property
    def precision(self) -> Precision:
        """Precision of the numbers as they were given; reads those of float64."""
        return Precision.of(self.source)

    def shared_with(self, other: Embedding) -> BoolArray:
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
        return row_scaled(rows, self.mode, self.clamp)

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


def open_embedding(
    x: Annotated[ArrayLike | RowSource, "n d"],
    name: str,
    *,
    valid: Annotated[BoolArray, "n"] | None = None,
    mode: Scaling = "none",
) -> Embedding:
    """Read an array once, check it, and return it as an embedding.

    Parameters
    ----------
    x : array_like, torch.Tensor or RowSource, shape (n, d)
    name : str
        What to call it in messages.
    valid : ndarray of bool, shape (n,), optional
        Rows to use; the others may hold anything.
    mode : Scaling
        Scaling, see `normalize`. Rows that it cannot be applied to are not valid.

    Raises
    ------
    MetricInputError
        Complex or non-numeric, not two-dimensional, no rows or columns, a mask of another
        length, no valid row, or a NaN or infinite element in a valid row.
    MetricSpecError
        Unknown mode.
    """
    check_mode(mode)
    source: Any = x if _reads_rows(x) else as_real_array(cast("ArrayLike", x), name)
    n, d = matrix_shape(source, name)
    mask = np.ones(n, bool) if valid is None else np.array(valid, bool)
    if mask.shape != (n,):
        raise MetricInputError(f"the mask of {name} has shape {mask.shape}, its rows are {n}")
    taken = int(mask.sum())
    if not taken:
        raise MetricInputError(f"{name} has no valid row")
    largest = 0.0
    for start, stop in _spans(n, d):
        rows = _rows(source, start, stop, name)
        kept = rows if mask[start:stop].all() else rows[mask[start:stop]]
        if not kept.size:
            continue
        low, high = float(kept.min()), float(kept.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            refuse_non_finite(rows, mask[start:stop], start, name)
        if mode in ("row_max", "row_max_abs"):
            scaled = np.asarray(kept, np.float64)
            mask[start:stop][mask[start:stop]] = scalable_rows(scaled, mode)
            scaled = row_scaled(scaled, mode)
            low, high = float(scaled.min()), float(scaled.max())
        largest = max(largest, -low, high)
    clamp = clamp_of(_Elements(source, mask, name)) if mode == "clamp_l2" else None
    if mode in ("l2", "clamp_l2") and largest > 0.0:
        largest = 1.0  # rows are scaled before anything else
    # max divides by the largest element: only the unit changes, never the order of distances.
    exponent = min(1000, max(-1000, math.frexp(largest)[1])) if largest else 0
    factor = math.ldexp(1.0, -exponent)
    unit = 1.0 / factor if mode != "max" or largest == 0.0 else 1.0 / (factor * largest)
    refused = taken - int(mask.sum())
    embedding = Embedding(
        name, source, mask, mode, factor, unit, np.zeros(d),
        constant=False, refused=refused, clamp=clamp,
    )  # fmt: skip
    mean, constant = _facts(embedding)
    return replace(embedding, mean=mean, constant=constant)


@dataclass(frozen=True)
class _Elements:
    """Elements of the valid rows of a source, block by block, as often as asked for."""

    source: Any
    valid: BoolArray
    name: str

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        n, d = self.source.shape
        for start, stop in _spans(n, d):
            yield _rows(self.source, start, stop, self.name)[self.valid[start:stop]]


def far_out(embedding: Embedding) -> bool:
    """Return whether some rows lie so far out that float32 tiles lose the digits of the others.

    A distance of the others is then a small difference of large squares, and one of the far
    rows is rounded by as much as distances of the others vary.
    """
    valid = np.flatnonzero(embedding.valid)
    chosen = valid[np.linspace(0, len(valid) - 1, min(_SPREAD_ROWS, len(valid))).astype(int)]
    some = np.concatenate([embedding.block(row, row + 1) for row in chosen.tolist()])
    middle = np.median(some, axis=0)
    spread, furthest = spread_about(some, middle), 0.0
    for start, stop in embedding.spans():
        rows = embedding.block(start, stop)[embedding.valid[start:stop]] - middle
        furthest = max(furthest, float(row_norms(rows).max(initial=0.0)))
    return furthest > FAR_OUT * spread


def place_of(valid: Annotated[BoolArray, "n"]) -> Annotated[IndexArray, "n"]:
    """Return where each row of the sample set stands among the valid ones, -1 if masked."""
    return np.where(valid, np.cumsum(valid) - 1, -1).astype(np.int32)


def _facts(embedding: Embedding) -> tuple[FloatArray, bool]:
    """Return the mean of the valid rows and whether they are all equal, as none are."""
    total = np.zeros(embedding.d)
    first: FloatArray | None = None
    constant = True
    for start, stop in embedding.spans():
        rows = embedding.block(start, stop)
        if not embedding.valid[start:stop].all():
            rows = rows[embedding.valid[start:stop]]
        if not len(rows):
            continue
        first = rows[0].copy() if first is None else first
        constant = constant and bool((rows[-1] == first).all() and (rows == first).all())
        total += rows.sum(axis=0)
    mean = total / max(1, int(embedding.valid.sum()))
    return mean.astype(np.float32).astype(np.float64) if embedding.single else mean, constant


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
