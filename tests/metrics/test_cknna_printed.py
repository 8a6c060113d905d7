"""CKNNA as the study prints it, against a dense implementation written from its equations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matteralign.metrics import MetricSpec, NotApplicable, cknna, compare
from matteralign.metrics.local.kernel import local_kernel, restricted_kernel
from matteralign.metrics.local.lists import restrict
from matteralign.metrics.local.scores import cknna_printed
from matteralign.stats.blocks import block_of

SPEC = MetricSpec("cknna", "printed", {"k": 8})


def nearest(kernel, i, k):
    others = [j for j in range(len(kernel)) if j != i]
    return set(sorted(others, key=lambda j: (-kernel[i, j], j))[:k])


def align(k_bar, l_bar, alpha):
    """A5 to A7: the sum of products of kernels over the pairs that are neighbours in both."""
    return sum(k_bar[i, j] * l_bar[i, j] for i, row in enumerate(alpha) for j in row)


def by_the_equations(x, y, k):
    kernel_x, kernel_y = x @ x.T, y @ y.T
    n = len(x)
    # A3, A4: one expectation, over all pairs of rows.
    k_bar = kernel_x - kernel_x.sum() / n**2
    l_bar = kernel_y - kernel_y.sum() / n**2
    near_x = [nearest(kernel_x, i, k) for i in range(n)]
    near_y = [nearest(kernel_y, i, k) for i in range(n)]
    both = [a & b for a, b in zip(near_x, near_y, strict=True)]
    scale = np.sqrt(align(k_bar, k_bar, near_x) * align(l_bar, l_bar, near_y))
    return align(k_bar, l_bar, both) / scale


def matrices(x, y, k):
    """Masked kernels of both sides, for sums over pairings."""
    out = []
    for z in (x, y):
        kernel = z @ z.T
        mask = np.zeros_like(kernel)
        for i in range(len(z)):
            mask[i, list(nearest(kernel, i, k))] = 1.0
        out.append(mask * (kernel - kernel.mean()))
    return out


def embeddings(seed, n, offset=0.0, noise=0.3):
    rng = np.random.RandomState(seed)
    x = rng.standard_normal((n, 7))
    y = np.tanh(x @ rng.standard_normal((7, 5))) + noise * rng.standard_normal((n, 5))
    return x + offset, y - 0.5 * offset


def lists_of(x, length):
    kernel = x @ x.T
    np.fill_diagonal(kernel, -np.inf)
    return np.argsort(-kernel, axis=1, kind="stable")[:, :length].astype(np.int32)


@pytest.mark.parametrize("offset", [0.0, 0.7, 30.0])
@pytest.mark.parametrize("k", [1, 8, 59])
def test_equals_the_equations(offset, k):
    x, y = embeddings(0, 60, offset)
    rel = 1e-9 if offset > 1 else 1e-11
    assert cknna(x, y, k, "printed") == pytest.approx(by_the_equations(x, y, k), rel=rel)


def test_differs_from_the_double_centred_reading_where_rows_differ_in_length():
    x, y = embeddings(1, 120, 1.5)
    x = x * np.exp(np.random.RandomState(2).standard_normal((120, 1)))
    printed, text = cknna(x, y, 8, "printed"), cknna(x, y, 8, "text")
    assert abs(printed - text) > 0.2 * abs(printed)


def test_equal_rows_and_zero_kernels():
    same = np.ones((40, 3))
    lists = lists_of(same, 5)
    a = local_kernel(same, lists, [3])
    assert "zero" in cknna_printed(a, a, [3])[0].reason
    with pytest.raises(NotApplicable, match="constant"):
        cknna(same, embeddings(0, 40)[1], 3, "printed")


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(6, 40),
    k=st.integers(1, 5),
    power=st.integers(-40, 40),
    offset=st.sampled_from([0.0, 0.5, -3.0]),
)
def test_properties(seed, n, k, power, offset):
    x, y = embeddings(seed, n, offset)
    value = cknna(x, y, k, "printed")
    assert -1.0 <= value <= 1.0
    assert value == pytest.approx(by_the_equations(x, y, k), rel=1e-8, abs=1e-10)
    assert cknna(y, x, k, "printed") == pytest.approx(value, rel=1e-12, abs=1e-14)
    assert cknna(x, x, k, "printed") == pytest.approx(1.0, abs=1e-12)
    assert cknna(x * 2.0**power, y, k, "printed") == pytest.approx(value, rel=1e-9, abs=1e-12)
    order = np.random.default_rng(seed).permutation(n)
    assert cknna(x[order], y[order], k, "printed") == pytest.approx(value, rel=1e-9, abs=1e-11)
    turned = x @ np.linalg.qr(np.random.RandomState(seed).standard_normal((7, 7)))[0]
    assert cknna(turned, y, k, "printed") == pytest.approx(value, rel=1e-8, abs=1e-9)


def test_null_is_that_of_all_pairings():
    """2,000 pairings at n = 50: mean within 4 standard errors, deviation within 10 %."""
    x, y = embeddings(3, 50, 0.3)
    a, b = matrices(x, y, 8)
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    rng = np.random.default_rng(0)
    sampled = []
    for _ in range(2000):
        order = rng.permutation(50)
        sampled.append((a * b[np.ix_(order, order)]).sum() / scale)
    (score, _) = compare({"x": x, "y": y}, [("x", "y")], [SPEC])
    assert abs(score.scored.null_mean - np.mean(sampled)) < 4 * np.std(sampled) / 2000**0.5
    assert score.scored.null_sd == pytest.approx(np.std(sampled), rel=0.1)
    floor = score.scored.null_mean
    assert floor == pytest.approx(a.sum() * b.sum() / (50 * 49) / scale, rel=1e-9)
    assert score.scored.debiased == pytest.approx((score.scored.value - floor) / (1 - floor))


@pytest.mark.parametrize("offset", [0.5, 30.0])
def test_replicates_are_the_scores_of_the_rows_left(offset):
    n, k = 96, 5
    x, y = embeddings(6, n, offset)
    a, b = (local_kernel(z, lists_of(z, 40), [k], jackknife=True) for z in (x, y))
    (score,) = cknna_printed(a, b, [k])
    block = block_of(n)
    for lane in range(16):
        left = block != lane
        expected = by_the_equations(x[left], y[left], k)
        assert score.replicates[lane] == pytest.approx(expected, rel=1e-5, abs=1e-7)
        p, q = matrices(x[left], y[left], k)
        m = int(left.sum())
        floor = p.sum() * q.sum() / (m * (m - 1)) / np.sqrt((p**2).sum() * (q**2).sum())
        corrected = (expected - floor) / (1.0 - floor)
        assert score.debiased_replicates[lane] == pytest.approx(corrected, rel=1e-4, abs=1e-6)


def test_rows_that_one_embedding_lacks_are_left_out_of_the_mean_too():
    x, y = embeddings(9, 90, 0.4)
    valid = np.ones(90, bool)
    valid[[0, 7, 20, 55, 89]] = False
    holed = np.where(valid[:, None], y, np.nan)
    scores = compare({"x": x, "y": holed}, [("x", "y")], [SPEC], valid={"y": valid})
    score = next(scores).scored
    assert score.n == 85
    assert score.value == pytest.approx(by_the_equations(x[valid], y[valid], 8), rel=1e-9)
    whole = [local_kernel(z, lists_of(z, 60), [8]) for z in (x, y)]
    parts = [restricted_kernel(w, restrict(w.lists.index, valid, 8), [8]) for w in whole]
    assert cknna_printed(*parts, [8])[0].value == pytest.approx(score.value, rel=1e-9)


def test_float32_rows_beyond_the_exact_size_are_summed_in_float64():
    x, y = (z.astype(np.float32) for z in embeddings(1, 80, 3.0))
    expected = by_the_equations(x.astype(float), y.astype(float), 8)
    options = {"precision": "single"}
    score = next(compare({"x": x, "y": y}, [("x", "y")], [SPEC], **options)).scored
    assert score.value == pytest.approx(expected, rel=1e-9)
