"""The models that need no network run here, in the workflow's own environment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from matteralign.core.errors import UserError
from matteralign.models.base.wrapper import Wrapper
from matteralign.models.contract.contract import check_contract
from matteralign.models.families.baselines.composition import CompositionWrapper
from matteralign.models.families.baselines.fingerprint import FingerprintWrapper
from matteralign.models.families.baselines.random import RandomWrapper
from matteralign.registry.load import load_cards
from matteralign.store.structures import Structure

CARDS = load_cards()


@pytest.fixture
def random() -> RandomWrapper:
    return RandomWrapper(CARDS["random"], {}, "cpu")


@pytest.fixture
def ecfp4() -> FingerprintWrapper:
    return FingerprintWrapper(CARDS["ecfp4"], {}, "cpu")


@pytest.fixture
def composition() -> CompositionWrapper:
    return CompositionWrapper(CARDS["composition"], {}, "cpu")


def test_random_vectors_are_standard_normal_and_independent(
    random: RandomWrapper, water: Structure
) -> None:
    many = [replace(water, id=f"w{i}") for i in range(400)]
    x = random.embed(many).latents.astype(np.float64)
    n = x.size
    assert abs(x.mean()) < 5 / np.sqrt(n)
    assert abs(x.var() - 1) < 5 * np.sqrt(2 / n)
    between = np.corrcoef(x)[np.triu_indices(400, 1)]
    assert abs(between.mean()) < 5 / np.sqrt(x.shape[1] * len(between))


def test_a_random_vector_follows_the_content_and_nothing_else(
    random: RandomWrapper, small_molecules: list[Structure]
) -> None:
    all_of_them = random.embed(small_molecules).latents
    for row, structure in enumerate(small_molecules):
        np.testing.assert_array_equal(random.embed([structure]).latents[0], all_of_them[row])
    moved = replace(small_molecules[0], positions=small_molecules[0].positions + 1e-12)
    assert (random.embed([moved]).latents != all_of_them[0]).all()


def test_another_seed_is_another_baseline(random: RandomWrapper, water: Structure) -> None:
    card = CARDS["random"].model_copy(update={"options": {"seed": 1}})
    other = RandomWrapper(card, {}, "cpu").embed([water]).latents
    assert (other != random.embed([water]).latents).all()


def test_ecfp4_is_the_morgan_fingerprint_of_radius_two(
    ecfp4: FingerprintWrapper, small_molecules: list[Structure]
) -> None:
    bits = ecfp4.embed(small_molecules).latents
    for row, structure in zip(bits, small_molecules, strict=True):
        older = rdMolDescriptors.GetMorganFingerprintAsBitVect(
            Chem.MolFromSmiles(structure.smiles), 2, nBits=2048
        )
        assert np.flatnonzero(row).tolist() == list(older.GetOnBits())
    assert set(np.unique(bits)) == {0.0, 1.0}


def test_a_composition_is_the_share_of_each_element(
    composition: CompositionWrapper, ethanol: Structure, water: Structure
) -> None:
    latents = composition.embed([ethanol, water]).latents
    expected = np.zeros((2, 118), np.float32)
    expected[0, [0, 5, 7]] = [6 / 9, 2 / 9, 1 / 9]
    expected[1, [0, 7]] = [2 / 3, 1 / 3]
    np.testing.assert_array_equal(latents, expected)
    card = CARDS["composition"].model_copy(update={"options": {"values": "counts"}})
    counts = CompositionWrapper(card, {}, "cpu").embed([ethanol]).latents
    np.testing.assert_array_equal(counts, expected[:1] * 9)
    broken = replace(ethanol, positions=ethanol.positions * np.nan)
    assert composition.refuse(broken) is None


def test_a_composition_knows_only_its_two_values() -> None:
    card = CARDS["composition"].model_copy(update={"options": {"values": "fraction"}})
    with pytest.raises(UserError, match="did you mean 'fractions'"):
        CompositionWrapper(card, {}, "cpu")


@pytest.mark.parametrize("name", ["random", "ecfp4", "composition"])
def test_contract(
    name: str, small_molecules: list[Structure], request: pytest.FixtureRequest
) -> None:
    wrapper: Wrapper = request.getfixturevalue(name)
    failed = [c for c in check_contract(wrapper, small_molecules) if c["status"] == "fail"]
    assert failed == []
