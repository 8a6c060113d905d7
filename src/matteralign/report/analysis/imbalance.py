"""Information imbalance as points of a plane (Glielmo et al. 2022)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from matteralign.report.analysis.matrices import score_matrix

COLUMNS = ["model_a", "model_b", "forward", "backward", "status", "reason"]


def imbalance_pairs(
    scores: pd.DataFrame,
    params: str | None = None,
    models: list[str] | None = None,
    definition: str = "rank",
) -> pd.DataFrame:
    """Return both directions of every pair of models.

    Parameters
    ----------
    scores
        Tidy score table of one slice.
    params
        Canonical JSON of one parameter set; may be left out when there is one only.
    models
        Models and their order; a pair is listed with its earlier model first.

    Returns
    -------
    DataFrame
        One row per unordered pair: model_a, model_b, forward = Δ(a→b) (how badly a predicts
        the neighbours of b; 0 perfectly, 1 not at all), backward = Δ(b→a), status and
        reason. When a direction is missing its value is NaN and the status says why.

    Raises
    ------
    UserError, MatterAlignError
        As `matteralign.report.analysis.matrices.score_matrix`.
    """
    matrix = score_matrix(scores, "information_imbalance", definition, params, models)
    why = {
        (a, b): (status, reason)
        for a, b, status, reason in matrix.missing.itertuples(index=False, name=None)
    }
    values = matrix.values.to_numpy()
    rows = []
    for i, a in enumerate(matrix.models):
        for j in range(i + 1, len(matrix.models)):
            b = matrix.models[j]
            status, reason = why.get((a, b), why.get((b, a), ("ok", "")))
            rows.append((a, b, values[i, j], values[j, i], status, reason))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype({"forward": np.float64, "backward": np.float64})
