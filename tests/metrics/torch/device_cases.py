"""The engine on every device of torch that is here, beside the CPU path.

Run by `test_torch.py` in the environment `torch`, which has neither the fixtures of the
project nor its other packages.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from matteralign.metrics import (
    MetricInputError,
    MetricSpec,
    MetricSpecError,
    cka,
    compare,
    dcor,
    information_imbalance,
    summarize,
)
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.embedding.embedding import open_embedding
from matteralign.metrics.embedding.key_loops import mixed
from matteralign.metrics.embedding.ties import tie_labels
from matteralign.metrics.tiles import backend as seam
from matteralign.metrics.tiles.backend import open_backend
from matteralign.metrics.tiles.neighbors import find_neighbors, find_scaled

DEVICES = ["torch", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
LISTS = ("euclid_index", "euclid_distance", "inner_index")
GLOBAL = [
    MetricSpec("dcor", "root"),
    MetricSpec("dcor", "squared"),
    MetricSpec("cka", "plain"),
]
RANKS = [
    MetricSpec("information_imbalance", "rank", {"k": 1}),
    # Too many bounds per row for the pass: counted over whole rows.
    MetricSpec("information_imbalance", "rank", {"k": 60}),
]
LOCAL = [MetricSpec("cknna", "text", {"k": 10})]
FIELDS = ("value", "debiased", "null_mean", "null_sd", "ci_low", "ci_high")

device = pytest.mark.parametrize("device", DEVICES)


def rows(kind: str, n: int = 700) -> np.ndarray:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(n, 24))
    if kind == "offset":
        return x + 3000.0
    if kind == "outlier":
        x[:, 3] *= 1e4
    elif kind == "near duplicates":
        x[n // 2 :] = x[: n // 2] + 1e-6 * rng.normal(size=(n // 2, 24))
    elif kind == "duplicates":
        x[n // 2 :] = x[: n // 2]
    elif kind == "ties":
        return rng.integers(0, 3, (n, 6)).astype(float)
    elif kind == "zero rows":
        x[::5] = 0.0
    return x


def embeddings(n: int = 700, count: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    base = rng.normal(size=(n, 6))
    return {
        f"m{i}": base @ rng.normal(size=(6, 10 + i)) + i * rng.normal(size=(n, 10 + i)) + 5.0
        for i in range(count)
    }


def masks(n: int = 700) -> dict[str, np.ndarray]:
    one, two = np.ones(n, bool), np.ones(n, bool)
    one[::7] = False
    two[100:150] = False
    return {"m1": one, "m2": two}


def scores(arrays, specs, **options):
    pairs = list(itertools.combinations(arrays, 2))
    return list(compare(arrays, pairs, specs, **options))


def assert_close(found, expected, tolerance):
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine.a, mine.b, mine.spec) == (theirs.a, theirs.b, theirs.spec)
        a, b = mine.scored, theirs.scored
        assert (a.status, a.reason, a.n) == (b.status, b.reason, b.n)
        for name in FIELDS:
            one, two = getattr(a, name), getattr(b, name)
            assert (one is None) == (two is None)
            if one is not None:
                assert one == pytest.approx(two, rel=tolerance, abs=tolerance), (mine.spec, name)
        for one, two in zip(a.sweep, b.sweep, strict=True):
            assert one.n == two.n
            assert one.value == pytest.approx(two.value, rel=tolerance, abs=tolerance)


@device
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize(
    "kind",
    ["plain", "offset", "outlier", "near duplicates", "duplicates", "ties", "zero rows"],
)
def test_neighbours_are_those_of_the_cpu(device, kind, double):
    for dtype in (np.float32, np.float64):
        embedding = open_embedding(rows(kind).astype(dtype), "x")
        wanted = {"euclid": 25, "inner": 25, "sweep": True, "double": double}
        expected = find_neighbors(embedding, **wanted)
        resources = Resources(threads=2, backend=open_backend(device))
        found = find_neighbors(embedding, resources=resources, **wanted)
        for name in LISTS:
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        for (one, mine), (two, theirs) in zip(found.leading, expected.leading, strict=True):
            assert one == two
            np.testing.assert_array_equal(mine.euclid_index, theirs.euclid_index)
            np.testing.assert_array_equal(mine.inner_index, theirs.inner_index)


@device
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("kind", ["plain", "offset", "duplicates", "ties"])
def test_neighbours_of_several_scalings_are_those_of_the_cpu(device, kind, double):
    x = rows(kind)
    x[:, 0] = np.abs(x[:, 0]) + 1.0
    x *= np.exp(np.arange(len(x)) % 5)[:, None]
    modes = ("none", "row_max", "l2")
    scaled = [open_embedding(x, "x", mode=mode) for mode in modes]
    resources = Resources(threads=2, backend=open_backend(device))
    found = find_scaled(scaled[-1], scaled, [(25, 25)] * 3, double=double, resources=resources)
    for embedding, mine in zip(scaled, found, strict=True):
        expected = find_neighbors(embedding, euclid=25, inner=25, double=double)
        for name in LISTS:
            np.testing.assert_array_equal(getattr(mine, name), getattr(expected, name))


@device
def test_neighbours_equal_brute_force(device):
    x = rows("ties", 300)
    near = summarize(x, k_neighbors=7, device=device).neighbors
    squares = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    labels = tie_labels(open_embedding(x, "x"))
    keys = mixed((labels[:, None] + labels).ravel()).reshape(squares.shape)
    expected = np.lexsort((keys, squares))[:, :7]
    np.testing.assert_array_equal(near.euclid_index[:, :7], expected)


@device
@pytest.mark.parametrize("memory_bytes", [1, 200_000, 4 << 20])
def test_neighbours_do_not_depend_on_the_memory_bound(device, memory_bytes):
    embedding = open_embedding(rows("plain"), "x", valid=masks()["m1"])
    expected = find_neighbors(embedding, euclid=20, inner=20, double=False)
    found = find_neighbors(
        embedding, euclid=20, inner=20, double=False,
        resources=Resources(memory_bytes, backend=open_backend(device)),
    )  # fmt: skip
    np.testing.assert_array_equal(found.euclid_index, expected.euclid_index)
    np.testing.assert_array_equal(found.inner_index, expected.inner_index)


@device
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("precision", "tolerance"), [("single", 1e-6), ("double", 1e-10)])
def test_scores_agree_with_the_cpu(device, precision, tolerance, masked):
    arrays = embeddings()
    options = {"precision": precision, "valid": masks() if masked else None, "sweep": True}
    specs = GLOBAL + LOCAL
    expected = scores(arrays, specs, **options)
    for memory_bytes in (3 << 20, 4 << 30):
        found = scores(
            arrays, specs, device=device, threads=2, memory_bytes=memory_bytes, **options
        )
        assert_close(found, expected, tolerance)


@device
def test_single_precision_is_near_double(device):
    arrays = embeddings(900)
    expected = scores(arrays, GLOBAL, precision="double")
    found = scores(arrays, GLOBAL, precision="single", device=device)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.scored.value == pytest.approx(theirs.scored.value, abs=1e-6)


@device
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("specs", [RANKS[:1], RANKS], ids=["in the pass", "over whole rows"])
def test_ranks_agree_with_the_cpu(device, specs, masked):
    arrays = {name: x.astype(np.float32) for name, x in embeddings().items()}
    options = {"valid": masks() if masked else None, "sweep": True, "device": device}
    exact = scores(arrays, specs, precision="double", **options | {"device": "cpu"})
    assert_close(scores(arrays, specs, precision="double", **options), exact, 0.0)
    # Few comparisons fall on the other side of a bound: one more row that is as near makes
    # 1 / n^2 at k = 1, 1.3e-4 in the smallest sample of the sweep.
    assert_close(scores(arrays, specs, precision="single", **options), exact, 3e-4)


@device
def test_ranks_among_ties_agree_in_single_precision(device):
    rng = np.random.default_rng(5)
    arrays = {f"m{i}": rng.integers(0, 5, (400, 6)).astype(np.float32) for i in range(3)}
    options = {"precision": "single", "valid": {"m1": masks(400)["m1"]}}
    for specs in (RANKS[:1], RANKS):
        expected = scores(arrays, specs, **options)
        assert_close(scores(arrays, specs, device=device, **options), expected, 1e-3)


@device
def test_a_new_model_leaves_the_others_scores_alone(device):
    arrays = embeddings()
    few = {name: arrays[name] for name in ("m0", "m1")}
    specs = GLOBAL + RANKS[:1]
    options = {"device": device, "precision": "single"}
    before = {(s.a, s.b, s.spec): s.scored.value for s in scores(few, specs, **options)}
    after = {(s.a, s.b, s.spec): s.scored.value for s in scores(arrays, specs, **options)}
    for key, value in before.items():
        assert after[key] == pytest.approx(value, abs=1e-7)


class Memory:
    def __init__(self):
        self.saved = []

    def load(self):
        return self.saved[-1] if self.saved else None

    def save(self, arrays):
        self.saved.append({name: np.array(array) for name, array in arrays.items()})


@device
def test_a_cut_pass_goes_on_and_never_on_another_cut_of_rows(device):
    arrays, specs = embeddings(), GLOBAL + RANKS[:1]
    options = {"precision": "single", "memory_bytes": 1 << 20, "device": device}
    whole = scores(arrays, specs, **options)
    kept = Memory()
    scores(arrays, specs, pass_state=kept, **options)
    # States come by the clock; the first one always does.
    assert kept.saved
    first = kept.saved[:1]
    for other in ({}, {"memory_bytes": 4 << 20}, {"device": "cpu"}):
        kept.saved = list(first)
        chosen = options | other
        expected = scores(arrays, specs, **chosen) if other else whole
        assert scores(arrays, specs, pass_state=kept, **chosen) == expected


@device
def test_products_are_single_precision_whatever_is_set_outside(device):
    arrays = embeddings()
    expected = scores(arrays, GLOBAL, precision="single", device=device)
    threads, before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        places = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)
        outside = [place.fp32_precision for place in places]
        assert scores(arrays, GLOBAL, precision="single", device=device) == expected
        assert [place.fp32_precision for place in places] == outside
        assert torch.get_num_threads() == threads
    finally:
        torch.set_float32_matmul_precision(before)


@device
def test_small_lists_and_few_rows(device):
    for n in (2, 3, 17, 40):
        arrays = {name: x[:n] for name, x in embeddings(60, 2).items()}
        options = {"precision": "single", "sweep": True}
        specs = GLOBAL + LOCAL + RANKS[:1]
        found = scores(arrays, specs, device=device, **options)
        assert_close(found, scores(arrays, specs, **options), 1e-5)


def test_devices_that_are_not_there_are_refused():
    x = rows("plain", 20)
    count = torch.cuda.device_count()
    with pytest.raises(MetricInputError, match=f"torch sees {count} GPUs; choose device 'cpu'"):
        summarize(x, k_neighbors=2, device=f"cuda:{count}")
    for name in ("tpu", "cuda:x", "cpu:0", "cudas"):
        with pytest.raises(MetricSpecError, match="unknown device"):
            summarize(x, k_neighbors=2, device=name)
    assert open_backend("auto").name == ("cuda" if count else "cpu")
    assert seam.open_backend("cpu").name == "cpu"


def test_torch_tensors_are_accepted():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 5)), rng.normal(size=(40, 3))
    tensor = torch.tensor(x, requires_grad=True)
    for function in (dcor, cka, information_imbalance):
        assert function(tensor, torch.tensor(y)) == function(x, y)
    assert abs(dcor(torch.tensor(x).to(torch.bfloat16), y) - dcor(x, y)) < 0.01
    with pytest.raises(MetricInputError, match="x is complex"):
        dcor(torch.tensor(x, dtype=torch.complex128), y)
    if torch.cuda.is_available():
        assert dcor(torch.tensor(x).cuda(), y) == dcor(x, y)
