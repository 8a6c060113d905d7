"""The pass over all tiles against dense float64, alone and together, interrupted and resumed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from matteralign.metrics import MetricInputError, MetricSpec, compare
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.embedding.embedding import open_embedding
from matteralign.metrics.tiles.rank_counts import RankRequest, RankSums, rank_bounds
from matteralign.metrics.tiles.streaming import order_of_pass, stream
from matteralign.stats.blocks import block_of

MEMORY = 1 << 28
SPECS = [
    *(MetricSpec("dcor", name) for name in ("root", "squared", "debiased")),
    *(MetricSpec("cka", name) for name in ("plain", "debiased")),
    MetricSpec("cknna", "huh2024", {"k": 5}),
    MetricSpec("cknna", "text", {"k": 5}),
    MetricSpec("mutual_knn", "inner", {"k": 5}),
    MetricSpec("mutual_knn", "euclidean", {"k": 5}),
    MetricSpec("information_imbalance"),
    MetricSpec("information_imbalance", "rank", {"k": 4}),
]
# How far dCor and CKA may be off; measured: 7e-9 and 3e-16 at worst.
SINGLE, DOUBLE = 1e-6, 1e-12


def drawn(n, count=4, seed=0):
    """Related embeddings of different widths and offsets, float32."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(n, 5))
    return [
        (np.hstack([base @ rng.normal(size=(5, 8)), rng.normal(size=(n, 3 + i))]) + 10 * i).astype(
            np.float32
        )
        for i in range(count)
    ]


def masks(n, which):
    rng = np.random.default_rng(7)
    every = np.ones(n, bool)
    some = rng.random(n) > 0.1
    lead = np.arange(n) >= n // 8
    few = every.copy()
    few[[0, n // 2, n - 1]] = False
    return {
        "none": [every] * 4,
        "one": [every, some, every, every],
        "several": [every, some, few, few],
        "all different": [some, lead, few, some & lead],
    }[which]


def opened(x, valid):
    out = []
    for i, (rows, mask) in enumerate(zip(x, valid, strict=True)):
        given = rows.copy()
        given[~mask] = np.nan
        out.append(open_embedding(given, f"m{i}", valid=mask))
    return out


def v_centred(a):
    return a - a.mean(0) - a.mean(1)[:, None] + a.mean()


def u_centred(a):
    a, n = a.copy(), len(a)
    np.fill_diagonal(a, 0.0)
    a = a - a.sum(0) / (n - 2) - a.sum(1)[:, None] / (n - 2) + a.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(a, 0.0)
    return a


def ratio(a, b):
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


def ratios(sample, a, b):
    plain = sample.biased(a, b) / np.sqrt(sample.biased_own(a, b) * sample.biased_own(b, a))
    own = sample.unbiased_own(a, b) * sample.unbiased_own(b, a)
    return np.array([plain, sample.unbiased(a, b) / np.sqrt(own)])


def dense_ratios(a, b):
    return np.array([ratio(v_centred(a), v_centred(b)), ratio(u_centred(a), u_centred(b))])


def matrix_of(kind, x):
    x = x.astype(np.float64)
    return cdist(x, x) if kind == "distances" else x @ x.T


SAMPLES = {"all": {}, "without": {"without": 3}}


@pytest.mark.parametrize("which", ["none", "one", "several", "all different"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, SINGLE), (np.float64, DOUBLE)])
@pytest.mark.parametrize("memory_bytes", [1, MEMORY])
def test_sums_equal_dense_matrices(which, dtype, tolerance, memory_bytes):
    n = 410  # blocks of 25 and 26 rows
    x, valid = drawn(n), masks(n, which)
    options = {
        "distances": True,
        "kernels": True,
        "dtype": dtype,
        "resources": Resources(memory_bytes),
    }
    embeddings = opened(x, valid)
    result = stream(embeddings, **options)
    fewer = stream(embeddings, leading=102, **options)
    blocks = block_of(n)
    inside = {"all": blocks >= 0, "without": blocks != 3, "leading": np.arange(n) < 102}
    for kind, chosen in itertools.product(("distances", "kernels"), inside):
        sums = getattr(fewer if chosen == "leading" else result, kind)
        sample = sums.sample(**SAMPLES.get(chosen, {}))
        for a, b in itertools.permutations(range(4), 2):
            rows = valid[a] & valid[b] & inside[chosen]
            one, two = matrix_of(kind, x[a][rows]), matrix_of(kind, x[b][rows])
            if kind == "kernels":
                one, two = v_centred(one), v_centred(two)  # digits, not values
            assert sample.n(a, b) == rows.sum()
            np.testing.assert_allclose(
                ratios(sample, a, b), dense_ratios(one, two), rtol=0, atol=tolerance
            )


@pytest.mark.parametrize("n", [4, 5, 8, 31, 32, 33, 47, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_rows(n, dtype):
    x = drawn(n)
    result = stream(
        opened(x, masks(n, "none")),
        distances=True,
        kernels=True,
        dtype=dtype,
        resources=Resources(MEMORY),
    )
    for kind in ("distances", "kernels"):
        whole = getattr(result, kind).sample()
        expected = dense_ratios(*(v_centred(matrix_of(kind, x[m])) for m in (0, 1)))
        found = ratios(whole, 0, 1)
        assert found == pytest.approx(expected, abs=1e-5 if dtype == np.float32 else 1e-11)
        assert getattr(result, kind).blocks == (16 if n >= 32 else 1)


@pytest.mark.parametrize("kind", ["distances", "kernels"])
@pytest.mark.parametrize("which", ["none", "several"])
def test_centred_diagonal(kind, which):
    n = 120
    x, valid = drawn(n), masks(n, which)
    embeddings = opened(x, valid)
    result = stream(
        embeddings,
        distances=True,
        kernels=True,
        dtype=np.float64,
        resources=Resources(MEMORY),
    )
    for a, b in itertools.permutations(range(4), 2):
        rows = valid[a] & valid[b]
        working = embeddings[a].block(0, n)[rows]
        order = order_of_pass(n)[0]
        expected = np.zeros(n)
        expected[rows] = np.diag(v_centred(matrix_of(kind, working)))
        expected = expected[order][rows[order]]
        found = getattr(result, kind).sample().centred_diagonal(a, b)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def stress(n=300):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, 12))
    outlier, near = x.copy(), np.repeat(x[: n // 5], 5, axis=0)
    outlier[:, 2] *= 1e3
    return {
        "offset 1e4": x + 1e4,
        "outlier column": outlier,
        "near duplicates": near + 1e-6 * rng.normal(size=near.shape),
        "duplicates": near,
        "d above n": rng.normal(size=(n, 2 * n)),
        "one column": x[:, :1],
        "tiny": 1e-200 * x,
        "huge": 1e200 * x,
    }


@pytest.mark.parametrize("name", stress())
@pytest.mark.parametrize(("precision", "tolerance"), [("single", SINGLE), ("double", 1e-11)])
def test_stress_cases(name, precision, tolerance):
    x = stress()[name]
    other = np.random.default_rng(4).normal(size=(len(x), 7))
    other[:, :1] += (x / np.abs(x).max())[:, :1]
    specs = [MetricSpec("dcor", "squared"), MetricSpec("cka")]
    found = list(compare({"x": x, "y": other}, [("x", "y")], specs, precision=precision))
    centred = x / np.abs(x).max()
    centred = centred - centred.mean(axis=0)
    for score, kind in zip(found[::2], ("distances", "kernels"), strict=True):
        pair = [matrix_of(kind, z) for z in (centred, other - other.mean(axis=0))]
        expected = dense_ratios(*pair)
        values = [score.scored.value, score.scored.debiased]
        assert values == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("row", [0, 57, 199])
def test_one_row_far_out_costs_no_digits(row, precision):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 6))
    y = x + rng.normal(size=(200, 6))
    x[row] *= 1e8
    # In long double: what is left after centring is 1e-8 of the entries.
    a, b = (cdist(z, z).astype(np.longdouble) for z in (x, y))
    far = x.astype(np.longdouble) - x[row].astype(np.longdouble)
    a[row] = a[:, row] = np.sqrt((far * far).sum(axis=1))
    expected = float(ratio(u_centred(a), u_centred(b)))
    spec = MetricSpec("dcor", "debiased")
    for score in compare({"x": x, "y": y}, [("x", "y")], [spec], precision=precision):
        assert score.scored.value == pytest.approx(expected, abs=1e-9)


def named(n=150, count=5):
    return {f"m{i}": x for i, x in enumerate(drawn(n, count))}


def table(arrays, pairs=None, specs=SPECS, **options):
    pairs = list(itertools.combinations(arrays, 2)) if pairs is None else pairs
    return {(s.a, s.b, s.spec): s.scored for s in compare(arrays, pairs, specs, **options)}


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("masked", [False, True])
def test_a_pair_scores_the_same_whoever_else_is_there(precision, masked):
    arrays = named()
    valid = {"m1": np.arange(150) % 11 > 0, "m4": np.arange(150) > 20} if masked else {}
    options = {"valid": valid, "precision": precision, "sweep": True}
    together = table(arrays, **options)
    for a, b in (("m0", "m3"), ("m1", "m2"), ("m4", "m1")):
        pair = {name: arrays[name] for name in (a, b)}
        alone = table(pair, [(a, b)], **options)
        # Equal to the bit: statistics and sweeps are compared too.
        assert alone == {key: together[key] for key in alone}


@pytest.mark.parametrize("precision", ["single", "double"])
def test_threads_change_no_bit(precision):
    arrays = named()
    one = table(arrays, precision=precision, sweep=True)
    assert table(arrays, precision=precision, sweep=True, threads=3) == one


@pytest.mark.parametrize("memory_bytes", [1, 500_000])
def test_memory_changes_rounding_only(memory_bytes):
    arrays = named()
    free = table(arrays, precision="double")
    for key, scored in table(arrays, precision="double", memory_bytes=memory_bytes).items():
        assert scored.value == pytest.approx(free[key].value, rel=1e-11)
        assert scored.ci_low == pytest.approx(free[key].ci_low, rel=1e-9)


class Store:
    def __init__(self, state=None):
        self.state, self.saved = state, 0

    def load(self):
        return self.state

    def save(self, arrays):
        self.state = {name: array.copy() for name, array in arrays.items()}
        self.saved += 1


class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [0.0, 0.3, 0.9])
def test_a_killed_pass_goes_on_to_the_same_bits(after):
    arrays = named(200)
    options = {"precision": "single", "memory_bytes": 100_000, "sweep": True}
    undisturbed = table(arrays, **options)
    store, told = Store(), []

    def kill(share):
        if share > after and store.saved:
            raise Killed

    with pytest.raises(Killed):
        table(arrays, pass_state=store, progress=kill, **options)
    assert int(store.state["done"]) > 0
    resumed = table(arrays, pass_state=store, progress=told.append, **options)
    assert resumed == undisturbed
    assert told[0] > 0.0


def test_a_state_of_another_run_is_left_aside():
    arrays = named(200)
    other = Store()
    table(dict(itertools.islice(arrays.items(), 2)), pass_state=other, memory_bytes=100_000)
    assert other.state is not None
    expected = table(arrays)
    for state in (other.state, {"done": np.asarray(3)}, {}):
        assert table(arrays, pass_state=Store(state)) == expected


class Rows:
    """Rows on disk: remembers the most that was read at once."""

    def __init__(self, x, says=None, fails_after=None):
        self.x, self.shape, self.dtype = x, (says or len(x), x.shape[1]), x.dtype
        self.most, self.reads, self.fails_after = 0, 0, fails_after

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        self.reads += 1
        if self.fails_after is not None and self.reads > self.fails_after:
            raise OSError("disk gone")
        part = self.x[rows]
        self.most = max(self.most, len(part))
        return part


def test_rows_on_disk_score_as_arrays():
    arrays = named(300)
    sources = {name: Rows(x) for name, x in arrays.items()}
    assert table(sources, precision="single") == table(arrays, precision="single")


def test_wide_rows_are_read_in_blocks_that_fit_the_bound():
    rng = np.random.default_rng(0)
    d, memory_bytes = 20_000, 40_000_000
    wide = {name: Rows(rng.normal(size=(700, d)).astype(np.float32)) for name in "ab"}
    specs = [MetricSpec("dcor"), MetricSpec("cka")]
    tight = table(wide, specs=specs, precision="single", memory_bytes=memory_bytes)
    # Columns of both embeddings in half of the bound; 8 MiB of float64 for one-off reading.
    assert max(source.most for source in wide.values()) <= max(
        memory_bytes // (2 * 2 * 4 * d), 8 * 1024**2 // (8 * d)
    )
    for key, scored in table(wide, specs=specs, precision="single").items():
        assert scored.value == pytest.approx(tight[key].value, abs=SINGLE)


def test_a_source_shorter_than_it_says_is_named():
    sources = {"a": Rows(drawn(50)[0], says=60), "b": drawn(60)[1]}
    with pytest.raises(MetricInputError, match="a gave 50 rows for 0:60: it is shorter"):
        compare(sources, [("a", "b")], SPECS)


def test_what_was_scored_before_a_disk_fails_is_kept():
    arrays = named(80, 3)
    pairs = [("m0", "m1"), ("m0", "m2")]
    broken = Rows(arrays["m2"], fails_after=2)  # it opens, then fails
    scores = compare({**arrays, "m2": broken}, pairs, SPECS[5:6])
    got = [next(scores), next(scores)]
    with pytest.raises(OSError, match="disk gone"):
        next(scores)
    assert [(s.a, s.b) for s in got] == [("m0", "m1"), ("m1", "m0")]
    assert got == list(compare(arrays, pairs[:1], SPECS[5:6]))


def test_counts_of_ranks_in_the_pass_survive_an_interruption():
    n, k = 100, 2
    x = drawn(n, 2)
    embeddings = opened(x, masks(n, "none")[:2])
    near = np.argsort(cdist(x[0], x[0]), axis=1)[:, 1 : k + 1].astype(np.int32)

    def request():
        sums = RankSums.zeros(2, 2, 16)
        sums.count_edges(near, 0, 1, block_of(n))
        bounds = rank_bounds(embeddings[1], near, np.float32)
        asked = RankRequest(n, near, bounds, np.zeros(k, np.int64), 1, sums)
        return asked.in_order(order_of_pass(n)[0])

    def run(asked, pass_state=None, progress=None):
        stream(
            embeddings,
            distances=False,
            kernels=False,
            ranks=[(), [asked]],
            resources=Resources(1, progress=progress),
            pass_state=pass_state,
        )
        return asked.sums

    store = Store()

    def kill(share):
        if share > 0.5:
            raise Killed

    with pytest.raises(Killed):
        run(request(), pass_state=store, progress=kill)
    again, once = run(request(), pass_state=store), run(request())
    for mine, theirs in zip(again.arrays(), once.arrays(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
