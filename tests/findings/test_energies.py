"""Energies without composition: against other implementations, planted errors, degenerate fits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, stats
from sklearn.linear_model import LinearRegression

from matteralign.findings.energies.regression import (
    CompositionSpace,
    EnergyRegression,
    element_counts,
    energy_regressions,
)
from matteralign.stats.blocks import block_of


def compositions(n: int, elements: int, seed: int = 0) -> np.ndarray:
    """Return counts with few elements in each structure, as crystals have them."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((n, elements), np.int64)
    for row in counts:
        chosen = rng.choice(elements, size=int(rng.integers(1, 4)), replace=False)
        row[chosen] = rng.integers(1, 9, size=len(chosen))
    return counts


def energies(counts: np.ndarray, noise: float, seed: int = 1, slope: float = -700.0) -> np.ndarray:
    """Return energies as large as totals of all electrons are, noise beside composition."""
    rng = np.random.default_rng(seed)
    weights = slope * np.arange(1, counts.shape[1] + 1)
    return counts @ weights - 3.0 + noise * rng.normal(size=len(counts))


def one(counts: np.ndarray, dft: np.ndarray, model: np.ndarray) -> EnergyRegression:
    return energy_regressions(counts, dft, {"m": model})["m"]


def test_the_mae_is_that_of_two_fits_of_scikit_learn() -> None:
    counts = compositions(300, 12)
    dft = energies(counts, 0.4)
    model = 1.2 * dft + energies(counts, 0.2, seed=2, slope=5.0)
    fits = [LinearRegression().fit(counts, e) for e in (dft, model)]
    left = [e - fit.predict(counts) for e, fit in zip((dft, model), fits, strict=True)]
    error = np.abs(left[0] - left[1])
    found = one(counts, dft, model)
    assert found.mae.value == pytest.approx(error.mean(), rel=1e-6)
    assert found.mae_per_atom.value == pytest.approx((error / counts.sum(1)).mean(), rel=1e-6)
    line = stats.linregress(left[0], left[1])
    assert found.slope.value == pytest.approx(line.slope, rel=1e-6)
    assert found.correlation == pytest.approx(line.rvalue, rel=1e-6)
    assert found.composition_r2 == pytest.approx(fits[1].score(counts, model), abs=1e-9)
    assert found.composition_r2_dft == pytest.approx(fits[0].score(counts, dft), abs=1e-9)
    assert found.composition_mae == pytest.approx(np.abs(left[0]).mean(), rel=1e-6)
    assert found.r2 == pytest.approx(1 - (error**2).sum() / (left[0] ** 2).sum(), rel=1e-6)
    assert (found.n, found.elements, found.rank, found.fixed) == (300, 12, 13, 0)


def test_left_out_errors_and_replicates_are_those_of_fits_made_again() -> None:
    counts = compositions(90, 6)
    dft, model = energies(counts, 0.4), energies(counts, 0.3, seed=5)
    found = one(counts, dft, model)

    def refitted(kept: np.ndarray, asked: np.ndarray) -> np.ndarray:
        left = []
        for e in (dft, model):
            fit = LinearRegression().fit(counts[kept], e[kept])
            left.append(e[asked] - fit.predict(counts[asked]))
        return np.abs(left[0] - left[1])

    every = np.arange(90)
    alone = [refitted(np.delete(every, i), every[[i]])[0] for i in every]
    assert found.left_out == pytest.approx(np.mean(alone), rel=1e-6)
    assert found.left_out_per_atom == pytest.approx(np.mean(alone / counts.sum(1)), rel=1e-6)
    blocks = block_of(90)
    without = [refitted(every[blocks != b], every[blocks != b]).mean() for b in range(16)]
    assert found.mae.replicates == pytest.approx(without, rel=1e-6)
    spread = np.std(without) * np.sqrt(15) * stats.t.ppf(0.975, 15)
    assert found.mae.high - found.mae.value == pytest.approx(spread, rel=1e-6)


def test_energies_linear_in_composition_give_nothing() -> None:
    counts = compositions(80, 7)
    dft = energies(counts, 0.3)
    found = one(counts, dft, dft + energies(counts, 0.0, slope=33.0))
    assert found.mae.value == pytest.approx(0.0, abs=1e-8)
    assert found.slope.value == pytest.approx(1.0, abs=1e-8)
    flat = one(counts, energies(counts, 0.0), energies(counts, 0.0, slope=2.0))
    assert flat.mae.value == 0.0
    assert flat.mae.low == flat.mae.high == 0.0
    assert flat.slope.value is None
    assert flat.correlation is None
    assert flat.composition_r2 == 1.0


def test_a_planted_error_is_found_with_its_interval() -> None:
    """Of errors ±0.05 eV, that no composition explains, the MAE is 0.05 eV."""
    counts = compositions(4000, 8)
    dft = energies(counts, 1.0)
    planted = 0.05 * np.random.default_rng(3).choice([-1.0, 1.0], size=4000)
    found = one(counts, dft, 0.5 * dft + planted)
    assert found.slope.low < 0.5 < found.slope.high
    exact = one(counts, dft, dft + planted)
    assert exact.mae.value == pytest.approx(0.05, rel=0.01)
    assert exact.mae.low < 0.05 + 1e-4
    assert exact.left_out > exact.mae.value


def test_intervals_cover_the_expected_error() -> None:
    """Of 95 % intervals between 88 % and all cover the mean that the draws have."""
    counts = compositions(160, 6)
    dft = np.zeros(160)
    made = {
        str(seed): np.random.default_rng(seed).laplace(scale=0.05, size=160) for seed in range(300)
    }
    found = energy_regressions(counts, dft, made)
    expected = np.mean([f.mae.value for f in found.values()])
    covered = np.mean([f.mae.low <= expected <= f.mae.high for f in found.values()])
    assert 0.88 <= covered <= 1.0


@given(
    st.integers(0, 1000),
    st.integers(2, 60),
    st.integers(1, 8),
    st.floats(-1e3, 1e3),
    st.booleans(),
)
def test_what_is_linear_in_composition_changes_nothing(
    seed: int, n: int, elements: int, weight: float, repeated: bool
) -> None:
    """However the counts depend on each other, whichever energies it is added to."""
    counts = compositions(n, max(elements, 3), seed)
    if repeated:
        counts = np.hstack([counts, counts[:, :1] * 2, 10 - counts.sum(1, keepdims=True) % 7])
    rng = np.random.default_rng(seed)
    dft, model = rng.normal(size=n), rng.normal(size=n)
    shift = counts @ (weight * rng.normal(size=counts.shape[1])) + weight
    before, after = one(counts, dft, model), one(counts, dft + shift, model + 3 * shift)
    assert before.status == after.status
    assert before.fixed == after.fixed
    if before.status == "ok":
        numbers = [(f.mae, f.mae_per_atom, f.slope) for f in (before, after)]
        for a, b in zip(*numbers, strict=True):
            assert b.value == pytest.approx(a.value, rel=1e-5, abs=1e-7)


def test_dependent_counts_leave_what_the_solution_of_least_norm_leaves() -> None:
    counts = compositions(50, 5)
    counts = np.hstack([counts, 3 * counts[:, [0]], 12 - counts.sum(1, keepdims=True)])
    y = np.random.default_rng(0).normal(size=50)
    design = np.column_stack([counts, np.ones(50)])
    least = linalg.pinv(design) @ y
    space = CompositionSpace(counts)
    assert space.residuals(y) == pytest.approx(y - design @ least, abs=1e-10)
    assert (space.rank, space.coefficients) == (6, 8)
    found = one(counts, y, 2 * y)
    assert "the structures decide 6 of 8 coefficients" in found.note
    assert found.slope.value == pytest.approx(2.0)


def test_an_element_of_one_structure_is_told() -> None:
    counts = compositions(60, 4)
    counts = np.hstack([counts, np.zeros((60, 1), np.int64)])
    counts[7, 4] = 2
    dft, model = energies(counts, 0.3), energies(counts, 0.3, seed=4)
    model[7] += 1000.0
    found = one(counts, dft, model)
    assert found.fixed == 1
    assert found.deviation[7] == found.dft_deviation[7] == 0.0
    assert "1 of 60 structures have a residual of 0 by construction" in found.note
    others = one(np.delete(counts, 7, 0), np.delete(dft, 7), np.delete(model, 7))
    assert found.mae.value == pytest.approx(others.mae.value * 59 / 60)
    assert found.left_out == pytest.approx(others.left_out)


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (np.eye(4, dtype=np.int64), "these 4 structures: every residual is 0 by construction"),
        (np.array([[1, 2], [2, 1]]), "these 2 structures"),
        (np.array([[1]]), "these 1 structures"),
    ],
)
def test_fewer_structures_than_coefficients_give_no_error(counts: np.ndarray, reason: str) -> None:
    n = len(counts)
    found = one(counts, np.arange(n, dtype=float), np.arange(n) ** 2.0)
    assert found.status == "not_applicable"
    assert reason in found.reason
    assert found.mae.value is None


def test_one_stoichiometry_compares_energies_less_their_mean() -> None:
    counts = np.tile([[2, 1]], (40, 1))
    rng = np.random.default_rng(0)
    dft, model = rng.normal(size=40), rng.normal(size=40) - 5000.0
    found = one(counts, dft, model)
    expected = np.abs((dft - dft.mean()) - (model - model.mean())).mean()
    assert found.mae.value == pytest.approx(expected)
    assert "the structures decide 1 of 3 coefficients" in found.note


def test_only_rows_with_both_energies_count_and_models_do_not_touch_each_other() -> None:
    counts = compositions(100, 4)
    dft, a, b = (energies(counts, 0.3, seed=s) for s in (1, 2, 3))
    dft[:5], b[90:] = np.nan, np.nan
    counts[50] = 0  # a structure without atoms has no composition
    found = energy_regressions(counts, dft, {"a": a, "b": b, "none": np.full(100, np.nan)})
    assert (found["a"].n, found["b"].n) == (94, 84)
    assert list(found["b"].rows) == [r for r in range(5, 90) if r != 50]
    kept = np.r_[5:50, 51:90]
    assert found["b"].mae.value == pytest.approx(one(counts[kept], dft[kept], b[kept]).mae.value)
    assert found["none"].reason == "no structure has both energies"
    alone = energy_regressions(counts, dft, {"a": a})["a"]
    assert alone.mae == found["a"].mae


def test_few_rows_have_no_interval() -> None:
    counts = compositions(20, 3)
    found = one(counts, energies(counts, 0.2), energies(counts, 0.2, seed=9))
    assert found.mae.value is not None
    assert found.mae.low is found.mae.high is None


def test_energies_of_other_structures_are_refused() -> None:
    with pytest.raises(ValueError, match="m: 3 energies of 4 structures"):
        one(np.ones((4, 1), np.int64), np.zeros(4), np.zeros(3))


def test_elements_are_counted() -> None:
    numbers: list[Any] = [np.array(z, np.uint8) for z in ([8, 1, 1], [], [6, 1], [1])]
    elements, counts = element_counts(numbers)
    assert list(elements) == [1, 6, 8]
    assert counts.tolist() == [[2, 0, 1], [0, 0, 0], [1, 1, 0], [1, 0, 0]]
    assert element_counts([])[1].shape == (0, 0)
