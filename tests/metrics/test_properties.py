"""Declared properties of every pair metric and dimension, with hypothesis.

Tolerance: 1e-8 relative for real-valued sums; ranks and neighbour lists are compared on
tie-free Gaussian data, where rotation and scale must not move them at all.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matteralign.metrics import (
    METRICS,
    MetricInputError,
    MetricSpec,
    NotApplicable,
    compare,
    summarize,
)

SMALL = {"k": 6, "permutations": 0}
ALL = [
    MetricSpec(
        name, definition, {p: SMALL[p] for p in info.definitions[definition].params if p in SMALL}
    )
    for name, info in METRICS.items()
    for definition in info.definitions
]
PAIR_SPECS = [spec for spec in ALL if spec.info.kind == "pair"]
MODEL_SPECS = [spec for spec in ALL if spec.info.kind == "model"]
SPECS = PAIR_SPECS + MODEL_SPECS
CASES = settings(max_examples=25, deadline=None)

seeds = st.integers(0, 2**31 - 1)
sizes = st.integers(14, 40)
dims = st.integers(1, 6)


def score(spec, x, y):
    if spec.info.kind == "model":
        return summarize(x, k_neighbors=2, id_specs=[spec]).intrinsic[0][1]
    return next(compare({"x": x, "y": y}, [("x", "y")], [spec])).scored


def draw(seed, n, dx, dy):
    rng = np.random.RandomState(seed)
    x = rng.standard_normal((n, dx))
    y = x @ rng.standard_normal((dx, dy)) + rng.random_sample() * rng.standard_normal((n, dy))
    return x, y, rng


def same(spec, before, after, rel=1e-8):
    assert after.status == before.status, (spec, before, after)
    if before.value is not None:
        assert after.value == pytest.approx(before.value, rel=rel, abs=1e-10), spec


def rotation(rng, d):
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


@pytest.mark.parametrize("spec", SPECS, ids=str)
@CASES
@given(seed=seeds, n=sizes, dx=dims, dy=dims)
def test_claimed_invariances_hold(spec, seed, n, dx, dy):
    x, y, rng = draw(seed, n, dx, dy)
    claimed = spec.definition_info.invariances
    before = score(spec, x, y)
    if "rotation" in claimed:
        same(spec, before, score(spec, x @ rotation(rng, dx), y))
    if "permutation" in claimed:
        order = rng.permutation(n)
        same(spec, before, score(spec, x[order], y[order]))
    if "scale" in claimed:
        same(spec, before, score(spec, 7.3 * x, 0.011 * y))
    if "translation" in claimed:
        same(spec, before, score(spec, x + 3.0, y - 5.0))


@pytest.mark.parametrize("spec", PAIR_SPECS, ids=str)
@CASES
@given(seed=seeds, n=sizes, dx=dims, dy=dims)
def test_symmetry_range_and_identity(spec, seed, n, dx, dy):
    x, y, _ = draw(seed, n, dx, dy)
    info = spec.definition_info
    forward, backward = score(spec, x, y), score(spec, y, x)
    if info.symmetric:
        same(spec, forward, backward, rel=1e-12)
    low, high = info.value_range
    if forward.value is not None:
        assert low <= forward.value <= high
    identical = score(spec, x, x.copy())
    if info.identical is not None:
        assert identical.value == pytest.approx(info.identical, rel=1e-10)
    elif spec.metric == "information_imbalance":
        # Ranks 1 to k, so their mean is (k + 1)/2.
        assert identical.value == pytest.approx(7 / n, rel=1e-14)
    elif identical.value is not None:
        # Exactly 1 but for the constant added to the denominator.
        assert identical.value <= 1.0


@pytest.mark.parametrize(
    "spec", [s for s in PAIR_SPECS if not s.definition_info.symmetric], ids=str
)
def test_asymmetric_definitions_are_asymmetric(spec):
    x, y, _ = draw(1, 40, 5, 3)
    assert score(spec, x, y).value != score(spec, y, x).value


def test_what_a_definition_does_not_claim_it_does_not_have():
    """Nothing is missing from the declared invariances."""
    x, y, rng = draw(1, 40, 5, 3)
    order = rng.permutation(40)
    for spec in PAIR_SPECS:
        before = score(spec, x, y).value
        changed = {
            "rotation": score(spec, x @ rotation(rng, 5), y),
            "translation": score(spec, x + 3.0, y - 5.0),
            "scale": score(spec, 1e-3 * x, 1e-3 * y),
            "permutation": score(spec, x[order], y[order]),
        }
        for what in changed.keys() - spec.definition_info.invariances:
            if spec.metric in ("gfre", "lfre") and what == "rotation":
                continue  # holds but for the cutoff, which looks at singular values
            assert changed[what].value != pytest.approx(before, rel=1e-9), (spec, what)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_duplicated_columns_and_rows_with_d_above_n(spec):
    rng = np.random.RandomState(3)
    x, y = rng.standard_normal((40, 90)), rng.standard_normal((40, 3))
    wide = np.hstack([x, x, np.zeros((40, 5))])
    scored = score(spec, wide, y)
    assert scored.status == "ok"
    rows = np.concatenate([np.arange(40), [0, 0, 7]])
    assert score(spec, x[rows], y[rows]).status == "ok"


def test_scale_is_rightly_not_claimed_for_huh2024():
    x, y, _ = draw(1, 40, 5, 3)
    spec = MetricSpec("cknna", "huh2024", {"k": 6})
    assert "scale" not in spec.definition_info.invariances
    assert score(spec, 1e-3 * x, 1e-3 * y).value != pytest.approx(score(spec, x, y).value, rel=0.01)


anything = hnp.arrays(
    np.float64,
    st.tuples(st.integers(0, 8), st.integers(0, 3)),
    elements=st.one_of(
        st.floats(allow_nan=True, allow_infinity=True),
        st.sampled_from([0.0, -0.0, 1.0, 1.0 + 2**-52, 1e-200, 1e200, 5e-324]),
    ),
)


@settings(max_examples=150, deadline=None)
@given(x=anything, y=anything)
def test_any_array_gives_a_finite_score_a_reason_or_a_refusal(x, y):
    specs = [
        MetricSpec(s.metric, s.definition, {"k": 2} if "k" in s.params else {}) for s in PAIR_SPECS
    ]
    try:
        scores = [s.scored for s in compare({"x": x, "y": y}, [("x", "y")], specs)]
        model = [
            MetricSpec(s.metric, s.definition, {"k": 2} if "k" in s.params else {})
            for s in MODEL_SPECS
        ]
        scores += [s for _, s in summarize(x, k_neighbors=2, id_specs=model).intrinsic]
    except MetricInputError as error:
        assert not isinstance(error, NotApplicable)
        assert (
            len(x) != len(y)
            or 0 in x.shape + y.shape
            or not (np.isfinite(x).all() and np.isfinite(y).all())
        )
        return
    for scored in scores:
        assert (scored.status == "ok") == (scored.value is not None) == (scored.reason == "")
