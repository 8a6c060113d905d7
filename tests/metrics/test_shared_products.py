"""One product of rows for all scalings that divide each row by a number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matteralign.metrics import MetricSpec, summarize_scalings
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.embedding.embedding import open_embedding
from matteralign.metrics.tiles.backend import open_backend
from matteralign.metrics.tiles.neighbors import find_neighbors, find_scaled
from matteralign.metrics.tiles.numba_backend import NumbaBackend
from matteralign.metrics.tiles.row_factors import rescaled

MODES = ("none", "max", "row_max", "row_max_abs", "l2")
K = 7
CPU = open_backend("cpu")


def gauss(n=150, d=12, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def positive(x):
    """Give every row a positive element, so that no scaling leaves one out."""
    x = x.copy()
    x[:, 0] = np.abs(x[:, 0]) + 1e-3 * np.abs(x).max(axis=1)
    return x


def lengths(n, power, seed=9):
    return 10.0 ** (power * np.random.default_rng(seed).random((n, 1)))


def twins():
    """Rows that differ in length alone, and rows 1e-6 apart."""
    x = np.repeat(gauss(30), 5, axis=0) * lengths(150, 1)
    return positive(x + 1e-6 * np.abs(x) * (np.arange(150) % 5 > 2)[:, None])


CASES = {
    "gaussian": positive(gauss()),
    "lengths over 1e6": positive(gauss()) * lengths(150, 6),
    "lengths over 1e60": positive(gauss()) * lengths(150, 60),
    "one row far out": positive(gauss()) * np.where(np.arange(150) == 7, 1e5, 1.0)[:, None],
    "sums over many atoms": (gauss(1) + 3.0 + 0.01 * gauss()) * (5 + 20 * lengths(150, 0.5)),
    "offset 1e3": gauss() + 1e3,
    "offset 1e6": gauss() + 1e6,
    "twins": twins(),
    "small largest element": -np.abs(gauss()) + np.where(np.arange(12) == 3, 1e-3, 0.0),
    "d above n": positive(gauss(40, 300)),
    "one column": np.abs(gauss(150, 1)) + 0.1,
    "tiny": 1e-200 * positive(gauss()),
    "huge": 1e200 * positive(gauss()),
    "few numbers": np.random.default_rng(3).integers(0, 3, (150, 4)) + np.eye(4)[0],
}
CASES["small largest element"][:, 3] = 1e-3 * np.abs(gauss(150, 1)[:, 0]) + 1e-4


def by_hand(x, mode):
    x = x.astype(np.longdouble)
    if mode == "max":
        return x / np.abs(x).max()
    if mode == "row_max":
        return x / x.max(axis=1, keepdims=True)
    if mode == "row_max_abs":
        return x / np.abs(x).max(axis=1, keepdims=True)
    if mode == "l2":
        return (
            x / np.sqrt(np.square(x / np.abs(x).max()).sum(axis=1, keepdims=True)) / np.abs(x).max()
        )
    return x


def exact(x, mode):
    """Squared distances and negative products of scaled rows in extended precision."""
    y = by_hand(x, mode)
    y = y / np.abs(y).max()
    near = np.stack([np.square(y - row).sum(axis=1) for row in y])
    inner = -np.stack([(y * row).sum(axis=1) for row in y])
    for scores in (near, inner):
        np.fill_diagonal(scores, np.inf)
    return y, near, inner


def assert_nearest(y, scores, index, share):
    """Lists hold the nearest in order; float64 may exchange what it cannot tell apart."""
    size = np.sqrt(np.square(y).sum(axis=1))
    for i in range(len(y)):
        found = index[i]
        assert len(set(found.tolist())) == len(found)
        assert i not in found
        best = np.sort(scores[i])[: len(found)]
        # Scaling rounds each element: that moves a row by so much.
        moved = 4 * np.finfo(np.float64).eps * (size[i] + size[found])
        give = moved * (2 * np.sqrt(best) + moved) if share else moved * (size[i] + size.max())
        give += (
            np.finfo(np.float64).eps * (y.shape[1] + 8) * (best if share else size[i] * size.max())
        )
        assert (np.abs(scores[i, found] - best) <= give).all(), (i, found)


def together(x, valid=None, **options):
    unit = open_embedding(x, "x", valid=valid, mode="l2")
    embeddings = [open_embedding(x, "x", valid=valid, mode=mode) for mode in MODES]
    assert not any(embedding.refused for embedding in embeddings)
    return embeddings, find_scaled(unit, embeddings, [(K, K)] * len(MODES), **options)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_lists_of_every_scaling_equal_brute_force(name, double):
    x = CASES[name]
    _, found = together(x, double=double)
    for mode, near in zip(MODES, found, strict=True):
        y, by_distance, by_product = exact(x, mode)
        assert_nearest(y, by_distance, near.euclid_index, share=True)
        assert_nearest(y, by_product, near.inner_index, share=False)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", ["gaussian", "few numbers", "sums over many atoms", "twins"])
def test_lists_are_those_of_each_scaling_alone(name, dtype):
    x = np.repeat(CASES[name], 2, axis=0).astype(dtype)
    x[1::2] = gauss(len(x) // 2, x.shape[1], 4).astype(dtype)
    x[1::2, 0] = 1.0
    valid = np.arange(len(x)) % 11 > 0
    for double in (False, True):
        options = {"sweep": True, "double": double, "resources": Resources(1 << 16, threads=2)}
        embeddings, found = together(x, valid, **options)
        for embedding, near in zip(embeddings, found, strict=True):
            alone = find_neighbors(embedding, euclid=K, inner=K, sweep=True, double=double)
            pairs = [
                (near, alone),
                *((a[1], b[1]) for a, b in zip(near.leading, alone.leading, strict=True)),
            ]
            for one, two in pairs:
                for name in ("euclid_index", "inner_index", "euclid_distance"):
                    np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_products_are_off_by_no_more_than_the_bound(name, dtype):
    x = CASES[name]
    unit = open_embedding(x, "x", mode="l2")
    rows = unit.compact()
    centred = (rows - unit.mean).astype(dtype)
    tile, everything = centred @ centred.T, slice(0, len(x))
    for mode in MODES:
        embedding = open_embedding(x, "x", mode=mode)
        made = rescaled(embedding.compact(), embedding.mean, centred, unit.mean, unit.factor)
        found = CPU.rescale(tile, made.factors, everything, everything)
        about = embedding.compact().astype(np.longdouble) - embedding.mean
        off = made.rounding
        most = off.slack * (off.squares[:, None] + off.squares) + off.lost
        wrong = np.abs(found - about @ about.T)
        assert (wrong <= most / 2).all(), (mode, (wrong / most).max())
        # A bound that is far from what a product of the rows themselves has proves nothing.
        own = made.geometry.squares
        if dtype == np.float32 and not embedding.constant:
            assert off.squares.mean() < 20 * own.mean(), mode


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(2, 60),
    d=st.integers(1, 20),
    offset=st.sampled_from([0.0, 1.0, 1e3]),
    power=st.sampled_from([0, 1, 4, 8]),
    repeated=st.booleans(),
    zeros=st.booleans(),
    double=st.booleans(),
)
def test_any_data(seed, n, d, offset, power, repeated, zeros, double):
    x = positive(gauss(n, d, seed)) * lengths(n, power, seed) + offset
    if repeated:
        x[n // 2 :] = x[: n - n // 2] * 4.0
    valid = np.random.default_rng(seed).random(n) < 0.8
    valid[:2] = True
    modes = MODES
    if zeros:
        x[::3], modes = 0.0, ("none", "l2")
    unit = open_embedding(x, "x", valid=valid, mode="l2")
    embeddings = [open_embedding(x, "x", valid=valid, mode=mode) for mode in modes]
    found = find_scaled(unit, embeddings, [(K, K)] * len(embeddings), double=double)
    for embedding, near in zip(embeddings, found, strict=True):
        alone = find_neighbors(embedding, euclid=K, inner=K, double=double)
        for name in ("euclid_index", "inner_index", "euclid_distance"):
            np.testing.assert_array_equal(getattr(near, name), getattr(alone, name))


class Counting(NumbaBackend):
    """Counts the entries of all products of rows."""

    def __init__(self):
        super().__init__()
        self.entries = 0

    def product(self, rows, columns):
        self.entries += len(rows) * len(columns)
        return super().product(rows, columns)


@pytest.fixture
def products(monkeypatch):
    backend = Counting()
    monkeypatch.setattr("matteralign.metrics.summary.open_backend", lambda _: backend)

    def count(call):
        backend.entries = 0
        call()
        return backend.entries

    return count


SPECS = [
    MetricSpec("cknna", "text", {"k": 5}),
    MetricSpec("information_imbalance", "rank", {"k": 5}),
]


def test_one_product_serves_all_scalings_that_divide_rows(products):
    x = positive(gauss(400, 8))

    def lists(*modes):
        return products(lambda: summarize_scalings(x, dict.fromkeys(modes, SPECS)))

    one = lists("row_max")
    assert one > 0
    assert lists("none", "row_max", "row_max_abs", "l2") == one
    assert lists("none", "max", "row_max") == one
    # What changes single elements, or leaves rows out, has products of its own.
    assert lists("none", "row_max", "l2", "clamp_l2") == 2 * one
    x[5] = -1.0
    assert lists("none", "l2", "row_max_abs") == one
    assert one < lists("none", "l2", "row_max") <= 2 * one
