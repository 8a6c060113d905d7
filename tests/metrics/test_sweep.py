"""A sweep holds what `compare` gives on the leading rows alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from matteralign.metrics import METRICS, MetricSpec, compare, summarize
from matteralign.stats.blocks import block_edges, sweep_blocks

N = 256
SMALL = {"k": 4, "permutations": 2}
SWEPT = [
    MetricSpec(name, definition, {key: SMALL[key] for key in SMALL.keys() & known.params.keys()})
    for name, info in METRICS.items()
    if info.kind == "pair"
    for definition, known in info.definitions.items()
]


def embeddings():
    rng = np.random.default_rng(2)
    base = rng.normal(size=(N, 5))
    return {
        f"m{i}": base @ rng.normal(size=(5, 6 + i)) + 0.7 * rng.normal(size=(N, 6 + i)) + i
        for i in range(3)
    }


MASKS = {
    "none": {},
    "some": {"m1": np.arange(N) % 9 > 0, "m2": np.random.default_rng(0).random(N) > 0.2},
    "leading": {"m0": np.arange(N) >= 40},
    "trailing": {"m2": np.arange(N) < 130},
}


def limits():
    return [int(block_edges(N)[count]) for count in sweep_blocks(16)]


@pytest.mark.parametrize("which", MASKS)
@pytest.mark.parametrize(("precision", "rel"), [("double", 1e-9), ("single", 3e-5)])
def test_points_equal_scores_of_truncated_arrays(which, precision, rel):
    arrays, valid = embeddings(), MASKS[which]
    pairs = list(itertools.combinations(arrays, 2))
    options = {"precision": precision}
    swept = list(compare(arrays, pairs, SWEPT, valid=valid, sweep=True, **options))
    expected = {}
    for limit in limits():
        for pair in pairs:
            common = np.logical_and(*(valid.get(m, np.ones(N, bool))[:limit] for m in pair))
            if common.sum() == 0:
                continue
            short = {m: arrays[m][:limit][common] for m in pair}
            for s in compare(short, [pair], SWEPT, statistics=False, **options):
                if s.scored.value is not None:
                    point = (s.scored.n, s.scored.value, s.scored.debiased)
                    expected.setdefault((s.a, s.b, s.spec), []).append(point)
    for s in swept:
        points = [(p.n, p.value, p.debiased) for p in s.scored.sweep]
        wanted = expected[s.a, s.b, s.spec]
        # Leading samples that a mask leaves as they were repeat.
        assert [p[0] for p in points] == [p[0] for p in wanted], s.spec
        for mine, theirs in zip(points, wanted, strict=True):
            assert mine[1] == pytest.approx(theirs[1], rel=rel, abs=1e-7), s.spec
            if theirs[2] is not None and mine[2] is not None:
                assert mine[2] == pytest.approx(theirs[2], rel=10 * rel, abs=1e-6), s.spec
        assert points[-1][:2] == (s.scored.n, s.scored.value)


def test_a_sweep_changes_nothing_else():
    arrays = embeddings()
    pairs = list(itertools.combinations(arrays, 2))
    with_sweep = list(compare(arrays, pairs, SWEPT, sweep=True, precision="double"))
    for mine, theirs in zip(
        with_sweep, compare(arrays, pairs, SWEPT, precision="double"), strict=True
    ):
        assert theirs.scored.sweep == ()
        assert mine.scored.value == pytest.approx(theirs.scored.value, rel=1e-12)
        assert mine.scored.ci_low == pytest.approx(theirs.scored.ci_low, rel=1e-9)


def test_lists_given_with_their_leading_ones_are_enough():
    arrays = embeddings()
    pair = [("m0", "m1")]
    given = {
        name: summarize(arrays[name], k_neighbors=4, sweep=True).neighbors for name in ("m0", "m1")
    }
    fresh = list(compare(arrays, pair, SWEPT, sweep=True))
    assert list(compare(arrays, pair, SWEPT, sweep=True, neighbors=given)) == fresh
    plain = {name: summarize(arrays[name], k_neighbors=4).neighbors for name in ("m0", "m1")}
    assert list(compare(arrays, pair, SWEPT, sweep=True, neighbors=plain)) == fresh


def test_too_few_rows_have_one_point_and_no_more():
    arrays = {name: x[:20] for name, x in embeddings().items()}
    for s in compare(arrays, [("m0", "m1")], SWEPT, sweep=True):
        assert len(s.scored.sweep) <= 1
