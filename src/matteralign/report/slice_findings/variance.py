"""How much training data, architecture and input explain of the distances between models."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from matteralign.findings.aspects import ASPECTS, fact_of
from matteralign.findings.permanova import COLUMNS, LEAST_MODELS, variance_table
from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.calibration import has_debiased
from matteralign.report.analysis.matrices import complete_models
from matteralign.report.analysis.tables import ModelFacts, spec_slug
from matteralign.report.figures.captions import count_text, options_text
from matteralign.report.figures.findings.variance import variance_bars
from matteralign.report.slice_findings.results import Drawing, SliceResults

FACTORS = ("training_sets", "group", "input")
Spec = tuple[str, str, str]


def absent(results: SliceResults) -> str | None:
    """Return why the slice has no such finding."""
    what = "variance between models explained by training data, architecture and input"
    if not _specs(results):
        return f"{what}: no similarity that is 1 for a model with itself is asked for"
    trained = [fact for fact in results.facts if _is_trained(fact)]
    if len(trained) < LEAST_MODELS:
        return (
            f"{what}: {len(trained)} trained models with known training data, at least "
            f"{LEAST_MODELS} are needed"
        )
    return None


def _specs(results: SliceResults) -> list[Spec]:
    similar = [
        name for name, info in METRICS.items() if info.larger_is_closer and info.diagonal == 1
    ]
    return results.of_metric(*similar)


def _is_trained(fact: ModelFacts) -> bool:
    """Return whether a model learnt from data that its card names."""
    return fact.weights == "trained" and bool(fact.training_sets)


def _found(results: SliceResults, spec: Spec, column: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of one score, and the models that are left out."""
    facts = {fact.model: fact for fact in results.facts if _is_trained(fact)}
    scores = results.symmetric(spec, column)
    kept, dropped = complete_models(scores.loc[list(facts), list(facts)])
    values = 1 - scores.loc[list(kept), list(kept)].to_numpy(float)
    np.fill_diagonal(values, 0)
    factors = {
        ASPECTS[name]: [fact_of(getattr(facts[model], name)) for model in kept] for name in FACTORS
    }
    # A debiased score can lie above 1 by noise.
    table = variance_table(np.clip((values + values.T) / 2, 0, None), factors)
    return table, [*dropped, *(key for key in results.keys if key not in facts)]


def tables(results: SliceResults) -> dict[str, pd.DataFrame]:
    """Return what each factor explains alone and after the others, for each similarity."""
    frames = []
    for spec in _specs(results):
        for column in ("value", "debiased"):
            if column == "debiased" and not has_debiased(results.scores, *spec):
                continue
            table, dropped = _found(results, spec, column)
            named = dict(zip(("metric", "definition", "params"), spec, strict=True))
            frames.append(table.assign(**named, column=column, left_out=", ".join(dropped)))
    first = ["metric", "definition", "params", "column"]
    return {"variance": pd.concat(frames, ignore_index=True)[[*first, *COLUMNS, "left_out"]]}


def drawings(results: SliceResults) -> Iterator[Drawing]:
    """Yield the shares for the first similarity."""
    spec = _specs(results)[0]
    table, dropped = _found(results, spec, "value")
    if (table["reason"] != "").all():
        return
    matrix = results.matrix(spec)
    counted, options = count_text(matrix.n_min, matrix.n_max), options_text(spec[2])
    name, models = METRICS[spec[0]].display_name, int(table["models"].iloc[0])
    heads = (
        "Training data, architecture or input?",
        f"{results.dataset} · 1 - {name} {spec[1]} · {options} · {models} models · {counted}",
    )
    levels = int(table["levels"].max())
    notes = [
        f"{models} models for up to {levels} levels: read the adjusted shares and p, not R² alone."
    ]
    figure = variance_bars(table, heads, notes)
    caption = (
        f"Share of the squared distances 1 - {name} between {models} models on {results.dataset} "
        f"({spec[1]}, {options}, {counted}) that a factor explains (PERMANOVA, Anderson 2001): "
        "alone, and what it adds to the other factors. A model that was trained on several data "
        "sets belongs to each of them. R² grows with the number of levels, also where there is "
        "nothing to explain: the line is its mean when models are permuted, the diamond the "
        "adjusted share. p is of a permutation test and not adjusted for the number of tests."
    )
    if dropped:
        caption += f" Left out: {len(dropped)} models without training data, weights or scores."
    yield Drawing(f"variance_{spec_slug(*spec)}", heads[0], caption, figure)
