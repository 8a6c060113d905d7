"""Verbs for any arrays on disk: compare two, estimate the dimension of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from matteralign.cli.shared.common import ThreadsOption, print_whole
from matteralign.cli.shared.metric_options import (
    DeviceOption,
    MemoryOption,
    MetricCommand,
    MetricOption,
    NormalizeOption,
    metrics_of,
)

if TYPE_CHECKING:
    from matteralign.stages.adhoc import Outcome
    from matteralign.stages.study.measure import Measure

ArrayArgument = Annotated[Path, typer.Argument(help="A .npy file, shape (rows, features).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(cls=MetricCommand)(compare)
    app.command(cls=MetricCommand)(dimension)


def compare(
    a: ArrayArgument,
    b: ArrayArgument,
    *,
    metric: MetricOption = None,
    normalize: NormalizeOption = None,
    threads: ThreadsOption = 1,
    memory_gb: MemoryOption = 4.0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Score how alike two arrays are: row i of both is the same structure.

    Without --metric it computes the metrics of pairs that a study computes by default.
    """
    from matteralign.core.errors import UserError
    from matteralign.stages.adhoc import compare_arrays, left_out
    from matteralign.store.arrays import read_matrix

    measures = _measures(metric, "pair", normalize)
    # A file compared with itself needs two names.
    names = [str(a), str(b) if a != b else f"{b} (again)"]
    arrays = {name: read_matrix(path) for name, path in zip(names, (a, b), strict=True)}
    rows = [len(array) for array in arrays.values()]
    if rows[0] != rows[1]:
        raise UserError(f"{b}: has {rows[1]} rows, {a} has {rows[0]}; embed the same rows in both")
    outcomes = compare_arrays(
        arrays, measures, threads=threads, memory_bytes=int(memory_gb * 1024**3), device=device
    )
    legend = [f"a: {names[0]}", f"b: {names[1]}", f"{rows[0]:,} rows"]
    _print(outcomes, as_json, " · ".join(legend), left_out(arrays, measures))
    if metric:
        _refuse_wide_k(outcomes)


def dimension(
    x: ArrayArgument,
    *,
    metric: MetricOption = None,
    normalize: NormalizeOption = None,
    threads: ThreadsOption = 1,
    memory_gb: MemoryOption = 4.0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Estimate the intrinsic dimension of an array."""
    from matteralign.stages.adhoc import dimensions_of, left_out
    from matteralign.store.arrays import read_matrix

    measures = _measures(metric, "model", normalize)
    array = read_matrix(x)
    memory = int(memory_gb * 1024**3)
    outcomes = dimensions_of(
        str(x), array, measures, threads=threads, memory_bytes=memory, device=device
    )
    title = f"{x} · {len(array):,} rows"
    _print(outcomes, as_json, title, left_out({str(x): array}, measures))
    if metric:
        _refuse_wide_k(outcomes)


def _measures(
    chosen: Sequence[str] | None, kind: Literal["pair", "model"], normalize: str | None
) -> tuple[Measure, ...]:
    from matteralign.core.errors import UserError
    from matteralign.stages.study.measure import measures_of

    section = metrics_of(chosen, kind, normalize)
    try:
        return measures_of(section, kind)
    except UserError as error:
        # Its place in a configuration says nothing here.
        raise UserError(str(error).split(": ", 1)[-1]) from error


def _refuse_wide_k(outcomes: Sequence[Outcome]) -> None:
    """Fail for a k that these rows do not have, once all else is printed.

    Of the reasons why there is no score only those about k name it.
    """
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


def _print(outcomes: Sequence[Outcome], as_json: bool, title: str, left_out: Sequence[str]) -> None:
    if as_json:
        typer.echo(json.dumps([o.row() for o in outcomes], indent=1, ensure_ascii=False))
        return
    from rich.console import Console

    from matteralign.cli.shared.score_table import reasons, scalings, score_table

    console = Console(highlight=False, soft_wrap=True)
    console.print(title, markup=False)
    print_whole(score_table(outcomes))
    for line in (*left_out, *reasons(outcomes), *scalings(outcomes)):
        console.print(line, markup=False)
