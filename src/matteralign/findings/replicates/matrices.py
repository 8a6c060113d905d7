"""The scores of one measure as a square, with their values without each block of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from matteralign.core.errors import IntegrityError
from matteralign.findings.replicates.estimates import FloatArray
from matteralign.metrics.base.registry import METRICS

Kind = Literal["value", "debiased"]
SCORE = ["model_a", "model_b", "metric", "definition", "params"]
"""Columns that say which score a row is."""


def with_replicates(scores: pd.DataFrame, replicates: pd.DataFrame) -> pd.DataFrame:
    """Return scores with the columns of their replicates beside them.

    Parameters
    ----------
    scores, replicates : DataFrame
        With the columns of ``scores.parquet`` and ``replicates.parquet``.

    Raises
    ------
    IntegrityError
        If the two are not of the same scores.
    """
    keys = [*SCORE, "sample_set_id", "n", "metric_version", "latent_sha256_a", "latent_sha256_b"]
    told = replicates.rename(columns={"reason": "why_no_replicates"})
    columns = [*keys, "replicates", "debiased_replicates", "why_no_replicates"]
    joined = scores.merge(told[columns], on=keys, how="left", validate="one_to_one", indicator=True)
    if len(scores) != len(replicates) or (joined.pop("_merge") != "both").any():
        raise IntegrityError("scores and replicates are not of the same scores; score them again")
    return joined


@dataclass(frozen=True)
class ScoreMatrix:
    """The scores of all ordered pairs of models by one measure.

    Attributes
    ----------
    metric, definition, params : str
        As in the table of scores.
    models : list of str
    values : ndarray, shape (m, m)
        Row a, column b is the score from a to b; NaN where there is none, on the diagonal too.
    replicates : ndarray, shape (m, m, B)
        The same without each block of rows; NaN where there are none. B may be 0.
    n : ndarray of int, shape (m, m)
        Rows of each score.
    reasons : ndarray of str, shape (m, m)
        Why a score or its replicates are missing; empty where both are there.
    """

    metric: str
    definition: str
    params: str
    models: list[str]
    values: FloatArray
    replicates: FloatArray
    n: npt.NDArray[np.int64]
    reasons: npt.NDArray[np.object_]

    @classmethod
    def of(cls, rows: pd.DataFrame, models: Sequence[str], kind: Kind = "value") -> ScoreMatrix:
        """Read the rows of one measure of `with_replicates`, of these models in this order."""
        which = rows[["metric", "definition", "params"]].drop_duplicates()
        (metric, definition, params) = which.to_numpy()[0]
        if len(which) > 1:
            raise ValueError("rows of more than one measure")
        column = "replicates" if kind == "value" else "debiased_replicates"
        blocks = max((len(one) for one in rows[column] if one is not None), default=0)
        size = len(models)
        place = {model: i for i, model in enumerate(models)}
        values, n = np.full((size, size), np.nan), np.zeros((size, size), np.int64)
        replicates = np.full((size, size, blocks), np.nan)
        reasons = np.full((size, size), "", object)
        for row in rows.to_dict("records"):
            a, b = place.get(row["model_a"]), place.get(row["model_b"])
            if a is None or b is None:
                continue
            n[a, b] = row["n"]
            values[a, b] = np.nan if row[kind] is None else row[kind]
            if row[column] is not None and len(row[column]):
                replicates[a, b] = row[column]
            reasons[a, b] = row["reason"] or row["why_no_replicates"]
        return cls(metric, definition, params, list(models), values, replicates, n, reasons)

    @property
    def directional(self) -> bool:
        """Whether a->b and b->a are two questions."""
        return METRICS[self.metric].directional

    def undirected(self) -> ScoreMatrix:
        """Return the means of both directions."""
        return ScoreMatrix(
            self.metric,
            self.definition,
            self.params,
            self.models,
            (self.values + self.values.T) / 2.0,
            (self.replicates + self.replicates.swapaxes(0, 1)) / 2.0,
            np.minimum(self.n, self.n.T),
            np.where(self.reasons == "", self.reasons.T, self.reasons),
        )
