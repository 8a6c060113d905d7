"""The pass: every model's tiles once, side by side, and all sums that pairs need of them.

A step takes one panel of columns and the rows up to its end. For every piece of rows each
model's product of centred rows becomes a tile of kernels, of squared distances (counted for
ranks) and of centred distances; the tiles of all models then meet in one Gram product.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matteralign.metrics.inputs import FloatArray
from matteralign.metrics.kernels import ranks, tiles
from matteralign.metrics.members import BoolArray, Member
from matteralign.metrics.plan import PANEL, PIECE, Piece, Step, steps
from matteralign.metrics.rank_counts import RankRequest, RankSums
from matteralign.metrics.sums import BlockSums, MatrixSums
from matteralign.stats.blocks import block_edges, block_of

_OFFSET_ROWS = 64

# Share of the squared lengths below which a squared distance is summed from differences.
_LEAST = {
    np.dtype(np.float32): np.float32(2e-4),
    np.dtype(np.float64): np.float64(1e-6),
}

_GRAM_PARTS = 8


class Checkpoint(Protocol):
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
    """Lines and sums of one kind of matrix."""

    sums: MatrixSums
    lines: npt.NDArray[Any]
    blocks: npt.NDArray[np.int64]
    squares: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


def stream(
    members: Sequence[Member],
    *,
    distances: bool,
    kernels: bool,
    pairs: BoolArray | None = None,
    ranks: Sequence[Sequence[RankRequest]] = (),
    cuts: Sequence[int] = (),
    dtype: npt.DTypeLike = np.float32,
    memory_bytes: int,
    threads: int = 1,
    progress: Callable[[float], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> PassResult:
    """Gather the sums of all models in one pass over the upper triangle of tiles.

    Parameters
    ----------
    members : sequence of Member
        All on the same n rows.
    distances, kernels : bool
        Gather sums of Euclidean distances; of linear kernels of mean-centred rows.
    pairs : ndarray of bool, shape (M, M), optional
        Pairs whose products are needed; all by default.
    ranks : sequence of sequence of RankRequest
        Per member, what to count in its tiles; the counts are added to the requests' sums.
    cuts : sequence of int
        Limits of the requests below n.
    dtype : float32 or float64
        Of the tiles; sums are float64.
    memory_bytes : int
        Bound on the tiles of all members.
    threads : int
    progress : callable, optional
        Told the share of the work done.
    checkpoint : Checkpoint, optional
        The pass goes on from what it holds and saves into it now and then.
    """
    run = _Pass(members, distances, kernels, pairs, ranks, dtype, memory_bytes, threads)
    walk = list(steps(block_edges(run.n).tolist(), set(cuts), run.panel))
    sizes = [sum(p.size for p in s.rows) * (s.stop - s.start) for s in walk]
    due = 0.0
    first = run.restore(checkpoint.load() if checkpoint else None, len(walk))
    with threadpool_limits(1), ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for number in range(first, len(walk)):
            step = walk[number]
            before = sum(sizes[:number]) / sum(sizes)
            share = sizes[number] / sum(sizes)
            columns = list(pool.map(partial(run.columns, step=step), range(len(members))))
            for place, piece in enumerate(step.rows):
                run.piece(piece, step, columns, pool)
                if progress:
                    progress(before + share * (place + 1) / len(step.rows))
            if checkpoint and number + 1 < len(walk) and time.monotonic() >= due:
                begun = time.monotonic()
                checkpoint.save(run.state(number + 1))
                # Saving takes a twentieth of the time at most.
                due = time.monotonic() + 20.0 * (time.monotonic() - begun)
    return PassResult(
        run.distances.sums if run.distances else None, run.kernels.sums if run.kernels else None
    )


class _Pass:
    def __init__(
        self,
        members: Sequence[Member],
        distances: bool,
        kernels: bool,
        pairs: BoolArray | None,
        ranks: Sequence[Sequence[RankRequest]],
        dtype: npt.DTypeLike,
        memory_bytes: int,
        threads: int,
    ) -> None:
        self.members, self.dtype = members, np.dtype(dtype)
        self.n, self.threads = members[0].n, threads
        self.block_of = block_of(self.n)
        self.ranks = ranks or [() for _ in members]
        self.complete = [m.complete for m in members]
        patterns, pattern_of = np.unique(
            np.stack([m.valid for m in members]), axis=0, return_inverse=True
        )
        self.masks = patterns.astype(dtype)
        self.patterns, self.pattern_of = patterns, pattern_of.reshape(-1)
        self.padded = -(-len(members) // tiles.GRAM_SIDE) * tiles.GRAM_SIDE
        kinds = int(distances) + int(kernels)
        self.panel = _panel(self.padded * max(kinds, 1), self.dtype.itemsize, memory_bytes)
        self.local = threading.local()
        self.squares = np.zeros((len(members), self.n))
        self.offsets = np.zeros((len(members), self.n), dtype)
        for place, member in enumerate(members):
            self.squares[place] = _squared_lengths(member)
            if distances:
                self.offsets[place] = _offsets(member, self.squares[place])
        self.distances = self._kind(pairs, -2.0 * self.offsets) if distances else None
        self.kernels = self._kind(pairs, self.squares) if kernels else None

    def _kind(self, pairs: BoolArray | None, diagonal: npt.NDArray[Any]) -> _Kind:
        count, patterns = len(self.members), len(self.patterns)
        edges = block_edges(self.n)
        blocks = len(edges) - 1
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
        return _Kind(sums, np.zeros((self.padded, 0), self.dtype), _gram_blocks(pairs, count))

    def columns(self, place: int, step: Step) -> npt.NDArray[Any]:
        """Return a member's centred rows of the panel."""
        return self.members[place].centred(step.start, step.stop, self.dtype)

    def piece(
        self,
        piece: Piece,
        step: Step,
        columns: Sequence[npt.NDArray[Any]],
        pool: ThreadPoolExecutor,
    ) -> None:
        """Take one piece of rows against the panel, all members."""
        parts = step.columns_of(piece)
        width = sum(p.size for p in parts)
        for kind in self._kinds():
            if kind.lines.shape[1] < piece.size * width:
                kind.lines = np.zeros((self.padded, piece.size * width), self.dtype)
            kind.squares = np.zeros((len(parts), len(self.members), len(self.patterns)))
        fill = partial(self._fill, piece=piece, step=step, parts=parts, columns=columns)
        list(pool.map(fill, range(len(self.members))))
        for kind in self._kinds():
            start = 0
            for number, part in enumerate(parts):
                weight = 1.0 if part == piece else 2.0
                stop = start + piece.size * part.size
                products = self._gram(kind, start, stop, pool)
                kind.sums.products.add(piece.block, part.block, weight * products)
                kind.sums.squares.add(piece.block, part.block, weight * kind.squares[number])
                start = stop

    def _kinds(self) -> list[_Kind]:
        return [kind for kind in (self.distances, self.kernels) if kind is not None]

    def _gram(self, kind: _Kind, start: int, stop: int, pool: ThreadPoolExecutor) -> FloatArray:
        # The cut does not depend on the number of threads, so the sums do not either.
        cuts = np.linspace(start, stop, _GRAM_PARTS + 1).astype(int)

        def part(number: int) -> FloatArray:
            out = np.zeros((self.padded, self.padded))
            tiles.gram(kind.lines, cuts[number], cuts[number + 1], kind.blocks, out)
            return out

        count = len(self.members)
        total = np.zeros((self.padded, self.padded))
        for out in pool.map(part, range(_GRAM_PARTS)):
            total += out
        return total[:count, :count]

    def _fill(
        self,
        place: int,
        *,
        piece: Piece,
        step: Step,
        parts: Sequence[Piece],
        columns: Sequence[npt.NDArray[Any]],
    ) -> None:
        member = self.members[place]
        first = parts[0].start
        rows = member.centred(piece.start, piece.stop, self.dtype)
        tile = self._tile(piece.size, step.stop - first)
        across = columns[place][first - step.start :]
        np.matmul(rows, across.T, out=tile)
        if self.kernels:
            self._kernels(self.kernels, place, piece, parts, tile)
        if not (self.distances or self.ranks[place]):
            return
        squares = self.squares[place].astype(self.dtype)
        tiles.to_squares(
            tile, squares[piece.start : piece.stop], squares[first : step.stop],
            rows, across, _LEAST[self.dtype],
        )  # fmt: skip
        if self.ranks[place]:
            self._count(place, piece, parts, tile)
        if self.distances:
            self._distances(self.distances, place, piece, parts, tile)

    def _tile(self, rows: int, columns: int) -> npt.NDArray[Any]:
        flat = getattr(self.local, "flat", None)
        if flat is None or flat.size < rows * columns:
            flat = self.local.flat = np.empty(rows * columns, self.dtype)
        return flat[: rows * columns].reshape(rows, columns)

    def _kernels(
        self, kind: _Kind, place: int, piece: Piece, parts: Sequence[Piece], tile: npt.NDArray[Any]
    ) -> None:
        start = 0
        for number, part in enumerate(parts):
            out = _view(kind.lines[place], start, piece.size, part.size)
            tiles.copy_part(tile, part.start - parts[0].start, out)
            self._sum(kind, place, piece, part, number, out)
            start += out.size

    def _distances(
        self, kind: _Kind, place: int, piece: Piece, parts: Sequence[Piece], tile: npt.NDArray[Any]
    ) -> None:
        offset, start = self.offsets[place], 0
        mask = self.masks[self.pattern_of[place]]
        at = slice(piece.start, piece.stop)
        for number, part in enumerate(parts):
            across = slice(part.start, part.stop)
            out = _view(kind.lines[place], start, piece.size, part.size)
            shift = part.start - parts[0].start
            tiles.to_distances(tile, shift, offset[at], offset[across], out)
            if not self.complete[place]:
                tiles.clear_masked(out, mask[at], mask[across])
            self._sum(kind, place, piece, part, number, out)
            start += out.size

    def _sum(
        self, kind: _Kind, place: int, piece: Piece, part: Piece, number: int, out: npt.NDArray[Any]
    ) -> None:
        own = part == piece
        if own:
            tiles.clear_diagonal(out)
        rows, across = slice(piece.start, piece.stop), slice(part.start, part.stop)
        row_sums = np.zeros((len(self.masks), piece.size), self.dtype)
        column_sums = np.zeros((len(self.masks), part.size), self.dtype)
        masks = self.masks[:, rows], self.masks[:, across]
        tiles.add_sums(out, *masks, row_sums, column_sums, kind.squares[number, place])
        gathered = kind.sums.rows[place]
        gathered[:, rows, part.block] += row_sums
        if not own:
            gathered[:, across, piece.block] += column_sums

    def _count(
        self, place: int, piece: Piece, parts: Sequence[Piece], tile: npt.NDArray[Any]
    ) -> None:
        if parts[0] == piece:
            np.fill_diagonal(tile, np.inf)
        for request in self.ranks[place]:
            if piece.stop > request.limit:
                continue
            for part in parts:
                if part.stop <= request.limit:
                    shift = part.start - parts[0].start
                    square = tile[:, shift : shift + part.size]
                    self._ranks(request, piece, part, square)
                    if part != piece:
                        self._ranks(request, part, piece, square.T)
        if parts[0] == piece:
            np.fill_diagonal(tile, 0.0)

    def _ranks(
        self,
        request: RankRequest,
        rows: Piece,
        columns: Piece,
        squares: npt.NDArray[Any],
    ) -> None:
        at = slice(rows.start, rows.stop)
        blocks = request.sums.nearer_touching.shape[2]
        sources = len(request.sources)
        if request.common is None:
            squares = np.ascontiguousarray(squares)
        else:
            squares = np.where(request.common[columns.start : columns.stop], squares, np.inf)
        total = np.zeros(sources, np.int64)
        touched, seen = np.zeros((2, sources, blocks), np.int64)
        ranks.add_ranks(
            squares, columns.start, request.bounds[at], request.nearest[at],
            self.block_of, rows.block, columns.block, total, touched, seen,
        )  # fmt: skip
        request.add(total, touched, seen)

    def state(self, done: int) -> dict[str, npt.NDArray[Any]]:
        """Return everything gathered so far."""
        return {"done": np.asarray(done)} | dict(self._arrays())

    def restore(self, saved: Mapping[str, npt.NDArray[Any]] | None, steps_in_all: int) -> int:
        """Take up a saved state; return how many steps it covers."""
        own = dict(self._arrays())
        if saved is None or set(saved) != {*own, "done"}:
            return 0
        if any(saved[name].shape != array.shape for name, array in own.items()):
            return 0
        for name, array in own.items():
            array[...] = saved[name]
        return min(int(saved["done"]), steps_in_all)

    def _arrays(self) -> list[tuple[str, npt.NDArray[Any]]]:
        out: list[tuple[str, npt.NDArray[Any]]] = []
        for name, kind in (("distances", self.distances), ("kernels", self.kernels)):
            if kind is not None:
                out.append((f"{name}.rows", kind.sums.rows))
                for what in ("products", "squares"):
                    sums: BlockSums = getattr(kind.sums, what)
                    out += [
                        (f"{name}.{what}.{part}", getattr(sums, part))
                        for part in ("total", "touching", "closing")
                    ]
        seen: dict[int, RankSums] = {}
        for requests in self.ranks:
            for request in requests:
                seen.setdefault(id(request.sums), request.sums)
        for number, counts in enumerate(seen.values()):
            for part, array in zip(("a", "b", "c", "d", "e"), counts.arrays(), strict=True):
                out.append((f"ranks.{number}.{part}", array))
        return out


def _view(line: npt.NDArray[Any], start: int, rows: int, columns: int) -> npt.NDArray[Any]:
    return line[start : start + rows * columns].reshape(rows, columns)


def _panel(lines: int, itemsize: int, memory_bytes: int) -> int:
    """Return the widest panel whose tiles take at most half of the memory bound."""
    widest = memory_bytes // (2 * lines * itemsize * PIECE)
    return int(max(64, min(PANEL, widest)))


def _gram_blocks(pairs: BoolArray | None, count: int) -> npt.NDArray[np.int64]:
    """Return the 3 x 3 blocks on and below the diagonal that hold a needed pair."""
    side = tiles.GRAM_SIDE
    needed = np.ones((count, count), bool) if pairs is None else pairs | pairs.T
    out = [
        (i, j)
        for i in range(0, count, side)
        for j in range(0, i + 1, side)
        if needed[i : i + side, j : j + side].any()
    ]
    return np.asarray(out, np.int64).reshape(-1, 2)


def _squared_lengths(member: Member) -> FloatArray:
    out = np.zeros(member.n)
    for start, stop in member.spans():
        rows = member.centred(start, stop, np.float64)
        out[start:stop] = np.einsum("ij,ij->i", rows, rows)
    return out


def _offsets(member: Member, squares: FloatArray) -> FloatArray:
    """Estimate each row's mean distance, less half the grand mean, from a few columns."""
    valid = np.flatnonzero(member.valid)
    chosen = valid[np.linspace(0, len(valid) - 1, min(_OFFSET_ROWS, len(valid))).astype(int)]
    some = np.concatenate([member.centred(r, r + 1, np.float64) for r in chosen])
    means = np.zeros(member.n)
    for start, stop in member.spans():
        products = member.centred(start, stop, np.float64) @ some.T
        square = squares[start:stop, None] + squares[chosen] - 2.0 * products
        means[start:stop] = np.sqrt(np.maximum(square, 0.0)).mean(axis=1)
    return means - 0.5 * float(means[member.valid].mean())
