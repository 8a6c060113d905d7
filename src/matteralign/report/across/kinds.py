"""The kinds of analyses: which module makes the tables and figures of each."""

from __future__ import annotations

from importlib import import_module

from matteralign.report.across.analysis_view import AnalysisView, Findings


def find(view: AnalysisView) -> Findings:
    """Return what an analysis found.

    The module of this folder that has the name of the kind has a function ``find``.

    Raises
    ------
    IntegrityError
        If a slice is not finished, or not of today's configuration.
    """
    module = import_module(f"matteralign.report.across.{view.asked.kind}")
    found: Findings = module.find(view)
    found.missing[:0] = view.not_on_panels()
    found.tables = {"models": view.facts, **found.tables, "missing": found.missing_table()}
    return found
