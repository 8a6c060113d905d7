from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase.geometry import get_dihedrals

from matteralign.datasets.examples import chains, examples
from matteralign.datasets.proteins.peptides import backbone
from matteralign.registry.card import ModelCard


def test_a_backbone_has_its_torsions_and_bond_lengths() -> None:
    torsions = np.random.default_rng(0).uniform(-170, 170, (9, 3))
    n, ca, c, o = np.swapaxes(backbone(torsions), 0, 1)
    for first, second, length in ((n, ca, 1.458), (ca, c, 1.525), (c, o, 1.231)):
        np.testing.assert_allclose(np.linalg.norm(first - second, axis=1), length)
    np.testing.assert_allclose(np.linalg.norm(c[:-1] - n[1:], axis=1), 1.329)

    def torsion(*atoms: np.ndarray) -> np.ndarray:
        p, q, r, s = atoms
        found = get_dihedrals(q - p, r - q, s - r)  # ASE's own, 0 to 360 degrees
        return (found + 180) % 360 - 180

    phi, psi, omega = torsions.T
    np.testing.assert_allclose(torsion(c[:-1], n[1:], ca[1:], c[1:]), phi[1:])
    np.testing.assert_allclose(torsion(n[:-1], ca[:-1], c[:-1], n[1:]), psi[:-1])
    np.testing.assert_allclose(torsion(ca[:-1], c[:-1], n[1:], ca[1:]), omega[:-1])
    # The oxygen lies across from the next nitrogen.
    np.testing.assert_allclose(np.cos(np.radians(torsion(n, ca, c, o) - psi)), -1)


def test_a_helix_is_held_by_its_hydrogen_bonds() -> None:
    b = backbone(np.tile([-57.0, -47.0, 180.0], (12, 1)))
    np.testing.assert_allclose(np.linalg.norm(b[:-4, 3] - b[4:, 0], axis=1), 3.0, atol=0.2)


def test_the_gap_of_a_chain_is_in_its_sequence_and_not_among_its_atoms() -> None:
    gap = chains()[-1]
    assert gap.sequence is not None
    assert gap.backbone is not None
    missing = np.isnan(gap.backbone).all(axis=(1, 2))
    assert 0 < missing.sum() < len(gap.sequence) == len(missing)
    assert gap.n_atoms == 4 * (~missing).sum()


@pytest.mark.parametrize(
    ("needs", "kinds"),
    [
        ("positions", {"molecule", "crystal"}), ("smiles", {"molecule", "crystal"}),
        ("sequence", {"chain"}), ("backbone", {"chain"}),
        ("nothing", {"molecule", "crystal", "chain"}),
    ],
)  # fmt: skip
def test_a_model_is_tried_on_what_it_reads(
    needs: str, kinds: set[str], make_card: Callable[..., ModelCard]
) -> None:
    found = examples(make_card("m", 0, accepts={"needs": needs}))
    assert {
        "chain" if s.sequence else "crystal" if s.periodic else "molecule" for s in found
    } == kinds
    assert len({s.id for s in found}) == len(found)
    if needs != "backbone" and needs != "sequence":
        assert {(s.charge, s.spin) for s in found} >= {(0, 1), (-1, 1), (1, 1), (0, 2), (0, 3)}
