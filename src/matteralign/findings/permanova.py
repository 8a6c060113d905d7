"""How much of the distances between models training data, architecture and input explain.

PERMANOVA (Anderson 2001, Austral Ecol. 26, 32) divides the sum of squared distances as analysis
of variance divides a sum of squares. In the form of McArdle & Anderson (2001, Ecology 82, 290) a
factor is a design matrix, so it may be anything that a linear model takes: here a model can be
trained on several data sets, and has a column for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Matrix = npt.NDArray[np.float64]
LEAST_MODELS = 6
"""With fewer models there are too few permutations, and hardly a degree of freedom is left."""
COLUMNS = [
    "factor",
    "after",
    "models",
    "levels",
    "single_levels",
    "df",
    "df_residual",
    "sum_of_squares",
    "r2",
    "r2_adjusted",
    "r2_permuted",
    "f",
    "p",
    "reason",
]


@dataclass(frozen=True)
class Explained:
    """Part of the squared distances that a factor explains.

    Attributes
    ----------
    df, df_residual
        Degrees of freedom of the factor and of what no factor explains.
    sum_of_squares, r2
        Its part of the sum of squares, and as a share of the whole. Distances that are not
        Euclidean can make it negative.
    r2_adjusted
        The share without what as many columns of noise would explain (Ezekiel 1930).
    r2_permuted
        Mean share under permutation.
    f
        Pseudo-F.
    p
        One-sided p-value of F under permutation, (1 + as large) / (1 + permutations).
    """

    df: int
    df_residual: int
    sum_of_squares: float
    r2: float
    r2_adjusted: float
    r2_permuted: float
    f: float
    p: float


def memberships(facts: Sequence[Set[str]]) -> tuple[Matrix, tuple[str, ...]]:
    """Return a column of 0 and 1 for each word, shape (m, words), and the words.

    With one word each the columns are the usual coding of a factor by its levels. With several,
    such as training sets, models that share a set share a column, so they are alike in part.
    """
    words = tuple(sorted(set().union(*facts))) if facts else ()
    coded = [[float(word in fact) for word in words] for fact in facts]
    return np.array(coded, dtype=np.float64).reshape(len(facts), len(words)), words


def explained(
    distances: Matrix,
    design: Matrix,
    others: Matrix | None = None,
    *,
    permutations: int = 999,
    seed: int = 0,
) -> Explained:
    """Return what a factor explains of distances, alone or after other factors.

    After others, it is what the factor adds to them (the marginal test), and the p-value permutes
    what they leave unexplained (Freedman & Lane 1983, J. Bus. Econ. Stat. 1, 292). Alone, it is
    PERMANOVA, and models are permuted.

    Parameters
    ----------
    distances
        Shape (m, m), symmetric, 0 on the diagonal.
    design
        Columns of the factor, shape (m, any).
    others
        Columns of the other factors; None: alone.

    Raises
    ------
    ValueError
        If distances are not a symmetric matrix of finite numbers, all distances are 0, the
        factor adds nothing to the others, or nothing is left unexplained. The message is for
        the reader of a table.
    """
    size = len(distances)
    if distances.shape != (size, size) or not np.isfinite(distances).all():
        raise ValueError("distances must be a square matrix of finite numbers")
    if not np.allclose(distances, distances.T) or np.diagonal(distances).any():
        raise ValueError("distances must be symmetric, with 0 on the diagonal")
    reduced = np.ones((size, 1)) if others is None else np.hstack([np.ones((size, 1)), others])
    before, rank_before = _projection(reduced)
    full, rank = _projection(np.hstack([reduced, design]))
    df, left = rank - rank_before, size - rank
    if df == 0:
        raise ValueError(
            "all models are alike in it"
            if others is None
            else "the other factors say all that it says"
        )
    if left == 0:
        raise ValueError("every model is a level of its own: nothing is left to compare with")
    centred = _gower(distances)
    total = float(np.trace(centred))
    if total <= 0:
        raise ValueError("the distances are all 0")
    gain, rest = full - before, np.eye(size) - full
    # What the other factors fit drops out of both sums, so it need not be added back.
    residual = (np.eye(size) - before) @ centred @ (np.eye(size) - before)
    part, f = _part(gain, rest, residual, df, left)
    rng = np.random.default_rng(seed)
    beyond, drawn = 0, []
    for _ in range(permutations):
        order = rng.permutation(size)
        found, value = _part(gain, rest, residual[np.ix_(order, order)], df, left)
        drawn.append(found)
        beyond += value >= f - 1e-12 * max(abs(f), 1.0)
    unexplained = total - float(np.sum(full * centred))
    adjusted = _adjusted(unexplained, left, total, size - 1)
    if others is not None:
        adjusted -= _adjusted(
            total - float(np.sum(before * centred)), size - rank_before, total, size - 1
        )
    return Explained(
        df,
        left,
        part,
        part / total,
        adjusted,
        float(np.mean(drawn)) / total if drawn else np.nan,
        f,
        (1 + beyond) / (1 + permutations),
    )


def variance_table(
    distances: Matrix,
    factors: Mapping[str, Sequence[Set[str]]],
    *,
    permutations: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what each factor explains alone, and after all the others.

    Parameters
    ----------
    distances
        As of `explained`.
    factors
        For each factor the words of every model.

    Returns
    -------
    DataFrame
        `COLUMNS`; ``after`` is empty, or the other factors joined by `` + ``. ``levels`` are
        different words, ``single_levels`` those of one model only. Where there is no number,
        ``reason`` says why.
    """
    size = len(distances)
    coded = {name: memberships(facts) for name, facts in factors.items()}
    rows = []
    for name, (design, words) in coded.items():
        others = [other for other in coded if other != name]
        single = int((design.sum(axis=0) == 1).sum())
        for after in ([], others) if others else ([],):
            told = (name, " + ".join(after), size, len(words), single)
            kept = np.hstack([coded[other][0] for other in after]) if after else None
            try:
                if size < LEAST_MODELS:
                    raise ValueError(f"{size} models; at least {LEAST_MODELS} are needed")
                found = explained(distances, design, kept, permutations=permutations, seed=seed)
            except ValueError as error:
                rows.append((*told, *[np.nan] * (len(COLUMNS) - 6), str(error)))
                continue
            rows.append((*told, *vars(found).values(), ""))
    return pd.DataFrame(rows, columns=COLUMNS)


def _gower(distances: Matrix) -> Matrix:
    """Return -d²/2 with the means of rows and columns taken off (Gower 1966)."""
    inner = -0.5 * distances**2
    rows = inner.mean(axis=1, keepdims=True)
    return np.asarray(inner - rows - rows.T + inner.mean(), dtype=np.float64)


def _projection(columns: Matrix) -> tuple[Matrix, int]:
    """Return the projection onto some columns, which may depend on each other, and their rank."""
    left, values, _ = np.linalg.svd(columns, full_matrices=False)
    rank = int((values > values[0] * 1e-10).sum())
    basis = left[:, :rank]
    return basis @ basis.T, rank


def _part(gain: Matrix, rest: Matrix, residual: Matrix, df: int, left: int) -> tuple[float, float]:
    part, unexplained = float(np.sum(gain * residual)), float(np.sum(rest * residual))
    # Not below 0 by rounding: where all is explained F is without bound.
    f = (part / df) / (unexplained / left) if unexplained > 1e-12 * abs(part) else np.inf
    return part, f


def _adjusted(unexplained: float, df_unexplained: int, total: float, df: int) -> float:
    return 1 - (unexplained / df_unexplained) / (total / df)
