"""CKNNA from neighbour lists against dense n x n re-derivations of both definitions.

Tolerance: 1e-10 relative (1e-12 absolute near zero).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from matteralign.metrics import NotApplicable, cknna

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


loaded = importlib.util.spec_from_file_location(
    "local_reference", Path(__file__).with_name("local_reference.py")
)
ref = importlib.util.module_from_spec(loaded)
loaded.loader.exec_module(ref)


def dense_neighbors(x, k):
    return ref.mask_of(ref.inner_lists(x, k), k)


def song_unbiased_hsic(k, l):  # noqa: E741
    """Trace form with explicit vectors of ones (Song et al. 2012, eq. 5), no transposes hidden."""
    m = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    ones = np.ones(m)
    first = np.trace(k @ l)
    second = (ones @ k @ ones) * (ones @ l @ ones) / ((m - 1) * (m - 2))
    third = 2.0 / (m - 2) * (ones @ k @ l @ ones)
    return (first + second - third) / (m * (m - 3))


def dense_huh2024(x, y, k):
    kx, ky = x @ x.T, y @ y.T
    mx, my = dense_neighbors(x, k), dense_neighbors(y, k)
    both = mx * my
    joint = song_unbiased_hsic(both * kx, both * ky)
    own = song_unbiased_hsic(mx * kx, mx * kx) * song_unbiased_hsic(my * ky, my * ky)
    return joint / (np.sqrt(own) + 1e-6)


def dense_text(x, y, k):
    n = len(x)
    h = np.eye(n) - np.ones((n, n)) / n
    kx, ky = x @ x.T, y @ y.T
    mx, my = dense_neighbors(x, k), dense_neighbors(y, k)
    kx, ky = h @ kx @ h, h @ ky @ h
    return (mx * my * kx * ky).sum() / np.sqrt((mx * kx**2).sum() * (my * ky**2).sum())


def embeddings(seed, n, dx=12, dy=9, offset=0.0):
    rng = np.random.RandomState(seed)
    x = rng.standard_normal((n, dx))
    y = np.tanh(x @ rng.standard_normal((dx, dy))) + 0.3 * rng.standard_normal((n, dy))
    return x + offset, y - 0.5 * offset


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [2, 10, 25, 40, 79])
@pytest.mark.parametrize("offset", [0.0, 0.7])
def test_equals_dense(seed, k, offset):
    x, y = embeddings(seed, 80, offset=offset)
    np.testing.assert_allclose(cknna(x, y, k, "text"), dense_text(x, y, k), **CLOSE)
    if k > 40:
        return  # above half of the rows `huh2024` has no value
    np.testing.assert_allclose(cknna(x, y, k), dense_huh2024(x, y, k), **CLOSE)
    np.testing.assert_allclose(cknna(y, x, k), dense_huh2024(y, x, k), **CLOSE)


def test_equals_dense_on_integer_counts_with_ties_duplicates_and_constant_columns():
    rng = np.random.RandomState(3)
    x = rng.poisson(0.4, (120, 30)).astype(float)
    y = x[:, :20] + (rng.random_sample((120, 20)) < 0.1)
    x[7], y[7] = x[3], y[3]
    x[:, 4] = 2.0
    for k in (2, 25):
        np.testing.assert_allclose(cknna(x, y, k), dense_huh2024(x, y, k), **CLOSE)
        np.testing.assert_allclose(cknna(x, y, k, "text"), dense_text(x, y, k), **CLOSE)


def test_small_kernels_feel_the_released_epsilon():
    x, y = embeddings(0, 60)
    small = cknna(1e-2 * x, 1e-2 * y, 10)
    np.testing.assert_allclose(small, dense_huh2024(1e-2 * x, 1e-2 * y, 10), **CLOSE)
    assert small < 0.9 * cknna(x, y, 10)
    assert cknna(1e-2 * x, 1e-2 * y, 10, "text") == pytest.approx(
        cknna(x, y, 10, "text"), rel=1e-12
    )


def test_directions_of_huh2024_differ_slightly_and_text_not():
    x, y = embeddings(1, 100)
    assert cknna(x, y, 10) != cknna(y, x, 10)
    assert cknna(x, y, 10) == pytest.approx(cknna(y, x, 10), rel=0.05)
    assert cknna(x, y, 10, "text") == pytest.approx(cknna(y, x, 10, "text"), rel=1e-13)


def test_definitions_differ():
    x, y = embeddings(2, 200)
    assert abs(cknna(x, y, 10) - cknna(x, y, 10, "text")) > 1e-3


def test_no_reciprocal_neighbours_is_not_applicable():
    x = np.array([[2.0, -2.0], [0.0, 0.0], [-1.0, -1.0], [1.0, 1.0]])
    with pytest.raises(NotApplicable, match="reciprocal"):
        cknna(x, x, 2)


def test_overflowing_kernel_is_not_applicable_and_text_does_not_overflow():
    x, y = embeddings(0, 30)
    assert cknna(1e200 * x, y, 5, "text") == pytest.approx(cknna(x, y, 5, "text"), rel=1e-10)
    with pytest.raises(NotApplicable, match="overflow"):
        cknna(1e100 * x, y, 5)
