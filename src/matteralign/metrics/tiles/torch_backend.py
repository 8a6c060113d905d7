"""Tiles by torch, on a GPU or, for tests, on the CPU.

The one module outside the models that imports torch; `backend.open_backend` imports it when
such a device is asked for. Tiles are larger than on the CPU, since starting a kernel costs
as much as a small tile. Sums are formed in another order than there and so differ by
rounding: below 1e-6 in dCor and CKA from single-precision tiles, 1e-10 from double.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from matteralign.metrics.base.errors import MetricInputError, MetricSpecError
from matteralign.metrics.base.inputs import FloatArray, LongArray
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.tiles.backend import Counting, Cut, Strips
from matteralign.metrics.tiles.candidates import Proposed
from matteralign.metrics.tiles.plan import Piece
from matteralign.metrics.tiles.rank_counts import RankRequest
from matteralign.metrics.tiles.row_factors import RowFactors
from matteralign.metrics.tiles.scores import Form, likely_rounding

Tensor = Any

_WORKERS = 4
"""Threads that feed a device: enough to hide reading and centring rows."""

_TEMPORARIES = 6
"""Copies of a tile that a thread holds at most."""

_PASS_PIECE = 1024
_SEARCH = Cut(2048, 8192)
_GRAM_RUN = 1024
_COMPARED = 2**24
_DIFFERENCES = 2**25


def sees_cuda() -> bool:
    """Whether torch sees a GPU."""
    return bool(torch.cuda.is_available())


@dataclass(frozen=True)
class TorchKept:
    """The `keep` smallest scores of rows, infinite where there are fewer.

    Attributes
    ----------
    values : Tensor, shape (rows, keep)
    index : Tensor of int32, shape (rows, keep)
    """

    values: Tensor
    index: Tensor

    def part(self, start: int, stop: int) -> TorchKept:
        """Return some of the rows, sharing memory."""
        return TorchKept(self.values[start:stop], self.index[start:stop])

    def reset(self) -> None:
        """Forget everything."""
        self.values.fill_(torch.inf)

    def start_from(self, other: TorchKept) -> None:
        """Change nothing: selecting costs the same wherever it starts."""

    def take(self, other: TorchKept) -> None:
        """Add what `other` holds for the same rows."""
        self._merge(other.values, other.index)

    def offer(self, scores: Tensor, first: int) -> None:
        """Offer each row its scores (rows, c); the columns are numbered from `first`."""
        most = min(self.values.shape[1], scores.shape[1])
        values, places = torch.topk(scores, most, dim=1, largest=False, sorted=False)
        self._merge(values, (places + first).to(torch.int32))

    def found(self) -> Proposed:
        """Return the candidates, nearest first; the threshold is the worst score kept.

        What was rejected scores at least as much as the worst that was kept; a list that
        is not full has turned nothing away.
        """
        values, order = torch.sort(self.values, dim=1)
        index = torch.gather(self.index, 1, order)
        count = torch.isfinite(values).sum(dim=1, dtype=torch.int32)
        scores = values.cpu().numpy()
        return Proposed(index.cpu().numpy(), scores, count.cpu().numpy(), scores[:, -1].copy())

    def _merge(self, values: Tensor, index: Tensor) -> None:
        both = torch.cat([self.values, values], dim=1)
        keep = self.values.shape[1]
        best, places = torch.topk(both, keep, dim=1, largest=False, sorted=False)
        self.index.copy_(torch.gather(torch.cat([self.index, index], dim=1), 1, places))
        self.values.copy_(best)


class TorchBackend:
    """The backend of torch's devices; see `Backend` for what the methods do.

    Parameters
    ----------
    device : str
        ``cuda``, ``cuda:N``, or ``torch`` for the CPU.

    Raises
    ------
    MetricSpecError
        If it is no device.
    MetricInputError
        If torch sees no such GPU.
    """

    margin = 16

    def __init__(self, device: str) -> None:
        self.name = "torch" if device == "torch" else "cuda"
        try:
            self._device = torch.device("cpu" if device == "torch" else device)
        except RuntimeError as error:
            raise MetricSpecError(f"unknown device {device!r}: {error}") from error
        seen = torch.cuda.device_count() if sees_cuda() else 0
        if self.name == "cuda" and (self._device.index or 0) >= seen:
            raise MetricInputError(
                f"device {device!r} is not there: torch sees {seen} GPUs; choose device 'cpu' or "
                "install a torch that is built for this machine's GPU"
            )

    def workers(self, threads: int) -> int:
        """Return a few: they share the device."""
        return max(1, min(threads, _WORKERS))

    @contextmanager
    def session(self) -> Iterator[None]:
        """Switch TF32 and bfloat16 products off; one thread per worker on the CPU."""
        places = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)
        before = [place.fp32_precision for place in places]
        threads = torch.get_num_threads()
        try:
            for place in places:
                place.fp32_precision = "ieee"
            torch.set_num_threads(1)
            yield
        finally:
            torch.set_num_threads(threads)
            for place, precision in zip(places, before, strict=True):
                place.fp32_precision = precision

    def search_cut(self, features: int, itemsize: int, memory_bytes: int) -> Cut:
        """Tiles of all workers and their rows in at most half of the memory bound."""
        piece, panel = _SEARCH

        def size() -> int:
            rows = panel + _WORKERS * piece
            return itemsize * (_WORKERS * _TEMPORARIES * piece * panel + rows * features)

        while size() > memory_bytes // 2 and panel > 64:
            piece, panel = max(64, piece // 2), panel // 2
        return Cut(piece, panel)

    def pass_cut(self, lines: int, features: int, itemsize: int, memory_bytes: int) -> Cut:
        """Tiles and columns of all embeddings in at most half of the memory bound."""
        per_column = (lines + _WORKERS * _TEMPORARIES) * _PASS_PIECE + features
        widest = memory_bytes // (2 * itemsize * per_column)
        panel = int(max(64, min(_SEARCH.panel, widest)))
        return Cut(min(_PASS_PIECE, panel), panel)

    def array(self, x: npt.NDArray[Any]) -> Tensor:
        """Bring an array to the device."""
        # A tensor may not share memory that is read-only.
        kept = np.ascontiguousarray(x) if x.flags.writeable else np.array(x)
        return torch.from_numpy(kept).to(self._device)

    def numpy(self, x: Tensor) -> npt.NDArray[Any]:
        """Bring a tensor back."""
        out: npt.NDArray[Any] = x.cpu().numpy()
        return out

    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Tensor:
        """Return zeros."""
        return torch.zeros(shape, dtype=_dtype(dtype), device=self._device)

    def form(self, f: Form) -> Form:
        """Bring the coefficients to the device."""
        return replace(f, lead=float(f.lead), add=self.array(f.add))

    def product(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Multiply."""
        return rows @ columns.T

    def factors(self, f: RowFactors) -> RowFactors:
        """Bring the factors to the device."""
        return RowFactors(*(self.array(x) for x in f.arrays()))

    def rescale(self, tile: Tensor, f: RowFactors, rows: slice, columns: slice) -> Tensor:
        """Make another tile."""
        out = tile * f.weight[columns]
        out *= f.weight[rows, None]
        out.addr_(f.along[rows], f.part[columns]).addr_(f.part[rows], f.across[columns])
        out += f.shift[rows, None]
        out += f.shift[columns]
        return out

    def put(self, tile: Tensor, rows: Any, columns: Any, value: float) -> None:
        """Set single entries."""
        tile[self._index(rows), self._index(columns)] = value

    def fill_diagonal(self, tile: Tensor, value: float) -> None:
        """Set the main diagonal."""
        tile.diagonal().fill_(value)

    def candidates(self, rows: int, keep: int, dtype: npt.DTypeLike) -> TorchKept:
        """Return candidates that hold nothing yet."""
        shape = (rows, keep)
        values = torch.full(shape, torch.inf, dtype=_dtype(dtype), device=self._device)
        return TorchKept(values, torch.full(shape, -1, dtype=torch.int32, device=self._device))

    def kept_bytes(self, keep: int, itemsize: int) -> int:
        """Return the memory of a row, with the copy that sorting it at the end takes."""
        return keep * (2 * itemsize + 16)

    def offer_rows(
        self, tile: Tensor, f: Form, rows: Any, columns: slice, first_row: int, kept: TorchKept
    ) -> None:
        """Score the tile and keep the best of each row."""
        scores = tile * f.lead
        scores += f.add[columns]
        shift = first_row - columns.start
        if -len(scores) < shift < scores.shape[1]:
            scores.diagonal(shift).fill_(torch.inf)
        kept.offer(scores, columns.start)

    def offer_columns(
        self, tile: Tensor, f: Form, rows: slice, columns: slice, first: int, kept: TorchKept
    ) -> None:
        """Score the transposed tile and keep the best of each column."""
        scores = tile[:, first:].T * f.lead
        scores += f.add[rows]
        kept.part(first, first + len(scores)).offer(scores, rows.start)

    def copy_part(self, tile: Tensor, start: int, out: Tensor) -> None:
        """Copy."""
        out.copy_(tile[:, start : start + out.shape[1]])

    def to_squares(
        self,
        tile: Tensor,
        rows: Tensor,
        columns: Tensor,
        x_rows: Tensor,
        x_columns: Tensor,
        least: Any,
    ) -> None:
        """Squared distances in place; small ones are gathered and summed in float64."""
        lengths = rows[:, None] + columns
        tile.mul_(-2.0).add_(lengths)
        lengths *= float(least)
        at, across = torch.nonzero(tile < lengths, as_tuple=True)
        step = max(1, _DIFFERENCES // x_rows.shape[1])
        for a, b in zip(at.split(step), across.split(step), strict=True):
            difference = x_rows[a].double() - x_columns[b].double()
            tile[a, b] = (difference * difference).sum(dim=1).to(tile.dtype)

    def to_distances(
        self, tile: Tensor, start: int, rows: Tensor, columns: Tensor, out: Tensor
    ) -> None:
        """Write distances less offsets."""
        torch.sqrt(tile[:, start : start + out.shape[1]], out=out)
        out -= rows[:, None]
        out -= columns

    def products_to_distances(
        self,
        tile: Tensor,
        start: int,
        rows: Tensor,
        columns: Tensor,
        x_rows: Tensor,
        x_columns: Tensor,
        least: Any,
        offsets: tuple[Tensor, Tensor],
        out: Tensor,
    ) -> None:
        """Squares, then distances, of the part."""
        part = tile[:, start : start + out.shape[1]]
        self.to_squares(part, rows, columns, x_rows, x_columns, least)
        self.to_distances(part, 0, *offsets, out)

    def clear_masked(self, out: Tensor, rows: Tensor, columns: Tensor) -> None:
        """Mask."""
        out *= rows[:, None]
        out *= columns

    def add_sums(
        self,
        out: Tensor,
        rows: Tensor,
        columns: Tensor,
        row_sums: Tensor,
        column_sums: Tensor,
        squares: Tensor,
    ) -> None:
        """Sum per pattern by products with the masks."""
        row_sums += columns @ out.T
        column_sums += rows @ out
        by_row = columns @ (out * out).T
        squares += (rows.double() * by_row.double()).sum(dim=1)

    def gram(
        self,
        lines: Tensor,
        start: int,
        stop: int,
        blocks: LongArray,
        pool: Workers,
    ) -> FloatArray:
        """Multiply runs of all lines at once, add the runs up in float64."""
        count = len(lines)
        runs = (stop - start) // _GRAM_RUN
        middle = start + runs * _GRAM_RUN
        whole = lines[:, start:middle].unflatten(1, (runs, _GRAM_RUN)).transpose(0, 1)
        rest = lines[:, middle:stop]
        total = torch.zeros((count, count), dtype=torch.float64, device=self._device)
        # The products of the runs take no more than a few tiles.
        step = max(1, _COMPARED // count**2)
        for part in whole.split(step) if runs else ():
            total += torch.bmm(part, part.transpose(1, 2)).sum(dim=0, dtype=torch.float64)
        total += (rest @ rest.T).double()
        return self.numpy(total)

    def counting(self, request: RankRequest, blocks: npt.NDArray[Any]) -> Counting:
        """Bring bounds and far ends to the device."""
        sources, size = len(request.sources), request.sums.nearer_touching.shape[2]
        common = None if request.common is None else self.array(request.common)
        edges = (self.array(request.bounds), self.array(request.nearest), common)
        by_block = (sources, size)
        return Counting(
            request,
            edges,
            self._index(blocks),
            self.zeros((sources,), np.int64),
            self.zeros(by_block, np.int64),
            self.zeros(by_block, np.int64),
        )

    def add_ranks(self, counting: Counting, squares: Tensor, rows: Piece, columns: Piece) -> None:
        """Compare with the bounds, a few of them at a time."""
        bounds, nearest, common = counting.edges
        at = slice(rows.start, rows.stop)
        bounds, far = bounds[at].flatten(1), nearest[at].long()
        if common is not None:
            squares = torch.where(common[columns.start : columns.stop], squares, torch.inf)
        squares = squares.contiguous()
        step = max(1, _COMPARED // squares.numel())
        counts = torch.cat(
            [
                (squares[:, None, :] < some[:, :, None]).sum(dim=2, dtype=torch.int32)
                for some in bounds.split(step, dim=1)
            ],
            dim=1,
        ).long()
        # The far end itself is no other row that is as near.
        place = far - columns.start
        inside = (place >= 0) & (place < columns.size)
        at_end = squares.gather(1, place.clamp(0, columns.size - 1))
        own = at_end.repeat_interleave(2, dim=1) < bounds
        counts = (counts - (own & inside.repeat_interleave(2, dim=1)).long()).unflatten(1, (-1, 2))
        counts = counts.sum(dim=2) * (far >= 0)
        end = counting.blocks[far.clamp(min=0)]
        total = counts.sum(dim=0)
        counting.total.add_(total)
        counting.touched[:, rows.block] += total
        away = (counts * (end != rows.block)).T
        counting.touched.scatter_add_(1, end.T.contiguous(), away.contiguous())
        if columns.block != rows.block:
            counting.seen[:, columns.block] += (counts * (end != columns.block)).sum(dim=0)

    def strips(
        self, x: npt.NDArray[Any], squares: npt.NDArray[Any], blocks: npt.NDArray[Any]
    ) -> Strips:
        """Sort the bounds of each row, search them for every distance, and add up by block."""
        rows, lengths, block_of = self.array(x), self.array(squares), self._index(blocks)
        long, (slack, lost) = lengths.double().sqrt(), likely_rounding(x.shape[1], x.dtype)

        def part(request: RankRequest, start: int, stop: int) -> tuple[npt.NDArray[Any], ...]:
            limit, size = request.limit, request.sums.nearer_touching.shape[2]
            strip = rows[start:stop] @ rows[:limit].T
            strip.mul_(-2.0).add_(lengths[:limit]).add_(lengths[start:stop, None]).clamp_(min=0.0)
            if request.common is not None:
                strip[:, ~self.array(request.common)[:limit]] = torch.inf
            strip.diagonal(start).fill_(torch.inf)
            far = self._index(request.nearest[start:stop])
            present = far >= 0
            at = strip.gather(1, far.clamp(min=0)).double()
            other = long[start:stop, None] + at.sqrt()
            off = 2.0 * (slack * (long[start:stop, None].square() + other.square()) + lost)
            between = torch.cat([at - off, at + off], dim=1).to(strip.dtype)
            nearer = _below(strip, between, block_of[:limit], size)
            nearer = nearer[:, : far.shape[1]] + nearer[:, far.shape[1] :]
            end, own = block_of[far.clamp(min=0)], block_of[start:stop]
            ids = torch.arange(size, device=self._device)
            at_row = own[:, None, None] == ids
            at_end = end[:, :, None] == ids
            nearer -= at_end.long()  # as near as itself
            nearer *= present[:, :, None]
            counts = nearer.sum(dim=2)
            touched = (counts[:, :, None] * (at_row | at_end)).sum(dim=0)
            seen = (nearer * ~(at_row | at_end)).sum(dim=0)
            return tuple(self.numpy(part) for part in (counts.sum(dim=0), touched, seen))

        return part

    def _index(self, x: npt.NDArray[Any]) -> Tensor:
        return self.array(x).long()


def _below(strip: Tensor, bounds: Tensor, blocks: Tensor, size: int) -> Tensor:
    """Return how many entries of each row, by block, lie below each of the row's bounds.

    Parameters
    ----------
    strip : Tensor, shape (I, n)
    bounds : Tensor, shape (I, F)
    blocks : Tensor of int64, shape (n,)
    size : int
        Number of blocks B.

    Returns
    -------
    Tensor of int64, shape (I, F, B)
    """
    ordered, order = torch.sort(bounds, dim=1)
    # An entry is below every bound from the first that exceeds it.
    place = torch.searchsorted(ordered, strip, right=True, out_int32=True).long()
    place = place.mul_(size).add_(blocks)
    count, width = len(bounds), bounds.shape[1]
    hits = torch.zeros((count, (width + 1) * size), dtype=torch.int32, device=strip.device)
    hits.scatter_add_(1, place, torch.ones_like(hits[:, :1]).expand_as(place))
    below = hits.unflatten(1, (width + 1, size))[:, :width].cumsum(dim=1, dtype=torch.int64)
    out = torch.empty_like(below)
    out.scatter_(1, order[:, :, None].expand_as(below), below)
    return out


def _dtype(dtype: npt.DTypeLike) -> Any:
    return torch.from_numpy(np.empty(0, dtype)).dtype
