"""The verb that draws single figures again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    say,
    study_of,
    view_of,
)


def plot(
    figure: Annotated[
        str,
        typer.Argument(
            help="Number in the study, such as 1F, or a file name without its ending, such as tree."
        ),
    ],
    name: Annotated[str, typer.Argument(help="Slice, or analysis, of the configuration.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path(),
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Draw one figure of a slice or an analysis again, from what lies there.

    Nothing is computed: no model runs, and no array of latents is opened for the figures of a
    slice. The caption is printed.
    """
    study = study_of(config)
    if name in study.config.analyses:
        from matteralign.report.across.analysis_view import AnalysisView
        from matteralign.report.across.kinds import find
        from matteralign.stages.study.layout import AnalysisLayout

        layout = AnalysisLayout(Path(study.config.results), name)
        drawings = iter(find(AnalysisView(study, layout, say=say)).drawings)
    else:
        view = view_of(name, config)
        from matteralign.report.drawing import draw

        drawings = draw(view)
    from matteralign.report.figures.render import render
    from matteralign.report.plots import chosen

    for drawing in chosen(drawings, figure, name):
        paths = render(drawing.figure, f"{name}-{drawing.stem}").write(out / drawing.stem)
        say(f"{', '.join(map(str, paths))}")
        typer.echo(f"{drawing.title}. {drawing.caption}")
