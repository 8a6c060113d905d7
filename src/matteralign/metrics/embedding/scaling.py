"""Scaling of an embedding before it is compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from matteralign.core.scaling import SCALINGS, Scaling
from matteralign.core.suggest import unknown
from matteralign.metrics.base.errors import MetricInputError, MetricSpecError
from matteralign.metrics.base.inputs import ArrayLike, BoolArray, FloatArray, as_matrix

MODES = tuple(SCALINGS)

CLAMP_QUANTILE = 0.95
"""Of absolute elements; what Huh et al. (2024) clamp at before rows get unit length."""

BY_ROWS: frozenset[Scaling] = frozenset(("none", "max", "row_max", "row_max_abs", "l2"))
"""Scalings that divide each row, or all of them, by a number: directions of rows stay."""


_DIVISORS = {"row_max": "largest element", "row_max_abs": "largest absolute element"}
_DIGIT_BITS = 16


def normalize(x: Annotated[ArrayLike, "n d"], mode: Scaling) -> Annotated[FloatArray, "n d"]:
    """Scale an embedding.

    Parameters
    ----------
    x : array_like or torch.Tensor, shape (n, d)
    mode : {"none", "max", "row_max", "row_max_abs", "l2", "clamp_l2"}
        ``none`` only converts; ``max`` divides the whole array by its largest absolute
        element; ``row_max`` divides every row by its largest element, ``row_max_abs`` by its
        largest absolute element, ``l2`` by its Euclidean norm; ``clamp_l2`` clamps elements
        at the 0.95 quantile of all absolute values and then does as ``l2``. Under ``max``,
        ``l2`` and ``clamp_l2`` what is all zero stays zero.

    Returns
    -------
    ndarray of float64, shape (n, d)

    Raises
    ------
    MetricInputError
        As `as_matrix`, and for rows that `scalable_rows` does not hold.
    MetricSpecError
        Unknown mode.
    """
    check_mode(mode)
    matrix = as_matrix(x)
    if mode == "max":
        scaled: FloatArray = matrix / (float(np.abs(matrix).max()) or 1.0)
        return scaled
    usable = scalable_rows(matrix, mode)
    if not usable.all():
        first = int(np.argmin(usable))
        raise MetricInputError(
            f"row {first} of x: {refusal(mode, int((~usable).sum()), len(matrix))}"
        )
    clamp = clamp_of([matrix]) if mode == "clamp_l2" else None
    return row_scaled(matrix, mode, clamp)


def check_mode(mode: str) -> None:
    """Raise MetricSpecError unless `mode` is a scaling."""
    if mode not in MODES:
        raise MetricSpecError(unknown("scaling", str(mode), MODES))


def scalable_rows(
    matrix: Annotated[npt.NDArray[Any], "n d"], mode: Scaling
) -> Annotated[BoolArray, "n"]:
    """Return which rows, shape (n,), a scaling can be applied to.

    A row without a positive element has none to be divided by under ``row_max``, an all-zero
    row none under ``row_max_abs``; nor is a row divided where that would overflow.
    """
    if mode not in _DIVISORS:
        return np.ones(len(matrix), bool)
    divisor, magnitude = _divisors(matrix, mode), _magnitudes(matrix)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        usable: BoolArray = (divisor > 0.0) & np.isfinite(magnitude / divisor)
    return usable


def refusal(mode: Scaling, refused: int, n: int) -> str:
    """Say how many rows a scaling cannot be applied to, and why."""
    positive = "no positive element" if mode == "row_max" else "no element but zero"
    return (
        f"{refused:,} of {n:,} rows have {positive} and cannot be divided by their "
        f"{_DIVISORS[mode]} ({mode})"
    )


def row_scaled(
    matrix: Annotated[FloatArray, "n d"], mode: Scaling, clamp: float | None = None
) -> Annotated[FloatArray, "n d"]:
    """Return the rows scaled one by one; those that are not scalable come out as zeros.

    Parameters
    ----------
    clamp : float, optional
        For ``clamp_l2``: what absolute elements are clamped at.
    """
    if mode in ("none", "max"):
        return matrix
    if mode == "clamp_l2" and clamp is not None:
        matrix = np.clip(matrix, -clamp, clamp)
    if mode in _DIVISORS:
        usable = scalable_rows(matrix, mode)
        divisor = np.where(usable, _divisors(matrix, mode), 1.0)
        return np.where(usable[:, None], matrix, 0.0) / divisor[:, None]
    # Rows are divided by their largest element first: squares cannot overflow.
    largest = _magnitudes(matrix)[:, None]
    scaled: FloatArray = matrix / np.where(largest == 0.0, 1.0, largest)
    norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    scaled /= np.where(norms == 0.0, 1.0, norms)
    return scaled


def clamp_of(parts: Iterable[Annotated[npt.NDArray[Any], "..."]]) -> float:
    """Return the 0.95 quantile of absolute elements: number ``floor(0.95 N)`` in ascending order.

    Parameters
    ----------
    parts : iterable of ndarray
        The elements; iterated several times, so no iterator.

    Notes
    -----
    The order statistic of the released code of Huh et al. (2024) with exact quantiles. Found
    digit by digit of the bit patterns, which of numbers >= 0 are ordered as the numbers are,
    so that no copy of the elements is held.
    """
    found, known = 0, 0
    total = sum(part.size for part in parts)
    rank = int(CLAMP_QUANTILE * total)
    for digit in range(64 // _DIGIT_BITS - 1, -1, -1):
        shift = np.uint64(digit * _DIGIT_BITS)
        counts = np.zeros(1 << _DIGIT_BITS, np.int64)
        for part in parts:
            patterns = np.abs(np.asarray(part, np.float64)).ravel().view(np.uint64) >> shift
            if known:
                patterns = patterns[patterns >> np.uint64(_DIGIT_BITS) == np.uint64(found)]
            low = (patterns & np.uint64((1 << _DIGIT_BITS) - 1)).astype(np.int64)
            counts += np.bincount(low, minlength=1 << _DIGIT_BITS)
        below = np.cumsum(counts)
        value = int(np.searchsorted(below, rank, side="right"))
        rank -= int(below[value - 1]) if value else 0
        found, known = found << _DIGIT_BITS | value, known + 1
    return float(np.array([found], np.uint64).view(np.float64)[0])


def _divisors(matrix: npt.NDArray[Any], mode: Scaling) -> npt.NDArray[Any]:
    divisors: npt.NDArray[Any] = matrix.max(axis=1) if mode == "row_max" else _magnitudes(matrix)
    return divisors


def _magnitudes(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the largest magnitude of every row."""
    magnitudes: npt.NDArray[Any] = np.maximum(matrix.max(axis=1), -matrix.min(axis=1))
    return magnitudes
