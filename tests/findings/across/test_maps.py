"""Maps on clusters that are known, and their trustworthiness beside another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance_matrix
from sklearn import manifold

from matteralign.findings.across.maps import (
    exact_neighbors,
    map_neighbors,
    separation,
    trustworthiness,
    umap_map,
)


def clusters(n: int = 120, d: int = 8, groups: int = 3, apart: float = 12.0) -> tuple:
    rng = np.random.default_rng(0)
    group = np.arange(n) % groups
    centres = apart * np.eye(groups, d)
    return (centres[group] + rng.normal(size=(n, d))).astype(np.float32), group


def test_neighbours_are_the_exact_ones() -> None:
    x, _ = clusters()
    index, distance = exact_neighbors(x, 5)
    full = distance_matrix(x.astype(float), x.astype(float))
    np.fill_diagonal(full, np.inf)
    expected = np.sort(full, axis=1)[:, :5]
    np.testing.assert_allclose(distance, expected, rtol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(full, index.astype(int), 1), expected, rtol=1e-6)


@pytest.mark.parametrize("k", [3, 10])
def test_trustworthiness_is_that_of_scikit_learn(k: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 6)).astype(np.float32)
    placed = x[:, :2] + 0.3 * rng.normal(size=(90, 2)).astype(np.float32)
    found = trustworthiness(x, placed, k)
    assert found.value == pytest.approx(manifold.trustworthiness(x, placed, n_neighbors=k))
    assert (found.low, found.high, found.rows) == (found.value, found.value, 90)
    some = trustworthiness(x, placed, k, rows=45)
    assert some.rows == 45
    assert some.low < found.value < some.high


def test_a_map_that_is_the_latents_is_trusted_wholly_and_an_unrelated_one_is_not() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 2)).astype(np.float32)
    assert trustworthiness(x, x, 7).value == 1.0
    other = rng.normal(size=(200, 2)).astype(np.float32)
    assert trustworthiness(x, other, 7).value == pytest.approx(0.5, abs=0.06)
    assert np.isnan(trustworthiness(x[:10], x[:10], 5).value)


def test_points_that_coincide_have_other_points_as_neighbours() -> None:
    placed = np.zeros((6, 2), np.float32)
    near = map_neighbors(placed, 2)
    assert near.shape == (6, 2)
    assert not (near == np.arange(6)[:, None]).any()


def test_a_map_keeps_planted_clusters_apart_and_is_the_same_again() -> None:
    x, group = clusters()
    index, distance = exact_neighbors(x, 10)
    placed = umap_map(x, index, distance)
    again = umap_map(x, index, distance)
    np.testing.assert_array_equal(placed, again)
    assert placed.shape == (len(x), 2)
    for found in separation(group, index, placed):
        assert found.latents == found.map == 1.0
        assert found.chance == pytest.approx(39 / 119)
        assert found.rows == 40


def test_mixed_groups_keep_to_themselves_as_chance_has_it() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 3)).astype(np.float32)
    index, _ = exact_neighbors(x, 10)
    for found in separation(np.arange(600) % 2, index, x[:, :2]):
        assert found.latents == pytest.approx(found.chance, abs=0.04)
        assert found.map == pytest.approx(found.chance, abs=0.04)


def test_latents_of_one_column_have_a_map() -> None:
    x = np.linspace(0, 1, 40, dtype=np.float32)[:, None] ** 2
    index, distance = exact_neighbors(x, 5)
    assert np.isfinite(umap_map(x, index, distance)).all()
