"""The order of the rows: sorted, in turn or shuffled, intervals are the same."""

from __future__ import annotations

import numpy as np
import pytest

from matteralign.metrics import MetricSpec, compare, summarize
from matteralign.stats.blocks import BLOCKS, block_edges, block_of, block_order

SPECS = [
    MetricSpec("cka"),
    MetricSpec("dcor", "squared"),
    MetricSpec("cknna", "text", {"k": 10}),
    MetricSpec("mutual_knn", "euclidean", {"k": 10}),
    MetricSpec("information_imbalance", "rank", {"k": 10}),
]
N = 480


def sizes_and_shapes(seed):
    """Two embeddings of things of 16 sizes; how well they agree depends on the size."""
    rng = np.random.default_rng(seed)
    size = rng.permutation(np.repeat(np.arange(16.0), N // 16))
    x = np.column_stack([size, rng.normal(size=(N, 4)) * (1 + size[:, None] / 4)])
    y = x @ rng.normal(size=(5, 6)) + rng.normal(size=(N, 6)) * (17 - size[:, None]) / 3
    return size, x, y


def orders(size):
    by_size = np.argsort(size, kind="stable")
    in_turn = by_size.reshape(16, -1).T.ravel()
    return {"sorted": by_size, "in turn": in_turn}


def widths(x, y):
    found = {s.spec: s.scored for s in compare({"x": x, "y": y}, [("x", "y")], SPECS)}
    return {spec: scored.ci_high - scored.ci_low for spec, scored in found.items()}


@pytest.mark.parametrize("order", ["sorted", "in turn"])
def test_the_order_of_rows_changes_no_width(order):
    ratios = {spec: [] for spec in SPECS}
    for seed in range(4):
        size, x, y = sizes_and_shapes(seed)
        rows = orders(size)[order]
        shuffled, laid_out = widths(x, y), widths(x[rows], y[rows])
        for spec in SPECS:
            ratios[spec].append(laid_out[spec] / shuffled[spec])
    # A width itself scatters by a fifth. Contiguous blocks gave up to 6 and down to .4.
    for spec, found in ratios.items():
        assert 0.7 < np.exp(np.mean(np.log(found))) < 1.4, spec


def test_dimensions_of_sorted_rows():
    size, x, _ = sizes_and_shapes(0)
    rows = orders(size)["sorted"]
    spec = MetricSpec("mle", "", {"k": 10})
    one, other = (
        summarize(z, k_neighbors=1, id_specs=[spec]).intrinsic[0][1] for z in (x, x[rows])
    )
    assert one.value == pytest.approx(other.value)
    assert 0.6 < (one.ci_high - one.ci_low) / (other.ci_high - other.ci_low) < 1.7


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 100, 4097])
def test_blocks_are_even_and_always_the_same(n):
    block = block_of(n)
    assert (np.diff(block_edges(n)) == np.bincount(block, minlength=1)).all() or n == 0
    np.testing.assert_array_equal(block, block_of(n))
    order = block_order(n)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    assert (np.diff(block[order]) >= 0).all()
    if n == 4097:
        # Neither runs nor turns: neighbours and rows 16 apart are in one block by chance alone.
        for step in (1, BLOCKS):
            assert (block[step:] == block[:-step]).mean() == pytest.approx(1 / BLOCKS, abs=0.02)
