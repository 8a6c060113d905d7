"""What the rows of a dataset have, so that a panel can be chosen before anything is read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from matteralign.config.slices import Filters


@dataclass(frozen=True)
class Offers:
    """What rows have.

    Attributes
    ----------
    gives
        Of ``atoms``, ``positions``, ``smiles``, ``selfies``, ``sequence``, ``backbone``: what
        rows have as a rule; a single row may lack it and is then masked.
    elements
        Atomic numbers that occur; None: not known before the files are read.
    periodic
        Whether rows are crystals; None: some may be.
    """

    gives: frozenset[str]
    elements: frozenset[int] | None = None
    periodic: bool | None = None

    def filtered(self, filters: Filters) -> Offers:
        """Return what is left of it behind a slice's filters."""
        elements, only = self.elements, filters.elements.only_numbers()
        if only:
            elements = only if elements is None else elements & only
        if elements is not None:
            elements -= filters.elements.without_numbers()
        return replace(self, elements=elements)
