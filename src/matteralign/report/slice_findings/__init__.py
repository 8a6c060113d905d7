"""Findings of one slice: each module has the tables and the figures of one of them.

A module offers three functions of `SliceResults`: `absent` says in words why the slice has no
such finding, or None; `tables` returns its tables by file stem; `drawings` yields its figures.
The last two are asked only where `absent` says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from matteralign.report.analysis.tables import with_weights
from matteralign.report.slice_findings import (
    aspects,
    condensed,
    convergence,
    energies,
    local_global,
    over_k,
    variance,
)
from matteralign.report.slice_findings.results import Drawing, SliceResults


@dataclass(frozen=True)
class Finding:
    """One finding; see the module."""

    absent: Callable[[SliceResults], str | None]
    tables: Callable[[SliceResults], dict[str, pd.DataFrame]]
    drawings: Callable[[SliceResults], Iterator[Drawing]]


FINDINGS = tuple(
    Finding(module.absent, module.tables, module.drawings)
    for module in (
        condensed,
        local_global,
        over_k,
        aspects,
        variance,
        energies,
        convergence,
    )
)
"""In the order of the report."""


def findings_tables(results: SliceResults) -> dict[str, pd.DataFrame]:
    """Return the tables of every finding that the slice has, by file stem."""
    found: dict[str, pd.DataFrame] = {}
    for finding in FINDINGS:
        if finding.absent(results) is None:
            found |= finding.tables(results)
    weights = {fact.model: fact.weights for fact in results.facts}
    return {stem: with_weights(frame, weights) for stem, frame in found.items()}


def findings_drawings(results: SliceResults) -> Iterator[Drawing]:
    """Yield the figures of every finding that the slice has."""
    for finding in FINDINGS:
        if finding.absent(results) is None:
            yield from finding.drawings(results)


def findings_absent(results: SliceResults) -> list[str]:
    """Return for each finding that the slice does not have why."""
    told = (finding.absent(results) for finding in FINDINGS)
    return [why for why in told if why is not None]
