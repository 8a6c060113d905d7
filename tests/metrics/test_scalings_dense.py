"""Every metric under every scaling, from lists that share products, against dense formulas."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from matteralign.core.scaling import SCALINGS
from matteralign.metrics import MetricSpec, compare, summarize_scalings

spec = importlib.util.spec_from_file_location(
    "local_reference", Path(__file__).with_name("local_reference.py")
)
ref = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ref)

K, N = 6, 110
SPECS = [
    MetricSpec("cknna", "huh2024", {"k": K}),
    MetricSpec("cknna", "text", {"k": K}),
    MetricSpec("cknna", "printed", {"k": K}),
    MetricSpec("dcor", "squared"),
    MetricSpec("cka"),
    MetricSpec("information_imbalance", "rank", {"k": 1}),
    MetricSpec("information_imbalance", "rank", {"k": K}),
]
GROUPS = dict.fromkeys(SCALINGS, SPECS)


def by_hand(x, mode):
    if mode == "max":
        return x / np.abs(x).max()
    if mode == "row_max":
        return x / x.max(axis=1, keepdims=True)
    if mode == "row_max_abs":
        return x / np.abs(x).max(axis=1, keepdims=True)
    if mode == "clamp_l2":
        limit = np.sort(np.abs(x).ravel())[int(0.95 * x.size)]
        x = np.clip(x, -limit, limit)
    return x if mode == "none" else x / np.sqrt((x * x).sum(axis=1, keepdims=True))


class Dense:
    """An embedding with all its n x n matrices; equal neighbours go by the engine's draw."""

    def __init__(self, x, mode):
        self.rows = by_hand(x, mode)
        # Pair by pair, so that equal rows have equal entries.
        self.kernel = np.stack([(self.rows * row).sum(axis=1) for row in self.rows])
        self.squares = np.stack([np.square(self.rows - row).sum(axis=1) for row in self.rows])
        keys = ref.tie_keys(x)
        self.inner = ref.mask_of(ref.ordered(self.kernel, K, keys), K)
        self.near = {k: ref.mask_of(ref.ordered(-self.squares, k, keys), k) for k in (1, K)}

    def ranks(self):
        other = self.squares.copy()
        np.fill_diagonal(other, np.inf)
        nearer = (other[:, None, :] < other[:, :, None]).sum(axis=2)
        equal = (other[:, None, :] == other[:, :, None]).sum(axis=2) - 1
        return 1.0 + nearer + 0.5 * equal


def centred(matrix):
    return matrix - matrix.mean(axis=0) - matrix.mean(axis=1)[:, None] + matrix.mean()


def cosine(a, b, x, y):
    return (a * b).sum() / np.sqrt((x * x).sum() * (y * y).sum())


def expected(spec, a, b):
    both = a.inner * b.inner
    if spec.definition == "huh2024":
        own = [ref.song_unbiased_hsic(z.inner * z.kernel, z.inner * z.kernel) for z in (a, b)]
        shared = ref.song_unbiased_hsic(both * a.kernel, both * b.kernel)
        return shared / (np.sqrt(own[0] * own[1]) + 1e-6)
    if spec.metric == "cknna":
        level = centred if spec.definition == "text" else (lambda kernel: kernel - kernel.mean())
        one, two = level(a.kernel), level(b.kernel)
        return cosine(both * one, both * two, a.inner * one, b.inner * two)
    if spec.metric == "information_imbalance":
        k = spec.integer("k")
        n = len(a.rows)
        return 2.0 / (n * n * k) * (a.near[k] * b.ranks()).sum()
    one, two = (centred(np.sqrt(z.squares) if spec.metric == "dcor" else z.kernel) for z in (a, b))
    return cosine(one, two, one, two)


def pair(seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((N, 3))
    x = shared @ rng.standard_normal((3, 8)) + 0.5 * rng.standard_normal((N, 8)) + 0.3
    y = np.tanh(shared) @ rng.standard_normal((3, 5)) + 0.3 * rng.standard_normal((N, 5))
    for z in (x, y):
        z[:, 0] = np.abs(z[:, 0]) + 0.1
    return x, y


def data(case):
    x, y = pair()
    rng = np.random.default_rng(1)
    if case == "no positive element":
        x[[3, 40]], y[[40, 41]] = -np.abs(x[[3, 40]]), -np.abs(y[[40, 41]])
    if case == "near duplicates":
        x[1::2] = x[::2] * (1.0 + 1e-7 * rng.standard_normal((N // 2, 8)))
        y[2::2] = y[1:-1:2] * (1.0 + 1e-7 * rng.standard_normal((N // 2 - 1, 5)))
    if case == "ties":
        # Equal rows, and rows that scaling makes equal.
        x[N // 2 :], y[80:] = x[: N // 2] * 4.0, y[50:80]
        x[30:40] = x[:10]
    if case == "lengths over 1e6":
        x, y = (z * 10.0 ** (6.0 * rng.random((N, 1))) for z in (x, y))
    if case == "float32":
        x, y = x.astype(np.float32), y.astype(np.float32)
    return x, y


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize(
    "case",
    ["plain", "float32", "no positive element", "near duplicates", "ties", "lengths over 1e6",
     "masked"],
)  # fmt: skip
def test_every_metric_under_every_scaling_equals_the_dense_formula(case, precision, monkeypatch):
    if precision == "single":
        monkeypatch.setattr("matteralign.metrics.tiles.neighbors.DOUBLE_ROWS", 0)
    arrays = dict(zip("xy", data(case), strict=True))
    valid = {name: np.ones(N, bool) for name in arrays}
    if case == "masked":
        valid["x"][::9], valid["y"][50:60] = False, False
        for name, mask in valid.items():
            arrays[name][~mask] = np.nan
    found = {name: summarize_scalings(x, GROUPS, valid=valid[name]) for name, x in arrays.items()}
    # Single precision counts what it cannot tell apart as equal: half a rank here and there.
    single = precision == "single"
    blurred = single and case in ("near duplicates", "ties", "lengths over 1e6")
    for mode in SCALINGS:
        # These look at all rows that an embedding has, those of one alone included.
        if case == "masked" and mode in ("max", "clamp_l2"):
            continue
        common = valid["x"] & valid["y"]
        if mode == "row_max":
            common &= (arrays["x"].max(axis=1) > 0) & (arrays["y"].max(axis=1) > 0)
        one, two = (Dense(arrays[name][common].astype(np.float64), mode) for name in "xy")
        scores = compare(
            arrays, [("x", "y")], SPECS, valid=valid, normalize=mode, precision=precision,
            neighbors={name: found[name][mode].neighbors for name in "xy"},
        )  # fmt: skip
        for score in scores:
            ranks = score.spec.metric == "information_imbalance"
            if ranks and blurred:
                continue
            value = expected(score.spec, *((one, two) if score.a == "x" else (two, one)))
            near = {"rel": 3e-5 if single else 1e-8, "abs": 1e-4 if single and ranks else 1e-9}
            where = mode, score.spec, score.a
            assert score.scored.n == common.sum(), where
            assert score.scored.value == pytest.approx(value, **near), where
