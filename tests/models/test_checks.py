from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from matteralign.models.base.checks import nearest_distances, refuse_common
from matteralign.registry.card import Accepts
from matteralign.store.structures import Structure

POSITIONS = Accepts(elements="1-9", max_atoms=5)
SMILES = Accepts(needs="smiles")
CUBE = np.eye(3) * 4.0
ALL = np.ones(3, bool)


def code(structure: Structure, accepts: Accepts = POSITIONS) -> str | None:
    found = refuse_common(structure, accepts)
    return None if found is None else found.code


def test_a_good_structure_passes(water: Structure) -> None:
    assert code(water) is None
    assert code(water, SMILES) is None
    assert code(replace(water, cell=CUBE, pbc=ALL)) is None


@pytest.mark.parametrize("accepts", [POSITIONS, SMILES])
def test_no_atoms(accepts: Accepts) -> None:
    empty = Structure("e", np.empty(0, np.uint8), np.empty((0, 3)), smiles="")
    assert code(empty, accepts) == "empty"
    assert code(empty, Accepts(needs="nothing")) is None


def test_an_element_outside_the_set_is_named(water: Structure) -> None:
    found = refuse_common(replace(water, numbers=np.array([26, 1, 92, 119])), POSITIONS)
    assert found is not None
    assert found.code == "element"
    assert "Fe (26), U (92), ? (119)" in found.reason


def test_too_many_atoms(molecule: Callable[..., Structure]) -> None:
    assert code(molecule("C6H6")) == "size"


@pytest.mark.parametrize("smiles", [None, "C(", "not a molecule", "C1CC"])
def test_smiles_that_cannot_be_read(
    smiles: str | None, water: Structure, capfd: pytest.CaptureFixture[str]
) -> None:
    assert code(replace(water, smiles=smiles), SMILES) == "smiles"
    assert capfd.readouterr().err == ""
    assert code(replace(water, smiles=smiles)) is None


def test_a_smiles_without_atoms_is_empty(water: Structure) -> None:
    assert code(replace(water, smiles=""), SMILES) == "empty"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_coordinates_that_are_not_finite(bad: float, water: Structure) -> None:
    positions = water.positions.copy()
    positions[1, 2] = bad
    found = refuse_common(replace(water, positions=positions), POSITIONS)
    assert found is not None
    assert found.code == "geometry"
    assert "atom 1" in found.reason


def test_atoms_on_top_of_each_other(water: Structure) -> None:
    positions = water.positions.copy()
    positions[2] = positions[1] + [0.05, 0, 0]
    found = refuse_common(replace(water, positions=positions), POSITIONS)
    assert found is not None
    assert "atoms 1 and 2 are 0.050 Å apart" in found.reason


def test_atoms_on_top_of_each_other_through_the_cell_wall() -> None:
    skewed = np.array([[4.0, 0, 0], [3.9, 2.0, 0], [0.3, 0.2, 4.0]])
    positions = np.array([np.zeros(3), skewed.sum(axis=0) + np.array([0.03, 0.0, 0.02])])
    pair = Structure("p", np.array([6, 6], np.uint8), positions, skewed, ALL)
    assert code(pair) == "geometry"
    assert code(replace(pair, cell=None, pbc=np.zeros(3, bool))) is None


def test_shape_of_the_coordinates(water: Structure) -> None:
    assert code(replace(water, positions=water.positions[:2])) == "geometry"


@pytest.mark.parametrize(
    "cell", [None, np.zeros((3, 3)), np.full((3, 3), np.nan), np.array([[1, 0, 0]] * 3) * 5.0]
)
def test_periodic_without_a_volume(cell: np.ndarray | None, water: Structure) -> None:
    assert code(replace(water, cell=cell, pbc=ALL)) == "geometry"
    assert code(replace(water, cell=cell)) is None


def test_a_slab_needs_only_its_two_vectors(water: Structure) -> None:
    cell = np.diag([4.0, 4.0, 0.0])
    assert code(replace(water, cell=cell, pbc=np.array([True, True, False]))) is None


def test_nearest_distances_in_many_blocks() -> None:
    positions = np.random.default_rng(0).uniform(0, 40, (1100, 3))
    structure = Structure("b", np.full(1100, 6, np.uint8), positions)
    full = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(full, np.inf)
    np.testing.assert_allclose(nearest_distances(structure), full.min(axis=1), rtol=1e-12)


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, True, False)])
def test_nearest_distances_see_images_as_ase_does(pbc: tuple[bool, bool, bool]) -> None:
    rng = np.random.default_rng(1)
    cell = 9.0 * np.eye(3) + rng.normal(0, 1, (3, 3))
    positions = rng.uniform(0, 1, (20, 3)) @ cell
    structure = Structure("s", np.full(20, 6, np.uint8), positions, cell, np.array(pbc))
    full = Atoms("C20", positions, cell=cell, pbc=pbc).get_all_distances(mic=True)
    np.fill_diagonal(full, np.inf)
    np.testing.assert_allclose(nearest_distances(structure), full.min(axis=1), rtol=1e-12)


def test_a_lone_atom_has_no_neighbour() -> None:
    assert nearest_distances(Structure("h", np.array([1]), np.zeros((1, 3)))).tolist() == [np.inf]
