"""Square matrices from the tidy score table, honest about pairs without a score."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.suggest import require_known, unknown
from matteralign.metrics.base.registry import METRICS

MIRROR_TOLERANCE = 1e-6
"""Largest difference allowed between the two directions of a symmetric metric."""


DIRECTION_TOLERANCE = 0.05
"""Largest difference between the two directions of a similarity whose mean is still shown."""


@dataclass(frozen=True)
class ScoreMatrix:
    """One metric of one slice as a square matrix.

    Attributes
    ----------
    metric, definition, params
        Which score; `params` is the canonical JSON string of the score table.
    values
        Row ``a``, column ``b`` holds the score a→b; NaN where there is none. The diagonal
        is 1 for the similarity metrics and NaN for the others.
    missing
        One row per ordered pair without a value: model_a, model_b, status, reason. A pair
        that the score table does not mention has the status ``absent``.
    n_min, n_max
        Smallest and largest number of structures behind a value (0 when there is none).
    column
        ``value``, or ``debiased`` for the value with its finite-sample bias removed.
    notes
        What must be known to read the values, and of how many of them.
    """

    metric: str
    definition: str
    params: str
    values: pd.DataFrame
    missing: pd.DataFrame
    n_min: int
    n_max: int
    column: str = "value"
    notes: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Model keys in row order."""
        return tuple(str(name) for name in self.values.index)

    @property
    def options(self) -> dict[str, Any]:
        """Parameters of the metric as a dictionary."""
        return parse_params(self.params)


@dataclass(frozen=True)
class Clustering:
    """Order of the models by hierarchical clustering.

    Attributes
    ----------
    order
        Model keys, similar ones next to each other.
    linkage
        SciPy linkage matrix (m-1, 4) over the matrix's own row order; None when fewer than
        two models, or no pair at all, could be clustered (then `order` is the row order).
    filled
        Unordered pairs whose missing score was replaced, for the ordering only.
    """

    order: tuple[str, ...]
    linkage: npt.NDArray[np.float64] | None
    filled: tuple[tuple[str, str], ...]


def parse_params(params: str) -> dict[str, Any]:
    """Read the canonical JSON of a `params` cell.

    Raises
    ------
    MatterAlignError
        If the text is not a JSON object.
    """
    try:
        value = json.loads(params)
    except json.JSONDecodeError as error:
        raise MatterAlignError(f"score table: params {params!r} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise MatterAlignError(f"score table: params {params!r} is not a JSON object")
    return value


def select_scores(
    scores: pd.DataFrame, metric: str, definition: str, params: str | None = None
) -> pd.DataFrame:
    """Return the rows of one metric, definition and parameter set.

    Parameters
    ----------
    scores
        Tidy score table of one slice.
    params
        Canonical JSON; may be left out when the definition has one parameter set only.

    Raises
    ------
    UserError
        If the metric, definition or parameters are not in the table, or `params` is left
        out and several are there.
    MatterAlignError
        If the table holds more than one slice, or one ordered pair twice.
    """
    slices = sorted(scores["slice"].unique())
    if len(slices) > 1:
        raise MatterAlignError(
            f"score table holds several slices ({', '.join(slices)}): select one first"
        )
    rows = scores
    for column, wanted in (("metric", metric), ("definition", definition)):
        known = [str(v) for v in rows[column].unique()]
        require_known(column, wanted, known)
        rows = rows[rows[column] == wanted]
    known = sorted(str(v) for v in rows["params"].unique())
    if params is None:
        if len(known) > 1:
            raise UserError(
                f"{metric} {definition} was scored with several parameter sets "
                f"({'; '.join(known)}): name one"
            )
        params = known[0]
    elif params not in known:
        raise UserError(unknown("params", params, known))
    rows = rows[rows["params"] == params]
    twice = rows.duplicated(["model_a", "model_b"])
    if twice.any():
        first = rows[twice].iloc[0]
        raise MatterAlignError(
            f"score table: {metric} {definition} {params} holds the pair "
            f"{first['model_a']} → {first['model_b']} twice; score this slice again"
        )
    return rows.reset_index(drop=True)


def score_matrix(
    scores: pd.DataFrame,
    metric: str,
    definition: str,
    params: str | None = None,
    models: Sequence[str] | None = None,
    *,
    column: Literal["value", "debiased"] = "value",
) -> ScoreMatrix:
    """Pivot the tidy scores of one metric into a square matrix.

    A row whose status is not ``ok`` stays missing whatever its value cell says; nothing is
    filled in from the other direction.

    Parameters
    ----------
    models
        Models and their order; by default every model of these rows, sorted by key. A model
        without any row is kept with all its pairs missing.
    column
        What to show. A pair that has a value but no debiased one is missing with its reason.

    Raises
    ------
    UserError, MatterAlignError
        As `select_scores`; also when an ``ok`` row has no finite value, or a similarity
        metric has different values in its two directions.
    """
    rows = select_scores(scores, metric, definition, params)
    params = str(rows["params"].iloc[0])
    present = sorted({*rows["model_a"].astype(str), *rows["model_b"].astype(str)})
    keys = list(models) if models is not None else present
    rows = rows[rows["model_a"].isin(keys) & rows["model_b"].isin(keys)]
    if column != "value":
        rows = _with_status_of(rows, column)
    ok = rows[rows["status"] == "ok"]
    finite = np.isfinite(ok["value"].to_numpy(dtype=np.float64, na_value=np.nan))
    if not finite.all():
        bad = ok[~finite].iloc[0]
        raise MatterAlignError(
            f"score table: {metric} {definition} {bad['model_a']} → {bad['model_b']} has "
            "status ok but no finite value; score the pair again"
        )
    values = (
        ok.pivot(index="model_a", columns="model_b", values=column)
        .astype(np.float64)
        .reindex(index=keys, columns=keys)
    )
    filled = values.to_numpy(copy=True)
    info = METRICS[metric]
    np.fill_diagonal(filled, np.nan if info.diagonal is None else info.diagonal)
    values = pd.DataFrame(
        filled, index=pd.Index(keys, name="model"), columns=pd.Index(keys, name="model_b")
    )
    if not info.directional:
        if info.definitions[definition].symmetric:
            _require_mirrored(values, f"{metric} {definition}")
        else:
            values, rows = _without_contradictions(values, rows)
    n = ok["n"].to_numpy(dtype=np.int64)
    return ScoreMatrix(
        metric,
        definition,
        params,
        values,
        _missing_pairs(values, rows),
        int(n.min()) if n.size else 0,
        int(n.max()) if n.size else 0,
        column,
        score_notes(rows),
    )


def cluster_order(matrix: ScoreMatrix) -> Clustering:
    """Order the models by average linkage with optimal leaf ordering.

    The distance of two models is 1 − score, or the score where it is an error, at most what
    says nothing; the two directions are averaged. A pair without a score is given, for the
    ordering only, the largest distance of the matrix: what was not shown to be alike is
    placed as far apart as anything that was measured.

    Raises
    ------
    UserError
        If the card of the metric asks for no heat map (information imbalance has a plane).
    """
    info = METRICS[matrix.metric]
    if info.figure != "heat map":
        known = ", ".join(sorted(m.name for m in METRICS.values() if m.figure == "heat map"))
        raise UserError(
            f"cannot cluster by {matrix.metric}: no heat map is drawn of it (use {known})"
        )
    if info.no_better is None:
        distance = 1.0 - both_ways(matrix.values).to_numpy()
    else:
        distance = both_ways(matrix.values.clip(upper=info.no_better)).to_numpy(copy=True)
    size = len(matrix.models)
    upper = np.triu_indices(size, 1)
    off_diagonal = distance[upper]
    holes = np.isnan(off_diagonal)
    filled = tuple(
        (matrix.models[i], matrix.models[j])
        for i, j in zip(upper[0][holes], upper[1][holes], strict=True)
    )
    if size < 2 or holes.all():
        return Clustering(matrix.models, None, filled)
    distance[np.isnan(distance)] = float(np.nanmax(off_diagonal))
    distance = np.clip(distance, 0.0, None)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average", optimal_ordering=True)
    order = tuple(matrix.models[i] for i in leaves_list(tree))
    return Clustering(order, np.asarray(tree, dtype=np.float64), filled)


def both_ways(values: pd.DataFrame) -> pd.DataFrame:
    """Average the two directions of a square frame; missing if either is missing."""
    data = values.to_numpy(dtype=np.float64)
    return pd.DataFrame((data + data.T) / 2.0, index=values.index, columns=values.columns)


def complete_models(
    values: pd.DataFrame, exclude: Collection[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split the models into those with all pairs scored and those left out for it.

    The model with the most missing pairs is dropped (the later key of equals) until no pair
    is missing.

    Returns
    -------
    kept, dropped
        Model keys in row order, and in the order of dropping; `exclude` is in neither.
    """
    kept = [str(name) for name in values.index if name not in exclude]
    dropped: list[str] = []
    while kept:
        holes = values.loc[kept, kept].isna().to_numpy(copy=True)
        np.fill_diagonal(holes, False)
        count = (holes | holes.T).sum(axis=1)
        if not count.any():
            break
        worst = max(zip(count.tolist(), kept, strict=True))[1]
        kept.remove(worst)
        dropped.append(worst)
    return tuple(kept), tuple(dropped)


def baseline_range(matrix: ScoreMatrix, baselines: Collection[str]) -> tuple[float, float] | None:
    """Return the lowest and highest score of a pair with exactly one baseline, if any."""
    is_base = np.array([name in baselines for name in matrix.models], dtype=bool)
    mixed = is_base[:, None] != is_base[None, :]
    found = matrix.values.to_numpy()[mixed]
    found = found[~np.isnan(found)]
    return (float(found.min()), float(found.max())) if found.size else None


def contradictions(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of pairs whose two directions are too far apart for a mean."""
    found = [scores.iloc[:0]]
    specs = scores[["metric", "definition", "params"]].drop_duplicates()
    for metric, definition, params in specs.itertuples(index=False, name=None):
        info = METRICS[metric]
        if not (info.directional or info.definitions[definition].symmetric):
            rows = select_scores(scores, metric, definition, params)
            was_ok = rows["status"] == "ok"
            rows = score_matrix(scores, metric, definition, params).missing.merge(
                rows.loc[was_ok].drop(columns=["status", "reason"]), on=["model_a", "model_b"]
            )
            found.append(rows[list(scores.columns)])
    return pd.concat(found, ignore_index=True)


def score_notes(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return the notes of scored rows, the commonest first, each with its count."""
    if "note" not in rows:
        return ()
    ok = rows[rows["status"] == "ok"]
    counts = ok.loc[ok["note"] != "", "note"].value_counts()
    return tuple(f"{note} ({count} of {len(ok)} scores)" for note, count in counts.items())


def _require_mirrored(values: pd.DataFrame, what: str) -> None:
    data = values.to_numpy()
    gap = np.abs(data - data.T)
    if np.nanmax(gap, initial=0.0) > MIRROR_TOLERANCE:
        i, j = divmod(int(np.nanargmax(gap)), len(data))
        a, b = values.index[i], values.index[j]
        raise MatterAlignError(
            f"score table: {what} is symmetric, but {a} → {b} is {data[i, j]:.6g} and "
            f"{b} → {a} is {data[j, i]:.6g}; score the pair again"
        )


def _without_contradictions(
    values: pd.DataFrame, rows: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take out pairs whose two directions say different things; the reason says which."""
    data = values.to_numpy(copy=True)
    apart = np.abs(data - data.T) > DIRECTION_TOLERANCE
    if not apart.any():
        return values, rows
    rows = rows.copy()
    place = {str(name): i for i, name in enumerate(values.index)}
    for at, a, b in zip(rows.index, rows["model_a"], rows["model_b"], strict=True):
        i, j = place[str(a)], place[str(b)]
        if apart[i, j]:
            rows.loc[at, "status"] = "not_applicable"
            rows.loc[at, "reason"] = (
                f"{data[i, j]:.3g} from {a} to {b} and {data[j, i]:.3g} back: directions that "
                f"differ by more than {DIRECTION_TOLERANCE:g} have no mean (k is large against n)"
            )
    data[apart] = np.nan
    return pd.DataFrame(data, index=values.index, columns=values.columns), rows


def _with_status_of(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the rows, those without a number in `column` no longer ok."""
    out = rows.copy()
    lacking = (out["status"] == "ok") & out[column].isna()
    out.loc[lacking, "status"] = "not_applicable"
    out.loc[lacking, "reason"] = f"no {column} value of this score"
    return out


def _missing_pairs(values: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    told = {
        (str(a), str(b)): (str(status), str(reason))
        for a, b, status, reason in zip(
            rows["model_a"], rows["model_b"], rows["status"], rows["reason"], strict=True
        )
    }
    absent = ("absent", "no row in the score table")
    names = [str(name) for name in values.index]
    holes = values.isna().to_numpy()
    found = [
        (a, b, *told.get((a, b), absent))
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if i != j and holes[i, j]
    ]
    return pd.DataFrame(found, columns=["model_a", "model_b", "status", "reason"], dtype=object)
