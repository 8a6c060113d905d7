from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matteralign.datasets.base.consistency import (
    CLOSEST,
    closest_pair,
    formula,
    lowest_multiplicity,
    too_close,
    wrong_state,
)

UNIT = st.floats(-2, 2)


def brute(points: np.ndarray, cell: np.ndarray, pbc: np.ndarray, reach: int = 4) -> float:
    """Return the least distance between atoms and images by looking at all that are near."""
    least = np.inf
    for turns in product(*(range(-reach, reach + 1) if axis else (0,) for axis in pbc)):
        apart = np.linalg.norm(points[:, None] - points + np.array(turns) @ cell, axis=2)
        if not any(turns):
            apart += np.diag(np.full(len(points), np.inf))
        least = min(least, float(apart.min()))
    return least


@settings(max_examples=150)
@given(
    fractions=hnp.arrays(np.float64, (4, 3), elements=UNIT),
    shear=hnp.arrays(np.float64, (3, 3), elements=st.floats(-0.9, 0.9)),
    pbc=hnp.arrays(np.bool_, 3),
    turns=hnp.arrays(np.int64, (4, 3), elements=st.integers(-3, 3)),
)
def test_the_closest_pair_is_found_through_every_face(
    fractions: np.ndarray, shear: np.ndarray, pbc: np.ndarray, turns: np.ndarray
) -> None:
    cell = np.diag([1.2, 1.7, 2.3]) + np.tril(shear, -1)
    points = np.mod(fractions, 1) @ cell
    expected = brute(points, cell, pbc)
    given_ = points + (turns * pbc) @ cell
    found = too_close(given_, cell, pbc)
    if abs(expected - CLOSEST) > 1e-9:
        assert (found is None) == (expected > CLOSEST)
    if found is not None:
        assert f"{expected:.3f} Å" in found


def test_who_is_too_close_is_named() -> None:
    points = np.array([[0.0, 0, 0], [1, 0, 0], [1, 0.003, 0]])
    assert too_close(points) == "atoms 1 and 2 are 0.003 Å apart, closer than 0.5 Å"
    assert too_close(points[[0, 1, 1]]) == "atoms 1 and 2 are 0.000 Å apart, closer than 0.5 Å"
    assert too_close(points[:2]) is None
    assert too_close(points[:1]) is None
    assert too_close(np.empty((0, 3))) is None
    cell, pbc = np.eye(3) * 4, np.ones(3, bool)
    across = np.array([[0.1, 2, 2], [3.9, 2, 2]])
    assert too_close(across) is None
    assert too_close(across, cell, pbc) == "atoms 0 and 1 are 0.200 Å apart, closer than 0.5 Å"
    assert too_close(across, cell, np.array([False, True, True])) is None
    assert too_close(np.array([[0.0, 0, 0], [4, 4, 0]]), cell, pbc) is not None
    assert "atom 0 is 0.400 Å from its own image" in str(
        too_close(across[:1], np.diag([0.4, 4, 4]), pbc)
    )
    assert "0.000 Å from its own image" in str(too_close(across[:1], np.diag([1e-6, 4, 4]), pbc))
    assert closest_pair(across, cell, pbc, within=0.1) is None
    assert closest_pair(across, cell, pbc, within=4.1) == (0, 1, pytest.approx(0.2))


def test_a_bond_of_hydrogen_is_not_too_close() -> None:
    assert too_close(np.array([[0.0, 0, 0], [0.7414, 0, 0]])) is None


@given(electrons=st.integers(0, 300), multiplicity=st.integers(1, 12))
def test_a_multiplicity_counts_unpaired_electrons(electrons: int, multiplicity: int) -> None:
    # 2S + 1 = n + 1 for n unpaired electrons; the others come in pairs.
    possible = [n + 1 for n in range(electrons + 1) if (electrons - n) % 2 == 0]
    assert (wrong_state(electrons, 0, multiplicity) is None) == (multiplicity in possible)
    assert lowest_multiplicity(electrons) == min(possible)


def test_fewer_electrons_than_none_are_told_as_the_charge() -> None:
    assert wrong_state(-2, 3, 1) == "a charge of 3 is impossible: the nuclei have 1"


@pytest.mark.parametrize(
    ("numbers", "text"), [([8, 6, 6], "C2O"), ([1, 1, 8], "H2O"), ([11, 17], "ClNa")]
)
def test_formulas_are_in_the_order_of_hill(numbers: list[int], text: str) -> None:
    assert formula(numbers) == text
