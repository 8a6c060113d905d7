"""Scalings: what each does to rows, and that every metric is of the scaled rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matteralign.core.scaling import SCALINGS
from matteralign.metrics import (
    MetricInputError,
    MetricSpec,
    MetricSpecError,
    compare,
    normalize,
    summarize,
    summarize_scalings,
)
from matteralign.metrics.embedding.scaling import clamp_of

PAIR = [
    MetricSpec("cknna", "huh2024", {"k": 5}),
    MetricSpec("cknna", "text", {"k": 5}),
    MetricSpec("cknna", "printed", {"k": 5}),
    MetricSpec("mutual_knn", "euclidean", {"k": 5}),
    MetricSpec("dcor", "squared"),
    MetricSpec("cka"),
    MetricSpec("information_imbalance", "rank", {"k": 1}),
    MetricSpec("information_imbalance", "rank", {"k": 5}),
]
MODEL = [MetricSpec("twonn"), MetricSpec("mle", "levina_bickel", {"k": 10})]
ROWWISE = ("row_max", "row_max_abs")


def by_hand(x, mode):
    if mode == "none":
        return x
    if mode == "max":
        return x / np.abs(x).max()
    if mode == "row_max":
        return x / x.max(axis=1, keepdims=True)
    if mode == "row_max_abs":
        return x / np.abs(x).max(axis=1, keepdims=True)
    if mode == "clamp_l2":
        # What their released code does with exact quantiles.
        limit = np.sort(np.abs(x).ravel())[int(0.95 * x.size)]
        x = np.clip(x, -limit, limit)
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norms == 0, 1, norms)


def pair(seed=0, n=90):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 6)) * np.exp(rng.standard_normal((n, 1)))
    y = np.tanh(x @ rng.standard_normal((6, 4))) + 0.2 * rng.standard_normal((n, 4)) + 0.3
    # A row of negative elements is for the tests that want one.
    x[:, 0], y[:, 0] = np.abs(x[:, 0]) + 0.1, np.abs(y[:, 0]) + 0.1
    return x, y


def scores(x, y, **options):
    found = compare({"x": x, "y": y}, [("x", "y")], PAIR, **options)
    return {(s.a, s.spec): s.scored for s in found}


def same(found, expected, rel=1e-9):
    assert found.keys() == expected.keys()
    for key, score in found.items():
        other = expected[key]
        assert (score.status, score.n) == (other.status, other.n), key
        for name in ("value", "null_mean", "null_sd", "debiased", "ci_low", "ci_high"):
            one, two = getattr(score, name), getattr(other, name)
            assert (one is None) == (two is None), (key, name)
            if one is not None:
                assert one == pytest.approx(two, rel=rel, abs=1e-10), (key, name)


@pytest.mark.parametrize("mode", SCALINGS)
def test_each_scaling_by_hand(mode):
    x, _ = pair()
    np.testing.assert_allclose(normalize(x, mode), by_hand(x, mode), rtol=1e-14)


def test_row_max_makes_the_largest_element_of_every_row_one_whatever_its_smallest():
    x = np.array([[1.0, -8.0], [4.0, 2.0]])
    np.testing.assert_array_equal(normalize(x, "row_max"), [[1.0, -8.0], [1.0, 0.5]])
    np.testing.assert_array_equal(normalize(x, "row_max_abs"), [[0.125, -1.0], [1.0, 0.5]])


@pytest.mark.parametrize("mode", SCALINGS)
@pytest.mark.parametrize("precision", ["double", "single"])
def test_scores_of_a_scaling_are_those_of_rows_scaled_before(mode, precision):
    x, y = pair()
    found = scores(x, y, normalize=mode, precision=precision)
    expected = scores(by_hand(x, mode), by_hand(y, mode), precision=precision)
    same(found, expected, rel=1e-9 if precision == "double" else 3e-5)


@pytest.mark.parametrize("mode", SCALINGS)
def test_dimensions_of_a_scaling_are_those_of_rows_scaled_before(mode):
    x = pair()[0]
    found = summarize(x, k_neighbors=5, id_specs=MODEL, normalize=mode)
    expected = summarize(by_hand(x, mode), k_neighbors=5, id_specs=MODEL)
    for (_, one), (_, two) in zip(found.intrinsic, expected.intrinsic, strict=True):
        assert one.value == pytest.approx(two.value, rel=1e-9)
    np.testing.assert_allclose(
        found.neighbors.euclid_distance, expected.neighbors.euclid_distance, rtol=1e-10
    )


def test_scalings_summarized_together_have_the_lists_of_each_alone():
    x = pair(3, 150)[0]
    x[7] = -1.0
    groups = {mode: PAIR + (MODEL if mode != "l2" else []) for mode in SCALINGS}
    groups["l2"] = PAIR[:3]
    together = summarize_scalings(x, groups, sweep=True)
    for mode, specs in groups.items():
        alone = summarize_scalings(x, {mode: specs}, sweep=True)[mode]
        one, two = together[mode].neighbors, alone.neighbors
        width = two.inner_index.shape[1]
        np.testing.assert_array_equal(one.inner_index[:, :width], two.inner_index)
        if mode != "l2":
            width = two.euclid_index.shape[1]
            np.testing.assert_array_equal(one.euclid_index[:, :width], two.euclid_index)
            np.testing.assert_allclose(one.euclid_distance, two.euclid_distance, rtol=1e-12)
        assert [limit for limit, _ in one.leading] == [limit for limit, _ in two.leading]
        assert (
            together[mode].unscaled
            == alone.unscaled
            == (x.max(axis=1) <= 0).sum() * (mode == "row_max")
        )


@pytest.mark.parametrize("mode", ROWWISE)
def test_rows_that_cannot_be_divided_are_left_out_and_counted(mode):
    x, y = (np.abs(z) + 0.1 for z in pair())
    x[[3, 40]] = -1.0 if mode == "row_max" else 0.0
    x[3, 1] = 0.0
    if mode == "row_max_abs":
        x[3] = 0.0
    kept = np.ones(90, bool)
    kept[[3, 40]] = False
    found = scores(x, y, normalize=mode)
    expected = scores(
        by_hand(np.where(kept[:, None], x, 1), mode), by_hand(y, mode), valid={"x": kept}
    )
    assert {s.n for s in found.values()} == {88}
    same(found, expected)
    summary = summarize(x, k_neighbors=5, id_specs=MODEL, normalize=mode)
    assert (summary.n, summary.unscaled) == (88, 2)
    assert (summary.neighbors.euclid_index[[3, 40]] == -1).all()
    with pytest.raises(MetricInputError, match=rf"row 3 of x: 2 of 90 rows .*\({mode}\)"):
        normalize(x, mode)


def test_what_is_left_may_be_too_little_and_the_reason_says_so():
    x, y = pair(0, 40)
    x = -np.abs(x)
    for kept in (0, 1, 4):
        x[:kept, 0] = 1.0
        for (_, spec), score in scores(x, y, normalize="row_max").items():
            assert score.n == kept
            if score.value is None:
                assert f"x: {40 - kept} of 40 rows have no positive element" in score.reason
            else:
                assert spec.metric in ("dcor", "cka", "information_imbalance")
    nothing = summarize(-np.abs(x), k_neighbors=5, id_specs=MODEL, normalize="row_max", name="x")
    assert (nothing.n, nothing.unscaled) == (0, 40)
    assert all("40 of 40 rows" in scored.reason for _, scored in nothing.intrinsic)


def test_a_quotient_that_overflows_is_no_division():
    x, y = pair()
    x[5] = [1e-320, *[-1e3] * 5]
    found = scores(x, y, normalize="row_max")
    assert {s.n for s in found.values()} == {89}
    assert all(np.isfinite(s.value) for s in found.values())


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 40),
    d=st.integers(1, 30),
    power=st.integers(-300, 300),
    zeros=st.floats(0, 1),
    kind=st.sampled_from([np.float16, np.float32, np.float64, np.int8]),
)
def test_the_clamp_is_the_order_statistic(seed, n, d, power, zeros, kind):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) * (rng.random((n, d)) > zeros)
    x = x * 10.0**power if kind == np.float64 else (x * 7).astype(kind)
    parts = np.array_split(x, 3)
    expected = np.sort(np.abs(x.astype(np.float64)).ravel())[int(0.95 * x.size)]
    assert clamp_of(parts) == expected


def test_clamping_what_is_mostly_zero_leaves_nothing_and_says_so():
    x = np.zeros((60, 40))
    x[np.arange(60), np.arange(60) % 40] = 1.0
    score = next(compare({"x": x, "y": pair(0, 60)[1]}, [("x", "y")], PAIR, normalize="clamp_l2"))
    assert "95 % of its elements are zero" in score.scored.reason


def test_an_unknown_scaling_is_refused_with_the_nearest():
    x, y = pair()
    for wrong in (
        lambda: normalize(x, "row-max"),
        lambda: compare({"x": x, "y": y}, [("x", "y")], PAIR, normalize="row-max"),
    ):
        with pytest.raises(
            MetricSpecError, match="unknown scaling 'row-max': did you mean 'row_max'"
        ):
            wrong()
