from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import pdist

from matteralign.datasets.examples import chains, crystals
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.contract.contract import check_contract
from matteralign.models.contract.moves import shifted
from matteralign.models.extraction.extract import extract
from matteralign.models.inputs.placement import placed
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

MakeCard = Callable[..., ModelCard]
VECTORS = hnp.arrays(np.float64, 3, elements=st.floats(-9e5, 9e5))
FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)


@pytest.fixture
def card(make_card: MakeCard) -> ModelCard:
    return make_card("m", 0, claims={"rotation": "invariant", "translation": "invariant"})


def slab(pbc: Sequence[bool]) -> Structure:
    rng = np.random.default_rng(4)
    cell = np.array([[4.0, 0.3, 0.1], [-1.0, 5.0, 0.2], [0.5, 0.7, 9.0]])
    positions = rng.uniform(0.05, 0.95, (6, 3)) @ cell
    return Structure("slab", np.full(6, 29, np.uint8), positions, cell, np.array(pbc))


@FIXTURES
@given(by=VECTORS)
def test_a_molecule_is_the_same_wherever_it_was(
    by: np.ndarray, card: ModelCard, molecule: Callable[..., Structure]
) -> None:
    ethanol = molecule("CH3CH2OH")
    found = placed(shifted(ethanol, by), card).positions
    # What float64 keeps of coordinates below 10^6 Å.
    np.testing.assert_allclose(found, placed(ethanol, card).positions, atol=1e-9)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(pdist(found), pdist(ethanol.positions), atol=1e-9)


@FIXTURES
@given(turns=hnp.arrays(np.int64, (6, 3), elements=st.integers(-1000, 1000)), by=VECTORS)
@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, True, False)])
def test_atoms_of_a_crystal_lie_in_its_cell_whichever_image_was_given(
    pbc: tuple[bool, ...], turns: np.ndarray, by: np.ndarray, card: ModelCard
) -> None:
    base = slab(pbc)
    periodic = base.cell[base.pbc]
    expected = placed(base, card).positions
    elsewhere = replace(base, positions=base.positions + turns[:, base.pbc] @ periodic)
    np.testing.assert_allclose(placed(elsewhere, card).positions, expected, atol=1e-9)
    # A shift may send atoms to other images, never elsewhere.
    moved = placed(shifted(base, by), card).positions
    fractions = moved @ np.linalg.pinv(periodic)
    assert (fractions > -1e-6).all()
    assert (fractions < 1 + 1e-6).all()
    steps = (moved - moved[0]) - (base.positions - base.positions[0])
    counts = steps @ np.linalg.pinv(periodic)
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-8)
    np.testing.assert_allclose(np.round(counts) @ periodic, steps, atol=1e-8)


def test_a_crystal_inside_its_cell_keeps_its_very_numbers(card: ModelCard) -> None:
    inside = slab((True, True, True))
    np.testing.assert_array_equal(placed(inside, card).positions, inside.positions)
    corner = replace(inside, positions=inside.positions - inside.positions[0] - 1e-12)
    np.testing.assert_allclose(placed(corner, card).positions[0], 0, atol=1e-11)


def test_a_chain_keeps_its_gaps_and_moves_with_its_backbone(card: ModelCard) -> None:
    for chain in chains():
        found = placed(shifted(chain, np.array([900.0, -4e4, 7e5])), card)
        np.testing.assert_array_equal(np.isnan(found.backbone), np.isnan(chain.backbone))
        np.testing.assert_allclose(found.positions.mean(axis=0), 0, atol=1e-9)
        apart = found.backbone - chain.backbone
        np.testing.assert_allclose(
            apart - apart[0, 0], np.where(np.isnan(apart), apart, 0), atol=1e-9
        )
        alone = replace(chain, positions=np.empty((0, 3)), numbers=np.empty(0, np.uint8))
        np.testing.assert_allclose(placed(alone, card).backbone, found.backbone, atol=1e-9)


def test_what_has_no_coordinates_or_is_read_as_it_stands_is_left_alone(
    card: ModelCard, make_card: MakeCard, molecule: Callable[..., Structure]
) -> None:
    flat = Structure("a", np.array([6], np.uint8), np.empty((0, 3)), smiles="C")
    assert placed(flat, card) is flat
    lost = Structure("b", np.empty(0, np.uint8), np.empty((0, 3)), sequence="A",
                     backbone=np.full((1, 4, 3), np.nan))  # fmt: skip
    assert placed(lost, card) is lost
    seen = make_card("n", 1, claims={"rotation": "not invariant", "translation": "not invariant"})
    water = molecule("H2O")
    assert placed(water, seen) is water


class Single(Wrapper):
    """Distances to the first atom from coordinates in float32, as most networks take them."""

    family = "test"

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        rows = []
        for s in batch:
            positions = s.positions.astype(np.float32)
            radii = np.sort(np.linalg.norm(positions[:, None] - positions, axis=2).ravel())
            rows.append([radii[-1], radii.mean(), s.numbers.sum()])
        return Embedded(np.array(rows, np.float32))

    def n_parameters(self) -> int:
        return 0


def test_latents_do_not_drift_with_the_place_of_a_molecule(
    make_card: MakeCard, molecule: Callable[..., Structure], tmp_path: Path
) -> None:
    claims = {"rotation": "invariant", "translation": "invariant"}
    wrapper = Single(make_card("m", 0, claims=claims), {}, "cpu")
    near = [molecule(name) for name in ("CH3CH2OH", "C6H6", "H2O")]
    far = [shifted(s, np.array([9e5, -9e5, 9e5])) for s in near]
    drift = np.abs(wrapper.embed(far).latents - wrapper.embed(near).latents).max()
    assert drift > 0.01
    found = [
        extract(wrapper, given, shards=tmp_path / str(i), identity="a").latents
        for i, given in enumerate((near, far))
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    checks = {c["check"]: c for c in check_contract(wrapper, near)}
    assert checks["far translation"]["status"] == "pass"
    assert checks["far translation"]["measured"] < 1e-6


def test_crystals_of_the_examples_are_inside_or_moved_by_whole_vectors(card: ModelCard) -> None:
    for crystal in crystals():
        assert crystal.cell is not None
        steps = (placed(crystal, card).positions - crystal.positions) @ np.linalg.inv(crystal.cell)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-10)
