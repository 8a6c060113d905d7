"""Reconstruction errors against scikit-matter, their claims, and bad input.

Tolerance: 1e-10 relative on the same rows and folds; a perfect reconstruction is zero to
1e-9.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold
from skmatter import metrics as peer

from matteralign.metrics import MetricInputError, MetricSpec, MetricSpecError, NotApplicable
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.reconstruction.cutoff_ridge import Halves
from matteralign.metrics.reconstruction.decompose import decompose
from matteralign.metrics.reconstruction.scores import (
    gfre_all,
    global_reconstruction_error,
    lfre_all,
    local_reconstruction_error,
)
from matteralign.metrics.reconstruction.splits import Split, default_split

PEER_SEED = 0x5F3759DF

# scikit-matter 0.4.1 on `curved(40, 5, 4)`, its default split and folds.
GOLDEN = {
    "gfre": 0.14196066493298776,
    "gfre back": 0.1991582089745856,
    "lfre 7": 0.18681582884762543,
}


def curved(n, dx, dy, seed=0):
    rng = np.random.RandomState(seed)
    t = rng.standard_normal((n, 2))
    x = 3.0 * np.tanh(t @ rng.standard_normal((2, dx)) / 2) + 5.0
    y = np.sin(t @ rng.standard_normal((2, dy)) / 2) - 100.0
    return x, y


def peer_halves(n):
    one, two = next(KFold(2, shuffle=True, random_state=PEER_SEED).split(np.zeros((n, 1))))
    return Halves(one, two)


def peer_split(n):
    """The rows that scikit-matter takes by default."""
    train, test, _, _ = peer.check_global_reconstruction_measures_input(
        np.zeros((n, 1)), np.zeros((n, 1)), None, None, None, None
    )
    return Split(train, test, peer_halves)


def values(outcomes):
    return [outcome.value for outcome in outcomes]


@pytest.fixture(autouse=True)
def _quiet_peer():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_golden():
    x, y = curved(40, 5, 4)
    split = peer_split(40)
    found = values(gfre_all([x, y], [(0, 1), (1, 0)], split=split))
    found.append(lfre_all([x, y], [(0, 1)], [7], split=split)[0][7].value)
    assert found == pytest.approx(list(GOLDEN.values()), rel=1e-10)
    again = [
        peer.global_reconstruction_error(x, y),
        peer.global_reconstruction_error(y, x),
        peer.local_reconstruction_error(x, y, 7),
    ]
    assert again == pytest.approx(list(GOLDEN.values()), rel=1e-10)


@pytest.mark.parametrize(("n", "dx", "dy"), [(50, 3, 4), (61, 12, 7), (80, 90, 5), (40, 1, 1)])
def test_global_error_equals_scikit_matter(n, dx, dy):
    x, y = curved(n, dx, dy)
    y = y + 0.1 * np.random.RandomState(1).standard_normal(y.shape)
    found = values(
        gfre_all([x, y], [(0, 1), (1, 0)], split=peer_split(n), resources=Resources(threads=2))
    )
    expected = [peer.global_reconstruction_error(*pair) for pair in ((x, y), (y, x))]
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("n", "dx", "dy"), [(24, 3, 4), (25, 40, 5)])
def test_local_error_equals_scikit_matter(n, dx, dy):
    x, y = curved(n, dx, dy)
    ks = [2, 3, 8, n // 2]
    found = lfre_all([x, y], [(0, 1)], ks, split=peer_split(n), resources=Resources(threads=2))[0]
    for k in ks:
        expected = peer.local_reconstruction_error(x, y, k)
        assert found[k].value == pytest.approx(expected, rel=1e-10), k


@pytest.mark.parametrize("dx", [30, 120])
def test_local_error_of_large_neighbourhoods_equals_scikit_matter(dx):
    """Compiled loops and matrix products, of fewer columns than rows and of more."""
    rng = np.random.RandomState(3)
    x = rng.standard_normal((170, dx))
    y = x[:, :4] + 0.3 * np.sin(2 * x[:, 4:8]) + 0.2 * rng.standard_normal((170, 4))
    expected = peer.local_reconstruction_error(x, y, 80)
    # Repeated columns leave the error and its folds as they are.
    for target in (y, np.tile(y, 20)):
        found = lfre_all(
            [x, target], [(0, 1)], [80], split=peer_split(170), resources=Resources(threads=2)
        )[0][80]
        assert found.value == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6)])
@pytest.mark.parametrize("steep", [1.0, 1e-3, 1e-7])
def test_decompositions_from_gram_matrices_are_as_good(shape, steep):
    rng = np.random.default_rng(shape[0])
    x = rng.standard_normal((4, *shape)) * np.geomspace(1.0, steep, shape[1])
    x[0] = 0.0
    x[1, :, 1] = x[1, :, 0]
    for centred in (False, True):
        if centred:
            x -= x.mean(axis=1, keepdims=True)
        u, s, vt = decompose(x, centred=centred)
        assert s.shape[1] == min(shape) - (centred and shape[0] <= shape[1])
        assert (np.diff(s, axis=1) <= 0).all()
        expected = np.linalg.svd(x, compute_uv=False)[:, : s.shape[1]]
        # Small singular values to half the digits, as `STEEPEST` says, and all from there on.
        np.testing.assert_allclose(s, expected, rtol=1e-8, atol=1e-14)
        np.testing.assert_allclose((u * s[:, None]) @ vt, x, atol=1e-11)
        for each in (u.transpose(0, 2, 1), vt):
            product = each @ each.transpose(0, 2, 1)
            np.testing.assert_allclose(
                product[2:], np.eye(s.shape[1])[None].repeat(2, 0), atol=1e-7
            )


@pytest.mark.parametrize("case", ["offset", "outlier column", "near duplicates", "constant column"])
def test_stress_equals_scikit_matter(case):
    x, y = curved(30, 6, 4)
    rng = np.random.RandomState(2)
    if case == "offset":
        x, y = x + 1e5, y - 1e5
    if case == "outlier column":
        x[:, 0] *= 1e5
    if case == "near duplicates":
        x = np.repeat(x[:10], 3, axis=0) + 1e-7 * rng.standard_normal(x.shape)
    if case == "constant column":
        x[:, 2] = 1.0
    split = peer_split(30)
    # Offsets and outliers cost scikit-matter the digits they cost everyone.
    rel = 1e-6
    assert gfre_all([x, y], [(0, 1)], split=split)[0].value == pytest.approx(
        peer.global_reconstruction_error(x, y), rel=rel
    )
    assert lfre_all([x, y], [(0, 1)], [6], split=split)[0][6].value == pytest.approx(
        peer.local_reconstruction_error(x, y, 6), rel=rel
    )


def test_default_split_is_half_and_half_and_seeded():
    split = default_split(41, 3)
    assert len(split.train) == 20
    assert sorted([*split.train, *split.test]) == list(range(41))
    halves = split.halves(9)
    assert sorted([*halves.one, *halves.two]) == list(range(9))
    assert (default_split(41, 3).train == split.train).all()
    assert (default_split(41, 4).train != split.train).any()


def test_linear_maps_are_seen_and_local_error_sees_smooth_ones():
    rng = np.random.RandomState(4)
    x = rng.uniform(-1, 1, (400, 2))
    linear = x @ rng.standard_normal((2, 5)) + 3.0
    assert global_reconstruction_error(x, linear) == pytest.approx(0.0, abs=1e-9)
    assert global_reconstruction_error(linear, x) == pytest.approx(0.0, abs=1e-9)
    smooth = np.cos(2 * x)
    assert global_reconstruction_error(x, smooth) > 0.9
    assert local_reconstruction_error(x, smooth, 12) < 0.2
    unrelated = rng.standard_normal((400, 3))
    assert 0.9 < global_reconstruction_error(x, unrelated) < 1.1
    # Direction matters: the square forgets the sign.
    assert local_reconstruction_error(x, x**2, 12) < 0.1 < local_reconstruction_error(x**2, x, 12)


def test_many_pairs_equal_single_pairs_whatever_the_threads_and_memory():
    x, y = curved(60, 5, 4)
    embeddings = [x, y, np.ones((60, 2)), np.sin(x)]
    pairs = [(0, 1), (1, 0), (0, 2), (2, 1), (3, 1), (0, 3)]
    together = gfre_all(embeddings, pairs, resources=Resources(threads=3))
    locally = lfre_all(embeddings, pairs, [4, 9, 31], resources=Resources(1, threads=3))
    for (a, b), whole, local in zip(pairs, together, locally, strict=True):
        if 2 in (a, b):
            for outcome in (whole, *local.values()):
                assert outcome.value is None
                assert "embedding 2 is constant" in outcome.reason
            continue
        assert whole.value == global_reconstruction_error(embeddings[a], embeddings[b])
        for k in (4, 9):
            alone = local_reconstruction_error(embeddings[a], embeddings[b], k)
            assert local[k].value == pytest.approx(alone, rel=1e-12)
        assert "k = 31" in local[31].reason


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), n=st.integers(12, 50), dx=st.integers(1, 6))
def test_claimed_properties(seed, n, dx):
    x, y = curved(n, dx, 3, seed)
    y = y + 0.3 * np.random.RandomState(seed).standard_normal(y.shape)
    for name, score in (
        ("gfre", global_reconstruction_error),
        ("lfre", lambda a, b: local_reconstruction_error(a, b, 5)),
    ):
        info = MetricSpec(name).definition_info
        assert info.invariances == {"scale", "translation"}
        assert not info.symmetric
        value = score(x, y)
        assert value >= info.value_range[0]
        assert score(2.0 * x, 0.25 * y) == pytest.approx(value, rel=1e-9)
        assert score(x + 1.0, y - 2.0) == pytest.approx(value, rel=1e-5, abs=1e-9)


def test_bad_input_and_no_value():
    x, y = curved(20, 3, 2)
    hole = x.copy()
    hole[1, 1] = np.inf
    for score in (global_reconstruction_error, local_reconstruction_error):
        for bad in (hole, x.astype(complex), x[0], x[:19]):
            with pytest.raises(MetricInputError):
                score(bad, y)
        with pytest.raises(NotApplicable, match="y is constant"):
            score(x, np.ones((20, 2)))
        with pytest.raises(NotApplicable, match="needs 4 rows"):
            score(x[:3], y[:3])
        with pytest.raises(MetricSpecError):
            score(x, y, seed=-1)
    with pytest.raises(NotApplicable, match="k = 11"):
        local_reconstruction_error(x, y, 11)
    with pytest.raises(MetricSpecError):
        local_reconstruction_error(x, y, 1)
    with pytest.raises(MetricInputError, match="pair"):
        gfre_all([x, y], [(0, 2)])
    with pytest.raises(MetricInputError, match="threads"):
        local_reconstruction_error(x, y, threads=0)
    assert gfre_all([], []) == []
    assert lfre_all([], [], [3]) == []
