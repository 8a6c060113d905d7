"""Which rows of a sample fit a reconstruction, and which ones it is judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from matteralign.metrics.cutoff_ridge import Halves, Rows


@dataclass(frozen=True)
class Sample:
    """Rows of one fit.

    Attributes
    ----------
    train, test : ndarray of int64
        Rows that fit and rows that are predicted.
    halves : Halves
        Of the training rows, as places among them: they choose the cutoff of a global fit.
    """

    train: Rows
    test: Rows
    halves: Halves

    def without(self, gone: npt.NDArray[np.bool_]) -> Sample:
        """Return the sample without rows; every row left keeps its part in the fit."""
        left = ~gone[self.train]
        place = np.cumsum(left) - 1
        one, two = (part[left[part]] for part in (self.halves.one, self.halves.two))
        return Sample(
            self.train[left], self.test[~gone[self.test]], Halves(place[one], place[two])
        )

    @property
    def usable(self) -> bool:
        """Whether every part has rows."""
        parts = (self.train, self.test, self.halves.one, self.halves.two)
        return all(len(part) > 0 for part in parts)


@dataclass(frozen=True)
class Split:
    """Which rows fit and which are predicted.

    Attributes
    ----------
    train, test : ndarray of int64
        Rows, without repetition.
    halves : callable
        Gives the two halves that choose the cutoff of a fit to a number of rows; places in
        the order of `train` (global), or of the neighbours from near to far (local).
    """

    train: Rows
    test: Rows
    halves: Callable[[int], Halves]

    def whole(self) -> Sample:
        """Return all rows as a sample."""
        return Sample(self.train, self.test, self.halves(len(self.train)))


def default_split(n: int, seed: int) -> Split:
    """Return a random split of `n` rows: n // 2 train, the others test, halves at random."""
    order = np.random.default_rng(seed).permutation(n)

    def halves(count: int) -> Halves:
        places = np.random.default_rng([seed, count]).permutation(count)
        return Halves(np.sort(places[: count // 2]), np.sort(places[count // 2 :]))

    return Split(np.sort(order[: n // 2]), np.sort(order[n // 2 :]), halves)


def row_order(n: int, seed: int, number: int) -> Rows:
    """Return permutation `number` of `n` rows: those of a seed are the same for all pairs."""
    return np.random.default_rng([seed, n, number]).permutation(n)
