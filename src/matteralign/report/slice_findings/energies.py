"""Energies of the models against those of DFT, composition aside (study's figures B2 to B4)."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from matteralign.report.analysis.energies import deviation_table, energy_table
from matteralign.report.figures.captions import count_text
from matteralign.report.figures.findings.energy_bars import error_bars
from matteralign.report.figures.findings.energy_panels import (
    composition_figures,
    deviation_figures,
)
from matteralign.report.slice_findings.results import Drawing, SliceResults


def absent(results: SliceResults) -> str | None:
    """Return why the slice has no such finding."""
    if results.energies is None:
        return "energies: they were not read"
    found = results.energies.regressions
    if any(regression.status == "ok" for regression in found.values()):
        return None
    reasons = dict.fromkeys(regression.reason for regression in found.values())
    return f"energies: {', '.join(reasons)}"


def tables(results: SliceResults) -> dict[str, pd.DataFrame]:
    """Return one row per model, and one per model and structure."""
    if results.energies is None:
        return {}
    return {
        "energy_regression": energy_table(results.energies, results.facts),
        "energy_deviations": deviation_table(results.energies),
    }


def drawings(results: SliceResults) -> Iterator[Drawing]:
    """Yield the energies of the models against composition and against those of DFT."""
    if results.energies is None:
        return
    table = energy_table(results.energies, results.facts)
    deviations = deviation_table(results.energies)
    heads = f"{results.dataset} · {_counted(table)}"
    for kind, title, pages in (
        ("composition", "Energies and composition", composition_figures),
        ("deviations", "Energies without composition", deviation_figures),
    ):
        made = pages(table, deviations, results.labels, heads)
        for page, figure in enumerate(made, 1):
            which = ("", "") if len(made) == 1 else (f"_{page}", f" ({page} of {len(made)})")
            told = caption(kind, table, results.dataset)
            yield Drawing(f"energies_{kind}{which[0]}", f"{title}{which[1]}", told, figure)
    bars = error_bars(table, results.labels, heads)
    if bars is not None:
        told = caption("errors", table, results.dataset)
        yield Drawing("energies_errors", "Errors of energies", told, bars)


_FIT = (
    "A linear function of the composition, w·c + b with the counts c of the elements, is fitted "
    "to {whose}. "
)
_BOTH = "the DFT energies and, separately, to each model's energies of the same structures"


def _counted(regression: pd.DataFrame) -> str:
    """Write the number of structures that models and DFT both have energies of."""
    n = regression.loc[regression["status"] == "ok", "n"]
    if n.empty:
        return count_text(0, 0)
    return count_text(int(n.min()), int(n.max())).replace("by pair", "by model")


def caption(kind: str, regression: pd.DataFrame, dataset: str) -> str:
    """Caption of one figure of energies.

    Parameters
    ----------
    kind
        ``composition``, ``deviations`` or ``errors``.
    regression
        Table ``energy_regression``.
    """
    level = str(regression["level_of_theory"].iloc[0])
    known = regression[regression["status"] == "ok"]
    told = {
        "composition": (
            f"Energies of each model on {dataset} and what the composition alone predicts of "
            "them. "
            + _FIT.format(whose="each model's energies")
            + "R² is the share of their variance that it explains. "
        ),
        "deviations": (
            f"Energies on {dataset} without what composition explains. "
            + _FIT.format(whose=_BOTH)
            + "ΔE = E − fit. MAE is the mean of |ΔE of DFT − ΔE of the model|, and the slope that "
            "of ΔE of the model on ΔE of DFT. On the dashed line both are equal. "
        ),
        "errors": (
            f"Mean of |ΔE of DFT − ΔE of the model| on {dataset}. "
            + _FIT.format(whose=_BOTH)
            + "ΔE = E − fit. Per atom, each difference is divided by the structure's number of "
            "atoms. Colours: level of theory of the energies that a model learnt. "
            + _tasks(known)
            + _interval(known)
        ),
    }[kind]
    told += f"DFT: {level}. " if level and kind != "composition" else ""
    return f"{told}{_care(known) if kind != 'composition' else ''}{_counted(regression)}."


def _interval(known: pd.DataFrame) -> str:
    if not known["mae_low"].notna().any():
        return "No error has an interval: the structures are too few. "
    return (
        "Intervals: delete-a-group jackknife over the structures, with both fits made again "
        "without each of 16 groups. "
    )


def _tasks(known: pd.DataFrame) -> str:
    """Say which models learnt more than one level of theory."""
    noted = known[known["functional_note"].str.contains("task")]
    if noted.empty:
        return ""
    told = "; ".join(dict.fromkeys(f"{f} {n}" for f, n in zip(
        noted["functional"], noted["functional_note"], strict=True)))  # fmt: skip
    return f"Of models with several tasks ({', '.join(noted['model'])}) it is {told}. "


def _care(known: pd.DataFrame, most: int = 2) -> str:
    """Say what must be known of the errors, each thing once with the number of models."""
    notes = known["note"][known["note"] != ""].value_counts(sort=True)
    if notes.empty:
        return ""
    parts = [f"{note} ({count} models)" for note, count in notes.head(most).items()]
    more = f"; {len(notes) - most} more in tables/energy_regression" if len(notes) > most else ""
    return f"Read with care: {'; '.join(parts)}{more}. "
