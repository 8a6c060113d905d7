"""The verb that writes the report of a slice."""

from __future__ import annotations

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    SliceArgument,
    say,
    view_of,
)


def report(slice_name: SliceArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write the slice's report: one HTML file that opens offline."""
    view = view_of(slice_name, config)
    from matteralign.core.files import write_text
    from matteralign.report.contents import report_data
    from matteralign.report.page.page import render_report

    write_text(view.layout.report, render_report(report_data(view)))
    say(f"report {slice_name}: {view.layout.report}")
