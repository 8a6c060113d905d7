"""The types of arrays, and every check on arrays and neighbour counts.

Signatures have the shape of an array beside its type, in the notation of jaxtyping:
``Annotated[FloatArray, "n d"]`` has n rows and d columns. A name stands for the same number
wherever it is in a signature; ``*B`` for any number of leading axes, ``...`` for any shape.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.errors import MetricInputError, NotApplicable

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]
RealArray = FloatArray | SingleArray
"""An array in either precision."""
IndexArray = npt.NDArray[np.int32]
"""Neighbours by row, as lists hold them."""
LongArray = npt.NDArray[np.int64]
"""Row numbers, places and counts."""
BoolArray = npt.NDArray[np.bool_]
ArrayLike = npt.ArrayLike
"""Whatever numpy can read as an array, torch tensors included."""


def as_matrix(x: Annotated[ArrayLike, "n d"], name: str = "x") -> Annotated[FloatArray, "n d"]:
    """Return `x` as a C-contiguous float64 matrix, or refuse it.

    Parameters
    ----------
    x : array_like or torch.Tensor, shape (n, d)
        Real numbers; tensors are detached and moved to host memory.
    name : str
        What to call the array in messages.

    Returns
    -------
    ndarray of float64, shape (n, d)

    Raises
    ------
    MetricInputError
        Complex or non-numeric, not two-dimensional, no rows or columns, or a NaN or
        infinite element (the first offending row is named).
    """
    array = as_real_array(x, name)
    matrix = np.ascontiguousarray(array, dtype=np.float64)
    refuse_non_finite(matrix, None, 0, name)
    return matrix


def as_real_array(x: Annotated[ArrayLike, "n d"], name: str) -> Annotated[npt.NDArray[Any], "n d"]:
    """Return `x` as a two-dimensional array of reals, without a copy where it is one.

    Raises
    ------
    MetricInputError
        Complex or non-numeric, not two-dimensional, no rows or columns.
    """
    array = _to_numpy(x, name)
    matrix_shape(array, name)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def matrix_shape(source: Any, name: str) -> tuple[int, int]:
    """Return (n, d) of whatever has a shape and a dtype, or raise MetricInputError."""
    shape, dtype = tuple(source.shape), np.dtype(source.dtype)
    if dtype.kind == "c":
        raise MetricInputError(f"{name} is complex ({dtype}); pass real embeddings")
    if dtype.kind not in "fiub":
        raise MetricInputError(f"{name} has dtype {dtype}; a dense array of reals is needed")
    if len(shape) != 2:
        raise MetricInputError(f"{name} has shape {shape}; a matrix (rows, features) is needed")
    for size, what in zip(shape, ("rows", "columns"), strict=True):
        if size == 0:
            raise MetricInputError(f"{name} has zero {what}")
    return int(shape[0]), int(shape[1])


def refuse_non_finite(
    rows: Annotated[npt.NDArray[Any], "b d"],
    valid: Annotated[BoolArray, "b"] | None,
    first: int,
    name: str,
) -> None:
    """Raise MetricInputError at the first valid row that holds NaN or an infinity.

    Parameters
    ----------
    rows : ndarray, shape (b, d)
    valid : ndarray of bool, shape (b,), or None
        Rows to look at; all by default.
    first : int
        Number of the first row, for the message.
    """
    finite = np.asarray(np.isfinite(rows).all(axis=1))
    if valid is not None:
        finite = finite | ~valid
    if finite.all():
        return
    row = int(np.argmin(finite))
    column = int(np.argmin(np.isfinite(rows[row])))
    raise MetricInputError(
        f"{name} holds {rows[row, column]} at row {first + row}, column {column} "
        f"({int((~finite).sum())} of {len(finite)} rows are not finite); drop masked rows first"
    )


def _to_numpy(x: ArrayLike, name: str) -> npt.NDArray[Any]:
    if hasattr(x, "detach"):
        tensor = x.detach().cpu()
        # numpy has no bfloat16.
        x = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    if isinstance(x, np.ma.MaskedArray) and bool(np.any(x.mask)):
        raise MetricInputError(f"{name} has masked elements; drop masked rows first")
    try:
        return np.asarray(x)
    except (TypeError, ValueError) as error:
        raise MetricInputError(f"{name} cannot be read as an array: {error}") from error


def require_same_rows(n_x: int, n_y: int, name_x: str, name_y: str) -> None:
    """Raise MetricInputError unless both embeddings have the same number of rows."""
    if n_x != n_y:
        raise MetricInputError(
            f"{name_x} has {n_x} rows and {name_y} has {n_y}: embed the same rows in both"
        )


def is_constant(x: Annotated[FloatArray, "n d"]) -> bool:
    """Whether all rows of `x` are equal."""
    return bool((x == x[0]).all())


def constant_reason(name: str) -> str:
    """Return the reason given for a constant embedding."""
    return f"{name} is constant: all its rows are equal, so it has no variance"


def require_rows(n: int, least: int, what: str) -> None:
    """Raise NotApplicable when `what` needs more than `n` rows."""
    if n < least:
        raise NotApplicable(f"{what} needs at least {least} rows, got {n}")


def require_neighbors(n: int, k: int, rows: str = "rows") -> None:
    """Raise NotApplicable when `k` neighbours cannot be had among `n` rows."""
    if k >= n:
        raise NotApplicable(f"k = {k} needs at least {k + 1} {rows}, got {n}")


def pow2_scaled(x: Annotated[FloatArray, "n d"]) -> Annotated[FloatArray, "n d"]:
    """Return `x` times a power of two that brings its largest magnitude near 1.

    The factor is exact, so the order of distances, their ties and the duplicates stay as
    they are, while squares of huge or tiny values neither overflow nor underflow.
    """
    largest = float(np.abs(x).max())
    if largest == 0.0:
        return x
    scaled: FloatArray = np.ldexp(x, -math.frexp(largest)[1])
    return scaled
