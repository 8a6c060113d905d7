"""Verb that compares two arrays on disk."""

from __future__ import annotations

import typer

from matteralign.cli.shared.arrays import (
    ArrayArgument,
    JsonOption,
    measures_of_options,
    print_outcomes,
)
from matteralign.cli.shared.common import ThreadsOption
from matteralign.cli.shared.metric_options import (
    DeviceOption,
    MemoryOption,
    MetricCommand,
    MetricOption,
    NormalizeOption,
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(cls=MetricCommand)(compare)


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

    measures = measures_of_options(metric, "pair", normalize)
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
    notes = left_out(arrays, measures)
    print_outcomes(outcomes, " · ".join(legend), notes, as_json=as_json, asked=metric is not None)
