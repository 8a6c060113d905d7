"""Figures by name: those of the study by its numbers, others by their file names."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from matteralign.core.errors import UserError
from matteralign.core.suggest import nearest
from matteralign.report.slice_findings.results import Drawing

STUDY_FIGURES = {
    "1A1": ("condensed",),
    "1A2": ("condensed_within_eqv2",),
    "1A3": ("condensed_within_orb-v3",),
    "1B": ("convergence",),
    "1C": ("condensed",),
    "1D": ("local_global",),
    "1E": ("mle_*", "twonn_*"),
    "1F": ("tree",),
    "2A": ("maps*",),
    "2B": ("planes",),
    "2C": ("*_*",),
    "2D": ("energy_maps*",),
    "3": ("convergence",),
    "A1": ("cknna_over_k",),
    "B2": ("energies_composition*",),
    "B3": ("energies_deviations*",),
    "B4": ("energies_errors",),
    "C5": ("maps*",),
    "C6": ("heatmap_cknna_*",),
    "C7": ("intrinsic_dimension",),
    "C8": ("heatmap_dcor_*",),
    "C9": ("aspects_*",),
    "C10": ("heatmap_cknna_*",),
    "C11": ("heatmap_cknna_*",),
    "C12": ("heatmap_cknna_*",),
    "C13": ("heatmap_cknna_*",),
}
"""File names of each figure of the study, as patterns. Table 1 is ``tables/models``."""


def chosen(drawings: Iterable[Drawing], figure: str, where: str) -> list[Drawing]:
    """Return the figures that a name stands for.

    Parameters
    ----------
    figure
        A number of the study, such as 1F, or a file name without its ending; ``*`` stands for
        any text.
    where
        The slice or analysis, for messages.

    Raises
    ------
    UserError
        If there is no such figure; those that there are, and the nearest, are named.
    """
    there = list(drawings)
    patterns = STUDY_FIGURES.get(figure.upper(), (figure,))
    found = [d for d in there if any(fnmatchcase(d.stem, pattern) for pattern in patterns)]
    if found:
        return found
    stems = [drawing.stem for drawing in there]
    near = nearest(figure, [*stems, *STUDY_FIGURES])
    hint = f"did you mean {near!r}? " if near else ""
    raise UserError(
        f"{where} has no figure {figure!r}: {hint}It has {', '.join(stems) or 'none'}; the study's "
        f"numbers are {', '.join(STUDY_FIGURES)}"
    )
