"""What a structure costs a graph network, before the graph is built."""

from __future__ import annotations

import numpy as np

from matteralign.models.base.checks import distance_blocks, periodic_measure
from matteralign.store.structures import Structure


def edge_estimate(structure: Structure, cutoff: float, most: int | None = None) -> int:
    """Return about how many directed edges the graph of a structure has, at least one per atom.

    Counted for molecules. In a crystal a sphere of the cutoff has the mean density of the cell.
    Slabs and wires are counted through the nearest images only: too few in a small cell.

    Parameters
    ----------
    structure
        With finite coordinates.
    cutoff
        In Å.
    most
        Edges per atom that the network keeps at most.
    """
    n = structure.n_atoms
    if structure.periodic and structure.pbc is not None and structure.pbc.all():
        density = n / periodic_measure(structure)
        edges = n * density * 4.0 / 3.0 * np.pi * cutoff**3
    else:
        edges = sum(int((rows < cutoff).sum()) for _, rows in distance_blocks(structure))
    if most is not None:
        edges = min(edges, n * most)
    return max(int(edges), n)
