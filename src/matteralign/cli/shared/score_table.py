"""Scores as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from matteralign.core.scaling import SCALINGS

if TYPE_CHECKING:
    from matteralign.stages.adhoc import Outcome

NONE = "–"


def score_table(outcomes: Sequence[Outcome]) -> Table:
    """Return one line for each score; columns that would be empty are left out."""
    table = Table(box=None, header_style="bold")
    columns = {name: [_columns(o)[name] for o in outcomes] for name in _columns(outcomes[0])}
    shown = {
        name: cells
        for name, cells in columns.items()
        if name in ("metric", "definition", "value") or set(cells) != {NONE}
    }
    for name in shown:
        text = name in ("metric", "definition", "params")
        table.add_column(name, justify="left" if text else "right", no_wrap=True)
    for cells in zip(*shown.values(), strict=True):
        table.add_row(*(Text(cell) for cell in cells))
    return table


def reasons(outcomes: Sequence[Outcome]) -> list[str]:
    """Return one line for each score that could not be given, or needs a word beside it."""
    lines = []
    for o in outcomes:
        named = f"{o.measure.spec.metric} {o.measure.spec.definition}"
        if o.scored.value is None:
            lines.append(f"{named}: {o.scored.status}: {o.scored.reason}")
        elif o.scored.note:
            lines.append(f"{named}: note: {o.scored.note}")
    return list(dict.fromkeys(lines))


def scalings(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what each scaling of the table does, one line each."""
    used = dict.fromkeys(o.measure.scaling for o in outcomes)
    return [f"{scaling} scaling: {SCALINGS[scaling]}" for scaling in used]


def _columns(outcome: Outcome) -> dict[str, str]:
    spec, scored = outcome.measure.spec, outcome.scored
    directed = outcome.b and not spec.definition_info.symmetric
    params = [f"{k} = {v}" for k, v in spec.params.items()]
    return {
        "metric": spec.metric,
        "definition": spec.definition,
        "params": ", ".join([*params, f"{outcome.measure.scaling} scaling"]),
        "way": _way(outcome) if directed else NONE,
        "value": NONE if scored.value is None else f"{scored.value:.4f}",
        "95 % interval": interval(scored.ci_low, scored.ci_high),
        "debiased": number(scored.debiased),
        "its 95 % interval": interval(scored.debiased_low, scored.debiased_high),
        "calibrated": number(scored.calibrated),
        "null mean ± sd": _null(scored.null_mean, scored.null_sd),
        "p": p_value(scored.null_p),
    }


def _way(outcome: Outcome) -> str:
    # The first way round is that in which the files were named.
    return "a→b" if outcome.forward else "b→a"


def number(value: float | None) -> str:
    """Return a score as text."""
    return NONE if value is None else f"{value:.4f}"


def interval(low: float | None, high: float | None) -> str:
    """Return an interval as text."""
    return NONE if low is None or high is None else f"{low:.4f} … {high:.4f}"


def _null(mean: float | None, sd: float | None) -> str:
    if mean is None:
        return NONE
    return f"{mean:.4f}" if sd is None else f"{mean:.4f} ± {sd:.2g}"


def p_value(value: float | None) -> str:
    """Return a p-value as text."""
    if value is None:
        return NONE
    if value == 0.0:  # below the smallest number that a float can hold
        return "<1e-300"
    return f"{value:.1e}" if value < 1e-3 else f"{value:.3f}"
