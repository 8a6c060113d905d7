"""The pass: every model's tiles once, side by side, and all sums that pairs need of them.

A step takes one panel of columns and the rows up to its end. For every piece of rows each
model's product of centred rows becomes a tile of kernels, of squared distances (counted for
ranks) and of centred distances; the tiles of all models then meet in one Gram product.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Protocol

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matteralign.metrics.base.inputs import BoolArray, LongArray
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.embedding.embedding import Embedding
from matteralign.metrics.tiles.backend import Array, Backend, Counting, backend_of
from matteralign.metrics.tiles.centred_rows import CentredRows
from matteralign.metrics.tiles.loops.tile_loops import GRAM_SIDE
from matteralign.metrics.tiles.plan import Piece, Step, steps
from matteralign.metrics.tiles.rank_counts import RankRequest, RankSums
from matteralign.metrics.tiles.scores import SUMMED_AGAIN
from matteralign.metrics.tiles.sums import BlockSums, MatrixSums
from matteralign.stats.blocks import block_edges, block_order


class PassState(Protocol):
    """Where a long pass leaves its state and finds it again."""

    def load(self) -> Mapping[str, npt.NDArray[Any]] | None:
        """Return the arrays that were saved, or None."""
        ...

    def save(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep these arrays."""
        ...


@dataclass
class PassResult:
    """Sums of a pass; None where not asked for."""

    distances: MatrixSums | None
    kernels: MatrixSums | None


@dataclass
class _Kind:
    """Lines and sums of one kind of matrix.

    `rows` is what the backend gathers for ``sums.rows``.
    """

    sums: MatrixSums
    rows: Array
    lines: Array
    blocks: LongArray
    squares: Array = None


def stream(
    embeddings: Sequence[Embedding],
    *,
    distances: bool,
    kernels: bool,
    pairs: Annotated[BoolArray, "M M"] | None = None,
    ranks: Sequence[Sequence[RankRequest]] = (),
    leading: int | None = None,
    dtype: npt.DTypeLike = np.float32,
    resources: Resources,
    pass_state: PassState | None = None,
) -> PassResult:
    """Gather the sums of all models in one pass over the upper triangle of tiles.

    Parameters
    ----------
    embeddings : sequence of Embedding
        All on the same n rows.
    distances, kernels : bool
        Gather sums of Euclidean distances; of linear kernels of mean-centred rows.
    pairs : ndarray of bool, shape (M, M), optional
        Pairs whose products are needed; all by default.
    ranks : sequence of sequence of RankRequest
        Per embedding, what to count in its tiles, with rows as `order_of_pass` puts them; the
        counts are added to the requests' sums.
    leading : int, optional
        Take so many leading rows alone, as one block.
    dtype : float32 or float64
        Of the tiles; sums are float64.
    resources : Resources
        Memory bounds the tiles of all embeddings and what is held of their rows. Each backend
        cuts the rows and adds up in its own order, so sums of two differ by the rounding of
        `dtype`.
    pass_state : PassState, optional
        The pass continues from the state that it has, and saves its state now and then.
    """
    order, edges = order_of_pass(embeddings[0].n, leading)
    backend = backend_of(resources)
    run = _Pass(
        backend, embeddings, order, edges, distances, kernels, pairs, ranks, dtype,
        resources.memory_bytes,
    )  # fmt: skip
    walk = list(steps(edges.tolist(), (), run.cut.panel, run.cut.piece))
    sizes = [sum(p.size for p in s.rows) * (s.stop - s.start) for s in walk]
    due = 0.0
    first = run.restore(pass_state.load() if pass_state else None, walk)
    with (
        backend.session(),
        threadpool_limits(1),
        Workers(backend.workers(resources.threads)) as pool,
    ):
        for number in range(first, len(walk)):
            step = walk[number]
            before = sum(sizes[:number]) / sum(sizes)
            share = sizes[number] / sum(sizes)
            columns = pool.map(partial(run.columns, step=step), range(len(embeddings)))
            for place, piece in enumerate(step.rows):
                run.piece(piece, step, columns, pool)
                resources.tell(before + share * (place + 1) / len(step.rows))
            if pass_state and number + 1 < len(walk) and time.monotonic() >= due:
                begun = time.monotonic()
                pass_state.save(run.state(number + 1, walk))
                # Saving takes a twentieth of the time at most.
                due = time.monotonic() + 20.0 * (time.monotonic() - begun)
    run.collect()
    return PassResult(
        run.distances.sums if run.distances else None, run.kernels.sums if run.kernels else None
    )


def order_of_pass(
    n: int, leading: int | None = None
) -> tuple[Annotated[LongArray, "n"], Annotated[LongArray, "blocks"]]:
    """Return the rows in the order in which a pass takes them, and the borders of its blocks."""
    if leading is not None:
        return np.arange(leading), np.asarray([0, leading])
    return block_order(n), block_edges(n)


class _Pass:
    def __init__(
        self,
        backend: Backend,
        embeddings: Sequence[Embedding],
        order: LongArray,
        edges: LongArray,
        distances: bool,
        kernels: bool,
        pairs: BoolArray | None,
        ranks: Sequence[Sequence[RankRequest]],
        dtype: npt.DTypeLike,
        memory_bytes: int,
    ) -> None:
        self.backend, self.embeddings = backend, embeddings
        self.dtype, self.n, self.edges = np.dtype(dtype), len(order), edges
        blocks = np.repeat(np.arange(len(edges) - 1, dtype=np.int16), np.diff(edges))
        self.ranks: list[list[Counting]] = [
            [backend.counting(request, blocks) for request in requests]
            for requests in (ranks or [() for _ in embeddings])
        ]
        self.complete = [m.complete for m in embeddings]
        patterns, pattern_of = np.unique(
            np.stack([m.valid[order] for m in embeddings]), axis=0, return_inverse=True
        )
        self.masks = backend.array(patterns.astype(dtype))
        self.patterns, self.pattern_of = patterns, pattern_of.reshape(-1)
        self.padded = -(-len(embeddings) // GRAM_SIDE) * GRAM_SIDE
        lines = self.padded * max(int(distances) + int(kernels), 1)
        features = sum(embedding.d for embedding in embeddings)
        self.cut = backend.pass_cut(lines, features, self.dtype.itemsize, memory_bytes)
        self.rows = CentredRows(backend, embeddings, order, self.dtype, memory_bytes // 4)
        squares = np.stack([self.rows.squared_lengths(m) for m in range(len(embeddings))])
        offsets = np.zeros((len(embeddings), self.n), dtype)
        if distances:
            for place, own in enumerate(squares):
                offsets[place] = self.rows.offsets(place, own)
        self.squares = backend.array(squares.astype(dtype))
        self.offsets = backend.array(offsets)
        self.distances = self._kind(pairs, -2.0 * offsets) if distances else None
        self.kernels = self._kind(pairs, squares) if kernels else None

    def _kind(self, pairs: BoolArray | None, diagonal: npt.NDArray[Any]) -> _Kind:
        count, patterns = len(self.embeddings), len(self.patterns)
        edges, blocks = self.edges, len(self.edges) - 1
        valid = self.patterns[self.pattern_of]
        sums = MatrixSums(
            products=BlockSums.zeros(blocks, count, count),
            squares=BlockSums.zeros(blocks, count, patterns),
            rows=np.zeros((count, patterns, self.n, blocks), self.dtype),
            diagonal=np.where(valid, diagonal, 0.0).astype(np.float64),
            patterns=self.patterns,
            pattern_of=self.pattern_of,
            edges=edges,
        )
        empty = self.backend.zeros((self.padded, 0), self.dtype)
        return _Kind(sums, self.backend.array(sums.rows), empty, _gram_blocks(pairs, count))

    def columns(self, place: int, step: Step) -> Array:
        """Return an embedding's centred rows of the panel."""
        return self.rows.on_device(place, step.start, step.stop)

    def piece(
        self,
        piece: Piece,
        step: Step,
        columns: Sequence[Array],
        pool: Workers,
    ) -> None:
        """Take one piece of rows against the panel, all embeddings."""
        parts = step.columns_of(piece)
        width = sum(p.size for p in parts)
        for kind in self._kinds():
            if kind.lines.shape[1] < piece.size * width:
                # The old ones go before the new ones come.
                kind.lines = None
                kind.lines = self.backend.zeros((self.padded, piece.size * width), self.dtype)
            shape = (len(parts), len(self.embeddings), len(self.patterns))
            kind.squares = self.backend.zeros(shape, np.float64)
        fill = partial(self._fill, piece=piece, step=step, parts=parts, columns=columns)
        pool.map(fill, range(len(self.embeddings)))
        count = len(self.embeddings)
        for kind in self._kinds():
            start, squares = 0, self.backend.numpy(kind.squares)
            for number, part in enumerate(parts):
                weight = 1.0 if part == piece else 2.0
                stop = start + piece.size * part.size
                products = self.backend.gram(kind.lines, start, stop, kind.blocks, pool)
                kind.sums.products.add(piece.block, part.block, weight * products[:count, :count])
                kind.sums.squares.add(piece.block, part.block, weight * squares[number])
                start = stop

    def _kinds(self) -> list[_Kind]:
        return [kind for kind in (self.distances, self.kernels) if kind is not None]

    def _fill(
        self,
        place: int,
        *,
        piece: Piece,
        step: Step,
        parts: Sequence[Piece],
        columns: Sequence[Array],
    ) -> None:
        backend, first = self.backend, parts[0].start
        if piece.start >= step.start:
            rows = columns[place][piece.start - step.start : piece.stop - step.start]
        else:
            rows = self.rows.on_device(place, piece.start, piece.stop)
        across = columns[place][first - step.start :]
        tile = backend.product(rows, across)
        if self.kernels:
            self._kernels(self.kernels, place, piece, parts, tile)
        if self.ranks[place]:
            squares = self.squares[place]
            backend.to_squares(
                tile, squares[piece.start : piece.stop], squares[first : step.stop],
                rows, across, SUMMED_AGAIN[self.dtype],
            )  # fmt: skip
            self._count(place, piece, parts, tile)
        if self.distances:
            self._distances(self.distances, place, piece, parts, tile, rows, across)

    def _kernels(
        self, kind: _Kind, place: int, piece: Piece, parts: Sequence[Piece], tile: Array
    ) -> None:
        start = 0
        for number, part in enumerate(parts):
            out = _view(kind.lines[place], start, piece.size, part.size)
            self.backend.copy_part(tile, part.start - parts[0].start, out)
            self._sum(kind, place, piece, part, number, out)
            start += piece.size * part.size

    def _distances(
        self,
        kind: _Kind,
        place: int,
        piece: Piece,
        parts: Sequence[Piece],
        tile: Array,
        x_rows: Array,
        x_columns: Array,
    ) -> None:
        """Turn a tile, of squares where ranks were counted and else of products, into lines."""
        offset, squares, start = self.offsets[place], self.squares[place], 0
        mask = self.masks[self.pattern_of[place]]
        at = slice(piece.start, piece.stop)
        for number, part in enumerate(parts):
            across = slice(part.start, part.stop)
            out = _view(kind.lines[place], start, piece.size, part.size)
            shift = part.start - parts[0].start
            offsets = offset[at], offset[across]
            if self.ranks[place]:
                self.backend.to_distances(tile, shift, *offsets, out)
            else:
                self.backend.products_to_distances(
                    tile, shift, squares[at], squares[across], x_rows,
                    x_columns[shift : shift + part.size], SUMMED_AGAIN[self.dtype], offsets, out,
                )  # fmt: skip
            if not self.complete[place]:
                self.backend.clear_masked(out, mask[at], mask[across])
            self._sum(kind, place, piece, part, number, out)
            start += piece.size * part.size

    def _sum(
        self, kind: _Kind, place: int, piece: Piece, part: Piece, number: int, out: Array
    ) -> None:
        own = part == piece
        if own:
            self.backend.fill_diagonal(out, 0.0)
        rows, across = slice(piece.start, piece.stop), slice(part.start, part.stop)
        gathered = kind.rows[place]
        row_sums = gathered[:, rows, part.block]
        # A matrix is symmetric: the columns of its own square are its rows once more.
        column_sums = (
            self.backend.zeros((len(self.masks), part.size), self.dtype)
            if own
            else gathered[:, across, piece.block]
        )
        masks = self.masks[:, rows], self.masks[:, across]
        self.backend.add_sums(out, *masks, row_sums, column_sums, kind.squares[number, place])

    def _count(self, place: int, piece: Piece, parts: Sequence[Piece], tile: Array) -> None:
        if parts[0] == piece:
            self.backend.fill_diagonal(tile, np.inf)
        for counting in self.ranks[place]:
            for part in parts:
                shift = part.start - parts[0].start
                square = tile[:, shift : shift + part.size]
                self.backend.add_ranks(counting, square, piece, part)
                if part != piece:
                    self.backend.add_ranks(counting, square.T, part, piece)
        if parts[0] == piece:
            self.backend.fill_diagonal(tile, 0.0)

    def collect(self) -> None:
        """Bring what the backend has gathered into the sums."""
        for kind in self._kinds():
            kind.sums.rows = self.backend.numpy(kind.rows)
        for requests in self.ranks:
            for counting in requests:
                counting.collect(self.backend)

    def state(self, done: int, walk: Sequence[Step]) -> dict[str, npt.NDArray[Any]]:
        """Return everything gathered in the first steps of a walk."""
        self.collect()
        told = {"done": np.asarray(done), "stops": _stops(walk), "backend": self._made_by()}
        return told | dict(self._arrays())

    def restore(self, saved: Mapping[str, npt.NDArray[Any]] | None, walk: Sequence[Step]) -> int:
        """Take up a saved state of the same walk; return how many steps it covers."""
        own = dict(self._arrays())
        if saved is None or set(saved) != {*own, "done", "stops", "backend"}:
            return 0
        # Another memory bound cuts the rows in another way, another backend rounds in one.
        if not np.array_equal(saved["stops"], _stops(walk)):
            return 0
        if not np.array_equal(saved["backend"], self._made_by()):
            return 0
        if any(saved[name].shape != array.shape for name, array in own.items()):
            return 0
        for name, array in own.items():
            array[...] = saved[name]
        for kind in self._kinds():
            kind.rows = self.backend.array(kind.sums.rows)
        return min(int(saved["done"]), len(walk))

    def _made_by(self) -> npt.NDArray[np.uint8]:
        return np.frombuffer(self.backend.name.encode(), np.uint8)

    def _arrays(self) -> list[tuple[str, npt.NDArray[Any]]]:
        out: list[tuple[str, npt.NDArray[Any]]] = []
        for name, kind in (("distances", self.distances), ("kernels", self.kernels)):
            if kind is not None:
                out.append((f"{name}.rows", kind.sums.rows))
                for what in ("products", "squares"):
                    blocks: BlockSums = getattr(kind.sums, what)
                    parts = ("total", "touching")
                    out += [(f"{name}.{what}.{part}", getattr(blocks, part)) for part in parts]
        seen: dict[int, RankSums] = {}
        for requests in self.ranks:
            for counting in requests:
                sums = counting.request.sums
                seen.setdefault(id(sums), sums)
        for number, ranks in enumerate(seen.values()):
            for part, array in zip(("a", "b", "c", "d", "e"), ranks.arrays(), strict=True):
                out.append((f"ranks.{number}.{part}", array))
        return out


def _view(line: Array, start: int, rows: int, columns: int) -> Array:
    return line[start : start + rows * columns].reshape(rows, columns)


def _stops(walk: Sequence[Step]) -> LongArray:
    """Return what tells walks apart: where panels end, then where pieces end."""
    return np.asarray([s.stop for s in walk] + [p.stop for p in walk[-1].rows], np.int64)


def _gram_blocks(pairs: BoolArray | None, count: int) -> LongArray:
    """Return the 3 x 3 blocks on and below the diagonal that hold a needed pair."""
    side = GRAM_SIDE
    needed = np.ones((count, count), bool) if pairs is None else pairs | pairs.T
    out = [
        (i, j)
        for i in range(0, count, side)
        for j in range(0, i + 1, side)
        if needed[i : i + side, j : j + side].any()
    ]
    return np.asarray(out, np.int64).reshape(-1, 2)
