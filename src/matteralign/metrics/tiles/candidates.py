"""The smallest scores of every row, kept while tiles of a product stream by.

Each row has a buffer of twice as many places as are kept and a threshold. What lies below
the threshold is appended; a full buffer is cut back to its smaller half. That costs a
constant time per entry that passes, whatever the number kept, and almost nothing per entry
that does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import IndexArray, LongArray
from matteralign.metrics.tiles.loops.select_loops import merge


class Proposed(NamedTuple):
    """The candidates of R rows.

    Attributes
    ----------
    columns : ndarray of int32, shape (R, c)
    scores : ndarray, shape (R, c)
        In the precision of the search.
    counts : ndarray of int32, shape (R,)
        How many of the c count, from the left.
    threshold : ndarray, shape (R,)
        Whatever is not among them scores at least this.
    """

    columns: IndexArray
    scores: npt.NDArray[Any]
    counts: IndexArray
    threshold: npt.NDArray[Any]

    def part(self, start: int, stop: int) -> Proposed:
        """Return some of the rows."""
        return Proposed(*(x[start:stop] for x in self))

    def order(self) -> LongArray:
        """Return the places of the candidates, best score first, shape (R, c)."""
        held = np.arange(self.scores.shape[1]) < self.counts[:, None]
        return np.argsort(np.where(held, self.scores, np.inf), axis=1)


@dataclass(frozen=True)
class Candidates:
    """Buffers of the smallest scores of `rows` rows.

    Attributes
    ----------
    keep : int
        Entries that are certainly kept per row.
    values : ndarray, shape (rows, 2 * keep)
    index : ndarray of int32, shape (rows, 2 * keep)
    count : ndarray of int32, shape (rows,)
    threshold : ndarray, shape (rows,)
        Whatever is not in the buffer scores at least this.
    """

    keep: int
    values: npt.NDArray[Any]
    index: IndexArray
    count: IndexArray
    threshold: npt.NDArray[Any]

    @classmethod
    def empty(cls, rows: int, keep: int, dtype: npt.DTypeLike) -> Candidates:
        """Return buffers that hold nothing yet."""
        return cls(
            keep,
            np.empty((rows, 2 * keep), dtype),
            np.empty((rows, 2 * keep), np.int32),
            np.zeros(rows, np.int32),
            np.full(rows, np.inf, dtype),
        )

    @staticmethod
    def bytes_per_row(keep: int, itemsize: int) -> int:
        """Return the memory that a row takes."""
        return 2 * keep * (itemsize + 4) + 4 + itemsize

    def part(self, start: int, stop: int) -> Candidates:
        """Return the buffers of some of the rows, sharing memory."""
        rows = slice(start, stop)
        return Candidates(
            self.keep,
            self.values[rows],
            self.index[rows],
            self.count[rows],
            self.threshold[rows],
        )

    def reset(self) -> None:
        """Forget everything."""
        self.count[:] = 0
        self.threshold[:] = np.inf

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """Return the arrays in the order the kernels take them."""
        return self.values, self.index, self.count, self.threshold

    def start_from(self, other: Candidates) -> None:
        """Also reject the candidates that `other` rejects for the same leading rows."""
        at = self.threshold[: len(other.threshold)]
        np.minimum(at, other.threshold, out=at)

    def found(self) -> Proposed:
        """Return what is held, sharing memory."""
        return Proposed(self.index, self.values, self.count, self.threshold)

    def take(self, other: Candidates) -> None:
        """Add what `other` holds for the same rows."""
        merge(*other.arrays(), *self.arrays())
