"""What two models have in common, and whether alike models have more of it (study's figure C9).

An aspect is a fact of a model's card: what it was trained on, its architecture, what it reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from matteralign.findings.corners import CORNERS, corner_of

SAME, SOME, OTHER = "same", "some", "other"
ASPECTS: Mapping[str, str] = {
    "training_sets": "training data",
    "group": "architecture",
    "input": "input",
    "embedding": "kind of embedding",
    "functional": "DFT level",
}
"""Column of the table of models, and the words for it."""

MIDDLE = 0.5
"""Information imbalance half way between perfect (0) and nothing (1)."""
CORNER_COLUMNS = [
    "aspect",
    "corner",
    "pairs",
    "same",
    "some",
    "share",
    "share_permuted",
    "p",
]
DIFFERENCE_COLUMNS = ["aspect", "same", "other", "difference", "difference_permuted", "p"]


@dataclass(frozen=True)
class Relation:
    """What each pair of models has in common of one aspect.

    Attributes
    ----------
    models
        Keys of the models, in the order of `matrix`.
    matrix
        Shape (m, m), symmetric: 2 same, 1 some in common, 0 nothing in common, -1 where a model
        has no such fact (a baseline has no training data, a text model no DFT level).
    """

    models: tuple[str, ...]
    matrix: npt.NDArray[np.int8]

    def of(self, a: str, b: str) -> str | None:
        """Return ``same``, ``some`` or ``other``; None where it is not known of one of them."""
        found = int(self.matrix[self.models.index(a), self.models.index(b)])
        return {2: SAME, 1: SOME, 0: OTHER}.get(found)


def relation(models: pd.DataFrame, aspect: str) -> Relation:
    """Compare every two models in one aspect.

    Training sets are the same when they are equal as sets, and ``some`` when they only overlap.

    Parameters
    ----------
    models
        The table of models: columns ``model`` and those of `ASPECTS`. A list of training sets
        is one text, joined by commas.
    aspect
        A key of `ASPECTS`.
    """
    facts = [fact_of(text) for text in models[aspect]]
    size = len(facts)
    matrix = np.full((size, size), -1, dtype=np.int8)
    for i, first in enumerate(facts):
        for j, second in enumerate(facts):
            if first and second:
                matrix[i, j] = 2 if first == second else int(bool(first & second))
    return Relation(tuple(map(str, models["model"])), matrix)


def fact_of(text: object) -> frozenset[str]:
    """Return the facts in a cell of the table of models: its parts between commas."""
    parts = (part.strip() for part in str(text).split(","))
    return frozenset(part for part in parts if part and part != "none")


@dataclass(frozen=True)
class _Known:
    """Pairs of which both models have the fact, by their places in the relation."""

    related: Relation
    a: npt.NDArray[np.int64]
    b: npt.NDArray[np.int64]
    forward: npt.NDArray[np.float64]
    backward: npt.NDArray[np.float64]

    @property
    def found(self) -> npt.NDArray[np.int8]:
        """What each pair has in common."""
        return self.related.matrix[self.a, self.b]

    def permuted(self, permutations: int, seed: int) -> Iterator[npt.NDArray[np.int8]]:
        """Yield `found` with the facts permuted among the models that have one."""
        rng = np.random.default_rng(seed)
        models = np.unique(np.concatenate([self.a, self.b]))
        for _ in range(permutations):
            moved = np.arange(len(self.related.models))
            moved[models] = rng.permutation(models)
            yield self.related.matrix[moved[self.a], moved[self.b]]


def _known(pairs: pd.DataFrame, related: Relation) -> _Known:
    place = {model: i for i, model in enumerate(related.models)}
    a = np.array([place[str(m)] for m in pairs["model_a"]], dtype=np.int64)
    b = np.array([place[str(m)] for m in pairs["model_b"]], dtype=np.int64)
    known = related.matrix[a, b] >= 0
    forward, backward = (pairs[c].to_numpy(float)[known] for c in ("forward", "backward"))
    return _Known(related, a[known], b[known], forward, backward)


def corner_shares(
    pairs: pd.DataFrame, related: Relation, *, permutations: int = 999, seed: int = 0
) -> pd.DataFrame:
    """Return for each corner the share of its pairs that have the aspect in common.

    The p-value is two-sided: the facts are permuted among the models, which keeps how often
    each of them occurs, and the shares are taken again. Phipson & Smyth (2010, Stat. Appl.
    Genet. Mol. Biol. 9, 39) give the formula.

    Parameters
    ----------
    pairs
        Columns model_a, model_b, forward and backward; one row per pair.
    related
        From `relation`, of these models and perhaps more.

    Returns
    -------
    DataFrame
        `CORNER_COLUMNS` without aspect: number of pairs whose aspect is known, how many are the
        same and how many have some in common, share = same / pairs, its mean over permutations,
        p-value. Share and p are NaN in an empty corner.
    """
    known = _known(pairs, related)
    corner = np.array(
        [CORNERS.index(c) for c in corner_of(known.forward, known.backward, MIDDLE)], dtype=np.int64
    )
    observed = _shares(known.found, corner)
    drawn = np.array([_shares(found, corner) for found in known.permuted(permutations, seed)])
    rows = []
    for at, name in enumerate(CORNERS):
        inside = known.found[corner == at]
        mean, p = _two_sided(observed[at], drawn[:, at]) if len(inside) else (np.nan, np.nan)
        same, some = int((inside == 2).sum()), int((inside == 1).sum())
        rows.append((name, len(inside), same, some, observed[at], mean, p))
    return pd.DataFrame(rows, columns=CORNER_COLUMNS[1:])


def _shares(found: npt.NDArray[np.int8], corner: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    total = np.bincount(corner, minlength=len(CORNERS))
    same = np.bincount(corner[found == 2], minlength=len(CORNERS))
    with np.errstate(invalid="ignore"):
        return np.asarray(same / total, dtype=np.float64)


def _two_sided(observed: float, drawn: npt.NDArray[np.float64]) -> tuple[float, float]:
    mean = float(drawn.mean())
    beyond = int((np.abs(drawn - mean) >= abs(observed - mean) - 1e-12).sum())
    return mean, (1 + beyond) / (1 + len(drawn))


def mean_difference(
    pairs: pd.DataFrame, related: Relation, *, permutations: int = 999, seed: int = 0
) -> pd.DataFrame:
    """Compare the imbalance of pairs that have the aspect in common with that of the others.

    Unlike the corners this needs no cut through the plane.

    Parameters
    ----------
    pairs, related
        As in `corner_shares`.

    Returns
    -------
    DataFrame
        One row with `DIFFERENCE_COLUMNS` without aspect: number of pairs with the same fact and
        of the other pairs of which the fact is known; mean imbalance, over both directions, of
        the first minus that of the second (below 0: they are more alike); the mean of this
        difference when facts are permuted among models, and its two-sided p-value. Difference
        and p are NaN where there are no pairs of one kind.
    """
    known = _known(pairs, related)
    values = (known.forward + known.backward) / 2
    same = known.found == 2
    count, other = int(same.sum()), int((~same).sum())
    found = (np.nan, np.nan, np.nan)
    if count and other:
        observed = float(values[same].mean() - values[~same].mean())
        drawn = [
            float(values[moved == 2].mean() - values[moved != 2].mean())
            for moved in known.permuted(permutations, seed)
        ]
        found = (observed, *_two_sided(observed, np.array(drawn)))
    return pd.DataFrame([(count, other, *found)], columns=DIFFERENCE_COLUMNS[1:])
