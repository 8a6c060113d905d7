"""Matrices with the models of one architecture averaged (study's figures 1A and 1C)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from matteralign.findings.condensed import Condensed, condense
from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.matrices import ScoreMatrix, both_ways
from matteralign.report.analysis.tables import spec_slug
from matteralign.report.figures.captions import count_text, options_text
from matteralign.report.figures.findings.condensed import condensed_figure
from matteralign.report.figures.style import UNTRAINED_MARK
from matteralign.report.slice_findings.results import Drawing, SliceResults

METRIC = "cknna"
LEAST_BLOCK = 3
"""Models of one group from which on its own block is drawn (the study's 1A2 and 1A3)."""
COLUMNS = [
    "group_a",
    "group_b",
    "models_a",
    "models_b",
    "untrained_a",
    "untrained_b",
    "pairs",
    "missing",
    "mean",
    "ci_low",
    "ci_high",
    "printed",
]
Spec = tuple[str, str, str]


def absent(results: SliceResults) -> str | None:
    """Return why the slice has no such finding."""
    if not results.of_metric(METRIC):
        return "condensed matrix: no CKNNA is asked for"
    groups = [fact.group for fact in results.facts if not fact.baseline]
    if len(set(groups)) == len(groups):
        return "condensed matrix: no two models of the panel have the same architecture group"
    return None


def _condensed(results: SliceResults, spec: Spec) -> Condensed:
    groups = {fact.model: fact.group for fact in results.facts}
    return condense(both_ways(results.matrix(spec).values), groups, results.without_blocks(spec))


def tables(results: SliceResults) -> dict[str, pd.DataFrame]:
    """Return the mean score of every two groups, for each CKNNA."""
    found = {}
    for spec in results.of_metric(METRIC):
        found[f"condensed_{spec_slug(*spec)}"] = _tidy(_condensed(results, spec), results)
    return found


def _tidy(of: Condensed, results: SliceResults) -> pd.DataFrame:
    untrained = {name: _untrained(members, results) for name, members in of.members.items()}
    names = list(of.values.index)
    frames = (of.pairs, of.missing, of.values, of.low, of.high, of.printed)
    rows = [
        (
            *(a, b, len(of.members[a]), len(of.members[b]), untrained[a], untrained[b]),
            *(frame.to_numpy()[i, j] for frame in frames),
        )
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if i <= j
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _untrained(members: Sequence[str], results: SliceResults) -> int:
    return sum(results.labels[model].untrained for model in members)


def drawings(results: SliceResults) -> Iterator[Drawing]:
    """Yield the condensed matrix of the first CKNNA, and its groups of several models."""
    spec = results.of_metric(METRIC)[0]
    matrix = results.matrix(spec)
    if not matrix.n_max:
        return
    of = _condensed(results, spec)
    counted = count_text(matrix.n_min, matrix.n_max)
    options = options_text(spec[2])
    subtitle = f"{results.dataset} · definition {spec[1]} · {options} · {counted}"
    name = METRICS[METRIC].display_name
    shown = {
        group: f"{group} ({len(members)}){_mark(_untrained(members, results))}"
        for group, members in of.members.items()
    }
    values = of.values.rename(index=shown, columns=shown)
    figure = condensed_figure(values, (f"{name} by architecture", subtitle))
    caption = (
        f"{name} on {results.dataset} ({spec[1]}, {options}, {counted}) with the models of one "
        "architecture averaged. A cell is the mean over pairs of two different models; the "
        "number of models stands beside the name. A group of one model has no pair of its own "
        "and its diagonal cell is empty. The mean that counts each model's score of 1 with "
        "itself, as the study prints it, is the column printed of tables/condensed_…, beside the "
        "95 % interval of the mean over structures."
    )
    if any(_untrained(members, results) for members in of.members.values()):
        caption += f" {UNTRAINED_MARK}: with models that ran on untrained weights."
    if int(of.missing.to_numpy().sum()):
        caption += f" {int(of.missing.to_numpy().sum()) // 2} pairs without a score are left out."
    yield Drawing("condensed", f"{name} by architecture", caption, figure)
    yield from _blocks(results, matrix, of, subtitle)


def _blocks(
    results: SliceResults, matrix: ScoreMatrix, of: Condensed, subtitle: str
) -> Iterator[Drawing]:
    names = {fact.model: results.labels[fact.model].text for fact in results.facts}
    values = both_ways(matrix.values)
    for group, members in of.members.items():
        if len(members) < LEAST_BLOCK:
            continue
        block = values.loc[list(members), list(members)].rename(index=names, columns=names)
        title = f"{METRICS[METRIC].display_name} within {group}"
        figure = condensed_figure(block, (title, subtitle), diagonal=False)
        slug = "".join(c if c.isalnum() else "-" for c in group.lower()).strip("-")
        caption = (
            f"{METRICS[METRIC].display_name} between the {len(members)} models of the group "
            f"{group} on {results.dataset}. The diagonal is 1 by definition."
        )
        yield Drawing(f"condensed_within_{slug}", title, caption, figure)


def _mark(untrained: int) -> str:
    return f" {UNTRAINED_MARK}" if untrained else ""
