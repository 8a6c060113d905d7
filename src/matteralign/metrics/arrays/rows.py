"""What the code of a metric that reads whole arrays is given, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import FloatArray
from matteralign.metrics.base.resources import Resources

if TYPE_CHECKING:
    from matteralign.metrics.embedding.near_rows import Precision


@dataclass(frozen=True)
class SharedRows:
    """The rows that some embeddings share, and the pairs of them to score.

    Attributes
    ----------
    arrays : list of ndarray, shapes (n, d_m)
        In working units, float32 only where that loses nothing.
    names : list of str
        What to call the embeddings in reasons.
    pairs : list of (int, int)
        Places of two embeddings: each pair once where the definition is symmetric, else both
        ways round.
    statistics : bool
        Add the null and the interval.
    resources : Resources
    block : ndarray of int16, shape (n,)
        The block of each row, of those that the interval leaves out; see `stats.blocks`.
    precision_of : callable
        Returns the precision of the numbers of an embedding as they were given, by name.
    """

    arrays: list[npt.NDArray[Any]]
    names: list[str]
    pairs: list[tuple[int, int]]
    statistics: bool
    resources: Resources
    block: npt.NDArray[np.int16]
    precision_of: Callable[[str], Precision]

    def double(self) -> Sequence[FloatArray]:
        """Return the arrays in float64."""
        return [x.astype(np.float64, copy=False) for x in self.arrays]
