"""Captions: what is shown, by which definition, of how many structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from matteralign.core.scaling import SCALINGS
from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.matrices import DIRECTION_TOLERANCE, ScoreMatrix, parse_params
from matteralign.report.analysis.tree import ModelTree


def matrix_name(matrix: ScoreMatrix) -> str:
    """Return the name of a metric, and that its values are debiased where they are."""
    name = METRICS[matrix.metric].display_name
    return name if matrix.column == "value" else f"{name}, {matrix.column}"


def told_apart(matrices: Sequence[ScoreMatrix]) -> list[str]:
    """Return for each matrix its options where another has the same metric and definition."""
    kinds = [(m.metric, m.definition, m.column) for m in matrices]
    return [
        options_text(matrix.params) if kinds.count(kind) > 1 else ""
        for matrix, kind in zip(matrices, kinds, strict=True)
    ]


def definition_name(metric: str, definition: str) -> str:
    """Return the definition with a few words on what it is."""
    words = METRICS[metric].definitions[definition].words
    return f"{definition} ({words})" if words else definition


def options_of(params: str) -> dict[str, Any]:
    """Return a parameter set as a dictionary."""
    return parse_params(params)


def options_text(params: str) -> str:
    """Write a parameter set out: ``k = 25, normalize = max``."""
    return ", ".join(f"{k} = {v}" for k, v in sorted(parse_params(params).items()))


def scaling_text(params: str) -> str:
    """Say in words how latents were scaled; empty where the parameter set does not name it."""
    scaling = parse_params(params).get("normalize")
    return SCALINGS.get(scaling, "") if scaling else ""


def count_text(n_min: int, n_max: int) -> str:
    """Write the number of structures, as a range when pairs differ; 0 is that of no score."""
    if not n_max:
        return "no score"
    if n_min == n_max:
        return f"n = {n_max:,}"
    return f"n = {n_min:,}–{n_max:,} by pair"


def subtitle(matrix: ScoreMatrix) -> str:
    """One line under a title: definition, parameters, n."""
    parts = [
        "" if matrix.column == "value" else matrix.column,
        f"definition {matrix.definition}",
        options_text(matrix.params),
        count_text(matrix.n_min, matrix.n_max),
    ]
    return " · ".join(p for p in parts if p)


def _basis(metric: str, definition: str, params: str, n: str) -> str:
    options = options_text(params)
    named = f"{METRICS[metric].display_name}, definition {definition_name(metric, definition)}"
    scaled = scaling_text(params)
    return f"{named}{', ' + options if options else ''}{f' ({scaled})' if scaled else ''}, {n}."


def notes_text(notes: Sequence[str], most: int = 2) -> str:
    """Write what must be known to read the values; empty where there is nothing."""
    if not notes:
        return ""
    more = len(notes) - most
    rest = f"; {more} more in the score table" if more > 0 else ""
    return f"Read with care: {'; '.join(notes[:most])}{rest}. "


def heatmap_caption(matrix: ScoreMatrix, dataset: str) -> str:
    """Caption of a clustered heatmap."""
    basis = _basis(
        matrix.metric, matrix.definition, matrix.params, count_text(matrix.n_min, matrix.n_max)
    )
    if not matrix.n_max:
        reason = str(matrix.missing["reason"].iloc[0]) if len(matrix.missing) else "no pair"
        return (
            f"No pair of models on {dataset} has a score here. The first reason: {reason}. {basis}"
        )
    name = matrix_name(matrix) + ("" if matrix.column == "value" else ",")
    info = METRICS[matrix.metric]
    text = (
        f"{name} between all models on {dataset}, ordered by average linkage on "
        f"{'1 − score' if info.larger_is_closer else 'the mean error of both directions'} "
        "with optimal leaf ordering. The strip shows model families. "
    )
    if info.directional:
        text += (
            f"Row a, column b: {info.direction}; 0 is perfect, {info.no_better:g} or more says "
            "nothing, and dark cells are alike. The diagonal is left blank. "
        )
    else:
        text += "The diagonal is 1 by definition and is left blank. "
    if not (info.directional or info.definitions[matrix.definition].symmetric):
        text += (
            "Cells are the mean of both directions. If these differ by more than "
            f"{DIRECTION_TOLERANCE:g}, the pair has no score here. "
        )
    text += notes_text(matrix.notes)
    if matrix.column == "debiased":
        text += (
            "Finite-sample bias is removed: independent data give about 0, and a value may be "
            "negative. "
        )
        words = info.definitions[matrix.definition].debiased_words
        text += f"{words} " if words else ""
    if len(matrix.missing):
        text += (
            "Hatched cells have no score (reasons in the report). For the order of models they "
            f"count as the {'lowest score' if info.larger_is_closer else 'largest error'} "
            "of the matrix. "
        )
    return text + basis


def plane_caption(definition: str, params: str, n: str, dataset: str) -> str:
    """Caption of the information-imbalance plane; `n` as from `count_text`."""
    return (
        f"Information imbalance of every pair of models on {dataset}. Δ(a→b) is near 0 when "
        "neighbours in a are neighbours in b, and near 1 when a says nothing about b. Lower "
        "left: equivalent; upper left: a contains b; lower right: b contains a; upper right: "
        "orthogonal. Each point is split into the family colours of a (left) and b (right). "
        + _basis("information_imbalance", definition, params, n)
    )


def dimension_caption(estimates: pd.DataFrame, names: Mapping[str, str], dataset: str) -> str:
    """Caption of the intrinsic-dimension bars.

    Parameters
    ----------
    estimates
        From `matteralign.report.analysis.dimensions.dimension_estimates`.
    names
        Display name of each model.
    """
    known = estimates[estimates["status"] == "ok"]
    named = "; ".join(dict.fromkeys(known["estimator"])) or "no estimator"
    text = f"Intrinsic dimension of each model's latents on {dataset}, estimated by {named}. "
    for estimator, rows in estimates[estimates["status"] != "ok"].groupby("estimator", sort=False):
        of = rows.iloc[0]
        text += (
            f"{estimator} has no value for {len(rows)} models; "
            f"the reason for {names.get(of['model'], of['model'])}: {of['reason']}. "
        )
    text += _care(known, names)
    text += "A random baseline has no structure at all and is the reference"
    if known.empty:
        return text + "."
    low, high = int(known["n"].min()), int(known["n"].max())
    counted = f"n = {low:,}" if low == high else f"n = {low:,}–{high:,} by model"
    return f"{text}. Estimates of high dimensions are too low at {counted}."


def _care(known: pd.DataFrame, names: Mapping[str, str], most: int = 6) -> str:
    """Write what must be known of the estimates, each thing once with its models."""
    told: dict[str, list[str]] = {}
    for model, note in known[["model", "note"]].itertuples(index=False, name=None):
        for part in filter(None, str(note).split("; ")):
            models = told.setdefault(part, [])
            if names.get(model, model) not in models:
                models.append(names.get(model, model))
    if not told:
        return ""
    every = known["model"].nunique()
    parts = [
        part if len(models) == every else f"{', '.join(models)}: {part}"
        for part, models in told.items()
    ]
    more = f"; {len(parts) - most} more in tables/intrinsic_dimension" if len(parts) > most else ""
    return f"Read with care: {'; '.join(parts[:most])}{more}. "


def tree_caption(tree: ModelTree, matrix: ScoreMatrix, dataset: str) -> str:
    """Caption of the evolutionary tree."""
    text = (
        f"Evolutionary tree of the models on {dataset}: neighbour joining on "
        f"D = α√JSD(rows) + (1 − α)√JSD(columns), log base 2, of the row- and "
        f"column-normalised matrix (α = {tree.alpha:g}, ε = {tree.epsilon:g}). The root "
        "is drawn at the midpoint; it does not stand for an ancestor. "
    )
    if tree.support_draws:
        text += (
            "Numbers are support: in how many percent of "
            f"{tree.support_draws} trees of matrices, drawn to vary as those of other samples of "
            "structures would, the models to the right stand together. "
        )
    elif tree.no_support:
        text += f"Clades have no support: {tree.no_support}. "
    if tree.excluded:
        text += f"Without random baselines ({', '.join(tree.excluded)}). "
    if tree.dropped:
        text += f"Left out for missing pairs: {', '.join(tree.dropped)}. "
    if tree.negative_branches:
        text += (
            f"Negative branch lengths ({tree.negative_branches}) are drawn as zero, dotted; "
            "the Newick file keeps them. "
        )
    basis = _basis(
        matrix.metric, matrix.definition, matrix.params, count_text(matrix.n_min, matrix.n_max)
    )
    return text + basis


NO_INTERVAL = "No score has an interval: the structures are too few."


def calibration_caption(n: str, dataset: str, *, intervals: bool = True) -> str:
    """Caption of the scores against their floors; `intervals`: whether any score has one."""
    vertical = "Vertical bars: 95 % interval of the score." if intervals else NO_INTERVAL
    return (
        f"Every score on {dataset} against its floor, the mean of the same score when the rows "
        "of one model are paired at random with those of the other. On the dashed line two "
        "models are no more alike than expected by chance. Information imbalance and "
        "reconstruction errors are below it when models are alike. "
        f"{vertical} Horizontal bars: two standard deviations of the floor. {n}."
    )


def sweep_caption(dataset: str) -> str:
    """Caption of the scores against the number of structures."""
    return (
        f"Scores of every pair of models on nested random samples of {dataset}. A raw score "
        "falls with the sample size where its floor does; a debiased one stays where it is "
        "apart from noise."
    )
