"""Scores from neighbour lists against dense definitions: values, replicates, other rows."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from matteralign.metrics import MetricInputError
from matteralign.metrics.local import huh2024 as local_huh2024
from matteralign.metrics.local.common import shared
from matteralign.metrics.local.huh2024 import cknna_huh2024
from matteralign.metrics.local.kernel import local_kernel, restricted_kernel
from matteralign.metrics.local.lists import local_lists, restrict
from matteralign.metrics.local.scores import cknna_text, mutual_knn
from matteralign.stats.blocks import block_of

spec = importlib.util.spec_from_file_location(
    "local_reference", Path(__file__).with_name("local_reference.py")
)
ref = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ref)

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
KS = [2, 10, 25]


def kernels(x, y, ks, length, **options):
    return [local_kernel(z, ref.inner_lists(z, length), ks, **options) for z in (x, y)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("offset", [0.0, 0.7, 30.0])
@pytest.mark.parametrize("length", [25, 40])
@pytest.mark.parametrize("jackknife", [False, True])
def test_values_of_all_k_equal_dense(seed, offset, length, jackknife):
    x, y = ref.embeddings(seed, 80, offset=offset)
    a, b = kernels(x, y, KS, length, jackknife=jackknife)
    loose = {"rtol": 1e-9, "atol": 1e-11} if offset > 1 else CLOSE
    found = shared(a.lists, b.lists, KS) if jackknife else None
    text, huh = cknna_text(a, b, KS, found), cknna_huh2024(a, b, KS, found)
    for i, k in enumerate(KS):
        np.testing.assert_allclose(text[i].value, ref.dense_text(x, y, k), **loose)
        np.testing.assert_allclose(huh[i][0].value, ref.dense_huh2024(x, y, k), **loose)
        np.testing.assert_allclose(huh[i][1].value, ref.dense_huh2024(y, x, k), **loose)
        assert mutual_knn(a.lists, b.lists, KS, found)[i].value == pytest.approx(
            ref.dense_mutual(x, y, k), rel=1e-14
        )


def test_mutual_knn_of_euclidean_lists_and_its_value_for_equal_lists():
    x, y = ref.embeddings(4, 90)
    a, b = (local_lists(ref.euclid_lists(z, 12), [5, 12]) for z in (x, y))
    for k, score in zip([5, 12], mutual_knn(a, b, [5, 12]), strict=True):
        assert score.value == pytest.approx(ref.dense_mutual(x, y, k, ref.euclid_lists), rel=1e-14)
    assert [s.value for s in mutual_knn(a, a, [5, 12])] == [1.0, 1.0]


def test_float32_rows_are_summed_in_float64():
    x, y = (z.astype(np.float32) for z in ref.embeddings(1, 80, offset=3.0))
    a, b = kernels(x, y, [10], 15)
    expected = ref.dense_text(x.astype(float), y.astype(float), 10)
    assert cknna_text(a, b, [10])[0].value == pytest.approx(expected, rel=1e-11)


def test_scale_of_the_rows():
    x, y = ref.embeddings(2, 60)
    plain = kernels(x, y, [10], 20)
    lists = [ref.inner_lists(z, 20) for z in (x, y)]
    huge = [local_kernel(z, i, [10]) for z, i in zip((1e200 * x, y), lists, strict=True)]
    assert cknna_text(*huge, [10])[0].value == pytest.approx(cknna_text(*plain, [10])[0].value)
    assert "overflow" in cknna_huh2024(*huge, [10])[0][0].reason
    small = kernels(1e-2 * x, 1e-2 * y, [10], 20)
    np.testing.assert_allclose(
        cknna_huh2024(*small, [10])[0][0].value,
        ref.dense_huh2024(1e-2 * x, 1e-2 * y, 10),
        **CLOSE,
    )


@pytest.mark.parametrize(("noise", "offset"), [(0.3, 0.5), (3.0, 0.0)])
def test_replicates_equal_the_scores_of_the_rows_left(noise, offset):
    n, ks = 150, [3, 10, 20]
    x, y = ref.embeddings(6, n, noise=noise, offset=offset)
    a, b = kernels(x, y, ks, 60, jackknife=True)
    assert a.lists.short == {3: 0.0, 10: 0.0, 20: 0.0}
    text, huh = cknna_text(a, b, ks), cknna_huh2024(a, b, ks)
    mutual = mutual_knn(a.lists, b.lists, ks)
    block = block_of(n)
    for i, k in enumerate(ks):
        for lane in range(16):
            x_left, y_left = x[block != lane], y[block != lane]
            m = len(x_left)
            assert text[i].replicates[lane] == pytest.approx(
                ref.dense_text(x_left, y_left, k), rel=1e-6, abs=1e-8
            )
            assert mutual[i].replicates[lane] == pytest.approx(
                ref.dense_mutual(x_left, y_left, k), rel=1e-12
            )
            p, q, scale = ref.text_parts(x_left, y_left, k)
            floor = p.sum() * q.sum() / (m * (m - 1)) / scale
            corrected = (text[i].replicates[lane] - floor) / (1.0 - floor)
            assert text[i].debiased_replicates[lane] == pytest.approx(corrected, rel=1e-5, abs=1e-7)
        for direction, (u, v) in enumerate([(x, y), (y, x)]):
            exact = [ref.dense_huh2024(u[block != b], v[block != b], k) for b in range(16)]
            np.testing.assert_allclose(huh[i][direction].replicates, exact, rtol=1e-9, atol=1e-11)


def test_beyond_the_exact_rows_the_cross_term_of_replicates_is_scaled(monkeypatch):
    x, y = ref.embeddings(6, 1000, offset=0.3)
    exact, scaled = [], []
    monkeypatch.setattr(local_huh2024, "EXACT_SHARE", 1.0)
    for rows, found in ((2000, exact), (500, scaled)):
        monkeypatch.setattr(local_huh2024, "EXACT_ROWS", rows)
        a, b = kernels(x, y, [10], 30, jackknife=True)
        found.extend(cknna_huh2024(a, b, [10])[0][0].replicates)
    assert exact != scaled
    assert np.std(scaled) == pytest.approx(np.std(exact), rel=0.03)
    np.testing.assert_allclose(scaled, exact, rtol=0.02)


def test_replicates_are_exact_beyond_the_exact_rows_where_k_is_a_larger_share(monkeypatch):
    x, y = ref.embeddings(6, 400, offset=0.3)
    monkeypatch.setattr(local_huh2024, "EXACT_ROWS", 100)
    block = block_of(400)
    a, b = kernels(x, y, [40], 90, jackknife=True)
    exact = [ref.dense_huh2024(x[block != i], y[block != i], 40) for i in range(16)]
    found = cknna_huh2024(a, b, [40])[0][0].replicates
    np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-11)


def test_a_list_that_runs_out_is_counted_and_uses_what_it_has():
    x, y = ref.embeddings(7, 150)
    a, b = kernels(x, y, [20], 20, jackknife=True)
    assert 0.5 < a.lists.short[20] < 1.0
    score = mutual_knn(a.lists, b.lists, [20])[0]
    assert max(score.replicates) < score.value


def test_few_rows_have_a_value_but_no_replicates():
    x, y = ref.embeddings(0, 30)
    a, b = kernels(x, y, [5], 20, jackknife=True)
    for score in (cknna_text(a, b, [5])[0], *cknna_huh2024(a, b, [5])[0]):
        assert score.value is not None
        assert score.replicates == ()
        assert score.ci_low is None


@pytest.fixture(params=["dropped", "dropped and replaced"])
def masked(request):
    """Kernels over common rows by restriction, and the arrays of the common rows."""
    n, ks = 160, [4, 12]
    x, y = ref.embeddings(9, n, offset=0.4)
    rng = np.random.default_rng(0)
    common = np.ones(n, bool)
    common[rng.choice(n, 25, replace=False)] = False
    common[[3, 90]] = False
    length = 70 if request.param == "dropped" else 13
    whole = kernels(x, y, ks, length, jackknife=True)
    rows = np.flatnonzero(common)
    restricted = []
    for kernel, z in zip(whole, (x, y), strict=True):
        lists = restrict(kernel.lists.index, common, 12)
        assert (len(lists.short) > 0) == (request.param != "dropped")
        fresh = rows[ref.inner_lists(z[common], length)]
        lists.replace(lists.short, fresh[np.searchsorted(rows, lists.short)].astype(np.int32))
        restricted.append(restricted_kernel(kernel, lists, ks, jackknife=True))
    return restricted, x, y, common, ks


def test_restricted_kernels_score_the_common_rows(masked):
    (a, b), x, y, common, ks = masked
    u, v = x[common], y[common]
    assert a.lists.rows == common.sum()
    for i, k in enumerate(ks):
        text, huh = cknna_text(a, b, ks)[i], cknna_huh2024(a, b, ks)[i]
        assert text.n == common.sum()
        np.testing.assert_allclose(text.value, ref.dense_text(u, v, k), **CLOSE)
        np.testing.assert_allclose(huh[0].value, ref.dense_huh2024(u, v, k), **CLOSE)
        mutual = mutual_knn(a.lists, b.lists, ks)[i]
        assert mutual.value == pytest.approx(ref.dense_mutual(u, v, k), rel=1e-14)
        block = block_of(len(x))
        if a.lists.short[k] == b.lists.short[k] == 0.0:
            for lane in range(16):
                left = common & (block != lane)
                assert text.replicates[lane] == pytest.approx(
                    ref.dense_text(x[left], y[left], k), rel=1e-6
                )


def test_absent_rows_are_never_read_and_equal_those_taken_out():
    n = 120
    x, y = ref.embeddings(11, n)
    common = np.ones(n, bool)
    common[::7] = False
    rows = np.flatnonzero(common)
    pair = []
    for z in (x, y):
        index = np.full((n, 30), -1, np.int32)
        index[common] = rows[ref.inner_lists(z[common], 30)]
        holed = np.where(common[:, None], z, np.nan)
        pair.append(local_kernel(holed, index, [10], valid=common, jackknife=True))
    with np.errstate(all="raise"):
        text = cknna_text(*pair, [10])[0]
    np.testing.assert_allclose(text.value, ref.dense_text(x[common], y[common], 10), **CLOSE)
    assert np.isfinite(text.replicates).all()
    assert text.null_mean is not None


def test_requests_that_cannot_be_met():
    x, y = ref.embeddings(0, 40)
    a, b = kernels(x, y, [5], 10)
    assert "needs at least 41 rows, got 40" in cknna_text(a, b, [5, 40])[1].reason
    assert cknna_text(a, b, [5, 40])[0].value is not None
    with pytest.raises(MetricInputError, match="longer lists"):
        cknna_text(a, b, [12])
    with pytest.raises(MetricInputError, match="ascend"):
        mutual_knn(a.lists, b.lists, [5, 2])
    a, b = kernels(x, y, [5], 10, jackknife=True)
    with pytest.raises(MetricInputError, match="prepared for k"):
        cknna_huh2024(a, b, [7])


def test_zero_centred_kernel_and_no_reciprocal_neighbours_have_no_value():
    corner = np.array([[2.0, -2.0], [0.0, 0.0], [-1.0, -1.0], [1.0, 1.0]])
    a, b = kernels(corner, corner, [2], 3)
    assert "reciprocal" in cknna_huh2024(a, b, [2])[0][0].reason
    same = np.ones((40, 3))
    a, b = kernels(same, same, [2], 3)
    score = cknna_text(a, b, [2])[0]
    assert "zero" in score.reason
    assert score.status == "not_applicable"


def test_identical_embeddings_score_one_with_no_spread():
    x, _ = ref.embeddings(3, 100)
    a, b = kernels(x, x, [10], 40, jackknife=True)
    for score in (
        cknna_text(a, b, [10])[0],
        cknna_huh2024(a, b, [10])[0][0],
        mutual_knn(a.lists, b.lists, [10])[0],
    ):
        assert score.value == pytest.approx(1.0, abs=1e-6)
        assert score.debiased == pytest.approx(1.0, abs=1e-6)
        np.testing.assert_allclose(score.replicates, 1.0, atol=1e-6)
        assert score.null_p < 1e-10
