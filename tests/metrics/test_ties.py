"""Equal neighbours: unrelated embeddings must not agree because both have ties.

Values and p-values of independent embeddings of every kind that has many equal rows or
distances, and what may move the draw among equals.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from matteralign.metrics import MetricSpec, cknna, compare, information_imbalance, mutual_knn
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.embedding.embedding import open_embedding
from matteralign.metrics.embedding.key_loops import mixed
from matteralign.metrics.embedding.ties import tie_labels
from matteralign.metrics.reconstruction.local_fits import nearest
from matteralign.metrics.tiles.neighbors import find_neighbors

SPECS = [
    MetricSpec("mutual_knn", "inner", {"k": 10}),
    MetricSpec("mutual_knn", "euclidean", {"k": 10}),
    MetricSpec("cknna", "text", {"k": 10}),
    MetricSpec("information_imbalance", "rank", {"k": 1}),
    MetricSpec("information_imbalance", "rank", {"k": 10}),
]


def one_hot(n, rng):
    return np.eye(6)[rng.integers(0, 6, n)]


def three_bits(n, rng):
    return rng.integers(0, 2, (n, 3)).astype(float)


def fingerprints(n, rng):
    return (rng.random((n, 64)) < 0.1).astype(np.float32)


def compositions(n, rng):
    return rng.poisson([3.0, 4.0, 1.0, 0.3], (n, 4)).astype(float)


def duplicates(n, rng):
    x = rng.normal(size=(n, 8))
    x[: n // 3] = x[n // 3 + rng.integers(0, n - n // 3, n // 3)]
    return x[rng.permutation(n)]


def tight_groups(n, rng):
    centres = rng.normal(size=(n // 15, 4))
    return centres[rng.integers(0, len(centres), n)] + 1e-10 * rng.normal(size=(n, 4))


KINDS = [one_hot, three_bits, fingerprints, compositions, duplicates, tight_groups]


def compared(kind, n, draws, **options):
    rng = np.random.default_rng(7)
    found = {spec: [] for spec in SPECS}
    for _ in range(draws):
        embeddings = {"x": kind(n, rng), "y": kind(n, rng)}
        for score in compare(embeddings, [("x", "y")], SPECS, **options):
            if score.a == "x":
                found[score.spec].append(score.scored)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normalize", ["none", "l2"])
def test_independent_embeddings_with_ties_score_their_floor(kind, normalize):
    draws = 16
    for spec, scored in compared(kind, 160, draws, normalize=normalize).items():
        z = np.array([(s.value - s.null_mean) / s.null_sd for s in scored])
        # Skewed for hubs and few groups, so the median too.
        assert abs(z.mean()) < 5 / draws**0.5, spec
        assert 0.2 < np.median(np.abs(z)) < 1.5, spec
        assert min(s.null_p for s in scored) > 1e-4, spec


def plain(n, rng):
    return rng.normal(size=(n, 4))


@pytest.mark.parametrize(
    ("source", "target"), [(one_hot, plain), (plain, one_hot), (tight_groups, tight_groups)]
)
def test_the_null_of_the_imbalance_is_that_of_drawn_pairings(source, target):
    n, draws = 160, 2000
    rng = np.random.default_rng(8)
    x, y = source(n, rng), target(n, rng)
    away = ((y[:, None] - y[None]) ** 2).sum(axis=2)
    np.fill_diagonal(away, -1.0)
    ranks = stats.rankdata(away, axis=1) - 1.0
    near = find_neighbors(open_embedding(x, "x"), euclid=50, inner=1, double=True).euclid_index
    orders = np.array([rng.permutation(n) for _ in range(draws)])
    for k in (1, 10, 50):
        spec = MetricSpec("information_imbalance", "rank", {"k": k})
        drawn = np.array([2 / n * ranks[p[:, None], p[near[:, :k]]].mean() for p in orders])
        for share in (0.05, 0.01):
            order = orders[np.argsort(drawn)[int(share * draws)]]
            embeddings = {"x": x, "y": y[order]}
            scored = next(compare(embeddings, [("x", "y")], [spec])).scored
            assert scored.value == pytest.approx(np.sort(drawn)[int(share * draws)])
            assert scored.null_sd == pytest.approx(drawn.std(), rel=0.06)
            # Sums of mean ranks repeat: half of the equal ones count.
            below = (
                np.mean(drawn < scored.value - 1e-9) + np.mean(drawn < scored.value + 1e-9)
            ) / 2
            assert scored.null_p == pytest.approx(below, rel=0.25 if share == 0.05 else 0.6)


@pytest.mark.parametrize("kind", [one_hot, tight_groups])
@pytest.mark.parametrize("memory_bytes", [1 << 20, 1 << 30])
def test_so_they_do_in_single_precision(kind, memory_bytes):
    draws = 8
    options = {"precision": "single", "memory_bytes": memory_bytes}
    for spec, scored in compared(kind, 200, draws, **options).items():
        z = np.array([(s.value - s.null_mean) / s.null_sd for s in scored])
        assert abs(z.mean()) < 4 / draws**0.5, spec
        assert np.median(np.abs(z)) < 2.0, spec


@pytest.mark.parametrize("kind", [one_hot, tight_groups])
def test_so_they_do_above_the_rows_of_double_precision(kind):
    for spec, (scored,) in compared(kind, 4200, 1, memory_bytes=1 << 30).items():
        assert abs(scored.value - scored.null_mean) < 4.5 * scored.null_sd, spec


def test_an_embedding_agrees_with_itself_in_either_precision_and_at_any_power_of_two():
    x = fingerprints(120, np.random.default_rng(0))
    for other in (x.copy(), x.astype(np.float64), 8.0 * x, np.where(x > 0, x, -0.0)):
        assert mutual_knn(x, other, 5) == 1.0
        assert mutual_knn(x, other, 5, "euclidean") == 1.0
        assert cknna(x, other, 5, "text") == pytest.approx(1.0, rel=1e-12)


def lists_of(x, **options):
    embedding = open_embedding(x, "x", mode=options.pop("mode", "none"))
    return find_neighbors(embedding, euclid=7, inner=7, **options).euclid_index


def test_lists_do_not_depend_on_precision_scaling_or_threads():
    x = three_bits(300, np.random.default_rng(1)).astype(np.float32)
    expected = lists_of(x, double=True)
    options = [
        {"double": False},
        {"resources": Resources(threads=3)},
        {"resources": Resources(1)},
        {"mode": "max"},
    ]
    for option in options:
        np.testing.assert_array_equal(lists_of(x, **option), expected)
    np.testing.assert_array_equal(lists_of(x.astype(np.float64)), expected)


def test_rows_in_another_order_have_the_same_neighbours_unless_they_repeat():
    rng = np.random.default_rng(2)
    x = np.unique(rng.integers(0, 4, (150, 5)), axis=0).astype(float)  # many equal distances
    y = np.unique(rng.integers(0, 4, (170, 5)), axis=0).astype(float)[: len(x)]
    order = rng.permutation(len(x))
    place = np.argsort(order)
    np.testing.assert_array_equal(lists_of(x[order]), place[lists_of(x)][order])
    for k in (1, 5):
        moved = information_imbalance(x[order], y[order], k)
        assert moved == pytest.approx(information_imbalance(x, y, k), rel=1e-12)
    x[1::2] = x[::2][: len(x) // 2]
    labels = tie_labels(open_embedding(x, "x"))
    assert len(np.unique(labels)) == len(x)


def test_other_embeddings_draw_otherwise():
    x = three_bits(200, np.random.default_rng(3))
    y = x.copy()
    y[0] = 1.0 - y[0]
    assert not np.isin(tie_labels(open_embedding(x, "x")), tie_labels(open_embedding(y, "y"))).any()


def test_groups_tighter_than_single_precision_are_ties_in_a_target():
    rng = np.random.default_rng(4)
    x, y = tight_groups(400, rng), tight_groups(400, rng)
    spec = MetricSpec("information_imbalance", "rank", {"k": 1})
    for memory_bytes in (1000, 1 << 30):
        options = {"precision": "single", "memory_bytes": memory_bytes}
        single = next(compare({"x": x, "y": y}, [("x", "y")], [spec], **options)).scored
        double = next(compare({"x": x, "y": y}, [("x", "y")], [spec], precision="double")).scored
        # Inside a group of 15 a rank is known to within the group.
        assert single.value == pytest.approx(double.value, abs=0.02)


@pytest.mark.parametrize("d", [3, 7, 33])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["none", "l2"])
def test_rows_that_repeat_score_alike_wherever_they_lie_in_memory(d, dtype, mode):
    rng = np.random.default_rng(d)
    x = rng.normal(size=(5, d)).astype(dtype)[np.arange(60) % 5]
    embedding = open_embedding(x, "x", mode=mode)
    for double in (True, False):
        near = find_neighbors(embedding, euclid=11, inner=59, double=double)
        assert not near.euclid_distance[:, :11].any()
        # Equal inner products stand together: five runs, one for each row that repeats.
        assert (np.diff(near.inner_index % 5, axis=1) != 0).sum(axis=1).max() == 4


def test_fits_of_lfre_draw_among_equal_training_rows():
    rng = np.random.default_rng(5)
    x = three_bits(200, rng)
    train, test = np.arange(150), np.arange(150, 200)
    labels = tie_labels(open_embedding(x, "x"))
    found = nearest(x, train, test, labels, 20, 1 << 20)
    away = ((x[test, None] - x[train]) ** 2).sum(axis=2)
    keys = mixed((labels[test, None] + labels[train]).ravel()).reshape(away.shape)
    np.testing.assert_array_equal(found, train[np.lexsort((keys, away))[:, :20]])
    few_bytes = nearest(x + 3000.0, train, test, labels, 20, 1)
    np.testing.assert_array_equal(found, few_bytes)
