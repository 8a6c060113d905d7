"""The verb that tests whether metrics answer to a growing disturbance."""

from __future__ import annotations

from typing import Annotated

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    ModelDeviceOption,
    SliceArgument,
    ThreadsOption,
    layout_of,
    print_whole,
    say,
    study_of,
)


def sensitivity(
    slice_name: SliceArgument,
    model: Annotated[list[str], typer.Option(help="Key of a model card; may be repeated.")],
    rows: Annotated[int, typer.Option(min=20, help="First rows of the slice to use.")] = 200,
    threads: ThreadsOption = 1,
    device: ModelDeviceOption = "auto",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Disturb structures by growing amounts and test whether every metric answers.

    Atoms are moved, elements exchanged, rows shuffled. Tables and figure are written below the
    slice's results, in the folder sensitivity.
    """
    from rich.table import Table

    from matteralign.registry.load import get_card
    from matteralign.report.sensitivity import write_sensitivity
    from matteralign.stages.checks.sensitivity import SelfTest

    study = study_of(config)
    keys = [get_card(key, study.cards).key for key in dict.fromkeys(model)]
    test = SelfTest(study, layout_of(study, slice_name), rows)
    found = write_sensitivity(test, keys, threads=threads, device=device, report=say)
    shown = Table(*("model", "change", "metric", "expected", "first", "last", "verdict"))
    for row in found.to_dict("records"):
        metric = f"{row['metric']} {row['definition']} {row['params']}"
        told = f"{row['verdict']}: {row['reason']}" if row["reason"] else row["verdict"]
        values = (f"{row['first']:.3f}", f"{row['last']:.3f}")
        shown.add_row(row["model"], row["change"], metric, row["expected"], *values, told)
    print_whole(shown)
    say(f"tables and figure: {test.folder}")
