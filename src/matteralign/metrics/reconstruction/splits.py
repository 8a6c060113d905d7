"""Which rows of a sample fit a reconstruction, and which ones it is judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from matteralign.metrics.base.inputs import LongArray
from matteralign.metrics.reconstruction.cutoff_ridge import Halves


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

    train: LongArray
    test: LongArray
    halves: Callable[[int], Halves]


def default_split(n: int, seed: int) -> Split:
    """Return a random split of `n` rows: n // 2 train, the others test, halves at random."""
    order = np.random.default_rng(seed).permutation(n)

    def halves(count: int) -> Halves:
        places = np.random.default_rng([seed, count]).permutation(count)
        return Halves(np.sort(places[: count // 2]), np.sort(places[count // 2 :]))

    return Split(np.sort(order[: n // 2]), np.sort(order[n // 2 :]), halves)
