"""Which of several scores is best, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from matteralign.findings.replicates.estimates import FloatArray, difference
from matteralign.stats.jackknife import LEVEL, resampled
from matteralign.stats.multiple import holm

DRAWS = 10_000


def ranks(
    names: Sequence[str],
    values: FloatArray,
    replicates: FloatArray,
    *,
    larger_is_better: bool = True,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank scores, with an interval of each rank and how often each comes first.

    Parameters
    ----------
    names : sequence of str, length m
    values : ndarray, shape (m,)
    replicates : ndarray, shape (m, B)
        The same scores without each block of rows.
    seed : int
        Of the draws behind `p_best`.

    Returns
    -------
    DataFrame
        In the order of the ranks: ``name``, ``value``, ``rank`` (1 is best), ``rank_low`` and
        ``rank_high`` (the ranks that the true order may give it), ``p_best`` (share of draws
        in which it is the best).

    Notes
    -----
    All true ranks lie in their intervals at once with 95 %: the intervals follow from
    the differences of all pairs, with p-values adjusted by Holm, so they hold for the model
    that turned out best as for any other (Klein, Wright & Wieczorek 2020, J. R. Stat. Soc. A
    183, 589, of joint intervals). `p_best` is a bootstrap probability, not a p-value.
    """
    sign = 1.0 if larger_is_better else -1.0
    count = len(values)
    pairs = list(combinations(range(count), 2))
    found = [difference(sign * values[[i, j]], sign * replicates[[i, j]]) for i, j in pairs]
    # Without a scale for a difference its sign is no finding.
    adjusted = holm([1.0 if one.p is None else one.p for one in found])
    better, worse = np.zeros(count, int), np.zeros(count, int)
    for (i, j), one, p in zip(pairs, found, adjusted, strict=True):
        if p < 1.0 - LEVEL:
            first, second = (i, j) if one.value > 0.0 else (j, i)
            worse[first] += 1
            better[second] += 1
    drawn = sign * resampled(values, replicates, DRAWS, seed)
    firsts = np.bincount(drawn.argmax(axis=1), minlength=count) / DRAWS
    order = np.argsort(-sign * values, kind="stable")
    rank = np.empty(count, int)
    rank[order] = np.arange(1, count + 1)
    return pd.DataFrame(
        {
            "name": list(names),
            "value": values,
            "rank": rank,
            "rank_low": 1 + better,
            "rank_high": count - worse,
            "p_best": firsts,
        }
    ).iloc[order]
