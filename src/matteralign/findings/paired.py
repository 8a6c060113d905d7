"""The same score of the same pairs of models in two slices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from matteralign.stats.jackknife import interval

Rows = npt.NDArray[np.bool_]
Statistic = Callable[[Rows], float]

SCORE = ["metric", "definition", "params"]
_PAIR = [*SCORE, "model_a", "model_b"]
_SIDES = ["slice", "n", "value", "ci_low", "ci_high", "null_mean"]
_RANGE = {"share_lower": (0.0, 1.0), "rank_correlation": (-1.0, 1.0)}
STATISTICS = ("mean_1", "mean_2", "difference", "share_lower", "rank_correlation")


def paired(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Put the scores of two slices side by side, for the pairs that both have a value of.

    Parameters
    ----------
    first, second
        Rows of two tables of scores, in them each pair of models once, or each direction
        where the two are different questions.

    Returns
    -------
    DataFrame
        metric, definition, params, model_a, model_b, weights_a and weights_b (``untrained``
        where either slice has untrained ones); slice, n, value, ci_low, ci_high, null_mean
        with the suffixes ``_1`` and ``_2``; difference, the second value minus the first.
    """
    sides = []
    for rows in (first, second):
        known = rows[rows["status"] == "ok"]
        sides.append(known[[*_PAIR, "weights_a", "weights_b", *_SIDES]])
    both = sides[0].merge(sides[1], on=_PAIR, suffixes=("_1", "_2"))
    for name in ("weights_a", "weights_b"):
        one, other = both.pop(f"{name}_1"), both.pop(f"{name}_2")
        both[name] = one.where(other != "untrained", other)
    numbers = [f"{name}_{side}" for name in _SIDES[2:] for side in (1, 2)]
    both = both.astype(dict.fromkeys(numbers, float))
    both["difference"] = both["value_2"] - both["value_1"]
    return both


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
        with ``_low`` and ``_high``, which are NaN with fewer than four models.
    """
    own = pairs[~(pairs["model_a"].isin(baselines) | pairs["model_b"].isin(baselines))]
    rows = []
    by = [*SCORE, "slice_1", "slice_2"]
    for key, group in own.groupby(by, sort=False):
        value = group[["value_1", "value_2"]].to_numpy(float)
        a, b = (group[name].to_numpy(str) for name in ("model_a", "model_b"))
        row = dict(zip(by, key, strict=True))
        row |= {"pairs": len(group), "models": len({*a, *b})}
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
    return pd.DataFrame(rows, columns=columns)


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
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return float("nan")
    return float(stats.spearmanr(one, two).statistic)


def over_models(
    statistic: Statistic, model_a: npt.NDArray[np.str_], model_b: npt.NDArray[np.str_]
) -> tuple[float, float, float]:
    """Return a statistic of pairs with its interval from leaving out one model at a time.

    Parameters
    ----------
    statistic
        Takes which pairs are kept, shape (m,).
    model_a, model_b
        The models of each pair, shape (m,).

    Returns
    -------
    (float, float, float)
        The value and the ends of its 95 % interval; these are NaN where there is none.
    """
    value = statistic(np.ones(len(model_a), bool))
    kept = [(model_a != model) & (model_b != model) for model in np.unique([model_a, model_b])]
    ends = interval(value, [statistic(k) for k in kept]) if all(k.any() for k in kept) else None
    return (value, *(ends or (float("nan"), float("nan"))))
