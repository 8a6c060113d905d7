"""Which structures a slice may draw."""

from __future__ import annotations

from matteralign.config.slices import Filters
from matteralign.store.structures import Structure


def failed_filter(structure: Structure, filters: Filters) -> str | None:
    """Return the first filter that a structure does not pass, or None when it passes all."""
    elements = {int(z) for z in structure.numbers}
    only = filters.elements.only_numbers()
    residues = None if structure.sequence is None else len(structure.sequence)
    checks = {
        "elements.only": not only or elements <= only,
        "elements.without": not elements & filters.elements.without_numbers(),
        "atoms": filters.atoms is None or filters.atoms.holds(structure.n_atoms),
        "residues": filters.residues is None
        or (residues is not None and filters.residues.holds(residues)),
        "split": not filters.split or structure.split in filters.split,
        "charge": not filters.charge or structure.charge in filters.charge,
        "spin": not filters.spin or structure.spin in filters.spin,
    }
    return next((name for name, passed in checks.items() if not passed), None)
