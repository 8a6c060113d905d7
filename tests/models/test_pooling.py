from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.models.base.pooling import segment_mean


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(0, 9))
def test_each_mean_is_its_own(counts: list[int], seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(sum(counts), 3)).astype(np.float32)
    pooled = segment_mean(rows, counts)
    assert pooled.dtype == np.float32
    start = 0
    for row, count in zip(pooled, counts, strict=True):
        part = rows[start : start + count]
        np.testing.assert_allclose(row, part.mean(axis=0, dtype=np.float64), rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(row, segment_mean(part, [count])[0])
        start += count


@pytest.mark.parametrize("counts", [[2], [2, 2], [3, 0], [[3]], [4, -1]])
def test_counts_that_do_not_split_the_rows_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="do not split 3 rows"):
        segment_mean(np.ones((3, 2)), counts)
