"""The null of a score from permuted data: mean, standard deviation, exact p-value."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from matteralign.stats.calibrated import calibrated_score, drawn_threshold


def row_order(n: int, seed: int, number: int) -> npt.NDArray[np.int64]:
    """Return permutation `number` of `n` rows: those of a seed are the same for all pairs."""
    return np.random.default_rng([seed, n, number]).permutation(n)


@dataclass(frozen=True)
class PermutationNull:
    """A score under random pairing of the rows.

    Attributes
    ----------
    mean : float
    sd : float or None
        Of the permuted scores; None for a single one.
    p : float
        One-sided, ``(1 + b) / (1 + m)`` with b of m permuted scores at least as alike as the
        observed one. Never zero, and exact for whatever m (Phipson & Smyth 2010, Stat. Appl.
        Genet. Mol. Biol. 9, 39).
    calibrated : float or None
        See `stats.calibrated`; None for errors, and with too few permutations.
    """

    mean: float
    sd: float | None
    p: float
    calibrated: float | None = None

    def fields(self) -> dict[str, float | None]:
        """Return the null by the names that scores have for it."""
        return {
            "null_mean": self.mean,
            "null_sd": self.sd,
            "null_p": self.p,
            "calibrated": self.calibrated,
        }


def permutation_null(
    value: float, permuted: Sequence[float], *, smaller_is_closer: bool
) -> PermutationNull | None:
    """Return what the permuted scores say of `value`.

    Parameters
    ----------
    value : float
    permuted : sequence of float
        The score after each permutation.
    smaller_is_closer : bool
        Whether a small score says that the two are alike.

    Returns
    -------
    PermutationNull or None
        None without permutations, or where one of them has no finite score.
    """
    if not permuted or not all(map(math.isfinite, permuted)):
        return None
    beyond = sum(p <= value if smaller_is_closer else p >= value for p in permuted)
    calibrated = None
    if not smaller_is_closer:
        calibrated = calibrated_score(value, drawn_threshold(value, permuted))
    return PermutationNull(
        math.fsum(permuted) / len(permuted),
        statistics.stdev(permuted) if len(permuted) > 1 else None,
        (1 + beyond) / (1 + len(permuted)),
        calibrated,
    )
