"""What the reconstruction errors share: checks, scaling, and how an outcome is put together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.errors import MetricInputError
from matteralign.metrics.base.inputs import (
    FloatArray,
    LongArray,
    constant_reason,
    is_constant,
    pow2_scaled,
    require_same_rows,
)
from matteralign.metrics.base.registry import definition_of
from matteralign.metrics.base.specs import Scored, interval_fields
from matteralign.metrics.reconstruction.splits import Split, default_split
from matteralign.stats.blocks import BLOCKS, block_of
from matteralign.stats.jackknife import interval
from matteralign.stats.permutation import permutation_null

LEAST_ROWS = definition_of("gfre", "goscinski2021").min_n

_LARGEST = 1e150
"""Errors whose squares still have a finite sum."""

_OVERFLOW = "the reconstruction error overflows: test rows lie too far from the training rows"


Blocks = npt.NDArray[np.int16]

Parts = tuple[FloatArray, FloatArray]
"""Training and test rows."""


@dataclass(frozen=True)
class Spread:
    """Mean and root of the total variance of some rows; zero for constant ones."""

    mean: FloatArray
    root: float

    @classmethod
    def of(cls, rows: FloatArray) -> Spread:
        """Measure `rows`, shape (n, d)."""
        mean = rows.mean(axis=0)
        if is_constant(rows):
            return cls(mean, 0.0)
        centred = rows - mean
        largest = float(np.abs(centred).max())
        return cls(mean, largest * math.sqrt(np.square(centred / largest).sum() / len(rows)))

    def applied(self, x: FloatArray) -> FloatArray:
        """Return `x` centred and scaled; rows far beyond those measured may overflow."""
        with np.errstate(over="ignore"):
            return (x - self.mean) / self.root


class Run:
    """Checks of one call, and its embeddings in working form.

    Parameters
    ----------
    embeddings, pairs, split, seed, names, block
        As `gfre_all`.
    """

    def __init__(
        self,
        embeddings: Sequence[FloatArray],
        pairs: Sequence[tuple[int, int]],
        split: Split | None,
        seed: int,
        names: Sequence[str],
        block: Blocks | None,
    ) -> None:
        for a, b in pairs:
            if not (0 <= a < len(embeddings) and 0 <= b < len(embeddings)):
                raise MetricInputError(f"pair {(a, b)} is not two of {len(embeddings)} embeddings")
        called = list(names) or [f"embedding {i}" for i in range(len(embeddings))]
        self.n = len(embeddings[0]) if embeddings else 0
        for x, name in zip(embeddings, called, strict=True):
            require_same_rows(self.n, len(x), called[0], name)
        self._embeddings, self._pairs = embeddings, pairs
        self._block = block_of(self.n) if block is None else block
        self.split = default_split(self.n, seed) if split is None else split
        self._none: dict[int, Scored] = {}
        for m in {m for pair in pairs for m in pair}:
            if self.n < LEAST_ROWS:
                reason = f"reconstruction needs {LEAST_ROWS} rows, got {self.n}"
                self._none[m] = self.nothing(reason)
            elif is_constant(embeddings[m][self.split.train]):
                self._none[m] = self.nothing(f"training rows: {constant_reason(called[m])}")
            elif is_constant(pow2_scaled(embeddings[m])[self.split.train]):
                # All its training rows are nothing beside the largest test row.
                self._none[m] = self.nothing(_OVERFLOW)

    def nothing(self, reason: str) -> Scored:
        """Return the absence of a score."""
        return Scored.not_applicable(reason, self.n)

    def sources(self) -> list[int]:
        """Embeddings that some pair reconstructs from."""
        return [a for a in dict.fromkeys(a for a, _ in self._pairs) if self.targets(a)]

    def targets(self, a: int) -> list[int]:
        """Embeddings to reconstruct from `a`."""
        if a in self._none:
            return []
        return [b for c, b in dict.fromkeys(self._pairs) if c == a and b not in self._none]

    def parts(self, m: int, order: LongArray | None = None) -> Parts | None:
        """Return training and test rows, centred, total variance 1 in training.

        Parameters
        ----------
        m : int
        order : ndarray of int64, optional
            Rows of the embedding that stand at each place.

        Returns
        -------
        tuple of ndarray, or None
            None where the training rows are constant.
        """
        x = pow2_scaled(self._embeddings[m])
        train, test = self.split.train, self.split.test
        if order is not None:
            train, test = order[train], order[test]
        rows = x[train]
        spread = Spread.of(rows)
        if spread.root == 0.0:
            return None
        return spread.applied(rows), spread.applied(x[test])

    def sound_parts(self, m: int) -> Parts:
        """Return `parts` of an embedding that `sources` or `targets` gave."""
        parts = self.parts(m)
        if parts is None:
            raise ValueError(f"embedding {m} has constant training rows")
        return parts

    def whole(self, m: int) -> FloatArray:
        """Return all rows, centred and scaled as `parts`."""
        x = pow2_scaled(self._embeddings[m])
        return np.ascontiguousarray(Spread.of(x[self.split.train]).applied(x))

    def compared(self, m: int) -> FloatArray:
        """Return all rows as they are but for a power of two, so that equal distances stay so.

        Training rows are spread by about 1; rows far beyond them may overflow.
        """
        x = pow2_scaled(self._embeddings[m])
        with np.errstate(over="ignore"):
            return np.ldexp(x, -math.frexp(Spread.of(x[self.split.train]).root)[1])

    def outcome(
        self, squares: FloatArray, null: Sequence[float], train: FloatArray | None
    ) -> Scored:
        """Return the score of a pair, or why it has none.

        Its null is the error with the target's rows in random order; the p-value is the share
        of orders, the true one counted in, with no larger error. Its interval is that of a
        jackknife: blocks of rows are left out of the test and of the scaling, the fit is held;
        there is none below 32 rows, or where a block holds all of either.

        Parameters
        ----------
        squares : ndarray, shape (test rows,)
            Squared errors.
        null : sequence of float
            Mean squared errors with the target's rows in random orders.
        train : ndarray, optional
            Scaled training rows of the target, for an interval.
        """
        value = math.sqrt(squares.mean())
        if not math.isfinite(value):
            return self.nothing(_OVERFLOW)
        found = permutation_null(value, [math.sqrt(v) for v in null], smaller_is_closer=True)
        fields: dict[str, Any] = {} if found is None else {**found.fields()}
        left = self._without_blocks(squares, train) if train is not None else []
        fields |= interval_fields(interval(value, left))
        fields["replicates"] = tuple(left)
        return Scored.ok(value, len(squares), **fields)

    def _without_blocks(self, squares: FloatArray, train: FloatArray) -> list[float]:
        """Return the error without each block of rows in the test and in the scaling."""
        block = self._block
        fitted, tested = block[self.split.train], block[self.split.test]
        errors = []
        for b in range(BLOCKS if block.any() else 0):
            kept, rows = squares[tested != b], train[fitted != b]
            root = Spread.of(rows).root if len(rows) else 0.0
            errors.append(math.sqrt(kept.mean()) / root if len(kept) and root else math.nan)
        return errors if all(error < _LARGEST for error in errors) else []

    def collect(self, found: Mapping[int, Sequence[Scored]]) -> list[Scored]:
        """Return outcomes in the order of the pairs from those by source and target."""
        outcomes = {}
        for a, scores in found.items():
            outcomes.update({(a, b): s for b, s in zip(self.targets(a), scores, strict=True)})
        none = self._none
        return [
            outcomes[a, b] if a not in none and b not in none else none[a if a in none else b]
            for a, b in self._pairs
        ]
