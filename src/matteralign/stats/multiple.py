"""Adjusted p-values of a family of tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def benjamini_hochberg(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return p-values adjusted for the false discovery rate.

    Rejecting what is at most q keeps the expected share of false ones among the rejected at
    or below q, for independent or positively dependent tests (Benjamini & Hochberg 1995,
    J. R. Stat. Soc. B 57, 289): ``min over j >= i of m p_(j) / j``, at most 1.

    Parameters
    ----------
    p : array_like, shape (m,)
        p-values of one family, each in [0, 1].

    Returns
    -------
    ndarray of float64, shape (m,)
        In the order given.

    Raises
    ------
    ValueError
        Not one-dimensional, or a value outside [0, 1].
    """
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * (len(values) / np.arange(1, len(values) + 1))
    return _placed(np.minimum.accumulate(scaled[::-1])[::-1], order)


def holm(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return p-values adjusted for the family-wise error, under any dependence.

    The step-down procedure of Holm (1979, Scand. J. Stat. 6, 65):
    ``max over j <= i of (m - j + 1) p_(j)``, at most 1. Arguments and errors as
    `benjamini_hochberg`.
    """
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(len(values), 0, -1)
    return _placed(np.maximum.accumulate(scaled), order)


def _checked(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0.0) & (values <= 1.0)).all():
        raise ValueError("p-values are a list of numbers between 0 and 1")
    return values


def _placed(
    adjusted: npt.NDArray[np.float64], order: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    out = np.empty_like(adjusted)
    out[order] = np.minimum(adjusted, 1.0)
    return out
