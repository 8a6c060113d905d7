"""Ranks of edges, counted three ways, against whole sorted rows."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from matteralign.metrics import MetricSpec, compare
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.embedding.embedding import open_embedding
from matteralign.metrics.imbalance.exact import exact_ranks
from matteralign.metrics.imbalance.scores import COUNTED_EDGES, fits_the_pass
from matteralign.metrics.imbalance.strips import strip_ranks
from matteralign.metrics.tiles.rank_counts import RankRequest, RankSums, rank_bounds
from matteralign.metrics.tiles.streaming import order_of_pass, stream
from matteralign.stats.blocks import block_edges, block_of, sweep_blocks

METHODS = ("exact", "strip", "pass")

NEAR = {"exact": 1e-13, "strip": 1e-3, "pass": 1e-3}
"""In single precision some rows are as near as another that are not."""

loaded = importlib.util.spec_from_file_location(
    "local_reference", Path(__file__).with_name("local_reference.py")
)
ref = importlib.util.module_from_spec(loaded)
loaded.loader.exec_module(ref)


def drawn(n, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(n, 4))
    return [
        (base @ rng.normal(size=(4, 6)) + 0.5 * rng.normal(size=(n, 6)) + 3 * i).astype(np.float32)
        for i in range(3)
    ]


def distances(x):
    return cdist(x.astype(np.float64), x.astype(np.float64))


def ranks(x):
    """Rank of every row seen from every row, 1 to n - 1; equal distances share the mean."""
    d = distances(x)
    np.fill_diagonal(d, -1.0)
    return rankdata(d, axis=1) - 1


def nearest(x, k):
    return ref.ordered(-distances(x), k, ref.tie_keys(x))


def spread(index, rows, n):
    """Lists over chosen rows as lists over all n."""
    out = np.full((n, index.shape[1]), -1, np.int32)
    out[rows] = rows[index]
    return out


def imbalance(x, y, k):
    """2/n times the mean rank in y of the k nearest of x, by definition."""
    return 2.0 / len(x) * np.take_along_axis(ranks(y), nearest(x, k), axis=1).mean()


def replicate(x, y, near, gone):
    """The same without some rows: edges with an end there are gone, ranks close up."""
    n = len(x)
    left = np.flatnonzero(~gone)
    d = distances(y)
    total, count = 0, 0
    for i in left:
        for j in near[i]:
            if not gone[j]:
                others = d[i, left[left != i]]
                nearer = (others < d[i, j]).sum() + 0.5 * ((others == d[i, j]).sum() - 1)
                total, count = total + 1 + nearer, count + 1
    return 2.0 / (n - gone.sum()) * total / count


def count(method, embeddings, lists, common=None, limit=None, k=1):
    """Sums of every source in every target."""
    n = embeddings[0].n
    limit = limit or n
    sums = RankSums.zeros(len(embeddings), len(embeddings), int(block_of(n).max()) + 1)
    requests = []
    for g, embedding in enumerate(embeddings):
        others = [f for f in range(len(embeddings)) if f != g]
        near = np.hstack([lists[f][:limit, :k] for f in others])
        for f in others:
            sums.count_edges(lists[f][:limit, :k], f, g, block_of(n))
        bounds = rank_bounds(embedding, near, np.float32)
        sources = np.repeat(np.asarray(others), k)
        requests.append([RankRequest(limit, near, bounds, sources, g, sums, common)])
    if method == "pass":
        leading = None if limit == n else limit
        order, _ = order_of_pass(n, leading)
        placed = [[request.in_order(order) for request in asked] for asked in requests]
        stream(
            embeddings, distances=False, kernels=False, ranks=placed, leading=leading,
            resources=Resources(1 << 20, threads=2),
        )  # fmt: skip
    else:
        for embedding, asked in zip(embeddings, requests, strict=True):
            if method == "exact":
                exact_ranks(embedding, asked, Resources(threads=2))
            else:
                strip_ranks(embedding, asked, Resources(threads=2))
    return sums


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("k", [1, 4, 19])
@pytest.mark.parametrize("n", [20, 31, 32, 90])
def test_ranks_and_replicates_equal_brute_force(method, k, n):
    x = drawn(n)
    lists = [nearest(z, k) for z in x]
    sums = count(method, [open_embedding(z, "x") for z in x], lists, k=k)
    blocks = block_of(n)
    sizes = (n - np.bincount(blocks)).tolist()
    for f, g in itertools.permutations(range(3), 2):
        expected = imbalance(x[f], x[g], k)
        assert sums.imbalance(f, g, n) == pytest.approx(expected, rel=NEAR[method])
        if n < 32:
            assert len(sizes) == 1
            continue
        expected = [replicate(x[f], x[g], lists[f], blocks == b) for b in range(16)]
        assert sums.replicates(f, g, sizes) == pytest.approx(expected, rel=NEAR[method])


@pytest.mark.parametrize("method", METHODS)
def test_masked_rows_count_nowhere(method):
    n, k = 80, 3
    common = np.random.default_rng(0).random(n) > 0.15
    rows = np.flatnonzero(common)
    x = drawn(n)
    lists = [spread(nearest(z[rows], k), rows, n) for z in x]
    given = [z.copy() for z in x]
    given[0][~common] = np.nan  # one model took fewer rows, the others all
    embeddings = [
        open_embedding(z, "x", valid=common if i == 0 else None) for i, z in enumerate(given)
    ]
    sums = count(method, embeddings, lists, common=common, k=k)
    for f, g in itertools.permutations(range(3), 2):
        expected = imbalance(x[f][rows], x[g][rows], k)
        assert sums.imbalance(f, g, len(rows)) == pytest.approx(expected, rel=NEAR[method])


@pytest.mark.parametrize("method", METHODS)
def test_leading_rows_alone(method):
    n, k = 96, 2
    limit = int(block_edges(n)[4])
    x = drawn(n)
    lists = [nearest(z[:limit], k) for z in x]
    sums = count(method, [open_embedding(z, "x") for z in x], lists, limit=limit, k=k)
    for f, g in itertools.permutations(range(3), 2):
        expected = imbalance(x[f][:limit], x[g][:limit], k)
        assert sums.imbalance(f, g, limit) == pytest.approx(expected, rel=NEAR[method])


def test_ties_share_the_mean_of_their_ranks_when_exact():
    rng = np.random.default_rng(1)
    x, y = (rng.integers(0, 3, size=(60, 3)).astype(float) for _ in range(2))
    for k in (1, 5, 59):
        found = compare({"x": x, "y": y}, [("x", "y")], [spec(k)], precision="double")
        values = [s.scored.value for s in found]
        assert values == pytest.approx([imbalance(x, y, k), imbalance(y, x, k)], rel=1e-13)


def stressed(case, n, rng):
    x = rng.normal(size=(n, 6))
    if case == "lattice":
        return np.rint(x)
    if case == "offset":
        return x + 1e6
    if case == "outlier column":
        return x * np.array([1e5, 1, 1, 1, 1, 1])
    if case == "twins":
        return np.repeat(x[: n // 2], 2, axis=0)
    if case == "tight clusters":
        return np.where(np.arange(n)[:, None] % 2, 1.0, -1.0) + 1e-7 * x
    return x * 2.0**-200


@pytest.mark.parametrize(
    "case", ["lattice", "offset", "outlier column", "twins", "tight clusters", "tiny"]
)
@pytest.mark.parametrize("k", [1, 5, 80])  # more than 64 edges per row: tiles are float64
def test_exact_ranks_under_stress(case, k):
    n = 96
    rng = np.random.default_rng(4)
    x, y = (stressed(case, n, rng) for _ in range(2))
    scale = 2.0**200 if case == "tiny" else 1.0
    a, b = (z * scale for z in (x, y))
    found = compare({"x": x, "y": y}, [("x", "y")], [spec(k)], precision="double")
    values = [s.scored.value for s in found]
    assert values == pytest.approx([imbalance(a, b, k), imbalance(b, a, k)], rel=1e-13)


@pytest.mark.parametrize("memory_bytes", [1000, 1 << 30])  # over whole rows, in the pass
def test_ties_share_the_mean_of_their_ranks_in_single_precision_too(memory_bytes):
    rng = np.random.default_rng(1)
    x, y = (rng.integers(0, 3, size=(90, 3)).astype(float) for _ in range(2))
    specs = [spec(1), spec(5)]
    options = {"precision": "single", "memory_bytes": memory_bytes}
    for found in compare({"x": x, "y": y}, [("x", "y")], specs, **options):
        a, b = (x, y) if found.a == "x" else (y, x)
        expected = imbalance(a, b, found.spec.integer("k"))
        assert found.scored.value == pytest.approx(expected, rel=1e-13)


def spec(k):
    return MetricSpec("information_imbalance", "rank", {"k": k})


@pytest.mark.parametrize("precision", ["single", "double"])
def test_several_k_at_once_up_to_all_rows(precision):
    n = 64
    x, y, z = drawn(n)
    specs = [spec(k) for k in (1, 2, 7, 40, 63)]
    arrays = {"x": x, "y": y, "z": z}
    found = list(compare(arrays, [("x", "y"), ("x", "z")], specs, precision=precision))
    for score in found:
        k = score.spec.integer("k")
        expected = imbalance(arrays[score.a], arrays[score.b], k)
        assert score.scored.value == pytest.approx(expected, rel=1e-12)
        if k == 63:
            assert score.scored.value == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("memory_bytes", [1000, 1 << 30])
@pytest.mark.parametrize("precision", ["single", "double"])
def test_a_k_that_a_masked_embedding_is_too_small_for_leaves_the_others_alone(
    precision, memory_bytes
):
    n = 128
    x, y, _ = drawn(n)
    rows = np.arange(n) % 3 == 0
    options = {"precision": precision, "valid": {"y": rows}, "memory_bytes": memory_bytes}
    specs = [spec(k) for k in (1, 5, 60)]
    found = list(compare({"x": x, "y": y}, [("x", "y")], specs, sweep=True, **options))
    assert len(found) == 6
    arrays = {"x": x[rows], "y": y[rows]}
    for score in found:
        k = score.spec.integer("k")
        if k == 60:
            assert score.scored.value is None
            continue
        expected = imbalance(arrays[score.a], arrays[score.b], k)
        assert score.scored.value == pytest.approx(expected, rel=1e-5)
        assert score.scored.sweep[-1].value == score.scored.value
        half = int(rows[: n // 2].sum())
        halves = {name: values[:half] for name, values in arrays.items()}
        (point,) = (p for p in score.scored.sweep if p.n == half)
        assert point.value == pytest.approx(
            imbalance(halves[score.a], halves[score.b], k), rel=1e-5
        )


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("masked", [False, True])
def test_a_sweep_has_the_values_of_the_leading_rows(precision, masked):
    n = 128
    x, y, _ = drawn(n)
    valid = {"y": np.arange(n) % 9 > 0} if masked else {}
    common = valid.get("y", np.ones(n, bool))
    for k in (1, 3):
        scored = next(
            compare(
                {"x": x, "y": y},
                [("x", "y")],
                [spec(k)],
                precision=precision,
                sweep=True,
                valid=valid,
            )
        ).scored
        limits = [int(block_edges(n)[b]) for b in sweep_blocks(16)]
        for point, limit in zip(scored.sweep, limits, strict=True):
            rows = common[:limit]
            assert point.n == rows.sum()
            expected = imbalance(x[:limit][rows], y[:limit][rows], k)
            assert point.value == pytest.approx(expected, rel=1e-12)


def test_pass_and_strips_agree_on_the_same_data():
    n = 400
    x, y, _ = drawn(n, seed=5)
    one = (1.0, 1.0)
    assert fits_the_pass(n, [one, one], 4, 1 << 30)
    assert not fits_the_pass(n, [(1.0, COUNTED_EDGES + 1.0)], 4, 1 << 30)
    assert not fits_the_pass(n, [one, one], 4, 1000)
    options = {"precision": "single"}
    roomy, tight = (
        [s.scored for s in compare({"x": x, "y": y}, [("x", "y")], [spec(1)], **options, **room)]
        for room in ({}, {"memory_bytes": 1000})
    )
    for one, other in zip(roomy, tight, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-4)
        assert one.ci_low == pytest.approx(other.ci_low, rel=1e-3)
