"""Structures as ASE Atoms, the form in which most packages take them."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from matteralign.store.structures import Structure


def to_atoms(structure: Structure) -> Atoms:
    """Return a new ASE object.

    The cell is kept only when a direction is periodic: without periodicity a box in the
    record must not change what a model sees.
    """
    keep = structure.periodic
    return Atoms(
        numbers=np.array(structure.numbers, np.int64),
        positions=np.array(structure.positions, np.float64),
        cell=np.array(structure.cell, np.float64) if keep and structure.cell is not None else None,
        pbc=np.array(structure.pbc, bool) if keep and structure.pbc is not None else False,
    )
