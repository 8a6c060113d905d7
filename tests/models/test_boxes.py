from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from matteralign.models.contract.contract import random_rotation, rotated
from matteralign.models.inputs.boxes import boxed_cell, to_boxed_atoms
from matteralign.store.structures import Structure

LAYER = np.array([[3.0, 0.0, 0.0], [1.0, 2.5, 0.0], [0.0, 0.0, 1.0]])


def test_a_molecule_gets_its_extent_and_the_vacuum(water: Structure) -> None:
    cell = boxed_cell(water, 12.0)
    assert cell == pytest.approx(np.diag(np.ptp(water.positions, axis=0) + 12.0))


def test_a_crystal_keeps_its_cell(water: Structure) -> None:
    crystal = replace(water, cell=LAYER, pbc=np.ones(3, bool))
    assert (boxed_cell(crystal, 12.0) == LAYER).all()


@pytest.mark.parametrize("turn", [None, 3])
def test_a_slab_gets_one_vector_normal_to_it(water: Structure, turn: int | None) -> None:
    slab = replace(water, cell=LAYER, pbc=np.array([True, True, False]))
    if turn is not None:
        slab = rotated(slab, random_rotation(turn))
    cell = boxed_cell(slab, 12.0)
    assert slab.cell is not None
    assert (cell[:2] == slab.cell[:2]).all()
    assert cell[:2] @ cell[2] == pytest.approx(0.0, abs=1e-9)
    thickness = np.ptp(water.positions[:, 2])
    assert np.linalg.norm(cell[2]) == pytest.approx(thickness + 12.0)


def test_a_wire_gets_two(water: Structure) -> None:
    wire = replace(water, cell=LAYER, pbc=np.array([False, True, False]))
    cell = boxed_cell(wire, 12.0)
    gram = cell @ cell.T
    assert gram - np.diag(np.diag(gram)) == pytest.approx(0.0, abs=1e-9)


def test_no_image_is_nearer_than_the_vacuum(molecule: Callable[..., Structure]) -> None:
    atoms = to_boxed_atoms(molecule("C6H6"), 12.0)
    offsets = neighbor_list("S", atoms, 12.0)
    assert atoms.pbc.all()
    assert len(offsets)
    # Every atom within the vacuum is of the same molecule, none an image.
    assert not offsets.any()
