"""One clause of the contract of models, and how two sets of latents are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Check:
    """One clause of the contract.

    Attributes
    ----------
    check
        Its name.
    status
        ``pass``, ``fail`` or ``not_applicable``.
    measured, tolerance
        The number found and its bound; None where the clause is yes or no.
    detail
        One sentence.
    """

    check: str
    status: Literal["pass", "fail", "not_applicable"]
    measured: float | None
    tolerance: float | None
    detail: str


def yes(name: str, good: bool, detail: str) -> Check:
    """Return a clause that holds or does not."""
    return Check(name, "pass" if good else "fail", None, None, detail)


def bound(name: str, measured: float, tolerance: float, detail: str = "") -> Check:
    """Return a clause that holds while a number stays within its bound; NaN does not."""
    good = measured <= tolerance
    return Check(
        name,
        "pass" if good else "fail",
        measured if np.isfinite(measured) else None,
        tolerance,
        detail or "largest relative deviation",
    )


def not_applicable(name: str, detail: str) -> Check:
    """Return a clause that says nothing about this model."""
    return Check(name, "not_applicable", None, None, detail)


def relative_deviation(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Return the largest ‖a_i − b_i‖ / ‖a_i‖ over the rows, computed in float64."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    norms = np.linalg.norm(first, axis=1)
    return float((np.linalg.norm(first - second, axis=1) / np.where(norms == 0, 1, norms)).max())
