"""Do models with smaller errors of energies agree more with the best one (claim C2).

The best model is one of those that are compared. Its score with itself is 1 by definition, so
its own point is left out; and who is best depends on which models there are, so the interval
chooses it again in every resample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from matteralign.findings.pairwise import spearman

Floats = npt.NDArray[np.float64]

LEAST_MODELS = 5
"""With fewer models beside the best neither an interval nor a p-value says anything."""
LEAST_CORRELATED = 3
"""Two models are always in perfect order."""
RESAMPLES, PERMUTATIONS = 1999, 9999
_LEVEL = 0.95
_USABLE = 0.9
_TIE = 1e-12


@dataclass(frozen=True)
class Convergence:
    """Rank correlation of errors and scores with the best model.

    Attributes
    ----------
    scope
        ``all models``, ``within families``, or the name of a family.
    models
        Models compared, without the best.
    spearman, low, high, p
        Rank correlation; its 95 % interval and two-sided p-value, NaN where there is none.
    note
        Why a number is not there; empty for nothing.
    """

    scope: str
    models: int
    spearman: float
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    note: str = ""


def convergence(
    errors: Floats,
    scores: Floats,
    families: Sequence[str],
    *,
    best: int | None = None,
    seed: int = 0,
) -> tuple[int, list[Convergence]]:
    """Correlate each model's error with its score to the best model.

    The interval is the bootstrap over models (percentiles; Efron & Tibshirani 1993, chapter 13).
    Where the best model is chosen by the data, each resample chooses its own and compares with
    that; a named one is in every resample. The p-value permutes the errors of the models beside
    the best, within families for the scopes ``within families``.

    Parameters
    ----------
    errors : ndarray, shape (m,)
        Errors of energies, all finite.
    scores : ndarray, shape (m, m)
        Score of each two models, symmetric; NaN where a pair has none. The diagonal is not read.
    families
        Of each model.
    best
        The model that others are compared with; None: the one with the smallest error.

    Returns
    -------
    best : int
    found : list of Convergence
        All models first, then within all families, then each family of at least three models.

    Raises
    ------
    ValueError
        If the shapes differ, there is no model, or an error is not finite.
    """
    m = len(errors)
    if not m or scores.shape != (m, m) or len(families) != m or not np.isfinite(errors).all():
        raise ValueError(f"errors of {m} models, scores of shape {scores.shape}")
    chosen = int(np.argmin(errors)) if best is None else best
    rng = np.random.default_rng(seed)
    named = np.asarray(families, dtype=object)
    points = np.flatnonzero(np.isfinite(scores[chosen]) & (np.arange(m) != chosen))
    x, y = errors[points], scores[chosen, points]
    low, high, note = _bootstrap(errors, scores, best, rng)
    value = spearman(x, y) if len(points) >= LEAST_CORRELATED else math.nan
    p = math.nan
    if len(points) < LEAST_MODELS:
        low = high = math.nan
        lacking = "a correlation" if math.isnan(value) else "an interval and a p-value"
        note = f"{len(points)} models beside the best are too few for {lacking}"
    else:
        p = _permuted([(x, y)], rng)
    found = [Convergence("all models", len(points), value, low, high, p, note)]
    groups = _groups(named[points])
    if groups:
        found.append(_within(x, y, groups, rng))
    for name, rows in groups.items():
        found.append(_one(name, x[rows], y[rows], rng))
    return chosen, found


def _groups(families: npt.NDArray[np.object_]) -> dict[str, npt.NDArray[np.intp]]:
    names = sorted(set(families))
    rows = {name: np.flatnonzero(families == name) for name in names}
    return {name: found for name, found in rows.items() if len(found) >= LEAST_CORRELATED}


def _one(name: str, x: Floats, y: Floats, rng: np.random.Generator) -> Convergence:
    value = spearman(x, y)
    if len(x) < LEAST_MODELS:
        told = f"{len(x)} models are too few for a p-value"
        return Convergence(name, len(x), value, note=told)
    return Convergence(name, len(x), value, p=_permuted([(x, y)], rng))


def _within(
    x: Floats,
    y: Floats,
    groups: dict[str, npt.NDArray[np.intp]],
    rng: np.random.Generator,
) -> Convergence:
    """Correlate ranks less their mean, both within each family, over all families."""
    parts = [(x[rows], y[rows]) for rows in groups.values()]
    size = sum(len(rows) for rows in groups.values())
    ranks = [np.concatenate([_centred(part[axis]) for part in parts]) for axis in (0, 1)]
    scale = math.sqrt(float(ranks[0] @ ranks[0]) * float(ranks[1] @ ranks[1]))
    if scale == 0.0:
        told = "no family has models that differ"
        return Convergence("within families", size, math.nan, note=told)
    p = _permuted(parts, rng) if size >= LEAST_MODELS else math.nan
    return Convergence("within families", size, float(ranks[0] @ ranks[1]) / scale, p=p)


def _centred(values: Floats) -> Floats:
    ranks = np.asarray(rankdata(values), dtype=np.float64)
    return np.asarray(ranks - ranks.mean())


def _permuted(parts: Sequence[tuple[Floats, Floats]], rng: np.random.Generator) -> float:
    """Return the two-sided p-value when the first numbers are permuted within each part."""
    value, permuted = 0.0, np.zeros(PERMUTATIONS)
    size = 0.0
    for x, y in parts:
        ranks, other = _centred(x), _centred(y)
        value += float(ranks @ other)
        size += float(ranks @ ranks + other @ other)
        permuted += rng.permuted(np.tile(ranks, (PERMUTATIONS, 1)), axis=1) @ other
    if any(not np.ptp(np.concatenate([part[axis] for part in parts])) for axis in (0, 1)):
        return math.nan  # nothing differs, so there is no correlation
    beyond = int((np.abs(permuted) >= abs(value) - _TIE * size).sum())
    return (1 + beyond) / (1 + PERMUTATIONS)


def _bootstrap(
    errors: Floats, scores: Floats, best: int | None, rng: np.random.Generator
) -> tuple[float, float, str]:
    m = len(errors)
    made = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, m, size=m)
        chosen = int(drawn[np.argmin(errors[drawn])]) if best is None else best
        rows = drawn[drawn != chosen]
        rows = rows[np.isfinite(scores[chosen, rows])]
        value = spearman(errors[rows], scores[chosen, rows]) if len(rows) > 1 else math.nan
        if not math.isnan(value):
            made.append(value)
    if len(made) < _USABLE * RESAMPLES:
        return math.nan, math.nan, "too many resamples of the models have no correlation"
    low, high = np.quantile(made, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high), ""
