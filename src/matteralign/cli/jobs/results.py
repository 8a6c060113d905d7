"""Verbs that show results: tables, figures, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    SliceArgument,
    layout_of,
    say,
    study_of,
)

if TYPE_CHECKING:
    from matteralign.report.slice_view import SliceView


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    for verb in (tables, figures, report):
        app.command()(verb)


def tables(slice_name: SliceArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write the tables of a slice as Parquet and CSV."""
    view = _view(slice_name, config)
    from matteralign.core.files import write_json
    from matteralign.core.hashing import sha256_file
    from matteralign.store.tidy import write_table
    from matteralign.store.written import keep_only

    written = [
        path
        for stem, frame in view.tables.items()
        for path in write_table(frame, view.layout.tables / stem)
    ]
    hashes = {path.name: sha256_file(path) for path in written}
    write_json(view.layout.table_list, {"results": view.identity, "files": hashes})
    keep_only(view.layout.tables, [*written, view.layout.table_list])
    say(f"tables {slice_name}: {len(view.tables)} tables in {view.layout.tables}")


def figures(slice_name: SliceArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Draw the figures of a slice as SVG and PNG, and write its tree as Newick."""
    view = _view(slice_name, config)
    from matteralign.core.files import write_text
    from matteralign.report.drawing import draw, tree_of
    from matteralign.report.drawn import write_drawn
    from matteralign.report.figures.render import render
    from matteralign.store.written import keep_only

    folder = view.layout.figures
    captions = []
    written: list[Path] = []
    for drawing in draw(view):
        image = render(drawing.figure, f"{slice_name}-{drawing.stem}")
        written += image.write(folder / drawing.stem)
        captions.append({"stem": drawing.stem, "title": drawing.title, "caption": drawing.caption})
    found = tree_of(view)
    if isinstance(found, str):
        say(f"figures {slice_name}: no tree of the models: {found}")
    else:
        written.append(folder / "tree.nwk")
        write_text(written[-1], found[0].newick + "\n")
    written.append(write_drawn(view, captions))
    keep_only(folder, written)
    say(f"figures {slice_name}: {len(captions)} figures in {folder}")


def report(slice_name: SliceArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write the slice's report: one HTML file that opens offline."""
    view = _view(slice_name, config)
    from matteralign.core.files import write_text
    from matteralign.report.contents import report_data
    from matteralign.report.page.page import render_report

    write_text(view.layout.report, render_report(report_data(view)))
    say(f"report {slice_name}: {view.layout.report}")


def _view(slice_name: str, config: ConfigOption) -> SliceView:
    from matteralign.stages.study.standing import require_today

    study = study_of(config)
    layout = layout_of(study, slice_name)
    require_today(study, layout)
    from matteralign.report.slice_view import SliceView

    return SliceView(study, layout)
