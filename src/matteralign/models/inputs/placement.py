"""Where a structure is placed before a model sees it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

_EDGE = 1e-7
"""A fraction of the cell this little below 0 counts as 0: rounding sends no atom across."""


def placed(structure: Structure, card: ModelCard) -> Structure:
    """Return a structure where a model sees it: at the origin, and inside its cell.

    Most networks compute in float32, which loses the digits of distances far from the origin.
    So a model that claims to be invariant under translation gets the centroid of the atoms at
    the origin along directions that are not periodic, and fractions from 0 to 1 along those that
    are, computed in float64. For any other model the place is part of the input, and stays.

    Parameters
    ----------
    structure
        With finite coordinates, or none.
    card
        The model's card.
    """
    if card.claims.translation != "invariant":
        return structure
    positions, backbone = structure.positions, structure.backbone
    if not len(positions):
        if backbone is None:
            return structure
        positions = backbone.reshape(-1, 3)
    known = positions[np.isfinite(positions).all(axis=1)]
    if not len(known):
        return structure
    # Two steps: the mean of large numbers would be rounded like them.
    first = known[0]
    centre = (known - first).mean(axis=0)
    if structure.periodic and structure.cell is not None and structure.pbc is not None:
        return replace(structure, positions=_inside(structure, first, centre))
    return replace(
        structure,
        positions=structure.positions - first - centre,
        backbone=None if backbone is None else backbone - first - centre,
    )


def _inside(
    structure: Structure, first: npt.NDArray[np.float64], centre: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return coordinates inside the cell, centred where the structure is not periodic."""
    assert structure.cell is not None and structure.pbc is not None
    vectors = np.asarray(structure.cell[structure.pbc], np.float64)
    fractions_of = np.linalg.pinv(vectors)
    turns = np.floor(structure.positions @ fractions_of + _EDGE)
    positions = structure.positions - turns @ vectors
    if structure.pbc.all():
        return positions
    free = np.eye(3) - fractions_of @ vectors
    return positions - first @ free - centre @ free
