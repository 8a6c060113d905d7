"""Exact nearest rows of one embedding, by distance, inner product and cosine at once.

One matrix product per pair of row pieces serves all kinds of neighbours and both rows of a
pair. It runs in single precision on centred rows and only proposes: candidates are scored
again in float64, and a row whose list cannot be proved complete against the rounding of the
product is searched again in double precision, then, if it still cannot (ties), one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matteralign.metrics.candidates import Candidates
from matteralign.metrics.inputs import FloatArray, IndexArray
from matteralign.metrics.kernels.exact import rank_candidates, search_row
from matteralign.metrics.kernels.select import scan_columns, scan_rows
from matteralign.metrics.plan import PANEL, Piece, Step, pieces, steps
from matteralign.metrics.scores import Form, Geometry, form

MARGIN = 6
"""Candidates beyond the list: enough that nearly every row can be proved complete."""

_CHUNK_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Found:
    """Lists of one kind over the first `limit` rows.

    Attributes
    ----------
    limit : int
    index : ndarray of int32, shape (limit, k)
        Nearest first, ties by lower index.
    score : ndarray of float64, shape (limit, k)
        Squared distance, or negative inner product, in working units.
    """

    limit: int
    index: IndexArray
    score: FloatArray


@dataclass
class Effort:
    """How the lists were found, in rows."""

    certified: int = 0
    double: int = 0
    one_by_one: int = 0


def search(
    x: npt.NDArray[Any],
    mean: FloatArray,
    wanted: Mapping[int, int],
    *,
    edges: Sequence[int],
    limits: Sequence[int] = (),
    dtype: npt.DTypeLike = np.float32,
    memory_bytes: int,
    threads: int = 1,
    progress: Callable[[float], None] | None = None,
) -> tuple[dict[int, list[Found]], Effort]:
    """Find the nearest rows of every row.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (n, d)
        Rows in working units.
    mean : ndarray of float64, shape (d,)
    wanted : mapping of int to int
        Kind (`exact.DISTANCE`, `PRODUCT`, `COSINE`) to neighbours per row, below n.
    edges : sequence of int
        Borders of row blocks, from 0 to n.
    limits : sequence of int
        Borders among `edges`: the lists are also found among the first so many rows alone.
    dtype : float32 or float64
        Of the matrix products. The lists do not depend on it.
    memory_bytes : int
        Bound on what is held beside the lists, `x` and its centred copy.
    threads : int
    progress : callable, optional
        Told the share of the work done.

    Returns
    -------
    dict of int to list of Found
        Per kind one entry for every limit and one for all rows, ascending.
    Effort
    """
    n = len(x)
    centred = (x - mean).astype(dtype, copy=False)
    whole = _Search(x, centred, Geometry.of(x, centred, mean), mean, wanted, threads)
    found: dict[int, list[Found]] = {}
    for kind, k in wanted.items():
        found[kind] = [_empty(limit, k) for limit in (*sorted(set(limits) - {n}), n)]
    groups = _groups(edges, limits, wanted, np.dtype(dtype).itemsize, memory_bytes)
    with threadpool_limits(1), ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for position, (low, high) in enumerate(groups):
            tell = _share(progress, position, len(groups))
            whole.run(low, high, edges, found, dtype, pool, tell)
    return found, whole.effort


class _Search:
    def __init__(
        self,
        x: npt.NDArray[Any],
        centred: npt.NDArray[Any],
        geometry: Geometry,
        mean: FloatArray,
        wanted: Mapping[int, int],
        threads: int,
    ) -> None:
        self.x, self.centred, self.geometry, self.mean = x, centred, geometry, mean
        self.keep = {kind: min(k + MARGIN, len(x)) for kind, k in wanted.items()}
        self.wanted = wanted
        self.forms = {kind: form(kind, geometry, centred.dtype) for kind in wanted}
        self.threads = threads
        self.effort = Effort()

    def run(
        self,
        low: int,
        high: int,
        edges: Sequence[int],
        found: Mapping[int, list[Found]],
        dtype: npt.DTypeLike,
        pool: ThreadPoolExecutor,
        tell: Callable[[float], None],
    ) -> None:
        """Fill the lists of rows ``low:high``."""
        rows = {kind: Candidates.empty(high - low, keep, dtype) for kind, keep in self.keep.items()}
        local = _PerThread(self.keep, dtype)
        own = [p for p in pieces(edges) if low <= p.start < high]
        walk = list(steps(edges, {entry.limit for lists in found.values() for entry in lists}))
        for done, step in enumerate(walk, start=1):
            inside = step.start >= low and step.stop <= high
            active = [p for p in own if p.start < step.stop] if inside else own
            work = partial(self._tile, step=step, low=low, inside=inside, rows=rows, local=local)
            if inside:
                # The panel's own rows first: the bounds they find spare the other tiles'
                # columns from starting at nothing.
                own_rows = [p for p in active if p.start >= step.start]
                list(pool.map(work, own_rows))
                local.start_from(
                    {
                        kind: part.part(step.start - low, step.stop - low).threshold
                        for kind, part in rows.items()
                    }
                )
                active = [p for p in active if p.start < step.start]
            list(pool.map(work, active))
            if inside:
                local.start_from({})
                for kind, part in local.filled():
                    part_rows = rows[kind].part(step.start - low, step.stop - low)
                    part_rows.take(part.part(0, step.stop - step.start))
                    part.reset()
            for kind, lists in found.items():
                for entry in lists:
                    if entry.limit == step.stop and low < entry.limit:
                        self._finish(kind, entry, low, min(high, entry.limit), rows[kind], pool)
            tell(done / len(walk))

    def _tile(
        self,
        piece: Piece,
        *,
        step: Step,
        low: int,
        inside: bool,
        rows: Mapping[int, Candidates],
        local: _PerThread,
    ) -> None:
        first = max(step.start, piece.start) if inside else step.start
        columns = slice(first, step.stop)
        width = step.stop - first
        tile = local.tile(piece.size, width)
        np.matmul(self.centred[piece.start : piece.stop], self.centred[columns].T, out=tile)
        at = slice(piece.start, piece.stop)
        for kind, f in self.forms.items():
            mine = rows[kind].part(piece.start - low, piece.stop - low)
            scan_rows(
                tile, f.lead, f.add[columns], f.own[at], f.weight[columns],
                piece.start, first, *mine.arrays(),
            )  # fmt: skip
            if inside and piece.stop < step.stop:
                other = local.candidates(kind).part(first - step.start, step.stop - step.start)
                scan_columns(
                    tile, f.lead, f.add[at], f.own[columns], f.weight[at],
                    piece.start, max(0, piece.stop - first), *other.arrays(),
                )  # fmt: skip

    def _finish(
        self,
        kind: int,
        out: Found,
        low: int,
        high: int,
        rows: Candidates,
        pool: ThreadPoolExecutor,
    ) -> None:
        parts = np.array_split(np.arange(low, high), max(1, min(self.threads * 4, high - low)))
        work = partial(self._certify, kind=kind, out=out, low=low, rows=rows)
        open_rows = np.concatenate(list(pool.map(work, [p for p in parts if len(p)])))
        self.effort.certified += high - low - len(open_rows)
        if len(open_rows) == 0:
            return
        if self.centred.dtype != np.float64:
            self.effort.double += len(open_rows)
            open_rows = self._in_double(kind, out, open_rows)
        self.effort.one_by_one += len(open_rows)
        list(pool.map(partial(self._one_by_one, kind=kind, out=out), open_rows.tolist()))

    def _certify(
        self, part: npt.NDArray[np.int64], *, kind: int, out: Found, low: int, rows: Candidates
    ) -> npt.NDArray[np.int64]:
        """Order the candidates of some rows; return the rows that may miss a neighbour."""
        at = slice(part[0] - low, part[-1] + 1 - low)
        # Only what may be in the list is worth an exact score.
        rows.part(at.start, at.stop).trim()
        return self._order(
            kind, out, part, rows.index[at], rows.count[at], rows.threshold[at], self.forms[kind]
        )

    def _order(
        self,
        kind: int,
        out: Found,
        part: npt.NDArray[np.int64],
        candidates: IndexArray,
        counts: IndexArray,
        threshold: npt.NDArray[Any],
        f: Form,
    ) -> npt.NDArray[np.int64]:
        k = min(self.wanted[kind], out.limit - 1)
        index = np.full((len(part), self.wanted[kind]), -1, np.int32)
        score = np.full((len(part), self.wanted[kind]), np.inf)
        rank_candidates(self.x, self.geometry.norms, kind, part, candidates, counts, index, score)
        out.index[part], out.score[part] = index, score
        if k == 0:
            return part[:0]
        bound = threshold.astype(np.float64) + f.constant[part]
        sure = np.isinf(threshold) | (score[:, k - 1] < bound)
        left: npt.NDArray[np.int64] = part[~sure]
        return left

    def _in_double(
        self, kind: int, out: Found, rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        geometry = Geometry.of(self.x, self.x - self.mean, self.mean)
        f = form(kind, geometry, np.float64)
        step = max(1, min(len(rows), _CHUNK_BYTES // (8 * PANEL)))
        left = []
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            mine = Candidates.empty(len(part), self.keep[kind], np.float64)
            left_rows = self.x[part] - self.mean
            for first in range(0, out.limit, PANEL):
                columns = slice(first, min(first + PANEL, out.limit))
                tile = left_rows @ (self.x[columns] - self.mean).T
                here = np.flatnonzero((part >= columns.start) & (part < columns.stop))
                # Sent to plus infinity by the negative lead: a row is not its own neighbour.
                tile[here, part[here] - first] = -np.inf
                scan_rows(
                    tile, f.lead, f.add[columns], f.own[part], f.weight[columns],
                    -out.limit, first, *mine.arrays(),
                )  # fmt: skip
            left.append(self._order(kind, out, part, mine.index, mine.count, mine.threshold, f))
        return np.concatenate(left)

    def _one_by_one(self, row: int, *, kind: int, out: Found) -> None:
        out.index[row], out.score[row] = -1, np.inf
        k = min(self.wanted[kind], out.limit - 1)
        search_row(
            self.x, self.geometry.norms, kind, row, out.limit,
            out.index[row, :k], out.score[row, :k],
        )  # fmt: skip


class _PerThread:
    """Buffers that each thread has to itself: a tile, and candidates of the panel's rows."""

    def __init__(self, keep: Mapping[int, int], dtype: npt.DTypeLike) -> None:
        self._keep, self._dtype = keep, dtype
        self._mine = threading.local()
        self._all: list[tuple[int, Candidates]] = []
        self._bounds: dict[int, npt.NDArray[Any]] = {}
        self._lock = threading.Lock()

    def tile(self, rows: int, columns: int) -> npt.NDArray[Any]:
        """Return a contiguous array of this shape."""
        flat = getattr(self._mine, "flat", None)
        if flat is None or flat.size < rows * columns:
            flat = self._mine.flat = np.empty(rows * columns, self._dtype)
        return flat[: rows * columns].reshape(rows, columns)

    def candidates(self, kind: int) -> Candidates:
        """Return this thread's buffers for the rows of the panel."""
        mine = self._mine.__dict__.setdefault("candidates", {})
        if kind not in mine:
            mine[kind] = Candidates.empty(PANEL, self._keep[kind], self._dtype)
            with self._lock:
                self._all.append((kind, mine[kind]))
                self._lower(kind, mine[kind])
        part: Candidates = mine[kind]
        return part

    def start_from(self, bounds: Mapping[int, npt.NDArray[Any]]) -> None:
        """Turn away from now on whatever scores no less than these bounds."""
        self._bounds = dict(bounds)
        for kind, part in self._all:
            self._lower(kind, part)

    def _lower(self, kind: int, part: Candidates) -> None:
        bound = self._bounds.get(kind)
        if bound is not None:
            at = part.threshold[: len(bound)]
            np.minimum(at, bound, out=at)

    def filled(self) -> list[tuple[int, Candidates]]:
        """Return the buffers of every thread with their kinds."""
        return list(self._all)


def _empty(limit: int, k: int) -> Found:
    return Found(limit, np.full((limit, k), -1, np.int32), np.full((limit, k), np.inf))


def _groups(
    edges: Sequence[int],
    limits: Sequence[int],
    wanted: Mapping[int, int],
    itemsize: int,
    memory_bytes: int,
) -> list[tuple[int, int]]:
    """Cut the rows, at borders of panels, so that the buffers of a group stay in bounds."""
    per_row = sum(Candidates.bytes_per_row(k + MARGIN, itemsize) for k in wanted.values())
    room = max(1, memory_bytes // (2 * per_row))
    groups: list[tuple[int, int]] = []
    for step in steps(edges, limits):
        if groups and step.stop - groups[-1][0] <= room:
            groups[-1] = (groups[-1][0], step.stop)
        else:
            groups.append((step.start, step.stop))
    return groups


def _share(
    progress: Callable[[float], None] | None, position: int, count: int
) -> Callable[[float], None]:
    def tell(share: float) -> None:
        if progress is not None:
            progress((position + share) / count)

    return tell
