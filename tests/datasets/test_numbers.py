"""Numbers of CIF and mmCIF files: one rule, word by word or for a whole column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.datasets.base.numbers import cif_number, cif_numbers

# Value and digits behind the point, by the grammar of CIF 1.1 (Hall, Allen & Brown 1991).
NUMBERS = {
    "1": (1.0, 0), "-1.50": (-1.5, 2), ".5": (0.5, 1), "+0.333(2)": (0.333, 3), "4.": (4.0, 0),
    "1.25e-3": (0.00125, 5), "12E2": (1200.0, -2), "10(3)": (10.0, 0), " 2.0 ": (2.0, 1),
}  # fmt: skip
NONE = [
    "", ".", "?", "-", "e5", "1_000", "nan", "inf", "1e999", "1,5", "0x10", "1.2.3", "1(2", "(2)",
    "1 2", "\u0661", "\uff11", "True", "1e",
]  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_read_without_their_uncertainty(text: str) -> None:
    assert cif_number(text) == NUMBERS[text]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_number_is_none(text: str) -> None:
    assert cif_number(text) is None


@given(
    st.lists(
        st.sampled_from([*NUMBERS, *NONE])
        | st.floats(allow_nan=True, allow_infinity=True).map(str)
        | st.text("0123456789.+-eE()_ ", max_size=6),
        min_size=1,
        max_size=5,
    )
)
def test_a_column_is_read_as_its_words_are(texts: list[str]) -> None:
    one_by_one = [found.value if (found := cif_number(text)) else np.nan for text in texts]
    np.testing.assert_array_equal(cif_numbers(np.array(texts)), one_by_one)
