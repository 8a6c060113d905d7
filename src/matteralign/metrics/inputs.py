"""Every check on arrays and neighbour counts, in one place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.errors import MetricInputError, NotApplicable

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int32]
ArrayLike = npt.ArrayLike
"""Whatever numpy can read as an array, torch tensors included."""


def as_matrix(x: ArrayLike, name: str = "x") -> FloatArray:
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
    array = _to_numpy(x, name)
    if array.dtype.kind == "c":
        raise MetricInputError(f"{name} is complex ({array.dtype}); pass real embeddings")
    if array.dtype.kind not in "fiub":
        raise MetricInputError(f"{name} has dtype {array.dtype}; a dense array of reals is needed")
    if array.ndim != 2:
        raise MetricInputError(
            f"{name} has shape {array.shape}; a matrix (rows, features) is needed"
        )
    if array.shape[0] == 0:
        raise MetricInputError(f"{name} has zero rows")
    if array.shape[1] == 0:
        raise MetricInputError(f"{name} has zero columns")
    matrix = np.ascontiguousarray(array, dtype=np.float64)
    finite = np.asarray(np.isfinite(matrix).all(axis=1))
    if not finite.all():
        row = int(np.argmin(finite))
        column = int(np.argmin(np.isfinite(matrix[row])))
        raise MetricInputError(
            f"{name} holds {matrix[row, column]} at row {row}, column {column} "
            f"({int((~finite).sum())} of {len(finite)} rows are not finite); "
            "drop masked rows first"
        )
    return matrix


def _to_numpy(x: ArrayLike, name: str) -> npt.NDArray[Any]:
    if hasattr(x, "detach"):
        tensor = x.detach().cpu()
        # numpy has no bfloat16; a complex tensor must stay complex to be refused.
        x = tensor.double() if tensor.is_floating_point() else tensor
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


def is_constant(x: FloatArray) -> bool:
    """Whether all rows of `x` are equal."""
    return bool((x == x[0]).all())


def constant_reason(name: str) -> str:
    """Return the reason given for a constant embedding."""
    return f"{name} is constant: all its rows are equal, so it has no variance"


def require_varying(x: FloatArray, name: str) -> None:
    """Raise NotApplicable when all rows of `x` are equal."""
    if is_constant(x):
        raise NotApplicable(constant_reason(name))


def require_rows(n: int, least: int, what: str) -> None:
    """Raise NotApplicable when `what` needs more than `n` rows."""
    if n < least:
        raise NotApplicable(f"{what} needs at least {least} rows, got {n}")


def require_neighbors(n: int, k: int, rows: str = "rows") -> None:
    """Raise NotApplicable when `k` neighbours cannot be had among `n` rows."""
    if k >= n:
        raise NotApplicable(f"k = {k} needs at least {k + 1} {rows}, got {n}")


def pow2_scaled(x: FloatArray) -> FloatArray:
    """Return `x` times a power of two that brings its largest magnitude near 1.

    The factor is exact, so the order of distances, their ties and the duplicates stay as
    they are, while squares of huge or tiny values neither overflow nor underflow.
    """
    largest = float(np.abs(x).max())
    if largest == 0.0:
        return x
    scaled: FloatArray = np.ldexp(x, -math.frexp(largest)[1])
    return scaled
