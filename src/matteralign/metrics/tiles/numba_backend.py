"""Tiles by BLAS and compiled loops on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import FloatArray, LongArray
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.tiles.backend import Counting, Cut, Strips
from matteralign.metrics.tiles.candidates import Candidates
from matteralign.metrics.tiles.loops import rank_loops as ranks
from matteralign.metrics.tiles.loops import tile_loops as tiles
from matteralign.metrics.tiles.loops.select_loops import scan_columns, scan_rows
from matteralign.metrics.tiles.plan import PANEL, PIECE, Piece
from matteralign.metrics.tiles.rank_counts import RankRequest
from matteralign.metrics.tiles.row_factors import RowFactors
from matteralign.metrics.tiles.scores import Form, likely_rounding

_GRAM_PARTS = 8

Matrix = npt.NDArray[Any]


class NumbaBackend:
    """The backend of device ``cpu``; see `Backend` for what the methods do."""

    name = "cpu"
    margin = 6

    def __init__(self) -> None:
        self._local = threading.local()

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Matrix:
        size = int(np.prod(shape))
        flat: Matrix | None = getattr(self._local, name, None)
        if flat is None or flat.size < size or flat.dtype != dtype:
            flat = np.empty(size, dtype)
            setattr(self._local, name, flat)
        return flat[:size].reshape(shape)

    def workers(self, threads: int) -> int:
        """All of them: the loops run on one thread each."""
        return max(1, threads)

    @contextmanager
    def session(self) -> Iterator[None]:
        """Forget the buffers at the end."""
        try:
            yield
        finally:
            self._local = threading.local()

    def search_cut(self, features: int, itemsize: int, memory_bytes: int) -> Cut:
        """Tiles that stay in the second-level cache of a core."""
        return Cut(PIECE, PANEL)

    def pass_cut(self, lines: int, features: int, itemsize: int, memory_bytes: int) -> Cut:
        """Tiles and columns of all embeddings in at most half of the memory bound."""
        widest = memory_bytes // (2 * itemsize * (lines * PIECE + features))
        panel = int(max(64, min(PANEL, widest)))
        return Cut(min(PIECE, panel), panel)

    def array(self, x: Matrix) -> Matrix:
        """Return the array itself."""
        return x

    def numpy(self, x: Matrix) -> Matrix:
        """Return the array itself."""
        return x

    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Matrix:
        """Return zeros."""
        return np.zeros(shape, dtype)

    def form(self, f: Form) -> Form:
        """Return the form itself."""
        return f

    def product(self, rows: Matrix, columns: Matrix) -> Matrix:
        """Multiply into a buffer of this thread."""
        tile = self._buffer("product", (len(rows), len(columns)), rows.dtype)
        np.matmul(rows, columns.T, out=tile)
        return tile

    def factors(self, f: RowFactors) -> RowFactors:
        """Return the factors themselves."""
        return f

    def rescale(self, tile: Matrix, f: RowFactors, rows: slice, columns: slice) -> Matrix:
        """Write into another buffer of this thread."""
        out = self._buffer("rescaled", tile.shape, tile.dtype)
        mine, across = (tuple(x[part] for x in f.arrays()) for part in (rows, columns))
        tiles.rescale(tile, mine, across, out)
        return out

    def put(self, tile: Matrix, rows: Any, columns: Any, value: float) -> None:
        """Set single entries."""
        tile[rows, columns] = value

    def fill_diagonal(self, tile: Matrix, value: float) -> None:
        """Set the main diagonal."""
        np.fill_diagonal(tile, value)

    def candidates(self, rows: int, keep: int, dtype: npt.DTypeLike) -> Candidates:
        """Return empty buffers."""
        return Candidates.empty(rows, keep, dtype)

    def kept_bytes(self, keep: int, itemsize: int) -> int:
        """Return the memory of a row."""
        return Candidates.bytes_per_row(keep, itemsize)

    def offer_rows(
        self, tile: Matrix, f: Form, rows: Any, columns: slice, first_row: int, kept: Candidates
    ) -> None:
        """Scan the tile."""
        scan_rows(
            tile, f.lead, f.add[columns], first_row, columns.start, *kept.arrays(),
        )  # fmt: skip

    def offer_columns(
        self, tile: Matrix, f: Form, rows: slice, columns: slice, first: int, kept: Candidates
    ) -> None:
        """Scan the tile."""
        scan_columns(
            tile, f.lead, f.add[rows], rows.start, first, *kept.arrays(),
        )  # fmt: skip

    def copy_part(self, tile: Matrix, start: int, out: Matrix) -> None:
        """Copy."""
        tiles.copy_part(tile, start, out)

    def to_squares(
        self,
        tile: Matrix,
        rows: Matrix,
        columns: Matrix,
        x_rows: Matrix,
        x_columns: Matrix,
        least: Any,
    ) -> None:
        """Squared distances in place."""
        tiles.to_squares(tile, rows, columns, x_rows, x_columns, least)

    def to_distances(
        self, tile: Matrix, start: int, rows: Matrix, columns: Matrix, out: Matrix
    ) -> None:
        """Distances less offsets."""
        tiles.to_distances(tile, start, rows, columns, out)

    def products_to_distances(
        self,
        tile: Matrix,
        start: int,
        rows: Matrix,
        columns: Matrix,
        x_rows: Matrix,
        x_columns: Matrix,
        least: Any,
        offsets: tuple[Matrix, Matrix],
        out: Matrix,
    ) -> None:
        """Distances less offsets, each line while it is in the first-level cache."""
        tiles.products_to_distances(
            tile, start, rows, columns, x_rows, x_columns, least, *offsets, out
        )

    def clear_masked(self, out: Matrix, rows: Matrix, columns: Matrix) -> None:
        """Mask."""
        tiles.clear_masked(out, rows, columns)

    def add_sums(
        self,
        out: Matrix,
        rows: Matrix,
        columns: Matrix,
        row_sums: Matrix,
        column_sums: Matrix,
        squares: Matrix,
    ) -> None:
        """Add sums per pattern."""
        # One memory layout, one compiled loop: more patterns must not change a sum's order.
        masks = np.ascontiguousarray(rows), np.ascontiguousarray(columns)
        tiles.add_sums(out, *masks, row_sums, column_sums, squares)

    def gram(
        self,
        lines: Matrix,
        start: int,
        stop: int,
        blocks: LongArray,
        pool: Workers,
    ) -> FloatArray:
        """Sum in as many parts on one thread as on many, so that the sums do not differ."""
        cuts = np.linspace(start, stop, _GRAM_PARTS + 1).astype(int)

        def part(number: int) -> FloatArray:
            out = np.zeros((len(lines), len(lines)))
            tiles.gram(lines, cuts[number], cuts[number + 1], blocks, out)
            return out

        total = np.zeros((len(lines), len(lines)))
        for out in pool.map(part, range(_GRAM_PARTS)):
            total += out
        return total

    def counting(self, request: RankRequest, blocks: npt.NDArray[Any]) -> Counting:
        """Count from the request as it is."""
        sources, size = len(request.sources), request.sums.nearer_touching.shape[2]
        touched, seen = np.zeros((2, sources, size), np.int64)
        return Counting(request, None, blocks, np.zeros(sources, np.int64), touched, seen)

    def add_ranks(self, counting: Counting, squares: Matrix, rows: Piece, columns: Piece) -> None:
        """Compare with the bounds one by one."""
        request, at = counting.request, slice(rows.start, rows.stop)
        if request.common is None:
            squares = np.ascontiguousarray(squares)
        else:
            squares = np.where(request.common[columns.start : columns.stop], squares, np.inf)
        ranks.add_ranks(
            squares, columns.start, request.bounds[at], request.nearest[at],
            counting.blocks, rows.block, columns.block,
            counting.total, counting.touched, counting.seen,
        )  # fmt: skip

    def strips(self, x: Matrix, squares: Matrix, blocks: npt.NDArray[Any]) -> Strips:
        """Sort the bounds of each row, a table over them tells where a distance belongs."""
        lengths, off = np.sqrt(squares.astype(np.float64)), likely_rounding(x.shape[1], x.dtype)

        def part(request: RankRequest, start: int, stop: int) -> tuple[Matrix, ...]:
            strip = x[start:stop] @ x[: request.limit].T
            strip *= -2.0
            strip += squares[: request.limit]
            strip += squares[start:stop, None]
            np.maximum(strip, 0.0, out=strip)
            if request.common is not None:
                strip[:, ~request.common[: request.limit]] = np.inf
            strip[np.arange(stop - start), np.arange(start, stop)] = np.inf
            sources, size = len(request.sources), request.sums.nearer_touching.shape[2]
            total = np.zeros(sources, np.int64)
            touched, seen = np.zeros((2, sources, size), np.int64)
            ranks.add_strip_ranks(
                strip, lengths[start:stop], *off, request.nearest[start:stop], blocks, start,
                total, touched, seen,
            )  # fmt: skip
            return total, touched, seen

        return part
