"""What a structure costs a graph network, against ASE's neighbour list."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list

from matteralign.models.inputs.atoms import to_atoms
from matteralign.models.inputs.edges import edge_estimate
from matteralign.store.structures import Structure


def test_edges_of_molecules_are_counted(small_molecules: list[Structure]) -> None:
    for structure in small_molecules:
        for cutoff in (1.2, 6.0):
            counted = len(neighbor_list("i", to_atoms(structure), cutoff))
            assert edge_estimate(structure, cutoff) == max(counted, structure.n_atoms)


@pytest.mark.parametrize("name", ["Si", "Cu", "Fe", "Al"])
def test_edges_of_crystals_are_near_the_count(name: str) -> None:
    atoms = bulk(name) * (2, 1, 1)
    structure = Structure(
        name, atoms.numbers.astype(np.uint8), atoms.positions, np.array(atoms.cell),
        np.array(atoms.pbc),
    )  # fmt: skip
    counted = len(neighbor_list("i", atoms, 6.0))
    assert edge_estimate(structure, 6.0) == pytest.approx(counted, rel=0.25)
    assert edge_estimate(structure, 6.0, most=20) == 20 * len(atoms)
