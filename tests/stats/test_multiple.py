from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import false_discovery_control

from matteralign.stats.multiple import benjamini_hochberg, holm

P = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1))


@given(P)
def test_the_false_discovery_rate_is_scipys(p: np.ndarray) -> None:
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p), rtol=1e-12)


@given(P)
def test_holm_is_its_closed_form(p: np.ndarray) -> None:
    """Written out from the paper, one hypothesis at a time."""
    m, order = len(p), sorted(range(len(p)), key=lambda i: p[i])
    expected = np.empty(m)
    for rank, i in enumerate(order):
        expected[i] = min(1.0, max((m - j) * p[order[j]] for j in range(rank + 1)))
    np.testing.assert_allclose(holm(p), expected, rtol=1e-12)


def test_worked_by_hand() -> None:
    p = [0.04, 0.01, 0.03, 0.005]
    np.testing.assert_allclose(holm(p), [0.06, 0.03, 0.06, 0.02])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.04, 0.02, 0.04, 0.02])


@given(P)
def test_order_is_kept_and_nothing_gets_smaller(p: np.ndarray) -> None:
    for method in (benjamini_hochberg, holm):
        adjusted = method(p)
        assert (adjusted >= p).all()
        assert (adjusted <= 1).all()
        assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    assert (holm(p) >= benjamini_hochberg(p) - 1e-15).all()


@given(st.floats(0, 1), st.integers(1, 30))
def test_equal_p_values(p: float, m: int) -> None:
    np.testing.assert_allclose(benjamini_hochberg([p] * m), p)
    np.testing.assert_allclose(holm([p] * m), min(1.0, m * p))


@pytest.mark.parametrize("p", [[0.5, 1.5], [-0.1], [np.nan], [[0.5]]])
def test_what_is_no_family_of_p_values_is_refused(p: list[float]) -> None:
    for method in (benjamini_hochberg, holm):
        with pytest.raises(ValueError, match="between 0 and 1"):
            method(p)


def test_an_empty_family_is_empty() -> None:
    assert benjamini_hochberg([]).size == holm([]).size == 0
