from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from matteralign.datasets.examples import chains
from matteralign.models.base.checks import Refusal
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.contract.clauses import relative_deviation
from matteralign.models.contract.contract import check_contract
from matteralign.models.contract.moves import random_rotation
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
            if self.fault == "greedy" and not s.n_atoms:
                rows.append(np.zeros(3))
                continue
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
            if self.fault == "greedy" and s.cell is not None:
                row[0] += s.cell.sum()
            if self.fault == "permutation":
                row[0] = radii[0]
            if self.fault == "mutation":
                s.positions[:] *= 1.5
            rows.append(row)
        energies = np.array([float(s.numbers.sum()) for s in batch])
        if self.fault == "energy batch":
            energies += len(batch)
        dtype = np.float64 if self.fault == "dtype" else np.float32
        return Embedded(np.array(rows).astype(dtype), energies)

    def refuse(self, structure: Structure) -> Refusal | None:
        if self.fault == "greedy":
            return None
        return super().refuse(structure)

    def refuse_more(self, structure: Structure) -> Refusal | None:
        if self.fault == "picky" and structure.n_atoms > 3:
            return Refusal("size", "more than three atoms")
        return None

    def reference_energy(self, structure: Structure) -> float:
        return float(structure.numbers.sum()) + (self.fault == "energy")

    def n_parameters(self) -> int:
        return 5 if self.fault == "parameters" else 0


@pytest.fixture
def failed(
    make_card: Callable[..., ModelCard], molecule: Callable[..., Structure]
) -> Callable[..., set[str]]:
    def run(fault: str = "", rotation: str = "invariant") -> set[str]:
        claims = {"rotation": rotation, "translation": "invariant"}
        card = make_card("m", 0, claims=claims, predicts=["energy"], accepts={"elements": "1-9"})
        wrapper = Faulty(card)
        wrapper.fault = fault
        structures = [molecule(n) for n in ("CH3CH2OH", "C6H6", "H2O", "HCN", "CH3OH")]
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
        ("permutation", "permutation"),
        ("mutation", "input left alone"),
        ("energy", "energies of the package"),
        ("energy batch", "energies in a batch"),
        ("picky", "coverage"),
        ("greedy", "empty structure"),
        ("greedy", "coordinate not a number"),
        ("greedy", "cell of zero volume"),
        ("greedy", "wrong element"),
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


class Reader(Wrapper):
    """Counts letters of a SMILES or a sequence; knows some of them only."""

    family = "test"
    known = "CNOH()=#1c"
    unknown = "refuse"

    def refuse_more(self, structure: Structure) -> Refusal | None:
        text = structure.smiles or structure.sequence or ""
        strange = set(text) - set(self.known)
        if strange and self.unknown == "refuse":
            return Refusal("smiles", f"no token for {min(strange)!r}")
        return None

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        rows = []
        for s in batch:
            text = s.smiles or s.sequence or ""
            strange = [letter for letter in text if letter not in self.known]
            told = sum(map(ord, strange)) if self.unknown == "open" else len(strange)
            rows.append([text.count("C"), len(text), told])
        return Embedded(np.array(rows, np.float32))

    def n_parameters(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("unknown", "status", "detail"),
    [
        ("refuse", "pass", "masked, smiles: no token for '.'"),
        ("open", "pass", "taken, and told apart"),
        ("one token", "fail", "two unknown tokens are one to the model"),
    ],
)
def test_tokens_that_a_vocabulary_lacks_may_not_become_one(
    unknown: str, status: str, detail: str, make_card: Callable[..., ModelCard],
    small_molecules: list[Structure],
) -> None:  # fmt: skip
    wrapper = Reader(make_card("m", 0, accepts={"needs": "smiles"}), {}, "cpu")
    wrapper.unknown = unknown
    found = {c["check"]: c for c in check_contract(wrapper, small_molecules)}
    assert (found["unknown token"]["status"], found["unknown token"]["detail"]) == (status, detail)
    # What the model does not read may be broken: the latent is the same.
    assert found["coordinate not a number"]["measured"] == 0
    assert found["empty structure"]["status"] == "pass"
    assert found["permutation"]["status"] == "not_applicable"


@pytest.mark.parametrize(
    ("limit", "detail"),
    [(None, "taken whole"), (1022, "masked, size: 2000 residues, the model takes at most 1022")],
)
def test_a_chain_of_two_thousand_residues_is_masked_or_taken_whole(
    limit: int | None, detail: str, make_card: Callable[..., ModelCard]
) -> None:
    accepts = {"needs": "backbone", "max_residues": limit}
    wrapper = Reader(make_card("m", 0, accepts=accepts), {}, "cpu")
    wrapper.unknown = "open"
    found = {c["check"]: c for c in check_contract(wrapper, chains())}
    assert found["chain of 2,000"]["detail"] == detail
    assert found["coordinate not a number"]["detail"].startswith("masked, backbone: no residue")
    assert {c["status"] for c in found.values()} == {"pass", "not_applicable"}
