"""The verb that makes an analysis of several slices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    ThreadsOption,
    say,
    study_of,
)


def analyze(
    name: Annotated[str, typer.Argument(help="Analysis of the configuration.")],
    threads: ThreadsOption = 1,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Make the tables and figures of an analysis from slices that are finished."""
    from matteralign.stages.study.layout import AnalysisLayout

    study = study_of(config)
    study.analysis(name)
    layout = AnalysisLayout(Path(study.config.results), name)
    from matteralign.report.across.analysis_view import AnalysisView
    from matteralign.report.across.write import write_analysis

    say(write_analysis(AnalysisView(study, layout, threads, say)))
