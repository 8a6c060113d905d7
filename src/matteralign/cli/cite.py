"""The verb that says what to cite for a slice."""

from __future__ import annotations

from typing import Annotated

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    SliceArgument,
    view_of,
)


def cite(
    slice_name: SliceArgument,
    only: Annotated[str, typer.Option(help="bibtex, methods or both.", metavar="PART")] = "both",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Print BibTeX and a paragraph on the methods for what a slice shows."""
    from matteralign.core.suggest import require_known

    require_known("part", only, ("both", "bibtex", "methods"))
    view = view_of(slice_name, config)
    from matteralign.report.cite import SOFTWARE, methods_of, works_of
    from matteralign.report.citing.bibtex import bibtex

    if only != "bibtex":
        typer.echo(methods_of(view))
    if only == "both":
        typer.echo()
    if only != "methods":
        typer.echo(bibtex(works_of(view), SOFTWARE), nl=False)
