"""Chemical elements on cards: ranges of atomic numbers."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator


def parse_ranges(text: str) -> frozenset[int]:
    """Parse ``'1-3,6,8'`` into {1, 2, 3, 6, 8}.

    Raises
    ------
    ValueError
        If a part is not a number or an ascending range.
    """
    numbers: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match:
            raise ValueError(f"{part!r} is not an atomic number or a range such as 1-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last > 118 or first < 1:
            raise ValueError(f"{part!r} is not within atomic numbers 1 to 118")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def _checked(text: str) -> str:
    parse_ranges(text)
    return text


ElementRanges = Annotated[str, AfterValidator(_checked)]
"""A text that `parse_ranges` understands."""
