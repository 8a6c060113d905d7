"""The verb that compares scores of a slice with each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    SliceArgument,
    print_whole,
    view_of,
)
from matteralign.cli.shared.metric_options import MetricCommand, MetricOption, read_request
from matteralign.core.errors import UserError
from matteralign.core.suggest import require_known

if TYPE_CHECKING:
    import pandas as pd

FirstOption = Annotated[
    list[str],
    typer.Option(
        "--a",
        metavar="KEY,KEY",
        help="Two models, or more for the mean over all pairs among them; may be repeated.",
    ),
]
SecondOption = Annotated[
    list[str],
    typer.Option("--b", metavar="KEY,KEY", help="What is taken off: as --a; may be repeated."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(cls=MetricCommand)(contrast)


def contrast(
    slice_name: SliceArgument,
    *,
    a: FirstOption,
    b: SecondOption,
    metric: MetricOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Compare scores of a slice: a - b with its 95 % interval and adjusted p-value.

    Both are read from the same structures, so the interval of the difference is often much
    narrower than those of the scores. Where a metric has a direction, KEY,KEY is the score from
    the first to the second model.
    """
    from matteralign.findings.replicates.contrasts import contrasts

    view = view_of(slice_name, config)
    first = [_group("--a", text, view.keys, slice_name) for text in a]
    second = [_group("--b", text, view.keys, slice_name) for text in b]
    for group in first:
        if group in second:
            raise UserError(f"--a and --b are the same: {','.join(group)}; name two different ones")
    found = contrasts(_chosen(view.replicates, metric, slice_name), view.keys, first, second)
    if as_json:
        rows = json.loads(found.to_json(orient="records", double_precision=15))
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    _print(found)


def _group(option: str, text: str, known: Sequence[str], slice_name: str) -> list[str]:
    keys = [key.strip() for key in text.split(",")]
    for key in keys:
        require_known(f"model of slice {slice_name!r}", key, known, where=f"{option}: ")
    if len(keys) < 2 or len(set(keys)) < len(keys):
        raise UserError(f"{option}: {text!r}: name two or more different models, as KEY,KEY")
    return keys


def _chosen(rows: pd.DataFrame, words: Sequence[str] | None, slice_name: str) -> pd.DataFrame:
    """Return the rows of the metrics that were asked for, all of them without any."""
    if not words:
        return rows
    import pandas as pd

    place = f" of slice {slice_name!r}"
    parts = []
    for word in words:
        asked = read_request(word)
        metric, definition = asked["metric"], asked["definition"]
        require_known(f"metric{place}", metric, sorted(set(rows["metric"])), where="--metric: ")
        same = rows[rows["metric"] == metric]
        if definition:
            known = sorted(set(same["definition"]))
            require_known(f"definition of {metric}{place}", definition, known, where="--metric: ")
            same = same[same["definition"] == definition]
        for name, value in asked["params"].items():
            there = [str(json.loads(text).get(name)) for text in same["params"]]
            values = [str(one) for one in (value if isinstance(value, list) else [value])]
            for one in values:
                require_known(f"{name} of {metric}{place}", one, set(there), where="--metric: ")
            same = same[[one in values for one in there]]
        parts.append(same)
    # Two words may name the same rows.
    chosen: pd.DataFrame = pd.concat(parts)
    return chosen[~chosen.index.duplicated()]


def _print(found: pd.DataFrame) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from matteralign.cli.shared.score_table import interval, number, p_value

    table = Table(box=None, header_style="bold")
    heads = ("metric", "definition", "params", "of", "a", "b")
    numbers = ("a: score", "b: score", "a − b", "95 % interval", "p", "adjusted p", "n")
    for head in (*heads, *numbers):
        table.add_column(head, justify="left" if head in heads else "right", no_wrap=True)
    # NaN is what pandas makes of a missing number.
    records = found.astype(object).where(found.notna(), None).to_dict("records")
    for row in records:
        params = json.loads(row["params"])
        scaling = params.pop("normalize")
        told = ", ".join([*(f"{k} = {v}" for k, v in params.items()), f"{scaling} scaling"])
        cells = (
            row["metric"], row["definition"], told, row["of"], row["a"], row["b"],
            number(row["value_a"]), number(row["value_b"]), number(row["difference"]),
            interval(row["low"], row["high"]), p_value(row["p"]), p_value(row["p_adjusted"]),
            "–" if row["n_a"] is None else f"{row['n_a']:,}",
        )  # fmt: skip
        table.add_row(*(Text(str(cell)) for cell in cells))
    print_whole(table)
    console = Console(highlight=False, soft_wrap=True)
    tests = sum(row["p"] is not None for row in records)
    for row in records:
        said = row["reason"] or row["note"]
        if said:
            named = f"{row['metric']} {row['definition']} ({row['of']}), {row['a']} − {row['b']}"
            console.print(f"{named}: {said}", markup=False)
    console.print(
        f"Intervals are of 95 %, over structures, not over trainings. Adjusted p: "
        f"Benjamini-Hochberg over the {tests} differences above.",
        markup=False,
    )
