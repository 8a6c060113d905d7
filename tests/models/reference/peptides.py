"""Protein chains for tests in every environment."""

from __future__ import annotations

from matteralign.datasets.proteins.peptides import peptide


def chains():
    """Return chains of several lengths, three with gaps, one shorter than the others' graphs."""
    return [
        peptide(40, 1),
        peptide(75, 2, "strand", gap=range(20, 26)),
        peptide(24, 3, gap=(0, 1, 11)),
        peptide(60, 4),
        peptide(52, 5, "strand", gap=(51,)),
    ]
