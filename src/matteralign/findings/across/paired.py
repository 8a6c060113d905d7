"""The same score of the same pairs of models in two slices."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from matteralign.findings.pairwise import Statistic, over_models, spearman
from matteralign.stats.jackknife import LEVEL, standard_error

Rows = npt.NDArray[np.bool_]

SCORE = ["metric", "definition", "params"]
_PAIR = [*SCORE, "model_a", "model_b"]
_SIDES = ["slice", "n", "value", "ci_low", "ci_high", "null_mean"]
_RANGE = {"share_lower": (0.0, 1.0), "rank_correlation": (-1.0, 1.0)}
_NONE = (float("nan"), float("nan"))
_STRUCTURES = ["difference_structures_low", "difference_structures_high"]
FloatArray = npt.NDArray[np.floating]
STATISTICS = ("mean_1", "mean_2", "difference", "share_lower", "rank_correlation")


def paired(first: pd.DataFrame, second: pd.DataFrame, *, independent: bool = True) -> pd.DataFrame:
    """Put the scores of two slices side by side, for the pairs that both have a value of.

    Parameters
    ----------
    first, second
        Rows of two tables of scores, in them each pair of models once, or each direction
        where the two are different questions. A column `replicates` has the value without
        each block of structures, an array, or None.
    independent
        Whether the two slices share no structure: else a difference has no interval.

    Returns
    -------
    DataFrame
        metric, definition, params, model_a, model_b, weights_a and weights_b (``untrained``
        where either slice has untrained ones); slice, n, value, ci_low, ci_high, null_mean
        with the suffixes ``_1`` and ``_2``; difference, the second value minus the first;
        difference_low, difference_high: its 95 % interval, NaN where there is none; and
        replicates_1, replicates_2 as the tables have them.
    """
    sides = []
    for rows in (first, second):
        known = rows[rows["status"] == "ok"]
        if "replicates" not in known:
            known = known.assign(replicates=None)
        sides.append(known[[*_PAIR, "weights_a", "weights_b", *_SIDES, "replicates"]])
    both = sides[0].merge(sides[1], on=_PAIR, suffixes=("_1", "_2"))
    for name in ("weights_a", "weights_b"):
        one, other = both.pop(f"{name}_1"), both.pop(f"{name}_2")
        both[name] = one.where(other != "untrained", other)
    numbers = [f"{name}_{side}" for name in _SIDES[2:] for side in (1, 2)]
    both = both.astype(dict.fromkeys(numbers, float))
    both["difference"] = both["value_2"] - both["value_1"]
    ends = [
        independent_interval(value, one, two) if independent else _NONE
        for value, one, two in zip(
            both["difference"], both["replicates_1"], both["replicates_2"], strict=True
        )
    ]
    both[["difference_low", "difference_high"]] = np.reshape(ends, (-1, 2)).astype(float)
    return both


def independent_interval(
    difference: float, first: FloatArray | None, second: FloatArray | None
) -> tuple[float, float]:
    """Return the 95 % interval of a difference of two numbers from different structures.

    The variances of the two delete-one-block jackknives add up; Student's t with the degrees
    of freedom of Welch (1947).

    Parameters
    ----------
    first, second
        Each number without each block of its structures, shape (B,); None where there are none.
    """
    if first is None or second is None:
        return _NONE
    errors = [standard_error([float(r) for r in one]) for one in (first, second)]
    one, two = (None if error is None else error**2 for error in errors)
    if one is None or two is None:
        return _NONE
    if one + two == 0.0:
        return difference, difference
    parts = one**2 / (len(first) - 1) + two**2 / (len(second) - 1)
    half = float(special.stdtrit((one + two) ** 2 / parts, 0.5 + LEVEL / 2.0))
    half *= float(np.sqrt(one + two))
    return difference - half, difference + half


def difference_summary(pairs: pd.DataFrame, baselines: Collection[str] = ()) -> pd.DataFrame:
    """Summarize paired scores over all pairs of models.

    Pairs share models, so they are not independent. Each interval is from leaving out one
    model with all its pairs at a time (the delete-one jackknife of a statistic of pairs;
    Arvesen 1969), at 95 %: it says how far the number depends on which models were taken. It
    does not know of the error of the single scores, and is wide rather than narrow where pairs
    differ for reasons of their own.

    Parameters
    ----------
    pairs
        From `paired`, of one or more scores and second slices.
    baselines
        Models whose pairs are left out.

    Returns
    -------
    DataFrame
        One row for each score and pair of slices: how many pairs and models; mean_1 and
        mean_2; difference (mean of the second value minus the first); share_lower (pairs
        whose second value is lower); rank_correlation (Spearman) of the two columns; each
        with ``_low`` and ``_high``, which are NaN with fewer than four models;
        difference_structures_low and _high: the interval of the mean difference of these
        models over structures (`independent_interval`), NaN where a pair has no replicates.
    """
    own = pairs[~(pairs["model_a"].isin(baselines) | pairs["model_b"].isin(baselines))]
    rows = []
    by = [*SCORE, "slice_1", "slice_2"]
    for key, group in own.groupby(by, sort=False):
        value = group[["value_1", "value_2"]].to_numpy(float)
        a, b = (group[name].to_numpy(str) for name in ("model_a", "model_b"))
        row = dict(zip(by, key, strict=True))
        row |= {"pairs": len(group), "models": len({*a, *b})}
        structures = _over_structures(group)
        row |= dict(zip(_STRUCTURES, structures, strict=True))
        for name, statistic in zip(STATISTICS, _statistics(value), strict=True):
            whole, low, high = over_models(statistic, a, b)
            least, most = _RANGE.get(name, (-np.inf, np.inf))
            row |= {
                name: whole,
                f"{name}_low": np.maximum(low, least),
                f"{name}_high": np.minimum(high, most),
            }
        rows.append(row)
    columns = [*by, "pairs", "models"]
    columns += [f"{name}{end}" for name in STATISTICS for end in ("", "_low", "_high")]
    columns += _STRUCTURES
    return pd.DataFrame(rows, columns=columns)


def _over_structures(group: pd.DataFrame) -> tuple[float, float]:
    if group["difference_low"].isna().any():
        return _NONE
    means = []
    for side in ("replicates_1", "replicates_2"):
        sizes = {len(one) for one in group[side]}
        if len(sizes) > 1:
            return _NONE
        means.append(np.mean(np.stack(list(group[side])).astype(np.float64), axis=0))
    return independent_interval(float(group["difference"].mean()), *means)


def _statistics(value: npt.NDArray[np.float64]) -> Sequence[Statistic]:
    one, two = value.T
    return (
        lambda kept: float(one[kept].mean()),
        lambda kept: float(two[kept].mean()),
        lambda kept: float((two - one)[kept].mean()),
        lambda kept: float((two < one)[kept].mean()),
        lambda kept: rank_correlation(one[kept], two[kept]),
    )


def rank_correlation(one: npt.NDArray[np.float64], two: npt.NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation; NaN where there is none (fewer than three, or equal)."""
    return spearman(one, two) if len(one) >= 3 else float("nan")
