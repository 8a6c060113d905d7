from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.registry.elements import parse_ranges

numbers = st.frozensets(st.integers(1, 118), min_size=1)


def _compact(values: frozenset[int]) -> str:
    parts: list[list[int]] = []
    for value in sorted(values):
        if parts and parts[-1][1] == value - 1:
            parts[-1][1] = value
        else:
            parts.append([value, value])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


@given(numbers)
def test_ranges_roundtrip(values: frozenset[int]) -> None:
    assert parse_ranges(_compact(values)) == values


@given(st.lists(st.tuples(st.integers(1, 118), st.integers(0, 20)), min_size=1, max_size=6))
def test_overlapping_ranges_are_a_union(spans: list[tuple[int, int]]) -> None:
    clipped = [(first, min(first + length, 118)) for first, length in spans]
    text = " , ".join(f"{a} - {b}" for a, b in clipped)
    assert parse_ranges(text) == {z for a, b in clipped for z in range(a, b + 1)}


@pytest.mark.parametrize(
    "text", ["", "0", "119", "3-1", "1-119", "H", "1--3", "-3", "1-", "1,,2", "1.5", "1-2-3", "٣x"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="atomic number"):
        parse_ranges(text)


@given(st.text(max_size=12))
def test_any_text_gives_elements_or_a_value_error(text: str) -> None:
    try:
        found = parse_ranges(text)
    except ValueError:
        return
    assert found
    assert all(1 <= z <= 118 for z in found)
