"""A matrix of scores with the models of one architecture averaged (study's figures 1A and 1C)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from matteralign.stats.jackknife import interval


@dataclass(frozen=True)
class Condensed:
    """Mean scores between groups of models.

    Attributes
    ----------
    values
        Rows and columns are groups; the mean over pairs of two different models. NaN where
        there is no such pair, as within a group of one model.
    printed
        The same with every model's score with itself, the diagonal of the matrix, in the mean,
        as the study prints it: a group of one model has 1. NaN on the diagonal where the metric
        has no such value.
    pairs
        Number of ordered pairs of different models behind each value.
    missing
        Number of ordered pairs without a score, which are left out of the mean.
    low, high
        95 % interval of `values` over structures, other structures and the same models; NaN where
        a pair has no replicates.
    members
        Models of each group, in order.
    """

    values: pd.DataFrame
    printed: pd.DataFrame
    pairs: pd.DataFrame
    missing: pd.DataFrame
    low: pd.DataFrame
    high: pd.DataFrame
    members: Mapping[str, tuple[str, ...]]


def condense(
    values: pd.DataFrame,
    groups: Mapping[str, str],
    replicates: npt.NDArray[np.float64] | None = None,
) -> Condensed:
    """Average the rows and columns of the models of one group.

    Parameters
    ----------
    values
        Square frame of scores by model key; NaN where a pair has none.
    groups
        Group of each model, such as its architecture.
    replicates
        The scores without each block of structures, shape (m, m, B), models as in `values`.

    Raises
    ------
    KeyError
        If a model has no group.
    """
    models = [str(name) for name in values.index]
    members: dict[str, tuple[str, ...]] = {}
    for model in models:
        members[groups[model]] = (*members.get(groups[model], ()), model)
    names = list(members)
    data = values.to_numpy(dtype=np.float64)
    place = {model: i for i, model in enumerate(models)}
    shape = (len(names), len(names))
    mean, printed = np.full(shape, np.nan), np.full(shape, np.nan)
    pairs, missing = np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            rows = [place[m] for m in members[first]]
            columns = [place[m] for m in members[second]]
            block = data[np.ix_(rows, columns)]
            different = np.not_equal.outer(rows, columns)
            found = block[different & ~np.isnan(block)]
            pairs[i, j] = found.size
            missing[i, j] = int(different.sum()) - found.size
            if found.size:
                mean[i, j] = found.mean()
                if replicates is not None:
                    left = replicates[np.ix_(rows, columns)][different & ~np.isnan(block)]
                    ends = interval(float(found.mean()), left.mean(axis=0).tolist())
                    low[i, j], high[i, j] = ends or (np.nan, np.nan)
            own = block[~different]
            whole = np.concatenate([found, own[~np.isnan(own)]])
            if whole.size and not np.isnan(own).any():
                printed[i, j] = whole.mean()

    def frame(array: np.ndarray) -> pd.DataFrame:
        index = pd.Index(names, name="group")
        return pd.DataFrame(array, index=index, columns=pd.Index(names, name="group_b"))

    return Condensed(
        frame(mean), frame(printed), frame(pairs), frame(missing), frame(low), frame(high), members
    )
