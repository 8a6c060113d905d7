"""Input that is refused, and input that has no score."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matteralign import metrics
from matteralign.core.errors import MatterAlignError
from matteralign.metrics import (
    METRICS,
    MetricInputError,
    MetricSpec,
    MetricSpecError,
    NotApplicable,
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

PAIR = [cknna, dcor, cka, information_imbalance]
SINGLE = [twonn, mle_intrinsic_dimension]
PAIR_SPECS = [
    MetricSpec(name, definition, {"k": 5} if "k" in info.definitions[definition].params else {})
    for name, info in METRICS.items()
    if info.kind == "pair"
    for definition in info.definitions
]


def good(n=40, d=3, seed=0):
    return np.random.RandomState(seed).standard_normal((n, d))


def with_value(value):
    x = good()
    x[17, 2] = value
    x[30, 0] = value
    return x


SMALL = {"k": 3, "permutations": 3}

BAD = [
    (with_value(np.nan), "nan at row 17, column 2"),
    (with_value(-np.inf), "-inf at row 17, column 2"),
    (good() + 0j, "complex"),
    (good()[:, 0], r"shape \(40,\)"),
    (good()[None], r"shape \(1, 40, 3\)"),
    (good()[:0], "zero rows"),
    (good()[:, :0], "zero columns"),
    (good().astype(str), "dtype"),
    (good().astype(object), "dtype"),
    ([[1.0, 2.0], [3.0]], "array"),
    (np.ma.masked_greater(good(), 1.0), "masked"),
    (None, "dtype object"),
]


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_bad_arrays_are_refused_by_name(bad, message):
    for function in PAIR:
        with pytest.raises(MetricInputError, match=f"(?s)^x .*{message}"):
            function(bad, good())
        with pytest.raises(MetricInputError, match=f"(?s)^y .*{message}"):
            function(good(), bad)
    for function in SINGLE:
        with pytest.raises(MetricInputError, match=message):
            function(bad)
    with pytest.raises(MetricInputError, match=f"(?s)^mace .*{message}"):
        compare({"mace": bad, "orb": good()}, [("mace", "orb")], PAIR_SPECS)
    with pytest.raises(MetricInputError, match=message):
        summarize(bad, k_neighbors=3)
    with pytest.raises(MetricInputError, match=message):
        normalize(bad, "max")


def test_refusal_is_not_the_not_applicable_outcome():
    with pytest.raises(MetricInputError) as caught:
        dcor(with_value(np.nan), good())
    assert not isinstance(caught.value, NotApplicable)
    assert isinstance(caught.value, MatterAlignError)


def test_mismatched_rows():
    for function in PAIR:
        with pytest.raises(MetricInputError, match="x has 40 rows and y has 39"):
            function(good(), good(39))
    with pytest.raises(MetricInputError, match="a has 40 rows and b has 41"):
        compare({"a": good(), "b": good(41)}, [("a", "b")], PAIR_SPECS)


@pytest.mark.parametrize("constant", [np.zeros((40, 3)), np.full((40, 3), 1.7), np.ones((40, 1))])
def test_constant_embedding_has_no_score(constant):
    for function in PAIR:
        for pair in ((constant, good()), (good(), constant), (constant, constant)):
            with pytest.raises(NotApplicable, match="is constant"):
                if function is cknna:
                    cknna(*pair, k=5)
                else:
                    function(*pair)
    for function in SINGLE:
        with pytest.raises(NotApplicable, match="x is constant"):
            function(constant)
    embeddings = {"a": good(), "flat": constant, "b": good(seed=1)}
    scores = list(compare(embeddings, [("a", "flat"), ("a", "b")], PAIR_SPECS))
    for score in scores:
        flat = "flat" in (score.a, score.b)
        assert score.scored.status == ("not_applicable" if flat else "ok")
        assert (score.scored.value is None) == flat
        assert ("flat is constant" in score.scored.reason) == flat
    summary = summarize(constant, k_neighbors=3, id_specs=[MetricSpec("twonn")])
    assert summary.duplicates == 39
    assert summary.intrinsic[0][1].status == "not_applicable"
    # All are equally near, in an order that is drawn.
    assert len({0, *summary.neighbors.euclid_index[0, :3].tolist()}) == 4


def test_k_not_below_n():
    x, y = good(10), good(10, seed=1)
    for k in (10, 11, 1000):
        with pytest.raises(NotApplicable, match=f"k = {k} needs at least {k + 1} rows, got 10"):
            cknna(x, y, k)
        with pytest.raises(NotApplicable, match="rows, got 10"):
            cknna(x, y, k, "text")
        with pytest.raises(NotApplicable, match="rows, got 10"):
            information_imbalance(x, y, k)
        with pytest.raises(NotApplicable, match="distinct rows, got 10"):
            mle_intrinsic_dimension(x, k)
    specs = [MetricSpec("information_imbalance", params={"k": k}) for k in (1, 9, 10)]
    status = [s.scored.status for s in compare({"x": x, "y": y}, [("x", "y")], specs)]
    assert status == ["ok"] * 4 + ["not_applicable"] * 2


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 31, 32, 33])
def test_few_rows_give_a_finite_score_or_a_reason(n):
    specs = [
        MetricSpec(s.metric, s.definition, {"k": k} if "k" in s.params else {})
        for s in PAIR_SPECS
        for k in ([2, n - 1] if "k" in s.params and n > 3 else [2])
    ]
    scores = list(compare({"a": good(n), "b": good(n, seed=1)}, [("a", "b")], specs, sweep=True))
    assert len(scores) == 2 * len(set(specs))
    for score in scores:
        if score.scored.status == "not_applicable":
            assert score.scored.n == n
            assert score.scored.reason
        if n < score.spec.definition_info.min_n:
            assert f"needs at least {score.spec.definition_info.min_n} rows" in score.scored.reason
        interval = (score.scored.ci_low, score.scored.ci_high)
        assert n >= 32 or interval == (None, None)
    several = {"huh2024", "debiased"}  # need more rows
    status = {s.spec.metric: s.scored.status for s in scores if s.spec.definition not in several}
    for metric in ("dcor", "cka"):
        assert status[metric] == ("not_applicable" if n == 1 else "ok")
    for metric in ("information_imbalance", "mutual_knn"):
        assert status[metric] == ("not_applicable" if n <= 2 else "ok")
    summary = summarize(
        good(n), k_neighbors=50, id_specs=[MetricSpec("twonn"), MetricSpec("mle", params={"k": 2})]
    )
    assert summary.neighbors.euclid_index.shape == (n, n - 1)
    expected = "ok" if n >= 3 else "not_applicable"
    assert [scored.status for _, scored in summary.intrinsic] == [expected, expected]


def test_two_rows_are_perfectly_correlated():
    x, y = good(2), good(2, seed=1)
    assert dcor(x, y) == pytest.approx(1.0)
    assert cka(x, y) == pytest.approx(1.0)
    assert information_imbalance(x, y) == 1.0


def test_constant_columns_do_not_matter():
    x, y = good(60), good(60, seed=1) + good(60)
    wide = np.hstack([x, np.zeros((60, 2))])
    for function in (dcor, cka, information_imbalance):
        assert function(wide, y) == pytest.approx(function(x, y), rel=1e-12)
    assert cknna(wide, y) == pytest.approx(cknna(x, y), rel=1e-12)
    assert twonn(wide) == pytest.approx(twonn(x), rel=1e-12)


@pytest.mark.parametrize("spec", PAIR_SPECS, ids=str)
@pytest.mark.parametrize("common", [0, 1, 2, 3, 5])
def test_masks_that_leave_few_common_rows(spec, common):
    x, y = good(40), good(40, seed=1)
    valid = {"x": np.arange(40) < 20 + common, "y": np.arange(40) >= 20}
    x[~valid["x"]], y[~valid["y"]] = np.nan, np.inf
    for sweep in (False, True):
        for s in compare({"x": x, "y": y}, [("x", "y")], [spec], valid=valid, sweep=sweep):
            assert s.scored.status == ("not_applicable" if s.scored.reason else "ok")
            assert s.scored.n <= common
            if "k" in spec.params or common < spec.definition_info.min_n:
                assert "needs" in s.scored.reason


def test_masks_are_checked():
    with pytest.raises(MetricInputError, match=r"mask of a has shape \(39,\), its rows are 40"):
        compare({"a": good(), "b": good()}, [("a", "b")], PAIR_SPECS, valid={"a": np.ones(39)})
    with pytest.raises(MetricInputError, match="a has no valid row"):
        compare({"a": good(), "b": good()}, [("a", "b")], PAIR_SPECS, valid={"a": np.zeros(40)})


@pytest.mark.parametrize("spec", [s for s in PAIR_SPECS if "k" in s.params], ids=str)
@pytest.mark.parametrize("k", [10, 11, 2500])
def test_k_not_below_n_is_a_reason_for_every_metric(spec, k):
    long = MetricSpec(spec.metric, spec.definition, {**spec.params, "k": k})
    fits = MetricSpec(spec.metric, spec.definition, {**spec.params, "k": 4})
    scores = list(compare({"x": good(10), "y": good(10, seed=1)}, [("x", "y")], [long, fits]))
    assert [s.scored.status for s in scores] == ["not_applicable"] * 2 + ["ok"] * 2
    assert f"k = {k} needs" in scores[0].scored.reason


@pytest.mark.parametrize("spec", PAIR_SPECS, ids=str)
@pytest.mark.parametrize("precision", ["single", "double"])
def test_embeddings_that_are_nearly_nothing(spec, precision):
    n = 48
    step, spike = np.zeros((n, 3)), np.ones((n, 2))
    step[n // 2 :] = 1.0  # two points
    spike[7] = 1e6  # all rows equal but one
    line = np.arange(n)[:, None] * 1.0
    cases = [step, spike, line, np.hstack([good(n), np.full((n, 1), 7.0)]), 1e-30 * good(n) + 1.0]
    for x in cases:
        for y in (good(n, seed=1), x.copy()):
            for s in compare({"x": x, "y": y}, [("x", "y")], [spec], precision=precision):
                low, high = spec.definition_info.value_range
                assert s.scored.value is None or low <= s.scored.value <= high


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 70),
    dims=st.tuples(st.integers(1, 80), st.integers(1, 4)),
    spread=st.sampled_from([0.0, 1e-12, 1.0]),
    powers=st.tuples(*[st.sampled_from([-300, -40, 0, 40, 300])] * 2),
    keep=st.sampled_from([0.1, 0.5, 1.0]),
    sweep=st.booleans(),
    precision=st.sampled_from(["single", "double"]),
    normalize=st.sampled_from(["none", "max", "l2"]),
)
def test_any_shape_scale_and_mask(seed, n, dims, spread, powers, keep, sweep, precision, normalize):
    rng = np.random.default_rng(seed)
    embeddings, valid = {}, {}
    for name, d, power in zip("xy", dims, powers, strict=True):
        rows = rng.integers(-1, 2, size=(n, d)) + spread * rng.normal(size=(n, d))
        embeddings[name] = rows * 10.0**power
        valid[name] = rng.random(n) < keep
        valid[name][rng.integers(n)] = True
        embeddings[name][~valid[name]] = np.nan
    specs = [
        MetricSpec(s.metric, s.definition, {p: SMALL[p] for p in s.params if p in SMALL})
        for s in PAIR_SPECS
    ]
    scores = list(
        compare(
            embeddings,
            [("x", "y")],
            specs,
            valid=valid,
            sweep=sweep,
            precision=precision,
            normalize=normalize,
        )
    )
    assert len(scores) == 2 * len(specs)
    for s in scores:  # Scored refuses NaN and half an outcome by itself
        if s.scored.value is None:
            assert s.scored.reason
            continue
        low, high = s.spec.definition_info.value_range
        assert low - 1e-9 <= s.scored.value <= high + 1e-9
        p = s.scored.null_p
        assert p is None or 0.0 <= p <= 1.0
        if s.scored.ci_low is not None:
            assert s.scored.ci_low <= s.scored.value <= s.scored.ci_high


def test_duplicates_are_counted_and_leave_the_estimate_alone():
    x = good(80)
    summary = summarize(np.vstack([x, x[:30], x[:10]]), k_neighbors=5, id_specs=[MetricSpec("mle")])
    assert summary.duplicates == 40
    assert summary.intrinsic[0][1].n == 80
    assert summary.intrinsic[0][1].value == pytest.approx(mle_intrinsic_dimension(x), rel=1e-14)


def test_lattice_has_no_twonn():
    with pytest.raises(NotApplicable, match="lattice"):
        twonn(np.arange(30.0)[:, None] * [[1.0]], fraction=0.5)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_huge_and_tiny_values_keep_their_scores(scale):
    x, y = good(50), good(50, seed=1) + good(50)
    for function in (dcor, cka, information_imbalance):
        assert function(scale * x, y) == pytest.approx(function(x, y), rel=1e-10)
    assert twonn(scale * x) == pytest.approx(twonn(x), rel=1e-8)
    near = summarize(scale * x, k_neighbors=4).neighbors
    np.testing.assert_array_equal(
        near.inner_index, summarize(x, k_neighbors=4).neighbors.inner_index
    )


@pytest.mark.parametrize("scale", [1e-25, 1e-200, 1e200])
def test_rows_of_unit_length_forget_their_scale(scale):
    x, y = good(60, 5), good(60, 4, seed=1) + 1.0
    options = {"normalize": "l2", "precision": "single"}
    plain = list(compare({"x": x, "y": y}, [("x", "y")], PAIR_SPECS, **options))
    scaled = list(compare({"x": scale * x, "y": y}, [("x", "y")], PAIR_SPECS, **options))
    for mine, theirs in zip(scaled, plain, strict=True):
        assert mine.scored.value == pytest.approx(theirs.scored.value, rel=1e-5, abs=1e-6)


def test_offset_of_single_precision_data_is_harmless():
    x = good(100, 8).astype(np.float32)
    y = good(100, 8, seed=1)
    moved = (1000.0 + x.astype(np.float64)).astype(np.float64)
    for function in (dcor, cka, information_imbalance):
        assert function(moved, y) == pytest.approx(function(x, y), rel=1e-9)
    assert twonn(moved) == pytest.approx(twonn(x), rel=1e-9)


def test_names_are_checked_with_the_nearest_match():
    for arguments, message in [
        (("cknnna",), "did you mean 'cknna'"),
        (("cknna", "huh2042"), "did you mean 'huh2024'"),
        (("cknna", "text", {"kk": 3}), "did you mean 'k'"),
        (("cknna", "huh2024", {"k": 1}), "integer >= 2"),
        (("cknna", "text", {"k": 2.5}), "integer"),
        (("cknna", "text", {"k": True}), "number"),
        (("mle", "", {"average": "inverse-mean"}), "did you mean 'inverse_mean'"),
        (("twonn", "fit", {"fraction": 1.0}), "between 0 and 1"),
        (("twonn", "fit", {"fraction": float("nan")}), "between 0 and 1"),
        (("dcor", "root", {"k": 3}), "parameter 'k'"),
    ]:
        with pytest.raises(MetricSpecError, match=message) as caught:
            MetricSpec(*arguments)
        assert caught.value.exit_code == 2
    with pytest.raises(MetricSpecError, match="did you mean 'max'"):
        normalize(good(), "maxx")
    with pytest.raises(MetricSpecError, match="scores one embedding"):
        compare({"a": good(), "b": good()}, [("a", "b")], [MetricSpec("twonn")])
    with pytest.raises(MetricSpecError, match="scores a pair"):
        summarize(good(), k_neighbors=2, id_specs=[MetricSpec("dcor")])
    with pytest.raises(MetricInputError, match="did you mean 'mace'"):
        compare({"mace": good(), "b": good()}, [("macee", "b")], PAIR_SPECS)
    with pytest.raises(MetricInputError, match="with itself"):
        compare({"a": good()}, [("a", "a")], PAIR_SPECS)


def test_every_public_name_is_itself_whatever_was_imported_before():
    for module in pkgutil.iter_modules(metrics.__path__):
        if module.name != "backends":
            importlib.import_module(f"{metrics.__name__}.{module.name}")
    for name in metrics.__all__:
        assert not inspect.ismodule(getattr(metrics, name)), name
        if name == name.lower():
            assert callable(getattr(metrics, name)), name
