"""Centred rows of the embeddings of a pass: as they are multiplied, their lengths and offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import FloatArray, SingleArray
from matteralign.metrics.embedding.embedding import Embedding
from matteralign.metrics.embedding.exact_loops import row_norms
from matteralign.metrics.tiles.backend import Array, Backend

# Columns from which a row's mean distance is estimated.
_OFFSET_ROWS = 16


class CentredRows:
    """Rows of every embedding less their mean, masked rows zero.

    Every panel meets the rows of all panels before it: where all rows of all embeddings fit in
    `room` bytes they are centred once, elsewhere read and centred whenever they are asked for.
    Places count along `order`, shape (m,), which names the rows of the embeddings that take part.
    """

    def __init__(
        self,
        backend: Backend,
        embeddings: Sequence[Embedding],
        order: npt.NDArray[np.integer[Any]],
        dtype: np.dtype[Any],
        room: int,
    ) -> None:
        self._backend, self._embeddings, self._dtype = backend, embeddings, dtype
        self._order = order
        self._held: list[npt.NDArray[Any]] = []
        self._there: list[Array] = []
        if sum(len(order) * m.d for m in embeddings) * dtype.itemsize <= room:
            held = [self._all(place) for place in range(len(embeddings))]
            self._held, self._there = held, [backend.array(rows) for rows in held]

    def on_device(self, place: int, start: int, stop: int) -> Array:
        """Return rows ``start:stop`` of the embedding at `place`, where the backend multiplies."""
        if self._there:
            return self._there[place][start:stop]
        return self._backend.array(self._rows(place, start, stop))

    def squared_lengths(self, place: int) -> FloatArray:
        """Return the squared length of every row, shape (m,)."""
        out = np.zeros(len(self._order))
        for start, stop in self._spans(place):
            out[start:stop] = row_norms(self._rows(place, start, stop)) ** 2
        return out

    def offsets(self, place: int, squares: FloatArray) -> FloatArray:
        """Return what to take off the distances of every row, shape (m,).

        An offset is the row's median distance from a few rows, less half the median of these:
        with those of both rows taken off, little is left to lose in sums of the tiles'
        precision. Means would do as well but for rows far out, which would leave their own
        distance in every entry. `squares` are the squared lengths.
        """
        valid = np.flatnonzero(self._embeddings[place].valid[self._order])
        if not len(valid):
            return np.zeros(len(self._order))
        chosen = valid[np.linspace(0, len(valid) - 1, min(_OFFSET_ROWS, len(valid))).astype(int)]
        some = np.concatenate([self._single(place, row, row + 1) for row in chosen])
        minus_two = np.float32(-2.0) * some.T
        lengths = squares.astype(np.float32)
        middle = np.zeros(len(self._order))
        for start, stop in self._spans(place):
            tile = self._single(place, start, stop) @ minus_two
            tile += lengths[chosen]
            tile += lengths[start:stop, None]
            np.sqrt(np.maximum(tile, 0.0, out=tile), out=tile)
            middle[start:stop] = np.median(tile, axis=1)
        return middle - 0.5 * float(np.median(middle[valid]))

    def _single(self, place: int, start: int, stop: int) -> SingleArray:
        return self._rows(place, start, stop).astype(np.float32, copy=False)

    def _rows(self, place: int, start: int, stop: int) -> npt.NDArray[Any]:
        if self._held:
            return self._held[place][start:stop]
        return self._embeddings[place].centred_at(self._order[start:stop], self._dtype)

    def _spans(self, place: int) -> list[tuple[int, int]]:
        m = len(self._order)
        return [
            (start, min(stop, m)) for start, stop in self._embeddings[place].spans() if start < m
        ]

    def _all(self, place: int) -> npt.NDArray[Any]:
        out = np.empty((len(self._order), self._embeddings[place].d), self._dtype)
        for start, stop in self._spans(place):
            out[start:stop] = self._embeddings[place].centred_at(
                self._order[start:stop], self._dtype
            )
        return out
