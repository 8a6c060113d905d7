"""How two matrices of scores between the same models agree.

Pairs that share a model are not independent: with m models there are m (m - 1)/2 pairs, but only
m things were drawn. So intervals leave out one model at a time, and p-values permute models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from matteralign.stats.jackknife import interval

Matrix = npt.NDArray[np.float64]
Statistic = Callable[[npt.NDArray[np.bool_]], float]
"""Of pairs of models: takes which of them are kept, shape (m,)."""
LEAST_MODELS = 5
"""With fewer models neither an interval nor a p-value says anything."""


@dataclass(frozen=True)
class MatrixCorrelation:
    """Rank correlation of two matrices of scores.

    Attributes
    ----------
    value
        Spearman's rank correlation over pairs of models; NaN where one of the two is constant.
    low, high
        95 % interval, NaN with fewer than `LEAST_MODELS` models.
    p
        Two-sided p-value of Mantel's test, NaN with fewer than `LEAST_MODELS` models.
    models, pairs
        Number of models and of pairs.
    """

    value: float
    low: float
    high: float
    p: float
    models: int
    pairs: int


def matrix_correlation(
    a: Matrix, b: Matrix, *, permutations: int = 999, seed: int = 0
) -> MatrixCorrelation:
    """Return the rank correlation of two symmetric matrices, shape (m, m), over their pairs.

    The interval is the jackknife over models (Tukey 1958; for statistics of pairs Arvesen 1969,
    Ann. Math. Stat. 40, 2076) on Fisher's scale, with Student's t of m - 1 degrees of freedom.
    The p-value is of Mantel's test (1967, Cancer Res. 27, 209): models of one matrix are
    permuted.

    Parameters
    ----------
    a, b
        Scores between the same models in the same order; the diagonals are not read. Values
        must be finite off the diagonal.

    Raises
    ------
    ValueError
        If the shapes differ or a pair has no finite value.
    """
    size = len(a)
    if a.shape != b.shape or a.shape != (size, size):
        raise ValueError(f"matrices of shapes {a.shape} and {b.shape} are not of the same models")
    upper = np.triu_indices(size, 1)
    if not (np.isfinite(a[upper]).all() and np.isfinite(b[upper]).all()):
        raise ValueError("a pair of models has no finite score; leave out models without one")
    value = spearman(a[upper], b[upper])
    if size < LEAST_MODELS or math.isnan(value):
        return MatrixCorrelation(value, math.nan, math.nan, math.nan, size, len(upper[0]))
    low, high = _interval(a, b)
    p = _mantel(a, b, value, permutations, seed)
    return MatrixCorrelation(value, low, high, p, size, len(upper[0]))


def spearman(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return Spearman's rank correlation of two vectors, ties by mean ranks; NaN: constant."""
    return _pearson(rankdata(x), rankdata(y))


def _pearson(x: Matrix, y: Matrix) -> float:
    if not len(x):
        return math.nan
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(np.clip(x @ y / scale, -1, 1)) if scale > 0 else math.nan


def over_models(
    statistic: Statistic, model_a: npt.NDArray[Any], model_b: npt.NDArray[Any]
) -> tuple[float, float, float]:
    """Return a statistic of pairs with its interval from leaving out one model at a time.

    Parameters
    ----------
    statistic
        Takes which pairs are kept, shape (m,).
    model_a, model_b
        The models of each pair, by key or number, shape (m,).

    Returns
    -------
    (float, float, float)
        The value and the ends of its 95 % interval; these are NaN where there is none.
    """
    value = statistic(np.ones(len(model_a), bool))
    kept = [(model_a != model) & (model_b != model) for model in np.unique([model_a, model_b])]
    ends = interval(value, [statistic(k) for k in kept]) if all(k.any() for k in kept) else None
    return (value, *(ends or (float("nan"), float("nan"))))


def _interval(a: Matrix, b: Matrix) -> tuple[float, float]:
    first, second = np.triu_indices(len(a), 1)
    x, y = a[first, second], b[first, second]

    def scaled(kept: npt.NDArray[np.bool_]) -> float:
        # arctanh(1) is infinite: a perfect correlation keeps a finite scale.
        return float(np.arctanh(np.clip(spearman(x[kept], y[kept]), -1 + 1e-12, 1 - 1e-12)))

    _, low, high = over_models(scaled, first, second)
    return math.tanh(low), math.tanh(high)


def _mantel(a: Matrix, b: Matrix, value: float, permutations: int, seed: int) -> float:
    size = len(a)
    upper = np.triu_indices(size, 1)
    ranked = np.zeros((size, size))
    ranked[upper] = rankdata(a[upper])
    ranked += ranked.T
    other = rankdata(b[upper])
    rng = np.random.default_rng(seed)
    beyond = 0
    for _ in range(permutations):
        order = rng.permutation(size)
        moved = ranked[np.ix_(order, order)][upper]
        beyond += abs(_pearson(moved, other)) >= abs(value) - 1e-12
    return (1 + beyond) / (1 + permutations)
