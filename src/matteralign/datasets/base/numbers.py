"""Numbers as CIF and mmCIF write them: one rule for both."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from matteralign.datasets.base.text import NUMBER

# With its standard uncertainty in units of the last digit, which is not read.
_UNCERTAIN = re.compile(rf"({NUMBER})(?:\(\d+\))?", re.ASCII)
# Of texts of these signs alone numpy takes for a number what `NUMBER` does.
_SIGNS = re.compile(r"[0-9+\-.eE ]*")


class CifNumber(NamedTuple):
    """A number, and how many digits it has behind the point (below 0: none before it either)."""

    value: float
    digits: int


def cif_number(text: str) -> CifNumber | None:
    """Return the number that a text is, such as ``0.333(2)``; None: it is none."""
    match = _UNCERTAIN.fullmatch(text.strip())
    if match is None or not math.isfinite(float(match[1])):
        return None
    return CifNumber(float(match[1]), len(match[2] or match[3] or "") - int(match[4] or 0))


def cif_numbers(texts: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """Return the values of many texts as `cif_number` reads them, NaN where one is no number."""
    if _SIGNS.fullmatch(" ".join(texts)):
        try:
            found = texts.astype(np.float64)
        except ValueError:
            pass
        else:
            return np.where(np.isfinite(found), found, np.nan)
    read = map(cif_number, map(str, texts))
    return np.array([np.nan if one is None else one.value for one in read], np.float64)
