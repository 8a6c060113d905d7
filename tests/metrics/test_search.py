"""Neighbour lists against brute force, under everything that rounding can do to them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matteralign.metrics.base.resources import Resources
from matteralign.metrics.embedding.embedding import open_embedding
from matteralign.metrics.embedding.exact_loops import EUCLID, INNER
from matteralign.metrics.tiles.neighbors import find_neighbors
from matteralign.metrics.tiles.search import Asked, search

spec = importlib.util.spec_from_file_location(
    "local_reference", Path(__file__).with_name("local_reference.py")
)
ref = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ref)

KINDS = (EUCLID, INNER)
K = 9


def exact_scores(x, kind):
    """Scores of all pairs in extended precision, smaller being nearer; no row meets itself."""
    x = x.astype(np.longdouble)
    if kind == EUCLID:
        scores = np.stack([np.square(x - row).sum(axis=1) for row in x])
    else:
        scores = -np.stack([(x * row).sum(axis=1) for row in x])
    np.fill_diagonal(scores, np.inf)
    return scores


def terms(x, kind):
    """Per row what the terms of its scores add up to at most: rounding is a share of it."""
    size = np.sqrt(np.square(x.astype(np.longdouble)).sum(axis=1))
    return size * (size.max() if kind == INNER else 1)


def assert_nearest(x, index, kind, rows=None):
    """Lists hold the nearest rows in order; float64 may exchange what it cannot tell apart."""
    n = len(x)
    scores = exact_scores(x, kind)
    assert index.shape[0] == n
    for i in range(n) if rows is None else rows:
        found = index[i][index[i] >= 0]
        assert len(set(found.tolist())) == len(found)
        assert i not in found
        k = len(found)
        nearest = np.lexsort((np.arange(n), scores[i]))[:k]
        if np.array_equal(found, nearest):
            continue
        unit = np.finfo(np.float64).eps * (x.shape[1] + 4)
        # A sum of squares loses a share of itself, a product a share of its terms.
        best = scores[i, nearest]
        give = unit * (best if kind == EUCLID else terms(x, kind)[i])
        assert (np.abs(scores[i, found] - best) <= give).all(), (kind, i, found, nearest)


def lists(x, k=K, **options):
    embedding = open_embedding(x, "x", valid=options.pop("valid", None))
    options = {"double": False, **options}
    near = find_neighbors(embedding, euclid=k, inner=k, **options)
    return {
        EUCLID: near.euclid_index,
        INNER: near.inner_index,
    }, near


def gauss(n=150, d=12, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def clusters():
    """Groups of rows 1e-6 apart, exact repetitions among them."""
    x = np.repeat(gauss(30, 12), 5, axis=0) + 1e-6 * gauss(150, 12, 1)
    x[7::15] = x[6::15]
    return x


def outliers():
    x = gauss()
    x[:, 3] *= 1e3
    return x


CASES = {
    "gaussian": gauss(),
    "offset 1e4": gauss() + 1e4,
    "offset 1e6": gauss() + 1e6,
    "offset 1e6 in one column": gauss() + 1e6 * (np.arange(12) == 5),
    "outlier column": outliers(),
    "near duplicates": clusters(),
    "near duplicates far out": clusters() + 1e3,
    "one row apart": np.vstack([gauss(149), 1e5 * np.ones((1, 12))]),
    "d above n": gauss(40, 300),
    "one column": gauss(150, 1),
    "tiny": 1e-200 * gauss(),
    "huge": 1e200 * gauss(),
    "smallest": 5e-324 * np.random.default_rng(0).integers(-9, 9, size=(60, 3)),
    "mixed columns": gauss() * 10.0 ** np.arange(-30, 30, 5),
    "all positive": np.abs(gauss()) + 3.0,
    "zero rows": gauss() * (np.arange(150) % 4 > 0)[:, None],
}


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_lists_equal_brute_force(name, double):
    x = CASES[name]
    found, near = lists(x, double=double)
    scale = 2.0 ** (np.frexp(np.abs(x).max())[1] - 1)
    for kind in KINDS:
        assert found[kind].shape == (len(x), K)
        assert_nearest(x / scale, found[kind], kind)
    distance = np.sqrt(exact_scores(x / scale, EUCLID)) * np.longdouble(scale)
    expected = np.take_along_axis(distance, found[EUCLID].astype(int), axis=1)
    np.testing.assert_allclose(near.euclid_distance, expected.astype(float), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_lists_are_those_of_the_numbers_as_stored(dtype):
    x = (gauss() + 50).astype(dtype)
    for kind, index in lists(x)[0].items():
        assert_nearest(x.astype(np.float64), index, kind)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("top", [1, 2, 5])
def test_ties_go_by_the_keys_of_the_embedding_to_the_last_one(top, double):
    x = np.random.default_rng(top).integers(0, top + 1, size=(200, 4)).astype(float)
    found, _ = lists(x, double=double)
    for kind in (EUCLID, INNER):  # integers: no rounding anywhere
        scores = exact_scores(x, kind)
        order = np.lexsort((ref.tie_keys(x), scores), axis=1)
        np.testing.assert_array_equal(found[kind], order[:, :K])


def test_single_precision_alone_would_be_wrong_and_is_caught():
    # Around (1000, .., 1000) and its opposite, rows differ by what float32 cannot hold.
    signs = np.where(np.arange(150) % 2, 1e3, -1e3)[:, None]
    x = gauss() * 1e-3 + signs
    centred = (x - x.mean(axis=0)).astype(np.float32)
    squares = np.square(centred).sum(axis=1)
    plain = squares[:, None] + squares - 2 * centred @ centred.T
    np.fill_diagonal(plain, np.inf)
    single = np.sort(np.argpartition(plain, K, axis=1)[:, :K], axis=1)
    truth = np.argsort(exact_scores(x, EUCLID), axis=1)[:, :K]
    wrong = (single != np.sort(truth, axis=1)).any(axis=1)
    assert wrong.mean() > 0.5
    found, near = lists(x)
    np.testing.assert_array_equal(found[EUCLID], truth)
    assert near.effort.double > 0


def test_products_too_small_for_single_precision_are_caught():
    # Two rows apart set the scale and their mean is zero: the squares of all others are
    # below the least float32.
    x = np.zeros((150, 12))
    x[:, 1:] = 1e-25 * (gauss(150, 11) + 10 * np.sign(gauss(150, 1, 1)))
    x[0, 0], x[1, 0] = 1.0, -1.0
    found, near = lists(x)
    assert_nearest(x, found[EUCLID], EUCLID)
    assert_nearest(x, found[INNER], INNER)
    assert near.effort.double > 0


def test_ordinary_data_is_certified_at_once():
    effort = lists(gauss(600, 64))[1].effort
    assert effort.certified > 0.99 * (effort.certified + effort.double)


@pytest.mark.parametrize("memory_bytes", [1, 300_000, 3_000_000, 1 << 30])
@pytest.mark.parametrize("threads", [1, 3])
def test_neither_memory_nor_threads_matter(memory_bytes, threads):
    x = (gauss(700, 5) * 4).round()  # ties everywhere
    found, _ = lists(x, resources=Resources(memory_bytes, threads), sweep=True)
    for kind in (EUCLID, INNER):
        np.testing.assert_array_equal(found[kind], lists(x)[0][kind])


@pytest.mark.parametrize("masked", ["none", "some", "leading", "trailing", "most"])
@pytest.mark.parametrize("memory_bytes", [100_000, 1 << 30])
def test_masked_rows_and_leading_samples(masked, memory_bytes):
    n = 320
    x = gauss(n, 6)
    valid = {
        "none": np.ones(n, bool),
        "some": np.random.default_rng(1).random(n) > 0.2,
        "leading": np.arange(n) >= 50,
        "trailing": np.arange(n) < 150,
        "most": np.arange(n) % 40 == 3,
    }[masked]
    x[~valid] = np.nan
    _, near = lists(x, valid=valid, sweep=True, resources=Resources(memory_bytes))
    # Every leading sample is there, however little of it is left.
    assert [limit for limit, _ in near.leading] == [20, 40, 80, 160]
    for limit, part in [*near.leading, (n, near)]:
        rows = np.flatnonzero(valid[:limit])
        for kind, index in (
            (EUCLID, part.euclid_index),
            (INNER, part.inner_index),
        ):
            assert (np.delete(index, rows, axis=0) == -1).all()
            if len(rows) < 2:
                assert (index == -1).all()
                continue
            place = np.full(n, -1)
            place[rows] = np.arange(len(rows))
            held = index[rows]
            assert ((held >= 0).sum(axis=1) == min(K, len(rows) - 1)).all()
            assert_nearest(x[rows], np.where(held >= 0, place[held], -1), kind)


@pytest.mark.parametrize("k", [1, 2, 148, 149, 500])
def test_any_length_of_list(k):
    x = gauss()
    for kind, index in lists(x, k=k)[0].items():
        assert index.shape == (150, min(k, 149))
        assert_nearest(x, index, kind, rows=range(0, 150, 7))


def test_cuts_of_rows_do_not_matter():
    x = gauss(300, 4)
    wanted = {EUCLID: 5, INNER: 3}
    labels = np.arange(300, dtype=np.uint64)
    options = Asked(lambda: x, x.mean(axis=0), wanted), labels
    ((whole, _),) = search(*options, edges=[0, 300], resources=Resources(1 << 30))
    ((cut, _),) = search(
        *options,
        edges=[0, 1, 2, 130, 299, 300], limits=[2, 130], resources=Resources(1),
    )  # fmt: skip
    for kind, k in wanted.items():
        np.testing.assert_array_equal(cut[kind][-1].index, whole[kind][-1].index)
        assert [entry.limit for entry in cut[kind]] == [2, 130, 300]
        assert cut[kind][0].index.tolist() == [[1, *[-1] * (k - 1)], [0, *[-1] * (k - 1)]]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(2, 90),
    d=st.integers(1, 20),
    k=st.integers(1, 12),
    offset=st.sampled_from([0.0, 1.0, 1e3, 1e6]),
    spread=st.sampled_from([0.0, 1e-9, 1e-4, 1.0]),
    power=st.sampled_from([-150, -20, 0, 20, 150]),
    double=st.booleans(),
)
def test_any_data(seed, n, d, k, offset, spread, power, double):
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, size=(n, d)) + spread * rng.normal(size=(n, d))
    x += offset * rng.integers(0, 2, size=d)
    found, _ = lists(x * 2.0**power, k=k, double=double)
    for kind in KINDS:
        assert_nearest(x, found[kind], kind)
