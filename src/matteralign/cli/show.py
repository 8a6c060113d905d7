"""Verbs that show results: tables, figures, report."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the verbs."""
