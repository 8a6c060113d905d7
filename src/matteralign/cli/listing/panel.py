"""The verb that shows which models are compared on a slice, and why others are not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    SliceArgument,
    layout_of,
    print_whole,
    study_of,
)

if TYPE_CHECKING:
    from matteralign.stages.study.coverage import Coverage
    from matteralign.stages.study.panel import Choice


_SHOWN = ("model", "family", "group", "functional", "input")


def panel(
    slice_name: SliceArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List the models of a slice's panel, and those left out with the reason.

    The coverage is the share of the rows that a model can process. It is counted if the model has
    run, else estimated (~) from its card on the first thousand rows. There is none before the
    slice is drawn.
    """
    from matteralign.stages.study.coverage import coverages

    study = study_of(config)
    choices, least = study.choices(slice_name), study.slice(slice_name).min_coverage
    cards = [choice.card for choice in choices if choice.chosen]
    found = coverages(layout_of(study, slice_name), cards)
    rows = [_row(choice, found.get(choice.card.key), least) for choice in choices]
    if as_json:
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    from rich.table import Table

    for chosen, title in ((True, "compared"), (False, "left out")):
        table = Table("index", title=title, title_justify="left")
        for name in _SHOWN:
            table.add_column(name)
        if chosen:
            table.add_column("coverage", justify="right")
        table.add_column("remark" if chosen else "because")
        some = [row for row in rows if row["chosen"] is chosen]
        for row in some:
            cells = [str(row["index"]), *(row[name] for name in _SHOWN)]
            table.add_row(*cells, *([_percent(row)] if chosen else []), row["remark"] or "")
        if some:
            print_whole(table)
    typer.echo(f"{len(cards)} models, {len(cards) * (len(cards) - 1) // 2} pairs")


def _row(choice: Choice, coverage: Coverage | None, least: float) -> dict[str, Any]:
    remarks = [text for text in (choice.note, choice.reason) if text]
    if coverage is not None and coverage.share < least:
        remarks.append(f"covers fewer rows than min_coverage, {least:.0%}")
    return {
        "index": choice.card.index,
        "model": choice.card.key,
        "family": choice.card.family,
        "group": choice.card.group or choice.card.family,
        "functional": choice.card.functional,
        "input": choice.card.modality,
        "study_row": choice.card.study_row,
        "chosen": choice.chosen,
        "remark": "; ".join(remarks) or None,
        "valid": None if coverage is None else coverage.valid,
        "rows": None if coverage is None else coverage.rows,
        "measured": None if coverage is None else coverage.measured,
    }


def _percent(row: dict[str, Any]) -> str:
    if row["rows"] is None:
        return "–"
    return f"{'' if row['measured'] else '~'}{row['valid'] / max(1, row['rows']):.0%}"
