"""What `compare` holds beside its arguments, measured as it runs."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

from matteralign.metrics import MetricSpec, compare
from matteralign.metrics.tiles.neighbors import slack

LISTED = [
    MetricSpec("cknna", "huh2024", {"k": 10}),
    MetricSpec("mutual_knn", "euclidean", {"k": 10}),
]
PASSED = [MetricSpec("dcor"), MetricSpec("cka"), MetricSpec("information_imbalance")]
MODELS, N, D = 10, 6000, 256
BOUND = 200_000_000


@pytest.fixture(scope="module")
def embeddings():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(N, 16)).astype(np.float32)
    return {
        f"m{i}": base @ rng.normal(size=(16, D)).astype(np.float32)
        + rng.normal(size=(N, D)).astype(np.float32)
        for i in range(MODELS)
    }


def peak_of(embeddings, pairs, specs, **options):
    """Most bytes held while everything is scored, beside the embeddings themselves."""
    warm = {name: embeddings[name][:200] for name in pairs[0]}
    list(compare(warm, pairs[:1], specs, **{**options, "memory_bytes": 1 << 30}))
    tracemalloc.start()
    try:
        assert all(s.scored.status == "ok" for s in compare(embeddings, pairs, specs, **options))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("precision", "bound"), [("single", 30_000_000), ("double", 200_000_000)])
def test_the_bound_is_kept(embeddings, precision, bound):
    # Ranks in double precision sort whole rows: that is a test of patience, not of memory.
    specs = PASSED if precision == "single" else PASSED[:2]
    pairs = list(itertools.combinations(embeddings, 2))[: 45 if precision == "single" else 9]
    peak = peak_of(embeddings, pairs, specs, precision=precision, memory_bytes=bound, threads=2)
    wide = 4 if precision == "single" else 8
    lists = MODELS * N * (1 + slack(1)) * 12
    sums = 2 * MODELS * N * 16 * wide + 2 * 3 * MODELS * N * 8
    # A search holds one embedding as it is and centred.
    rows = 2 * N * D * 8
    assert peak < bound + lists + sums + rows
    if bound < 100_000_000:
        assert peak < N * N * 4  # no matrix of all rows, not even one


def test_lists_of_neighbours_keep_the_bound(embeddings):
    bound = 20_000_000
    peak = peak_of(embeddings, [("m0", "m1")], LISTED, memory_bytes=bound)
    entries = 2 * N * (10 + slack(10))
    # Indices, distances and prepared kernels; rows of one embedding and its centred copy.
    assert peak < bound + entries * (4 + 8 + 4 + 24) + 4 * N * D * 8
    assert peak < N * N * 4
