from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from matteralign.models.base import Embedded, Wrapper
from matteralign.models.contract import check_contract, random_rotation, relative_deviation
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


class Faulty(Wrapper):
    """Honest unless told otherwise: sorted distances from the centre, and three moments."""

    family = "test"
    fault = ""

    def __init__(self, card: ModelCard) -> None:
        super().__init__(card, {}, "cpu")
        self._calls = 0

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        self._calls += 1
        rows = []
        for place, s in enumerate(batch):
            centred = s.positions - s.positions.mean(axis=0)
            radii = np.linalg.norm(centred, axis=1)
            row = np.array([radii.max(), radii.mean(), s.numbers.sum()])
            if self.fault == "batch":
                row[0] += 0.1 * len(batch)
            if self.fault == "order":
                row[0] += 0.1 * place
            if self.fault == "repeat":
                row[0] += 1e-7 * self._calls
            if self.fault == "rotation":
                row[0] = centred[:, 0].max()
            if self.fault == "translation":
                row[0] = np.linalg.norm(s.positions, axis=1).max()
            if self.fault == "mutation":
                s.positions[:] *= 1.5
            rows.append(row)
        dtype = np.float64 if self.fault == "dtype" else np.float32
        return Embedded(np.array(rows).astype(dtype))

    def n_parameters(self) -> int:
        return 5 if self.fault == "parameters" else 0


@pytest.fixture
def failed(
    make_card: Callable[..., ModelCard], molecule: Callable[..., Structure]
) -> Callable[..., set[str]]:
    def run(fault: str = "", rotation: str = "invariant") -> set[str]:
        card = make_card("m", 0, claims={"rotation": rotation, "translation": "invariant"})
        card = card.model_copy(update={"accepts": card.accepts.model_copy()})
        wrapper = Faulty(card)
        wrapper.fault = fault
        structures = [molecule(n) for n in ("CH3CH2OH", "C6H6", "H2O", "HCN")]
        return {c["check"] for c in check_contract(wrapper, structures) if c["status"] == "fail"}

    return run


def test_an_honest_model_passes(failed: Callable[..., set[str]]) -> None:
    assert failed() == set()


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("batch", "batch of one"),
        ("order", "order"),
        ("repeat", "same input twice"),
        ("rotation", "rotation"),
        ("translation", "translation"),
        ("mutation", "input left alone"),
        ("dtype", "dtype"),
        ("parameters", "parameters"),
    ],
)
def test_each_clause_catches_its_fault(
    fault: str, check: str, failed: Callable[..., set[str]]
) -> None:
    assert check in failed(fault)


def test_a_claim_too_modest_is_also_a_fault(failed: Callable[..., set[str]]) -> None:
    assert failed(rotation="not invariant") == {"rotation"}
    assert failed("rotation", rotation="not invariant") == set()


def test_rotations_are_rotations() -> None:
    for seed in range(20):
        r = random_rotation(seed)
        np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(r) == pytest.approx(1)


def test_relative_deviation_takes_the_worst_row() -> None:
    a = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert relative_deviation(a, a) == 0
    assert relative_deviation(a, a + np.array([[0.0, 1.0], [0.0, 0.0]])) == pytest.approx(0.2)
