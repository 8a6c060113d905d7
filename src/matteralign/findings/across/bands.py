"""How narrow intrinsic dimensions lie, over the models of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

SCORE = ["metric", "definition", "params"]
ALL = "all"
BAND_COLUMNS = [
    "slice", "dataset", *SCORE, "embedding", "models", "median", "quarter", "three_quarters",
    "least", "most", "baseline",
]  # fmt: skip


def dimension_bands(table: pd.DataFrame) -> pd.DataFrame:
    """Return quantiles of the dimension over models, of all and of each kind of embedding.

    Parameters
    ----------
    table
        One row per slice, model and estimate: slice, dataset, metric, definition, params,
        model, embedding, baseline (bool), value.

    Returns
    -------
    DataFrame
        slice, dataset, metric, definition, params, embedding (``all`` for all of them), models
        (how many), median, quarter and three_quarters (quartiles, linear interpolation), least,
        most: without random baselines; baseline: mean value of those, NaN where there is none.
    """
    rows = [row for _, group in table.groupby(["slice", *SCORE], sort=False) for row in _of(group)]
    return pd.DataFrame(rows, columns=BAND_COLUMNS)


def _of(group: pd.DataFrame) -> Iterator[dict[str, Any]]:
    own, base = group[~group["baseline"]], group[group["baseline"]]
    first = group.iloc[0]
    floor = float(base["value"].mean()) if len(base) else float("nan")
    for name in (ALL, *dict.fromkeys(own["embedding"])):
        chosen = own if name == ALL else own[own["embedding"] == name]
        values = chosen["value"].to_numpy(float)
        least, quarter, median, upper, most = (
            np.quantile(values, [0, 0.25, 0.5, 0.75, 1]) if len(values) else [float("nan")] * 5
        )
        yield {column: first[column] for column in ("slice", "dataset", *SCORE)} | {
            "embedding": name,
            "models": len(values),
            "median": float(median),
            "quarter": float(quarter),
            "three_quarters": float(upper),
            "least": float(least),
            "most": float(most),
            "baseline": floor,
        }
