"""compare and summarize: order, sharing of work, block independence, result objects."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest

from matteralign.metrics import (
    METRICS,
    MetricInputError,
    MetricSpec,
    Scored,
    cka,
    cknna,
    compare,
    dcor,
    information_imbalance,
    mle_intrinsic_dimension,
    normalize,
    summarize,
    twonn,
)
from matteralign.metrics.tiles.neighbors import slack

SPECS = [
    MetricSpec("cknna", "huh2024", {"k": 10}),
    MetricSpec("cknna", "text", {"k": 10}),
    MetricSpec("dcor", "root"),
    MetricSpec("dcor", "squared"),
    MetricSpec("cka"),
    MetricSpec("information_imbalance"),
    MetricSpec("information_imbalance", "rank", {"k": 20}),
]
FUNCTIONS = [
    lambda x, y: cknna(x, y, 10),
    lambda x, y: cknna(x, y, 10, "text"),
    dcor,
    lambda x, y: dcor(x, y, "squared"),
    cka,
    information_imbalance,
    lambda x, y: information_imbalance(x, y, 20),
]


def embeddings(n=70, count=4):
    rng = np.random.RandomState(5)
    base = rng.standard_normal((n, 6))
    return {
        f"m{i}": (base @ rng.standard_normal((6, 4 + i)) + i * rng.standard_normal((n, 4 + i)))
        for i in range(count)
    }


def all_pairs(names):
    return list(itertools.combinations(names, 2))


def test_all_pairs_equal_the_plain_functions_in_both_directions():
    arrays = embeddings()
    scores = list(compare(arrays, all_pairs(arrays), SPECS))
    assert len(scores) == 2 * 6 * len(SPECS)
    assert len({(s.a, s.b, s.spec) for s in scores}) == len(scores)
    plain = dict(zip(SPECS, FUNCTIONS, strict=True))
    for score in scores:
        expected = plain[score.spec](arrays[score.a], arrays[score.b])
        assert score.scored.value == pytest.approx(expected, rel=1e-12)
        assert score.scored.n == 70


def test_both_orders_of_a_pair_are_one_pair():
    arrays = embeddings(count=2)
    once = list(compare(arrays, [("m1", "m0")], SPECS))
    again = list(compare(arrays, [("m1", "m0"), ("m0", "m1"), ("m1", "m0")], SPECS))
    assert again == once
    assert (once[0].a, once[0].b, once[1].a, once[1].b) == ("m1", "m0", "m0", "m1")


def test_symmetric_definitions_are_symmetric_to_the_bit():
    arrays = embeddings()
    table = {(s.a, s.b, s.spec): s.scored for s in compare(arrays, all_pairs(arrays), SPECS)}
    for (a, b, spec), scored in table.items():
        if spec.definition_info.symmetric:
            assert table[b, a, spec] == scored


class Rows:
    """Rows behind a source: how often each was read."""

    def __init__(self, x):
        self.x, self.reads = x, np.zeros(len(x), int)
        self.shape, self.dtype = x.shape, x.dtype

    def __getitem__(self, rows):
        self.reads[rows] += 1
        return self.x[rows]


def test_work_is_shared_and_done_when_asked_for():
    sources = {name: Rows(x) for name, x in embeddings().items()}
    scores = compare(sources, all_pairs(sources), SPECS)
    opened = {name: source.reads.max() for name, source in sources.items()}
    assert all(reads <= 2 for reads in opened.values())
    next(scores)  # what is prepared for CKNNA is prepared for all its pairs
    assert sources["m3"].reads.max() > opened["m3"]
    list(scores)
    after_all = {name: source.reads.copy() for name, source in sources.items()}
    alone = {name: Rows(source.x) for name, source in sources.items()}
    list(compare(alone, [("m0", "m1")], SPECS))
    # Three pairs of an embedding read it no more often than one: tiles are its own work.
    np.testing.assert_array_equal(alone["m0"].reads, after_all["m0"])


def test_progress_rises_to_the_end():
    told = []
    arrays = embeddings()
    list(compare(arrays, all_pairs(arrays), SPECS, progress=told.append))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_only_embeddings_in_pairs_are_read():
    arrays = {**embeddings(), "broken": np.full((3, 2), np.nan)}
    assert list(compare(arrays, [("m0", "m1")], SPECS))


def test_given_neighbours_are_used_and_change_nothing():
    arrays = embeddings()
    given = {name: summarize(x, k_neighbors=20).neighbors for name, x in arrays.items()}
    fresh = list(compare(arrays, all_pairs(arrays), SPECS))
    short = {name: summarize(x, k_neighbors=3).neighbors for name, x in arrays.items()}
    assert list(compare(arrays, all_pairs(arrays), SPECS, neighbors=short)) == fresh
    assert list(compare(arrays, all_pairs(arrays), SPECS, neighbors=given)) == fresh
    # Lists that say something else are believed.
    false = replace(given["m0"], inner_index=given["m0"].inner_index[::-1].copy())
    misled = list(compare(arrays, [("m0", "m1")], SPECS[:1], neighbors={**given, "m0": false}))
    assert misled[0] != fresh[0]


def test_neighbours_of_another_sample_are_refused():
    arrays = embeddings()
    other = summarize(arrays["m0"][:50], k_neighbors=5).neighbors
    with pytest.raises(MetricInputError, match="m0 cover 50 rows, its embedding has 70"):
        compare(arrays, [("m0", "m1")], SPECS, neighbors={"m0": other})
    good = summarize(arrays["m0"], k_neighbors=5).neighbors
    outside = replace(good, inner_index=good.inner_index + 60)
    with pytest.raises(MetricInputError, match="inner neighbours of m0 point outside its 70 rows"):
        compare(arrays, [("m0", "m1")], SPECS, neighbors={"m0": outside})
    halved = replace(good, euclid_distance=good.euclid_distance[:, :2])
    with pytest.raises(MetricInputError, match="equal shapes"):
        compare(arrays, [("m0", "m1")], SPECS, neighbors={"m0": halved})


def test_lists_are_longer_than_asked_for_and_empty_in_masked_rows():
    valid = np.ones(70, bool)
    valid[[0, 33, 69]] = False
    x = embeddings()["m0"].copy()
    x[~valid] = np.nan
    near = summarize(x, k_neighbors=10, valid=valid).neighbors
    for index in (near.euclid_index, near.inner_index):
        assert index.shape == (70, 10 + slack(10))
        assert (index[~valid] == -1).all()
        assert (index[valid] >= 0).all()
        assert not np.isin(index[valid], np.flatnonzero(~valid)).any()
    assert np.isinf(near.euclid_distance[~valid]).all()
    assert summarize(x, k_neighbors=1000, valid=valid).neighbors.euclid_index.shape == (70, 66)


@pytest.mark.parametrize("memory_bytes", [1, 60_000, 1 << 30])
@pytest.mark.parametrize("threads", [1, 3])
def test_block_size_and_threads_do_not_matter(memory_bytes, threads):
    arrays = embeddings()
    reference = list(compare(arrays, all_pairs(arrays), SPECS))
    other = compare(arrays, all_pairs(arrays), SPECS, memory_bytes=memory_bytes, threads=threads)
    for mine, theirs in zip(reference, other, strict=True):
        assert theirs.scored.value == pytest.approx(mine.scored.value, rel=1e-12)
        if mine.spec.metric == "information_imbalance":
            assert theirs.scored.value == mine.scored.value
    small = summarize(arrays["m0"], k_neighbors=10, memory_bytes=memory_bytes).neighbors
    large = summarize(arrays["m0"], k_neighbors=10).neighbors
    np.testing.assert_array_equal(small.euclid_index, large.euclid_index)
    np.testing.assert_array_equal(small.inner_index, large.inner_index)


def test_summarize_equals_the_plain_functions():
    x = embeddings(200)["m2"]
    specs = [
        MetricSpec("twonn"),
        MetricSpec("mle", params={"k": 5}),
        MetricSpec("mle", params={"k": 50}),
        MetricSpec("mle", params={"k": 50, "average": "mean"}),
    ]
    values = [scored.value for _, scored in summarize(x, k_neighbors=3, id_specs=specs).intrinsic]
    assert values == [
        twonn(x),
        mle_intrinsic_dimension(x, 5),
        mle_intrinsic_dimension(x, 50),
        mle_intrinsic_dimension(x, 50, "mean"),
    ]
    longer = summarize(x, k_neighbors=100, id_specs=specs)
    assert [s.value for _, s in longer.intrinsic] == pytest.approx(values, rel=1e-14)
    assert longer.duplicates == 0


def test_intrinsic_dimension_is_recovered():
    x = np.random.RandomState(0).random_sample((3000, 4)) @ np.random.RandomState(1).rand(4, 20)
    assert twonn(x) == pytest.approx(4.0, rel=0.1)
    assert mle_intrinsic_dimension(x, 20) == pytest.approx(4.0, rel=0.1)


def test_debiased_values_vanish_under_independence_and_plain_ones_do_not():
    rng = np.random.RandomState(2)
    pair = {"a": rng.standard_normal((300, 200)), "b": rng.standard_normal((300, 200))}
    scores = compare(pair, [("a", "b")], [MetricSpec("dcor", "squared"), MetricSpec("cka")])
    floors = {"dcor": 4 * 200 / (300 + 4 * 200), "cka": 200 / (300 + 200)}
    for score in scores:
        assert score.scored.value == pytest.approx(floors[score.spec.metric], rel=0.05)
        assert abs(score.scored.debiased) < 0.02


def test_normalize():
    x = np.array([[3.0, -4.0], [0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(normalize(x, "none"), x)
    np.testing.assert_allclose(normalize(x, "max"), x / 4.0)
    np.testing.assert_allclose(normalize(x, "l2"), [[0.6, -0.8], [0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(normalize(1e200 * x, "l2")[0], [0.6, -0.8])
    assert x[0, 0] == 3.0


def test_specs_are_canonical():
    assert MetricSpec("cknna") == MetricSpec("cknna", "huh2024", {"k": 25})
    assert hash(MetricSpec("cknna")) == hash(MetricSpec("cknna", params={"k": 25.0}))
    assert MetricSpec("cknna").params_json == '{"k":25}'
    assert MetricSpec("cka").params_json == "{}"
    assert MetricSpec("mle").params_json == '{"average":"inverse_mean","k":50}'
    assert pickle.loads(pickle.dumps(MetricSpec("mle"))) == MetricSpec("mle")
    # Names in users' configurations and tables, the default first.
    listed = {name: list(info.definitions) for name, info in METRICS.items()}
    known = {
        "cknna": ["huh2024", "text", "printed"],
        "mutual_knn": ["inner", "euclidean"],
        "dcor": ["root", "squared", "debiased"],
        "cka": ["plain", "debiased"],
        "information_imbalance": ["rank"],
        "twonn": ["fit"],
        "mle": ["levina_bickel"],
        "idcor": ["basile2024"],
        "gfre": ["goscinski2021"],
        "lfre": ["goscinski2021"],
    }
    assert {name: listed.get(name) for name in known} == known


def test_scored_never_holds_nan_or_half_an_outcome():
    for value, status, reason in [
        (float("nan"), "ok", ""),
        (None, "ok", ""),
        (1.0, "not_applicable", "k"),
        (None, "not_applicable", ""),
        (1.0, "ok", "why"),
    ]:
        with pytest.raises(ValueError, match="score"):
            Scored(value, status, reason, 3)


@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_of_embeddings_score_as_all_at_once(threads):
    arrays = embeddings(count=7)
    specs = [s for s in SPECS if s.metric in ("cknna", "mutual_knn")]
    whole = list(compare(arrays, all_pairs(arrays), specs, sweep=True))
    # Room for two embeddings prepared: every pair is a block of its own.
    tight = compare(
        arrays, all_pairs(arrays), specs, sweep=True, memory_bytes=20_000, threads=threads
    )
    assert list(tight) == whole
