"""PERMANOVA and its partial form, against scikit-bio, sums of squares and a linear model."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from skbio import DistanceMatrix
from skbio.stats.distance import permanova

from matteralign.findings.permanova import LEAST_MODELS, explained, memberships, variance_table


def one_word(labels: list[str]) -> np.ndarray:
    return memberships([{label} for label in labels])[0]


def euclidean(points: np.ndarray) -> np.ndarray:
    return squareform(pdist(points))


@given(st.integers(0, 1000), st.integers(8, 16), st.integers(2, 4))
def test_alone_it_is_the_permanova_of_scikit_bio(seed: int, size: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    labels = [f"l{i % levels}" for i in range(size)]
    # Not Euclidean: any symmetric matrix.
    distances = squareform(rng.uniform(0.1, 1, size * (size - 1) // 2))
    found = explained(distances, one_word(labels), permutations=0)
    ids = [str(i) for i in range(size)]
    theirs = permanova(DistanceMatrix(distances, ids), labels, permutations=0)
    assert found.f == pytest.approx(theirs["test statistic"], rel=1e-9)
    df, left = levels - 1, size - levels
    assert (found.df, found.df_residual) == (df, left)
    assert found.r2 == pytest.approx(found.f * df / (found.f * df + left), rel=1e-9)


def test_the_p_value_is_that_of_scikit_bio() -> None:
    rng = np.random.default_rng(3)
    labels = ["a", "b", "c"] * 5
    points = rng.normal(size=(15, 4)) + 0.5 * np.array([ord(x) for x in labels])[:, None]
    distances = euclidean(points)
    found = explained(distances, one_word(labels), permutations=1999)
    ids = [str(i) for i in range(15)]
    theirs = permanova(DistanceMatrix(distances, ids), labels, permutations=1999, seed=1)
    assert found.p == pytest.approx(theirs["p-value"], abs=0.02)


@given(st.integers(0, 1000))
def test_after_others_it_is_what_a_linear_model_gains(seed: int) -> None:
    """Of Euclidean distances the sums of squares are those of regressions of the points."""
    rng = np.random.default_rng(seed)
    size = 14
    points = rng.normal(size=(size, 3))
    sets = [
        set(rng.choice(["A", "B", "C"], rng.integers(1, 3), replace=False)) for _ in range(size)
    ]
    design = memberships(sets)[0]
    others = one_word([f"g{i % 3}" for i in range(size)])
    found = explained(euclidean(points), design, others, permutations=0)

    def residual(columns: np.ndarray) -> float:
        fit, *_ = np.linalg.lstsq(columns, points, rcond=None)
        return float(((points - columns @ fit) ** 2).sum())

    one = np.ones((size, 1))
    before, after = (residual(np.hstack([one, others, *more])) for more in ([], [design]))
    total = residual(one)
    assert found.sum_of_squares == pytest.approx(before - after, abs=1e-9)
    assert found.r2 == pytest.approx((before - after) / total, abs=1e-9)
    assert found.f == pytest.approx(((before - after) / found.df) / (after / found.df_residual))


def test_the_partial_p_value_is_exact_over_all_permutations() -> None:
    """Freedman and Lane's test with every permutation of the residuals, by regressions."""
    rng = np.random.default_rng(8)
    size = 6
    points = rng.normal(size=(size, 2))
    design, others = rng.normal(size=(size, 1)), rng.normal(size=(size, 1))
    one = np.ones((size, 1))
    reduced, full = np.hstack([one, others]), np.hstack([one, others, design])

    def fit(columns: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray(columns @ np.linalg.lstsq(columns, y, rcond=None)[0])

    def f(y: np.ndarray) -> float:
        before, after = (((y - fit(c, y)) ** 2).sum() for c in (reduced, full))
        return float((before - after) / (after / (size - 3)))

    rest = points - fit(reduced, points)
    fitted = fit(reduced, points)
    every = [f(fitted + rest[list(order)]) for order in itertools.permutations(range(size))]
    exact = np.mean([value >= f(points) - 1e-9 for value in every])
    found = explained(euclidean(points), design, others, permutations=4000)
    assert found.p == pytest.approx(float(exact), abs=0.03)


def test_a_planted_factor_is_found_and_another_is_not() -> None:
    rng = np.random.default_rng(0)
    data = [{["A", "B"][i % 2]} for i in range(24)]
    architecture = [{["x", "y", "z"][i % 3]} for i in range(24)]
    points = rng.normal(size=(24, 5)) + 2.0 * np.array([i % 2 for i in range(24)])[:, None]
    table = variance_table(euclidean(points), {"data": data, "architecture": architecture})
    told = table.set_index(["factor", "after"])
    assert told.loc[("data", "architecture"), "p"] == 0.001
    assert told.loc[("architecture", "data"), "p"] > 0.05
    assert abs(told.loc[("architecture", "data"), "r2_adjusted"]) < 0.05
    assert told.loc[("data", ""), "r2"] > 0.3


def test_the_false_positive_rate_is_that_of_the_level() -> None:
    rng = np.random.default_rng(5)
    data = [{["A", "B", "C"][i % 3]} for i in range(12)]
    architecture = [{["x", "y"][i // 6]} for i in range(12)]
    hits = 0
    for i in range(150):
        points = rng.normal(size=(12, 3)) + 3.0 * np.array([j // 6 for j in range(12)])[:, None]
        other = memberships(architecture)[0]
        found = explained(euclidean(points), memberships(data)[0], other, permutations=99, seed=i)
        hits += found.p <= 0.05
    # 99.9 % of a binomial of 150 trials at 0.05.
    assert hits <= 17


def test_memberships_have_a_column_for_each_set() -> None:
    coded, words = memberships([{"OMat", "sAlex"}, {"OMat"}, {"SPICE"}])
    assert words == ("OMat", "SPICE", "sAlex")
    np.testing.assert_array_equal(coded, [[1, 0, 1], [1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ({"data": [{"A"}] * 8}, "all models are alike in it"),
        ({"data": [{str(i)} for i in range(8)]}, "every model is a level of its own"),
    ],
)
def test_what_cannot_be_told_says_why(factors: dict[str, list[set[str]]], said: str) -> None:
    points = np.random.default_rng(0).normal(size=(8, 2))
    table = variance_table(euclidean(points), factors)
    assert said in table["reason"].iloc[0]
    assert table[["r2", "p"]].isna().all(axis=None)


def test_factors_that_cannot_be_told_apart_are_said() -> None:
    points = np.random.default_rng(0).normal(size=(9, 2))
    same = [{"ABC"[i % 3]} for i in range(9)]
    table = variance_table(euclidean(points), {"data": same, "architecture": same})
    after = table[table["after"] != ""]
    assert set(after["reason"]) == {"the other factors say all that it says"}
    assert (table[table["after"] == ""]["reason"] == "").all()


def test_few_models_and_levels_of_one_are_said() -> None:
    few = LEAST_MODELS - 1
    points = np.random.default_rng(0).normal(size=(few, 2))
    table = variance_table(euclidean(points), {"data": [{"AB"[i % 2]} for i in range(few)]})
    assert table["reason"].tolist() == [f"{few} models; at least {LEAST_MODELS} are needed"]
    points = np.random.default_rng(0).normal(size=(7, 2))
    facts = [{"A"}, {"A"}, {"A"}, {"B"}, {"B"}, {"C"}, {"D"}]
    table = variance_table(euclidean(points), {"data": facts})
    assert table[["levels", "single_levels", "df"]].to_numpy().tolist() == [[4, 2, 3]]


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.array([[0.0, np.nan], [np.nan, 0.0]]), "finite"),
        (np.array([[0.0, 1.0], [2.0, 0.0]]), "symmetric"),
        (np.zeros((4, 4)), "all 0"),
    ],
)
def test_wrong_distances_are_refused(matrix: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        explained(matrix, one_word([f"l{i // 2}" for i in range(len(matrix))][::-1]))
