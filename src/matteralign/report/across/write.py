"""Write what an analysis found: tables, figures, captions, and what they were made from."""

from __future__ import annotations

from pathlib import Path

from matteralign.core.files import write_json
from matteralign.core.hashing import sha256_file, sha256_json
from matteralign.report.across.analysis_view import AnalysisView
from matteralign.report.across.kinds import find
from matteralign.report.figures.render import render
from matteralign.store.tidy import write_table
from matteralign.store.written import keep_only


def write_analysis(view: AnalysisView) -> str:
    """Make an analysis and write its folder; return a line for the reader.

    The record is removed first and written last: while it is there, everything beside it is of
    one state. Files of an earlier state that are not written again are removed.

    Raises
    ------
    IntegrityError
        If a slice is not finished, or not of today's configuration.
    """
    layout = view.layout
    made_of = view.made_of()
    found = find(view)
    layout.record.unlink(missing_ok=True)
    tables: list[Path] = []
    for stem, frame in found.tables.items():
        tables += write_table(frame, layout.tables / stem, made_of)
    keep_only(layout.tables, tables)
    figures: list[Path] = []
    captions = []
    for drawing in found.drawings:
        image = render(drawing.figure, f"{layout.analysis}-{drawing.stem}")
        figures += image.write(layout.figures / drawing.stem)
        captions.append({"stem": drawing.stem, "title": drawing.title, "caption": drawing.caption})
    results = sha256_json(made_of)
    write_json(layout.figure_list, {"results": results, "figures": captions})
    figures.append(layout.figure_list)
    keep_only(layout.figures, figures)
    hashes = {
        path.relative_to(layout.root).as_posix(): sha256_file(path) for path in (*tables, *figures)
    }
    write_json(
        layout.record,
        {
            "analysis": layout.analysis,
            "kind": view.asked.kind,
            "made_of": made_of,
            "results": results,
            "files": hashes,
        },
    )
    lacking = f", {len(found.missing)} things missing (tables/missing)" if found.missing else ""
    return (
        f"analyze {layout.analysis}: {len(found.tables)} tables, {len(captions)} figures"
        f"{lacking} in {layout.root}"
    )
