"""How the findings of a check are shown: every clause, or one line for each model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from matteralign.registry.load import STUDY_ROWS

if TYPE_CHECKING:
    from matteralign.registry.card import ModelCard
    from matteralign.stages.checks.check_records import Checked

NONE = "–"
_SHOWN = {"pass": ("pass", "green"), "fail": ("FAIL", "bold red"), "not_applicable": (NONE, "dim")}
_NUMBERS = (
    "batch of one", "order", "rotation", "translation", "permutation", "far translation",
)  # fmt: skip


def clause_table(checked: Checked, only_failed: bool = False) -> Table:
    """Return one line for each clause with what was measured and its bound."""
    title = f"{checked.model} · weights: {checked.weights} · {checked.seconds:.1f} s"
    table = Table(box=None, title=title, title_justify="left", header_style="bold")
    for head in ("clause", "result"):
        table.add_column(head, no_wrap=True)
    for head in ("measured", "bound"):
        table.add_column(head, no_wrap=True, justify="right")
    table.add_column("what", overflow="fold")
    for check in checked.checks:
        if only_failed and check["status"] != "fail":
            continue
        word, style = _SHOWN[check["status"]]
        table.add_row(
            Text(check["check"]),
            Text(word, style),
            _number(check["measured"]),
            _number(check["tolerance"]),
            Text(check["detail"]),
        )
    return table


def summary_table(results: Sequence[Checked]) -> Table:
    """Return one line for each model: how many clauses hold and the largest deviations."""
    table = Table(box=None, header_style="bold")
    for head in ("model", "weights", "result"):
        table.add_column(head, no_wrap=True)
    for head in ("clauses", "parameters", *_NUMBERS, "seconds"):
        table.add_column(head, justify="right")
    for checked in results:
        counts = Counter(check["status"] for check in checked.checks)
        word, style = _SHOWN["pass" if checked.passed else "fail"]
        measured = {c["check"]: c["measured"] for c in checked.checks}
        table.add_row(
            checked.model,
            checked.weights,
            Text(word, style),
            f"{counts['pass']} of {counts['pass'] + counts['fail']}",
            NONE if checked.parameters is None else f"{checked.parameters:,}",
            *(_number(measured.get(name)) for name in _NUMBERS),
            f"{checked.seconds:.1f}",
        )
    return table


def totals(
    results: Sequence[Checked], cards: Mapping[str, ModelCard], every: bool
) -> Iterator[str]:
    """Yield how many of the study's rows and of the other models pass, and on which weights."""
    rows = [c for c in results if cards[c.model].study_row]
    extras = [c for c in results if not cards[c.model].study_row]
    for name, group, number in (
        ("study rows", rows, STUDY_ROWS if every else len(rows)),
        ("extras", extras, len(extras)),
    ):
        if number:
            weights = Counter(c.weights for c in group)
            told = ", ".join(f"{count} {_WEIGHTS[w]}" for w, count in sorted(weights.items()))
            yield f"{sum(c.passed for c in group)} of {number} {name} pass ({told or 'none tried'})"


_WEIGHTS = {
    "trained": "on their weights",
    "untrained": "on untrained networks",
    "none": "without weights",
}


def _number(value: Any) -> str:
    return NONE if value is None else f"{value:.2g}"
