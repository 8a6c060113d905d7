"""What a linear probe finds of energies in latents."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from matteralign.findings.energies.probe import PENALTIES, _ridge, compositions, probe


def planted(
    n: int = 240, noise: float = 0.3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return latents, counts and energies: composition and one direction of the latents."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 6, size=(n, 3))
    latents = rng.normal(size=(n, 8))
    energies = counts @ [-10.0, -20.0, -30.0] + latents[:, 0] + noise * rng.normal(size=n)
    return latents, counts, energies


def test_a_planted_direction_is_found() -> None:
    found = probe(*planted(), permutations=39)
    assert found.r2 == pytest.approx(1 / (1 + 0.3**2), abs=0.06)
    assert found.low < found.r2 < found.high
    assert found.p == pytest.approx(1 / 40)
    assert found.r2_permuted < 0.02


def test_latents_that_know_the_composition_alone_predict_nothing_more() -> None:
    _, counts, energies = planted()
    found = probe(counts @ np.random.default_rng(1).normal(size=(3, 6)), counts, energies)
    assert found.r2 < 0.05
    assert found.p > 0.01


def test_unrelated_latents_have_uniform_p_values() -> None:
    low = 0
    for seed in range(40):
        _, counts, energies = planted(80, seed=seed)
        latents = np.random.default_rng(1000 + seed).normal(size=(80, 5))
        low += probe(latents, counts, energies, permutations=19, seed=seed).p <= 0.1
    assert low <= 11  # 4 expected, standard deviation 1.9


def test_predictions_are_those_of_scikit_learn_at_the_chosen_penalty() -> None:
    latents, _, energies = planted()
    train, test = latents[:200], latents[200:]
    found = _ridge(train, energies[:200, None], test)[:, 0]
    scaled = (train - train.mean(0)) / train.std(0)
    unit = (test - train.mean(0)) / train.std(0)

    def gcv(penalty: float) -> float:
        hat = scaled @ np.linalg.solve(scaled.T @ scaled + penalty * 200 * np.eye(8), scaled.T)
        centred = energies[:200] - energies[:200].mean()
        return float(((centred - hat @ centred) ** 2).sum() / (199 - np.trace(hat)) ** 2)

    best = min(PENALTIES, key=gcv)
    model = Ridge(alpha=best * 200).fit(scaled, energies[:200])
    assert found == pytest.approx(model.predict(unit), abs=1e-9)


def test_energies_shifted_by_composition_change_nothing() -> None:
    latents, counts, energies = planted()
    shifted = energies + counts @ [3.0, -1.0, 7.0] + 4.0
    one, two = (probe(latents, counts, e, permutations=9) for e in (energies, shifted))
    assert one.r2 == pytest.approx(two.r2, abs=1e-9)


def test_a_composition_is_never_on_both_sides_of_a_fold() -> None:
    counts = np.array([[1, 2], [2, 4], [1, 1], [3, 3], [2, 1]] * 20)
    groups = compositions(counts)
    assert groups[0] == groups[1] and groups[2] == groups[3]
    assert len(set(groups)) == 3
    for train, test in GroupKFold(3).split(groups, groups=groups):
        assert not set(groups[train]) & set(groups[test])


@pytest.mark.parametrize(
    ("n", "counts", "reason"),
    [(20, None, "50 are needed"), (100, [[1, 2]] * 100, "1 compositions")],
)
def test_too_little_to_go_on_is_said(n: int, counts: object, reason: str) -> None:
    latents, drawn, energies = planted(n)
    found = probe(latents, np.asarray(counts) if counts else drawn, energies)
    assert found.status == "not_applicable" and reason in found.reason
    assert np.isnan(found.r2)
