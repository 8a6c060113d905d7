"""Verb that estimates the intrinsic dimension of an array on disk."""

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
    app.command(cls=MetricCommand)(dimension)


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

    measures = measures_of_options(metric, "model", normalize)
    array = read_matrix(x)
    memory = int(memory_gb * 1024**3)
    outcomes = dimensions_of(
        str(x), array, measures, threads=threads, memory_bytes=memory, device=device
    )
    title = f"{x} · {len(array):,} rows"
    notes = left_out({str(x): array}, measures)
    print_outcomes(outcomes, title, notes, as_json=as_json, asked=metric is not None)
