"""Steps that all scores of two sets of neighbour lists share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.errors import MetricInputError, NotApplicable
from matteralign.metrics.base.inputs import LongArray, require_neighbors, require_rows
from matteralign.metrics.base.specs import Scored
from matteralign.metrics.local import sum_loops as sums
from matteralign.metrics.local.lists import LocalLists
from matteralign.metrics.local.result import Null
from matteralign.stats.pairing import PairingMoments, pairing_null, pairing_skewness

Entries = tuple[LongArray, npt.NDArray[np.int16], npt.NDArray[np.int16]]


@dataclass(frozen=True)
class Shared:
    """Entries that two sets of lists have in common, for all scores from these lists.

    Attributes
    ----------
    entries : (ndarray, ndarray, ndarray)
        As `kernels.list_sums.shared_entries`.
    group : ndarray of int64
        For every place how many of the k do not reach it.
    groups : int
        One more than there are k.
    """

    entries: Entries
    group: LongArray
    groups: int


def shared(a: LocalLists, b: LocalLists, ks: Sequence[int]) -> Shared:
    """Look two sets of lists through once for all `ks`.

    Raises
    ------
    MetricInputError
        `ks` that do not ascend, that exceed the lists, or that the lists were not prepared
        for.
    """
    if list(ks) != sorted(set(ks)):
        raise MetricInputError(f"ks must ascend, got {list(ks)}")
    for lists in (a, b):
        longest = max((k for k in ks if k < lists.rows), default=0)
        if longest > lists.length:
            raise MetricInputError(f"k = {longest} needs longer lists than {lists.length}")
        if lists.jackknifed and not set(ks) <= set(lists.kept):
            raise MetricInputError(
                f"lists are prepared for k in {list(lists.kept)}, not {list(ks)}"
            )
    width = max(a.length, b.length)
    group = np.searchsorted(np.asarray(ks), np.arange(width), side="right")
    wanted = width if a.jackknifed and b.jackknifed else min(width, ks[-1])
    return Shared(sums.shared_entries(a.index, b.index, wanted), group, len(ks) + 1)


def too_few(n: int, k: int, least: int, what: str) -> Scored | None:
    """Return the absence of a score where `k` neighbours or `least` rows cannot be had."""
    try:
        require_rows(n, least, what)
        require_neighbors(n, k)
    except NotApplicable as reason:
        return Scored.not_applicable(str(reason), n)
    return None


def scaled_null(a: PairingMoments, b: PairingMoments, n: int, scale: float) -> Null | None:
    """Return the law over all pairings of a sum divided by `scale`."""
    null = pairing_null(a, b, n)
    if null is None:
        return None
    return null[0] / scale, null[1] / scale, pairing_skewness(a, b, n, null[1])
