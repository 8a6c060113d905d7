"""What the verbs for arrays on disk share: arguments, metrics asked for, printed scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from matteralign.cli.shared.common import print_whole
from matteralign.cli.shared.metric_options import metrics_of

if TYPE_CHECKING:
    from matteralign.stages.adhoc import Outcome
    from matteralign.stages.study.measure import Measure

ArrayArgument = Annotated[Path, typer.Argument(help="A .npy file, shape (rows, features).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def measures_of_options(
    chosen: Sequence[str] | None, kind: Literal["pair", "model"], normalize: str | None
) -> tuple[Measure, ...]:
    """Return what the options ask for, or what a study computes by default.

    Raises
    ------
    UserError
        If a metric, definition, parameter or scaling is not known.
    """
    from matteralign.core.errors import UserError
    from matteralign.stages.study.measure import measures_of

    section = metrics_of(chosen, kind, normalize)
    try:
        return measures_of(section, kind)
    except UserError as error:
        # Its place in a configuration says nothing here.
        raise UserError(str(error).split(": ", 1)[-1]) from error


def print_outcomes(
    outcomes: Sequence[Outcome], title: str, notes: Sequence[str], *, as_json: bool, asked: bool
) -> None:
    """Print the scores as a table or as JSON.

    Parameters
    ----------
    title, notes
        Lines above and below the table.
    as_json
        Print JSON, without title and notes.
    asked
        The metrics were named on the command line.

    Raises
    ------
    UserError
        If the metrics were named, and one has a k that is too large for these rows.
    """
    if as_json:
        typer.echo(json.dumps([o.row() for o in outcomes], indent=1, ensure_ascii=False))
    else:
        _print_table(outcomes, title, notes)
    if asked:
        _refuse_wide_k(outcomes)


def _print_table(outcomes: Sequence[Outcome], title: str, notes: Sequence[str]) -> None:
    from rich.console import Console

    from matteralign.cli.shared.score_table import reasons, scalings, score_table

    console = Console(highlight=False, soft_wrap=True)
    console.print(title, markup=False)
    print_whole(score_table(outcomes))
    for line in (*notes, *reasons(outcomes), *scalings(outcomes)):
        console.print(line, markup=False)


def _refuse_wide_k(outcomes: Sequence[Outcome]) -> None:
    """Raise UserError if a score is missing because its k is too large."""
    from matteralign.core.errors import UserError

    wrong = [
        f"{o.measure.spec.metric} {o.measure.spec.definition}: {o.scored.reason}"
        for o in outcomes
        if o.scored.value is None
        and "k" in o.measure.spec.params
        and f"k = {o.measure.spec.integer('k')} " in o.scored.reason
    ]
    if wrong:
        raise UserError("; ".join(dict.fromkeys(wrong)))
